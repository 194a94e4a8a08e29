"""Which of several runs a workflow belongs to, when one run is not enough (contract 1).

Every shard works the same rule out for itself, so none needs to know of another. Safety never rests
on it: while the number of shards changes two runs may look at one workflow, as any two runs may.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count`, counted from 0; alone, it is all there is."""

    index: int = 0
    count: int = 1

    @property
    def alone(self) -> bool:
        return self.count == 1

    @property
    def first(self) -> bool:
        """Of all shards this one reads the source: its head is one, whoever writes it."""
        return self.index == 0

    def owns(self, uid: str) -> bool:
        """Of any number of shards exactly one owns a workflow, whatever it is called."""
        digest = hashlib.sha256(uid.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index

    def share(self, amount: int) -> int:
        """This shard's part of something that all of them divide; the parts add up to it."""
        return amount // self.count + (self.index < amount % self.count)

    @property
    def label(self) -> str:
        """As the gauges name it; a run that is alone is `0-1`."""
        return f"{self.index}-{self.count}"
