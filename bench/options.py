"""How much is measured: the real sizes, or small ones that only show that the bench works."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

PEERS = ("go", "kopf")
ALONE = ("start", "decide", "source")  # these need no control plane
ON_A_SERVER = ("noop", "churn", "history", "memory", "imported", "moved", "drain", "bill")
ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Options:
    """`rounds` of what is compared; `few` of what takes a minute a round."""

    rounds: int = ROUNDS
    few: int = 3
    peers: Sequence[str] = PEERS
    active: Sequence[int] = (50, 200, 1000, 4000)
    usual: int = 200  # the size that budgets are for
    stored: Sequence[int] = (200, 2000, 10_000)
    documents: int = 1000
    changed: int = 10
    drained: int = 50
    long: tuple[int, int] = (100, 20)  # workflows, steps
    children: int = 50_000
    decided: int = 1000  # workflows
    files: int = 5000  # of a source that is read
    bill: bool = True  # three minutes of a real CronJob

    def with_peers(self, peers: Sequence[str]) -> "Options":
        return replace(self, peers=peers)

    @classmethod
    def quick(cls, rounds: int) -> "Options":
        return cls(
            rounds=rounds,
            few=1,
            peers=(),
            active=(2, 4),
            usual=4,
            stored=(4, 8),
            documents=4,
            changed=2,
            drained=2,
            long=(0, 0),
            children=200,
            decided=20,
            files=20,
            bill=False,
        )
