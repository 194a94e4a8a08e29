"""Runs, executors, crashes, strangers, edits and time against one workflow, in any order.

I1 to I4 are asserted at every write of the server (`world.py`), I5 after every step, I6 at rest.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from typing_extensions import override

from reconciler.core.api import Approval, WorkflowExecution
from reconciler.core.facts import Child
from tests.builders import child
from tests.properties.strategies import NAMES, phases, words, workflows
from tests.properties.world import Run, World

_RUNS = 3  # at once


class Runs(RuleBasedStateMachine):
    """Everything that may happen between two calls of a run."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Run] = []
        self.strangers: dict[str, Child] = {}

    @initialize(given=workflows(least=1), begun=st.booleans())
    def start(self, given: WorkflowExecution, begun: bool) -> None:
        self.world = World(given)
        if begun:
            Run(self.world, 5).finish()

    # runs

    @precondition(lambda self: len(self.runs) < _RUNS)
    @rule(
        cap=st.integers(1, 5),
        lag=st.sets(st.sampled_from(NAMES), max_size=2),
        calls=st.integers(0, 4),
    )
    def begin(self, cap: int, lag: set[str], calls: int) -> None:
        """A run gets so far and then sleeps, with a list that may lag."""
        hidden = {child(name, attempt=attempt).name for name in lag for attempt in range(3)}
        self.runs.append(Run(self.world, cap, frozenset(hidden)))
        self.advance(-1, calls)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, _RUNS), calls=st.integers(1, 4))
    def advance(self, which: int, calls: int) -> None:
        run = self.runs[which % len(self.runs)]
        for _ in range(calls):
            if not run.over:
                run.advance()
        if run.over:
            self.runs.remove(run)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, _RUNS))
    def crash(self, which: int) -> None:
        self.runs.pop(which % len(self.runs))

    @rule(cap=st.integers(1, 5))
    def run_through(self, cap: int) -> None:
        Run(self.world, cap).finish()

    @rule(
        caps=st.tuples(st.integers(1, 5), st.integers(1, 5)),
        schedule=st.lists(st.sampled_from("ABABABcfws"), min_size=6, max_size=16),
        which=st.integers(0, 9),
    )
    def overlap(self, caps: tuple[int, int], schedule: list[str], which: int) -> None:
        """Two runs call by call, a child that ends and a long sleep between them; then both die."""
        runs = {"A": Run(self.world, caps[0]), "B": Run(self.world, caps[1])}
        self.runs += runs.values()
        events = {
            "c": lambda: self.complete(which),
            "f": lambda: self.fail(which),
            "w": lambda: self.wait(61),
            "s": lambda: self.suspend(suspend=not self.world.workflow.spec.suspend),
        }
        for each in schedule:
            if each in events:
                events[each]()
            elif not runs[each].over:
                runs[each].advance()
        self.runs = [run for run in self.runs if run not in runs.values()]

    @rule(
        phases_=st.lists(
            st.sampled_from(["Completed", "Failed", "Running"]), min_size=1, max_size=3
        )
    )
    def an_honest_minute(self, phases_: list[str]) -> None:
        """All that is active gets one state further, a minute passes, and a run sees it."""
        for index, (name, there) in enumerate(list(self.world.children.items())):
            if name not in self.strangers and not there.terminal:
                late = self.world.late(there)
                self.world.children[name] = replace(
                    there,
                    phase="Failed" if late else phases_[index % len(phases_)],
                    reason="Late" if late else "",
                    started=there.started or self.world.now,
                )
        for _ in range(2):
            Run(self.world, 5).finish()
            self.wait(31)

    # executors

    def _act(self, which: int, change: dict[str, object]) -> None:
        ours = [each for each in self.world.children.values() if each.name not in self.strangers]
        if not ours:
            return
        there = ours[which % len(ours)]
        if not there.terminal and self.world.late(there):
            change = {"phase": "Failed", "reason": "Late"}
        self.world.children[there.name] = replace(there, **change)  # type: ignore[arg-type]

    @rule(which=st.integers(0, 9), phase=phases, reason=words, started=st.booleans())
    def execute(self, which: int, phase: str, reason: str, started: bool) -> None:
        """Any word, any reason; but what has ended does not come back to life."""
        ours = [each for each in self.world.children.values() if each.name not in self.strangers]
        if ours and ours[which % len(ours)].terminal and phase not in ("Completed", "Failed"):
            return
        self._act(
            which,
            {"phase": phase, "reason": reason, "started": self.world.now if started else None},
        )

    @rule(which=st.integers(0, 9))
    def complete(self, which: int) -> None:
        self._act(which, {"phase": "Completed", "ended": self.world.now})

    @rule(which=st.integers(0, 9))
    def fail(self, which: int) -> None:
        self._act(which, {"phase": "Failed", "last_error": "no"})

    @rule(
        which=st.integers(0, 9),
        phase=st.sampled_from(["Running", "Completed", "Failed"]),
        began=st.integers(-90, 90),
        lasted=st.integers(-90, 90),
    )
    def lie(self, which: int, phase: str, began: int, lasted: int) -> None:
        """Ends before it began, begins before it was made or tomorrow, and an error as a book."""
        started = self.world.now + timedelta(minutes=began)
        change = {
            "phase": phase,
            "started": started,
            "ended": started + timedelta(minutes=lasted),
            "reason": "\N{FIRE} " * 500,
            "last_error": "\x00<\N{FIRE}" * 5000,
        }
        self._act(which, change)

    @precondition(lambda self: not self.runs)
    @rule(which=st.integers(0, 9), phase=st.sampled_from(["", "Pending", "Running"]))
    def go_back(self, which: int, phase: str) -> None:
        """What had ended is at work again; what a run has looked at meanwhile nobody can save."""
        self._act(which, {"phase": phase, "reason": ""})

    # people

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        self.world.edit(self.world.workflow.spec.model_copy(update={"suspend": suspend}))

    @precondition(lambda self: not self.world.workflow.spec.cancel)
    @rule(surely=st.integers(0, 9))
    def cancel(self, surely: int) -> None:
        if not surely:
            self.world.edit(self.world.workflow.spec.model_copy(update={"cancel": True}))

    @rule(name=st.sampled_from(NAMES))
    def approve(self, name: str) -> None:
        spec = self.world.workflow.spec
        if name in {each.name for each in spec.workflow_definition.steps}:
            approvals = {each.step: each for each in (*spec.approvals, Approval(step=name))}
            self.world.edit(spec.model_copy(update={"approvals": tuple(approvals.values())}))

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.world.paused = paused

    @rule(forbidden=st.booleans(), surely=st.booleans())
    def forbid(self, forbidden: bool, surely: bool) -> None:
        self.world.forbidden = forbidden and surely

    @precondition(lambda self: not self.world.workflow.deleting)
    @rule(surely=st.integers(0, 19))
    def delete_workflow(self, surely: int) -> None:
        if not surely:
            self.world.delete_workflow()

    @rule(which=st.integers(0, 9))
    def delete_child(self, which: int) -> None:
        """By hand; not while a run may still be creating it: that window I1 admits."""
        names = [name for name in self.world.children if name not in self.strangers]
        busy = {each.result.execution_ref for run in self.runs for each in run.pending}
        if names and names[which % len(names)] not in busy:
            del self.world.children[names[which % len(names)]]

    @rule(which=st.integers(0, 9))
    def begin_to_delete_child(self, which: int) -> None:
        """A finalizer holds it: it is on its way out, whatever its phase."""
        self._act(which, {"deleting": True})

    @rule(name=st.sampled_from(NAMES), attempt=st.integers(0, 1))
    def stranger(self, name: str, attempt: int) -> None:
        """Under the very name of an attempt, with our labels and another owner."""
        there = child(name, attempt=attempt, owner="somebody", uid=f"stranger-{name}-{attempt}")
        if there.name not in self.world.children:
            self.world.children[there.name] = self.strangers[there.name] = there

    @rule(seconds=st.sampled_from([1, 10, 30, 61, 700, 4000]))
    def wait(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    # what must hold

    @invariant()
    def strangers_are_as_they_were(self) -> None:
        """I5."""
        for name, there in self.strangers.items():
            assert self.world.children[name] == there

    @rule(cap=st.integers(1, 5))
    def rest(self, cap: int) -> None:
        """I6: no fault, no change: create, then record, then nothing."""
        self.runs.clear()
        calm = [Run(self.world, cap) for _ in range(3)]
        for run in calm[:2]:
            run.finish()
        if not any(run.troubled for run in calm):
            assert not calm[2].finish(), "a third run still has something to do"

    @override
    def teardown(self) -> None:
        """Everything that starts ends: with every gate open, a workflow settles."""
        if not hasattr(self, "world"):
            return
        world = self.world
        self.runs.clear()
        world.paused = world.forbidden = False
        steps = world.workflow.spec.workflow_definition.steps
        gates = tuple(Approval(step=each.name) for each in steps)
        world.edit(world.workflow.spec.model_copy(update={"suspend": False, "approvals": gates}))
        for _ in range(40):
            Run(world, 5).finish()
            for name, there in list(world.children.items()):
                if there.deleting:
                    del world.children[name]
                elif not there.terminal and name not in self.strangers:
                    late = world.late(there)
                    world.children[name] = replace(
                        there,
                        phase="Failed" if late or there.cancel_requested else "Completed",
                        reason="Late" if late else "Cancelled" if there.cancel_requested else "",
                    )
            world.now += timedelta(minutes=11)
        assert world.workflow.status.settled or world.workflow.deleting


TestRuns = Runs.TestCase
TestRuns.settings = settings(stateful_step_count=50)
