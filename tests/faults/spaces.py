"""The spaces of schedules that are explored, each exhausted in its order: the shortest first.

What a call is answered changes the calls that follow, so a longer schedule is found by carrying out
the shorter one. Calls that write or read an Event stand apart from everything: no switch is tried
before them, for it would be the same as one call later.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from reconciler.kube.requests import EVENTS, Request
from tests.faults.explorer import Carried, Explorer
from tests.faults.mishaps import FAULTS, Fault
from tests.faults.scene import Call
from tests.faults.schedule import Mark, Schedule

Space = Callable[[Explorer], None]

# Each kind of loss once, for pairs of them.
CORE = tuple(
    FAULTS[name]
    for name in (
        "crash-before", "crash-after", "applied-500", "applied-lost", "500-always", "429", "403",
        "422", "conflict", "exists", "exists-nobodys", "cut", "stopped-after", "late-before",
        "unread",
    )
)  # fmt: skip

EXECUTOR = ("finish-first",)
EXECUTORS = ("begin", "finish-first", "finish-last", "finish", "fails")
HANDS = (
    "nonsense", "ends-before-it-began", "back-to-work", "failed-after-all",
    "completed-after-all", "child-deleted", "children-deleted",
    "label-lost", "label-edited", "owner-lost", "owner-edited", "name-taken", "limit-1", "limit-9",
    "suspended", "resumed", "cancelled", "deleted", "held-and-deleted", "made-again",
    "status-lost", "lease-left", "paused", "unpaused", "push-c0", "push-c1", "push-c2",
    "31s", "3m", "2h",
)  # fmt: skip
# Of a source: what is done to its runs, to what it keeps, and to git.
SOURCE_HANDS = (
    "finish", "fails", "deleted", "made-again", "status-lost", "cancelled", "suspended", "paused",
    "unpaused", "push-c0", "push-c1", "push-c2", "2h", "record-lost", "record-emptied",
    "record-disowned", "head-lost", "head-spoilt", "head-old",
)  # fmt: skip


# --- one fault, two faults ----------------------------------------------------------------------


def single_faults(explorer: Explorer, faults: Iterable[Fault] = tuple(FAULTS.values())) -> None:
    """Every fault at every call of every run of the story."""
    for scene in explorer.scenes:
        for mark in _faults(scene, explorer.calls(scene), faults):
            explorer.carry_out(Schedule(explorer.workload.name, (mark,)))


def double_faults(
    explorer: Explorer, faults: Sequence[Fault] = CORE, *, thorough: bool = False
) -> None:
    """Every pair of faults: in one run, and in any two runs of the story.

    `thorough`: also those are carried out that are bound to go like others.
    """
    later = _Later(explorer, faults, thorough=thorough)
    for scene in explorer.scenes:
        for mark in _faults(scene, explorer.calls(scene), faults):
            first = explorer.carry_out(Schedule(explorer.workload.name, (mark,)))
            if first is None:
                continue
            explorer.tally.schedules -= 1  # it has one fault
            for second in _faults(scene, first.calls[scene], faults, after=mark.call):
                explorer.carry_out(first.schedule.also(second))
            later.explore(first)


class _Later:
    """A second fault in a later run. Runs from equal states are alike: they are carried out once.

    What is known of a state is how many schedules begin in it.
    """

    def __init__(self, explorer: Explorer, faults: Sequence[Fault], *, thorough: bool) -> None:
        self._explorer = explorer
        self._faults = faults
        self._thorough = thorough
        self._counted: dict[str, int] = {}

    def explore(self, first: Carried) -> None:
        explorer, begun = self._explorer, first.after
        while begun.scene < len(explorer.scenes):
            key = explorer.key(begun)
            known = None if self._thorough else self._counted.get(key)
            after, calls = explorer.go_on(begun)
            if known is None:
                before = explorer.tally.schedules
                for mark in _faults(begun.scene, calls, self._faults):
                    explorer.carry_out(first.schedule.also(mark), begun)
                self._counted[key] = explorer.tally.schedules - before
            else:
                explorer.tally.schedules += known
                explorer.tally.alike += known
            begun = after


def _faults(
    scene: int, calls: Sequence[Call], faults: Iterable[Fault], after: int = -1
) -> Iterator[Mark]:
    for number, call in enumerate(calls):
        if number > after:
            for fault in faults:
                if fault.fits(call.request):
                    yield Mark(scene, number, fault.name)


# --- runs that overlap --------------------------------------------------------------------------


def overlaps(explorer: Explorer, runs: int, switches: int, deeds: Sequence[str] = EXECUTOR) -> None:
    """Runs that begin together and are switched so often; with a deed before a switch, or none.

    Which of two runs goes on where a third one ends is free.
    """
    for scene in explorer.scenes:
        level = [Schedule(explorer.workload.name, (), ((scene, runs),))]
        for cost in range(switches + 1):
            free: list[Schedule] = []
            paid: list[Schedule] = []
            for schedule in level:
                carried = explorer.carry_out(schedule)
                if carried is not None:
                    _longer(carried, scene, deeds, free, paid if cost < switches else None)
            while free:
                schedule = free.pop()
                carried = explorer.carry_out(schedule)
                if carried is not None:
                    _longer(carried, scene, deeds, free, paid if cost < switches else None)
            level = paid


def _longer(
    carried: Carried,
    scene: int,
    deeds: Sequence[str],
    free: list[Schedule],
    paid: list[Schedule] | None,
) -> None:
    """The schedules with one switch more, behind the last one."""
    last = max((mark.call for mark in carried.schedule.marks), default=-1)
    for number, call in enumerate(carried.calls[scene]):
        if number <= last or _apart(call.request):
            continue
        for run in call.others:
            switch = Mark(scene, number, f"to-{run}")
            if call.began and len(call.others) > 0:
                free.append(carried.schedule.also(switch))
            elif paid is not None:
                paid.append(carried.schedule.also(switch))
                for deed in deeds:
                    paid.append(carried.schedule.also(Mark(scene, number, deed), switch))


def overlaps_with_faults(explorer: Explorer, faults: Sequence[Fault] = CORE) -> None:
    """Two runs, one switch, and one fault at any call of either; then each goes on to its end."""
    for scene in explorer.scenes:
        both = Schedule(explorer.workload.name, (), ((scene, 2),))
        paid: list[Schedule] = []
        carried = explorer.carry_out(both)
        if carried is not None:
            _longer(carried, scene, (), [], paid)
        for schedule in paid:
            switched = explorer.carry_out(schedule)
            if switched is not None:
                for mark in _faults(scene, switched.calls[scene], faults):
                    explorer.carry_out(_at(schedule, mark))


def _at(schedule: Schedule, mark: Mark) -> Schedule:
    """With a mark in its place among the others: behind what happens before the same call."""
    return replace(schedule, marks=tuple(sorted((*schedule.marks, mark), key=lambda each: each.at)))


def _apart(request: Request) -> bool:
    return request.target.resource is EVENTS


# --- runs that sleep ----------------------------------------------------------------------------


def sleepers(explorer: Explorer, lengths: Sequence[int] = (0, 120, 4000)) -> None:
    """A run that is stopped at any of its calls while the story goes on, and then continues.

    Its call is on the way (sleep), or its answer is (nap). It wakes up before any call of the next
    run, or before any of the runs after that one.
    """
    scenes = len(explorer.scenes)
    for scene in explorer.scenes[:-1]:
        following = len(explorer.calls(scene + 1))
        places = [(scene + 1, call) for call in range(following)]
        places += [(later, 0) for later in range(scene + 2, scenes)]
        for number, call in enumerate(explorer.calls(scene)):
            if _apart(call.request):
                continue
            for kind, length, place in product(("sleep", "nap"), lengths, places):
                if kind == "sleep" or length:
                    asleep = Mark(scene, number, f"{kind}-{length}")
                    schedule = Schedule(explorer.workload.name, (asleep, Mark(*place, "wake")))
                    explorer.carry_out(schedule)


def sleepers_and_hands(
    explorer: Explorer, deeds: Sequence[str] = HANDS, lengths: Sequence[int] = (0, 120)
) -> None:
    """The same, and somebody does something before the next run or while it is at work."""
    name = explorer.workload.name
    for scene in explorer.scenes[:-1]:
        following = range(len(explorer.calls(scene + 1)))
        for number, call in enumerate(explorer.calls(scene)):
            if _apart(call.request):
                continue
            for length, deed, woken in product(lengths, deeds, following):
                asleep = Mark(scene, number, f"sleep-{length}")
                marks = (asleep, Mark(scene + 1, 0, deed), Mark(scene + 1, woken, "wake"))
                explorer.carry_out(Schedule(name, marks))


# --- hands --------------------------------------------------------------------------------------


def single_deeds(explorer: Explorer, deeds: Sequence[str] = (*EXECUTORS, *HANDS)) -> None:
    """Anybody does anything, before any call of any run."""
    for scene in explorer.scenes:
        for number, call in enumerate(explorer.calls(scene)):
            if not _apart(call.request):
                for deed in deeds:
                    mark = Mark(scene, number, deed)
                    explorer.carry_out(Schedule(explorer.workload.name, (mark,)))


def double_deeds(explorer: Explorer, deeds: Sequence[str] = (*EXECUTORS, *HANDS)) -> None:
    """Two things happen between the same two runs, or each between two."""
    name = explorer.workload.name
    for scene in explorer.scenes:
        for first, second in product(deeds, deeds):
            marks = (Mark(scene, 0, first), Mark(scene, 0, second))
            explorer.carry_out(Schedule(name, marks))
            if scene + 1 in explorer.scenes:
                explorer.carry_out(Schedule(name, (marks[0], Mark(scene + 1, 0, second))))
