"""What is explored: spaces over workloads; all of it by `make explore`, a share by `make test`.

The share is chosen by what it holds, never by time or chance: twice the same, twice the same
result.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.faults import spaces
from tests.faults.explorer import Explorer
from tests.faults.mishaps import FAULTS
from tests.faults.spaces import CORE, EXECUTORS, HANDS, SOURCE_HANDS, Space
from tests.faults.workloads import WORKLOADS

SOURCED = ("source", "steered")
RECORDED = (
    "queued", "replaced", "history", "expiring", "pruned", "withdrawn", "recorded", "reverted",
    "forgotten", "sharded-source", "rerun", "restored",
)  # fmt: skip
ALL = tuple(WORKLOADS)
PLAIN = tuple(name for name in WORKLOADS if name not in (*SOURCED, *RECORDED))
SMALL = ("chain", "retry", "fan-1")
SOURCES = (*SOURCED, *RECORDED)
WORKFLOWS = tuple(name for name in WORKLOADS if name not in RECORDED)
FULL = ("chain", "fan-1", "retry", "pair", "leased")
REST = tuple(name for name in WORKFLOWS if name not in FULL)
OVERLAPPING = ("chain", "fan-1", "fan-2", "retry", "fail-fast", "cancel", "timeout", "continue")
SHARDS = ("sharded", "sharded-source")
HANDLED = (*OVERLAPPING, "leased", "steered")


@dataclass(frozen=True, slots=True)
class Part:
    """One space over one workload."""

    space: str
    workload: str
    explore: Space

    def carried_out(self, *, patient: bool = False) -> Explorer:
        """Raises Violation at the first schedule that breaks something, one of the shortest.

        A patient one raises nothing; what was broken stands in its violations.
        """
        explorer = Explorer(WORKLOADS[self.workload], patient)
        self.explore(explorer)
        return explorer


# Of the faults that a client cannot tell apart one each.
TELLING_FAULTS = tuple(
    FAULTS[name]
    for name in (
        *(fault.name for fault in CORE), "applied-hangs", "500-for-good", "down", "hangs",
        "exists-anothers", "lag-1", "stale-3", "gone", "gone-always", "late-after",
    )
)  # fmt: skip

# And of those that a write of a record, a head or a run can meet.
WRITE_FAULTS = tuple(
    FAULTS[name]
    for name in (
        "crash-before", "crash-after", "applied-lost", "500-always", "conflict", "stale-3",
        "late-before",
    )
)  # fmt: skip

_hands_of_a_source = partial(spaces.single_deeds, deeds=SOURCE_HANDS)

_Rows = Sequence[tuple[str, Space, Sequence[str]]]

WHOLE: _Rows = (
    ("single-faults", spaces.single_faults, ALL),
    ("double-faults", partial(spaces.double_faults, thorough=True), SMALL),
    ("two-runs", partial(spaces.overlaps, runs=2, switches=3), PLAIN),
    ("two-runs", partial(spaces.overlaps, runs=2, switches=2), SOURCES),
    ("three-runs", partial(spaces.overlaps, runs=3, switches=2), (*PLAIN, "sharded-source")),
    ("two-runs-and-a-fault", spaces.overlaps_with_faults, ALL),
    (
        "two-runs-and-hands",
        partial(spaces.overlaps, runs=2, switches=2, deeds=(*EXECUTORS, *HANDS)),
        PLAIN,
    ),
    (
        "two-runs-and-hands",
        partial(spaces.overlaps, runs=2, switches=1, deeds=SOURCE_HANDS),
        SOURCES,
    ),
    ("sleepers", spaces.sleepers, ALL),
    ("sleepers-and-hands", spaces.sleepers_and_hands, WORKFLOWS),
    ("sleepers-and-hands", partial(spaces.sleepers_and_hands, deeds=SOURCE_HANDS), RECORDED),
    ("hands", spaces.single_deeds, WORKFLOWS),
    ("hands", _hands_of_a_source, SOURCES),
    ("hands-twice", spaces.double_deeds, WORKFLOWS),
    ("hands-twice", partial(spaces.double_deeds, deeds=SOURCE_HANDS), SOURCES),
)

SHARE: _Rows = (
    ("single-faults", spaces.single_faults, FULL),
    ("single-faults", partial(spaces.single_faults, faults=TELLING_FAULTS), REST),
    ("single-faults", partial(spaces.single_faults, faults=WRITE_FAULTS), RECORDED),
    ("double-faults", spaces.double_faults, ("fan-1",)),
    ("two-runs", partial(spaces.overlaps, runs=2, switches=3), OVERLAPPING),
    ("two-runs", partial(spaces.overlaps, runs=2, switches=1), SOURCES),
    ("three-runs", partial(spaces.overlaps, runs=3, switches=2), ("retry", "fan-1")),
    ("three-runs", partial(spaces.overlaps, runs=3, switches=1), SHARDS),
    ("two-runs-and-a-fault", spaces.overlaps_with_faults, ("fan-1",)),
    ("sleepers", partial(spaces.sleepers, lengths=(0, 120)), OVERLAPPING),
    ("sleepers", partial(spaces.sleepers, lengths=(120,)), ("recorded", "sharded")),
    ("sleepers-and-hands", partial(spaces.sleepers_and_hands, lengths=(120,)), ("fan-1", "cancel")),
    ("hands", spaces.single_deeds, HANDLED),
    ("hands", _hands_of_a_source, ("pruned", "recorded")),
)


def parts(rows: _Rows, names: Collection[str] = ()) -> Iterator[Part]:
    """Those of these spaces; without a name, of all."""
    for space, explore, workloads in rows:
        if not names or space in names:
            for workload in workloads:
                yield Part(space, workload, explore)
