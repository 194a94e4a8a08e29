"""An API server with one workflow, as a dict: what runs, executors and people do to it.

Each step of a run is one call, so that any two runs can interleave and any run can crash between
two calls. What must hold at every state of the server is asserted here, at every write.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.core.api import StepResult, WorkflowExecution, WorkflowSpec, WorkflowStatus
from reconciler.core.decide import Creation, Decision, decide
from reconciler.core.facts import Child, Children, Facts, unlisted
from reconciler.core.plan import plan
from reconciler.core.status import refused
from tests.builders import NOW, child

DEADLINE = timedelta(seconds=50)


@dataclass
class World:
    """The server's state. `version` is the workflow's resourceVersion."""

    workflow: WorkflowExecution
    version: int = 1
    now: datetime = NOW
    paused: bool = False
    forbidden: bool = False
    children: dict[str, Child] = field(default_factory=dict)
    not_after: dict[str, datetime] = field(default_factory=dict)  # by uid
    seen: set[tuple[str, int]] = field(default_factory=set)  # attempts whose uid was ever recorded
    uids: int = 0

    def ours(self) -> Children:
        return Children.of(self.workflow, self.children.values())

    def active(self) -> list[Child]:
        """Children of ours that hold a slot: a second opinion, without `Child.active`."""
        return [
            each
            for each in self.ours().every
            if each.deleting or each.phase not in ("Completed", "Failed")
        ]

    def held(self) -> int:
        """Active children of ours, and reservations without a child."""
        ours = self.ours()
        unmade = [
            each
            for each in self.workflow.status.step_results
            if each.status == "Pending"
            and not each.execution_uid
            and ours.get(each.step_name, each.attempt) is None
        ]
        return len(self.active()) + len(unmade)

    def edit(self, spec: WorkflowSpec) -> None:
        """A person, or git: one generation and one version on. Refused once it is settled (CEL)."""
        if self.workflow.status.settled:
            return
        meta = self.workflow.metadata
        self.workflow = self.workflow.model_copy(
            update={
                "spec": spec,
                "metadata": meta.model_copy(update={"generation": meta.generation + 1}),
            }
        )
        self.version += 1

    def delete_workflow(self) -> None:
        """A finalizer holds it: it is read as before, with a deletion time."""
        self.workflow = self.workflow.model_copy(
            update={
                "metadata": self.workflow.metadata.model_copy(
                    update={"deletion_timestamp": self.now}
                )
            }
        )
        self.version += 1

    def write(self, status: WorkflowStatus, version: int) -> bool:
        """By the version that was read; a lost race changes nothing, an equal status neither."""
        if version != self.version:
            return False
        before = self.workflow.status
        self.workflow = self.workflow.with_status(WorkflowStatus.model_validate(status.wire()))
        self.version += self.workflow.status != before
        _assert_final(before, self.workflow.status)
        self.seen |= {
            (each.step_name, each.attempt) for each in status.step_results if each.execution_uid
        }
        if status.settled and not before.settled:
            assert self.held() == 0, "settled over something that is still at work"
            assert not self.workflow.deleting, "settled while it is being deleted"
        return True

    def create(self, creation: Creation, deadline: datetime) -> bool:
        """Whether the name is ours now; asserts I1, I3, and that nothing starts when settled."""
        result = creation.result
        there = self.children.get(result.execution_ref)
        if there is not None:
            return (
                Children.of(self.workflow, [there]).get(result.step_name, result.attempt)
                is not None
            )
        in_time = self.now <= deadline
        if in_time:
            assert (result.step_name, result.attempt) not in self.seen, "a seen attempt again"
            assert not self.workflow.status.settled, "a child under a settled workflow"
            self._assert_dependencies(result)
        self.uids += 1
        made = child(
            result.step_name,
            attempt=result.attempt,
            uid=f"uid-{self.uids}",
            created=self.now,
            cancel_requested=creation.cancelled,
        )
        self.children[made.name] = made
        self.not_after[made.uid] = deadline
        return True

    def _assert_dependencies(self, result: StepResult) -> None:
        recorded = {each.step_name: each.status for each in self.workflow.status.step_results}
        (needs,) = [
            each.depends_on
            for each in self.workflow.spec.workflow_definition.steps
            if each.name == result.step_name
        ]
        assert all(recorded.get(name) == "Completed" for name in needs), "before its dependency"

    def assert_reserved(self, creation: Creation) -> None:
        """What is about to be created stands in the status, alone, and stopped if all is over."""
        result, status = creation.result, self.workflow.status
        assert result in status.step_results, "created without its reservation"
        assert creation.cancelled or not status.phase.terminal, "started when all is over"
        before = self.ours().get(result.step_name, result.attempt - 1)
        if before is not None and result.healed_at is None:
            assert before.terminal, "two attempts at work at once"

    def stop(self, asked: Child) -> None:
        there = self.children.get(asked.name)
        if there is not None and there.uid == asked.uid:
            self.children[asked.name] = replace(there, cancel_requested=True)

    def late(self, made: Child) -> bool:
        """Created after its own bound: an executor ends it untouched."""
        return made.created > self.not_after.get(made.uid, made.created)


def _assert_final(before: WorkflowStatus, after: WorkflowStatus) -> None:
    """I4, at every write."""
    now = {each.step_name: each for each in after.step_results}
    for each in before.step_results:
        if each.status.final:
            assert now[each.step_name] == each, "a final step changed"
    if before.phase.terminal:
        assert after.phase is before.phase, "a terminal phase changed"
    assert before.execution_end_time in (None, after.execution_end_time), "a second end"
    assert after.settled or not before.settled, "unsettled"


@dataclass
class Run:
    """One run of one pass, call by call; it crashes by being forgotten."""

    world: World
    cap: int
    lag: frozenset[str] = frozenset()  # names that its list of children does not show
    started: datetime = NOW
    step: int = 0
    workflow: WorkflowExecution | None = None
    version: int = 0
    facts: Facts | None = None
    decision: Decision | None = None
    pending: list[Creation] = field(default_factory=list)
    troubled: bool = False
    over: bool = False

    def advance(self) -> None:
        """The next call."""
        calls = (self._read, self._list, self._reserve, self._create)
        calls[min(self.step, 3)]()
        self.step += 1

    @property
    def deadline(self) -> datetime:
        return self.started + DEADLINE

    def _read(self) -> None:
        self.started = self.world.now
        self.workflow, self.version = self.world.workflow, self.world.version
        self.over = self.workflow.status.settled

    def _list(self) -> None:
        """Children after their workflow; what a lagging list misses is read by name."""
        assert self.workflow is not None
        server = self.world.children
        hidden = self.lag - self._ended()
        shown = [each for each in server.values() if each.name not in hidden]
        children = Children.of(self.workflow, shown)
        names = unlisted(self.workflow, children)
        shown += [server[name] for name in names if name in server and name in hidden]
        self.facts = Facts(
            workflow=self.workflow,
            plan=plan(self.workflow.spec),
            children=Children.of(self.workflow, shown),
            now=self.started,
            cap=self.cap,
            paused=self.world.paused,
        )

    def _ended(self) -> frozenset[str]:
        """Children whose own end is recorded: contract 4 looks for none of them by name."""
        assert self.workflow is not None
        return frozenset(
            each.execution_ref
            for each in self.workflow.status.step_results
            if each.status.final and each.reason != "TimedOut"
        )

    def _reserve(self) -> None:
        """Decides, and writes by compare-and-swap; asserts I2 on the server's state."""
        assert self.facts is not None
        self.decision = decide(self.facts)
        held = self.world.held()
        if self.decision.changed:
            if not self.world.write(self.decision.status, self.version):
                self.over = True
                return
            self.pending = list(self.decision.create)
            moved = self.world.version > self.version
            assert moved or not self.pending, "two passes that read this status both create"
            self.version = self.world.version
            limit = min(self.facts.workflow.spec.max_concurrent_steps, self.cap)
            assert self.world.held() <= max(limit, held), "above the limit"
            for creation in self.pending:
                self.world.assert_reserved(creation)
        for each in self.decision.stop:
            self.world.stop(each)
        self.over = not self.pending

    def _create(self) -> None:
        """One child; a run that slept may come too late and creates all the same."""
        assert self.decision is not None
        creation = self.pending.pop(0)
        if self.world.forbidden:
            self._refused(creation, "", "forbidden")
        elif not self.world.create(creation, self.deadline):
            self._refused(creation, "NameCollision", "the name is taken")
        self.over = self.over or not self.pending

    def _refused(self, creation: Creation, reason: str, error: str) -> None:
        self.troubled = True
        status = refused(self.world.workflow.status, creation.result.step_name, reason, error)
        self.over = not self.world.write(status, self.version)
        self.version = self.world.version

    def finish(self) -> bool:
        """All of it at one moment; whether it had something to do."""
        while not self.over:
            self.advance()
        return self.decision is not None and not self.decision.idle
