"""What a fresh process takes: wall clock, processor, peak memory, and what it tells about itself.

Sides that are compared take turns in one loop, each round in another order: a machine that is busy
is busy for all of them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
_METER = Path(__file__).with_name("meter.py")
_PATIENCE = 600.0  # seconds; a side that hangs is no measurement
K = TypeVar("K")


class Broken(Exception):  # noqa: N818  # a bench that is broken says so
    """A side did not do its work: then there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds and bytes of one process and those it waited for.

    `body` and `body_cpu` go from its first request to its last answer, as it tells them itself: the
    whole process without its start. Without such words they are the whole.
    """

    wall: float
    cpu: float
    peak: int
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> float:
        return float(self.told.get("seconds", self.wall))

    @property
    def body_cpu(self) -> float:
        return float(self.told.get("cpu", self.cpu))


def spend(command: Sequence[str | Path], more: Mapping[str, str] | None = None) -> Spent:
    """One process, to its end.

    Raises:
        Broken: it failed.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
    kept["PYTHONPATH"] = str(ROOT)  # what is measured is this checkout
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_METER), *map(str, command)],
        env=kept | dict(more or {}),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode != 0:
        name = " ".join(Path(part).name for part in map(str, command[:4]))
        raise Broken(f"{name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    *printed, last = done.stdout.splitlines()
    told = json.loads(printed[-1]) if printed and printed[-1].startswith("{") else {}
    return Spent(**json.loads(last), told=told)


def interleaved(sides: Mapping[K, Callable[[], Spent]], rounds: int) -> Mapping[K, list[Spent]]:
    """What each side took, a round each; a first one finds things cold and does not count.

    A single round is not for its times: then there is no first one.
    """
    taken: dict[K, list[Spent]] = {side: [] for side in sides}
    order = list(sides)
    for _ in range(rounds + 1 if rounds > 1 else 1):
        for side in order:
            taken[side].append(sides[side]())
        order = [*order[1:], order[0]]
    return {side: spent[-rounds:] for side, spent in taken.items()}
