"""One scene: one to three runs, call by call, in the order that the marks say.

Without a mark the run at work goes on until it is over, then the next one does. Where a workload
has shards, a scene has a run of each at least.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.kube.requests import Request
from tests.faults.deeds import DEEDS
from tests.faults.mishaps import FAULTS, Fault, Pointless
from tests.faults.play import Play
from tests.faults.process import Answer, Process
from tests.faults.workloads import Workload

NAMES = "ABC"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made, and which runs could have made theirs instead."""

    request: Request
    run: str
    others: tuple[str, ...]
    began: bool  # whether another run stood there because the one before it was over


class Asleep:
    """Runs that sleep, each with the answer that it has not taken yet, if any."""

    def __init__(self) -> None:
        self.runs: dict[Process, Answer | None] = {}

    def wake(self) -> tuple[Process, Answer | None]:
        """The one that fell asleep first."""
        run = next(iter(self.runs), None)
        if run is None:
            raise Pointless
        return run, self.runs.pop(run)


class Scene:
    """`marks`: words by the number of the call."""

    def __init__(
        self, play: Play, workload: Workload, marks: Mapping[int, list[str]], asleep: Asleep
    ) -> None:
        self.calls: list[Call] = []
        self.runs: list[Process] = []
        self._play = play
        self._workload = workload
        self._marks = dict(marks)
        self._asleep = asleep

    def perform(self, count: int = 1) -> None:
        """Raises Violation, and Pointless for a mark that no call of the scene reaches."""
        together = max(count, len(self._play.crew))
        self.runs = [self._play.start(name) for name in NAMES[:together]]
        current, began = self.runs[0], False
        while awake := self._awake():
            if current not in awake:
                current, began = awake[0], True
            words = self._marks.pop(len(self.calls), [])
            current, fault = self._before(current, words)
            if current in self._asleep.runs or current.over:
                continue
            self._call(current, fault, began=began)
            began = False
        if self._marks:
            raise Pointless

    def _awake(self) -> list[Process]:
        return [run for run in self.runs if not run.over and run not in self._asleep.runs]

    def _before(self, current: Process, words: list[str]) -> tuple[Process, Fault | None]:
        """What happens before the call, whose it is, and how it goes."""
        fault = None
        for word in words:
            self._play.tell(f"*  {word}")
            if word in FAULTS:
                fault = FAULTS[word]
            elif word in DEEDS:
                self._deed(word)
            elif word == "wake":
                current = self._woken()
            elif word.startswith("to-"):
                current = self._run(word.removeprefix("to-"), current)
            else:
                self._sleeps(current, word)
        return current, fault

    def _deed(self, word: str) -> None:
        passed = self._play.time.passed
        if not DEEDS[word](self._play, self._workload):
            raise Pointless
        self._stood_still(self._awake(), passed)

    def _stood_still(self, runs: list[Process], since: float) -> None:
        """What time passed meanwhile is nothing that these runs can help."""
        for run in runs:
            run.slept |= self._play.time.passed > since

    def _run(self, name: str, current: Process) -> Process:
        found = next((run for run in self._awake() if run.name == name), None)
        if found is None or found is current:
            raise Pointless
        return found

    def _woken(self) -> Process:
        run, answer = self._asleep.wake()
        if run not in self.runs:
            self.runs.append(run)
        if answer is not None:
            self._play.proceed(run, answer)
        return run

    def _sleeps(self, run: Process, word: str) -> None:
        """`sleep-N`: its call is on the way; `nap-N`: its answer is. N seconds pass."""
        kind, _, seconds = word.partition("-")
        if kind not in ("sleep", "nap"):
            raise ValueError(f"{word!r} is no word of a schedule")
        run.slept, passed = True, self._play.time.passed
        answer = None
        if kind == "nap":
            self._told(run, began=False)
            answer = self._play.perform(run)
        self._asleep.runs[run] = answer
        self._play.time.sleep(float(seconds))
        self._stood_still(self._awake(), passed)

    def _call(self, run: Process, fault: Fault | None, *, began: bool) -> None:
        self._told(run, began=began)
        request = run.pending
        assert request is not None
        sticky = self._play.sticky.get(run)
        others, passed = [each for each in self._awake() if each is not run], self._play.time.passed
        if fault is not None:
            if not fault.fits(request):
                raise Pointless
            self._play.tell(f"{run.name}  {request.text} meets the fault")
            fault.carry_out(self._play, run)
        elif sticky is not None and sticky.left and sticky.fits(request):
            self._play.stuck(run)
            sticky.carry_out(self._play, run)
        else:
            self._play.proceed(run, self._play.perform(run))
        self._stood_still(others, passed)

    def _told(self, run: Process, *, began: bool) -> None:
        assert run.pending is not None
        others = tuple(each.name for each in self._awake() if each is not run)
        self.calls.append(Call(run.pending, run.name, others, began))
