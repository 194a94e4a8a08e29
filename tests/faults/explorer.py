"""Carries schedules of one workload out, and looks at what comes of each.

The invariants are looked at on the way, at every change (`Monitor`). After the last mark runs are
clean and no child changes: within two of them everything is sound and, where the schedule only lost
time, as without it; a third writes nothing. Then the story goes on to the same end (I6).
A state that was brought to its end once is not brought there again: what follows is determined.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reconciler.kube.requests import CHILDREN, LEASES, RECORDS, WORKFLOWS, Request
from tests.faults import reading
from tests.faults.invariants import Violation
from tests.faults.mishaps import FAULTS, Fault, Heals, Pointless, write
from tests.faults.picture import Picture, besides, key, outline, picture
from tests.faults.play import Moment, Play
from tests.faults.process import Process
from tests.faults.scene import Asleep, Call, Scene
from tests.faults.schedule import Schedule
from tests.faults.soundness import unsound
from tests.faults.workloads import Workload

CALLS = 3  # times as many as without a fault: the most that a run may make (I7)
_ROUNDS = 12  # of executor and runs, after the story
_WORDS = 200  # characters of a value that is told
_BACKOFF = 61.0  # seconds between them: the longest wait of a story
_LEASE = 61.0  # seconds: the deadline of a run and ten more
_LOOK = 3601.0  # seconds: a source is looked at once an hour, whatever happens


@dataclass(frozen=True, slots=True)
class Reference:
    """A scene without faults: how it began, its calls, and what the server held after it.

    `after` the scene's run, `quiet` after the clean runs that follow.
    """

    before: Moment
    calls: tuple[Call, ...]
    after: Picture
    quiet: Picture


@dataclass(slots=True)
class Tally:
    """Of one exploration.

    `schedules` were looked at, each another one. Of these `alike` were not carried out, because
    another one had come to the same state before its last mark; and `known` came to a state that
    another one had been brought to its end from. `calls` were made by runs with a mark.
    """

    schedules: int = 0
    alike: int = 0
    known: int = 0
    calls: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.schedules + other.schedules,
            self.alike + other.alike,
            self.known + other.known,
            self.calls + other.calls,
        )


@dataclass(frozen=True, slots=True)
class Begun:
    """A play on its way: the scene that comes next, and how it begins."""

    scene: int
    moment: Moment


@dataclass(frozen=True, slots=True)
class Carried:
    """A schedule that was carried out: the calls of its scenes, and what comes after them."""

    schedule: Schedule
    calls: dict[int, tuple[Call, ...]]
    after: Begun


@dataclass(slots=True)
class Explorer:
    """Of one workload. `patient`: violations are kept, and what comes after them is tried."""

    workload: Workload
    patient: bool = False
    violations: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    _play: Play = field(init=False)
    _scenes: list[Reference] = field(init=False)
    _outline: reading.Json = field(init=False)
    _known: set[tuple[object, ...]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._play = self.workload.play()
        self._scenes = [self._reference(scene) for scene in range(len(self.workload.scenes))]
        self._finish(len(self._scenes))
        self._outline = outline(self._play)

    # --- without faults ---------------------------------------------------------------------

    @property
    def scenes(self) -> range:
        return range(len(self._scenes))

    def calls(self, scene: int) -> tuple[Call, ...]:
        """Those of the scene without faults."""
        return self._scenes[scene].calls

    def _reference(self, scene: int) -> Reference:
        play = self._play
        before = play.moment()
        calls = tuple(self._scene(Schedule(self.workload.name), scene, Asleep()).calls)
        after, moment = picture(play), play.moment()
        self._clean_runs()
        quiet = picture(play)
        play.back_to(moment)
        return Reference(before, calls, after, quiet)

    # --- with them --------------------------------------------------------------------------

    def carry_out(self, schedule: Schedule, begun: Begun | None = None) -> Carried | None:
        """None when a mark of it can do nothing; `begun` spares what was carried out before.

        None, too, after a violation that is kept: nothing longer is tried then.

        Raises:
            Violation: with the schedule in its text.
        """
        try:
            carried = self._carry_out(schedule, begun)
        except Pointless:
            return None
        except Violation as violation:
            told = f"{violation}\n  make explore PLAN='{schedule}'"
            if not self.patient:
                raise Violation(told) from violation
            self.violations.append(told)
            return None
        self.tally.schedules += 1
        self.tally.calls += sum(map(len, carried.calls.values()))
        return carried

    def _carry_out(self, schedule: Schedule, begun: Begun | None) -> Carried:
        scenes, asleep = schedule.scenes, Asleep()
        begun = begun or Begun(scenes[0], self._scenes[scenes[0]].before)
        self._play.back_to(begun.moment)
        calls: dict[int, tuple[Call, ...]] = {}
        runs: list[Process] = []
        try:
            for scene in range(begun.scene, scenes.stop):
                performed = self._scene(schedule, scene, asleep)
                calls[scene] = tuple(performed.calls)
                runs += performed.runs
            self._look_at(schedule, runs, calls)
            moment = self._play.moment()
            self._conclude(schedule)
        finally:
            for run in runs:
                run.kill()
        return Carried(schedule, calls, Begun(scenes.stop, moment))

    def go_on(self, begun: Begun) -> tuple[Begun, tuple[Call, ...]]:
        """The same play one scene later, and the calls of that scene without a mark."""
        self._play.back_to(begun.moment)
        performed = self._scene(Schedule(self.workload.name), begun.scene, Asleep())
        return Begun(begun.scene + 1, self._play.moment()), tuple(performed.calls)

    def key(self, begun: Begun) -> str:
        """Two that have it in common go on in the same way."""
        self._play.back_to(begun.moment)
        return f"{begun.scene} {key(self._play)}"

    def _scene(self, schedule: Schedule, scene: int, asleep: Asleep) -> Scene:
        """Who acts before it, then its runs."""
        self._play.tell(f"scene {scene}")
        self._act(scene)
        performed = Scene(self._play, self.workload, schedule.marks_of(scene), asleep)
        performed.perform(schedule.runs_of(scene))
        for each in self._play.server.objects(WORKFLOWS):
            name, status = each["metadata"]["name"], reading.status(each)
            self._play.tell(f"=  {name} is {status.get('phase')}: {status.get('message')}")
        return performed

    def _act(self, scene: int) -> None:
        """Nobody, after the end of the story."""
        for act in self.workload.scenes[scene] if scene < len(self.workload.scenes) else ():
            act(self._play, self.workload)

    # --- what is owed after it --------------------------------------------------------------

    def _look_at(
        self, schedule: Schedule, runs: Sequence[Process], calls: dict[int, tuple[Call, ...]]
    ) -> None:
        """I7 and I11 of a single fault: how many calls it costs, and whom it harms."""
        fault = _only_fault(schedule)
        if fault is None or len(runs) != 1:
            return
        (mark,) = schedule.marks
        most = CALLS * len(self.calls(mark.scene))
        if len(calls[mark.scene]) > most:
            raise Violation(f"I7: {len(calls[mark.scene])} calls, more than {most}")
        if fault.retried:
            after = self._scenes[mark.scene].after
            _same(picture(self._play), after, "contract 7: after the same run")
        subject = _subject(calls[mark.scene][mark.call].request)
        if fault.alone and subject:
            expected = besides(self._scenes[mark.scene].after, subject)
            _same(besides(picture(self._play), subject), expected, "I11: beside the fault")

    def _conclude(self, schedule: Schedule) -> None:
        last = schedule.scenes[-1]
        heals = _heals(schedule)
        state = (last, heals, key(self._play))
        if state in self._known:
            self.tally.known += 1
            return
        self._clean_runs()
        if heals is Heals.NOW and last < len(self._scenes):
            _same(picture(self._play), self._scenes[last].quiet, "I6: after two clean runs")
        self._finish(last + 1)
        if heals >= Heals.LATER and self.workload.confluent:
            _same(outline(self._play), self._outline, "I6: at the end")
        self._known.add(state)

    def listen(self, tell: Callable[[str], None]) -> None:
        """From now on everything that happens is told, a line each."""
        self._play.tell = tell

    def _clean_runs(self) -> None:
        """Two, and one more that writes nothing; a Lease that a dead run left is waited for.

        Two for each of the workflows that wait for one another, and one for every further shard:
        what waits for a workflow of another shard begins in the run after the one that settles it.
        """
        if self._play.leased:
            self._play.time.sleep(_LEASE)
        for _ in range(2 * max(1, self._queued()) + len(self._play.crew) - 1):
            self._clean_run()
        written = [
            each.text
            for each in self._clean_run()
            if write(each) and each.target.resource is not LEASES
        ]
        if written:
            raise Violation(f"I6: one more clean run writes: {', '.join(written)}")
        for what in unsound(self._play):
            raise Violation(what)

    def _queued(self) -> int:
        """How many workflows of a source have not settled: they may start one after another."""
        return sum(
            reading.of_a_source(each) and not reading.status(each).get("settled")
            for each in self._play.server.objects(WORKFLOWS)
        )

    def _clean_run(self) -> list[Request]:
        """The calls of it; where there are shards, of each of them in turn."""
        sent: list[Request] = []
        for name in self._play.crew:
            self._play.tell("a clean run")
            run = self._play.start(name)
            while run.pending is not None:
                sent.append(run.pending)
                self._play.proceed(run, self._play.perform(run))
        return sent

    def _finish(self, scene: int) -> None:
        """The rest of the story, and then executor and runs until everything has settled."""
        for left in range(scene, len(self.workload.scenes)):
            self._act(left)
            self._clean_run()
        self._go_round()
        if self.workload.repository:
            self._play.time.sleep(_LOOK)
            self._clean_run()
            self._go_round()
        self._clean_runs()

    def _go_round(self) -> None:
        executor = self.workload.executor(self._play)
        for _ in range(_ROUNDS):
            if self._settled():
                break
            executor.begin()
            executor.finish()
            self._play.time.sleep(_BACKOFF)
            self._clean_run()

    def _settled(self) -> bool:
        return all(
            reading.status(each).get("settled") for each in self._play.server.objects(WORKFLOWS)
        )


def _only_fault(schedule: Schedule) -> Fault | None:
    if len(schedule.marks) != 1 or schedule.runs:
        return None
    return FAULTS.get(schedule.marks[0].word)


def _heals(schedule: Schedule) -> Heals:
    """The worst of its marks; a state in the middle is owed only where nobody else acted."""
    faults = [FAULTS[mark.word].heals for mark in schedule.marks if mark.word in FAULTS]
    others = [mark.word for mark in schedule.marks if mark.word not in FAULTS]
    worst = min(faults, default=Heals.NOW)
    if not all(map(_harmless, others)):
        return Heals.NEVER
    in_one = len(schedule.scenes) == 1 and all(word.startswith("to-") for word in others)
    return worst if in_one else min(worst, Heals.LATER)


_HARMLESS = ("begin", "finish", "to-", "wake", "31s", "lease-left")
_LONG = 300  # seconds: no step of a story has a shorter timeout and is not meant to meet it


def _harmless(word: str) -> bool:
    """Whether a story with it has the same end."""
    kind, _, length = word.partition("-")
    if kind in ("sleep", "nap"):
        return int(length) < _LONG
    return word.startswith(_HARMLESS)


def _subject(request: Request) -> str:
    """The document or workflow that a call is about; empty when it is about more than one."""
    target = request.target
    return target.name.split("-")[0] if target.resource in (WORKFLOWS, CHILDREN, RECORDS) else ""


def _same(found: object, expected: object, when: str) -> None:
    if found != expected:
        raise Violation(f"{when}: {_difference(found, expected)}")


def _difference(found: object, expected: object, where: str = "") -> str:
    """The first place where two values differ."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in [*expected, *found]:
            if found.get(name) != expected.get(name):
                return _difference(found.get(name), expected.get(name), f"{where}/{name}")
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, (left, right) in enumerate(zip(found, expected, strict=True)):
            if left != right:
                return _difference(left, right, f"{where}[{index}]")
    return f"{where} is {str(found)[:_WORDS]}, expected {str(expected)[:_WORDS]}"
