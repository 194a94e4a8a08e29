"""All strategies: workflows, what is recorded of them, and what executors may write."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from reconciler.core.api import (
    FailurePolicy,
    Phase,
    Step,
    StepResult,
    StepStatus,
    WorkflowExecution,
    WorkflowStatus,
)
from reconciler.core.decide import decide
from reconciler.core.facts import Child, Children, Facts
from reconciler.core.names import child_name
from tests.builders import (
    NOW,
    UID,
    WORKFLOW,
    SpecFields,
    approved,
    child,
    deleted,
    facts,
    step,
)
from tests.builders import workflow as build

NAMES = tuple("abcdef")
PHASES = ("", "Pending", "Running", "Completed", "Failed")

instants = st.integers(-10_000, 10_000).map(lambda seconds: NOW + timedelta(seconds=seconds))
nows = st.integers(0, 10_000).map(lambda seconds: NOW + timedelta(seconds=seconds))
words = st.one_of(
    st.sampled_from(["", "Late", "Cancelled", "TimedOut", "Assumed", "ImagePull"]),
    st.text(max_size=80),
)
phases = st.one_of(st.sampled_from(PHASES), st.text(max_size=20))


@st.composite
def steps(draw: st.DrawFn, least: int = 0) -> tuple[Step, ...]:
    """A DAG of at most six steps: each may depend on those before it, then the order is mixed."""
    names = NAMES[: draw(st.integers(least, len(NAMES)))]
    found = [
        step(
            name,
            depends_on=tuple(draw(st.sets(st.sampled_from(names[:index]), max_size=2)))
            if index
            else (),
            retries=draw(st.integers(0, 2)),
            timeout=draw(st.sampled_from(["5m", "10m"])),
            requires_approval=draw(st.booleans()) and draw(st.booleans()),
        )
        for index, name in enumerate(names)
    ]
    return tuple(draw(st.permutations(found)))


@st.composite
def workflows(draw: st.DrawFn, least: int = 0) -> WorkflowExecution:
    """A valid workflow that no run has seen."""
    given = draw(steps(least))
    names = [each.name for each in given]
    some = st.sets(st.sampled_from(names), max_size=2) if names else st.just(set[str]())
    fields: SpecFields = {
        "max_concurrent_steps": draw(st.integers(1, 4)),
        "failure_policy": draw(st.sampled_from(FailurePolicy)),
        "assume_completed": tuple(sorted(draw(some))) if draw(st.booleans()) else (),
        "approvals": approved(*sorted(draw(some))),
    }
    if draw(st.booleans()):
        fields["timeout"] = "1h"
    return build(*given, **fields)


@st.composite
def controlled(draw: st.DrawFn) -> WorkflowExecution:
    """The same with its controls set, its window given, or while it is being deleted."""
    found = draw(workflows())
    found = found.model_copy(
        update={
            "spec": found.spec.model_copy(
                update={
                    "suspend": draw(st.booleans()) and draw(st.booleans()),
                    "cancel": draw(st.booleans()) and draw(st.booleans()),
                    "not_before": draw(st.none() | instants),
                    "not_after": draw(st.none() | instants),
                }
            )
        }
    )
    return deleted(found) if draw(st.integers(0, 9)) == 0 else found


@st.composite
def children(draw: st.DrawFn) -> Child:
    """A child of ours of any step and attempt, in any state that an executor may write."""
    name = draw(st.sampled_from((*NAMES, "not-in-the-plan")))
    attempt = draw(st.integers(0, 3) | st.sampled_from([999, 1000]))
    return replace(
        child(name, draw(phases), attempt),
        uid=f"uid-{name}-{attempt}" + draw(st.sampled_from(["", "", "", "-made-again"])),
        created=draw(instants),
        started=draw(st.none() | instants),
        ended=draw(st.none() | instants),
        reason=draw(words),
        last_error=draw(st.text(max_size=40)),
        cancel_requested=draw(st.booleans()),
        deleting=draw(st.booleans()) and draw(st.booleans()),
    )


foreigners = st.builds(
    lambda each, how: replace(each, **how),
    children(),
    st.sampled_from(
        [
            {"owner": "another-uid", "uid": "stranger-1"},
            {"owner": "", "uid": "stranger-2"},
            {"name": "of-another-name", "uid": "stranger-3"},
            {"namespace": "elsewhere", "uid": "stranger-4"},
        ]
    ),
)


@st.composite
def results(draw: st.DrawFn, name: str) -> StepResult:
    """What a run may have recorded of a step, or somebody with the right to."""
    status = draw(st.sampled_from(StepStatus))
    attempt = draw(st.integers(0, 3))
    if status is StepStatus.SKIPPED or draw(st.integers(0, 9)) == 0:
        return StepResult(
            step_name=name, status=StepStatus.SKIPPED, reason=draw(st.sampled_from(NAMES))
        )
    seen = status is not StepStatus.PENDING or draw(st.booleans())
    return StepResult(
        step_name=name,
        status=status,
        attempt=attempt,
        reason=draw(st.sampled_from(["", "TimedOut", "Late", "ExecutionDeleted", "StepFailed"])),
        execution_ref=child_name(WORKFLOW, UID, name, attempt),
        execution_uid=f"uid-{name}-{attempt}" if seen else "",
        reserved_at=draw(st.none() | instants),
        healed_at=draw(st.none() | instants),
        execution_end_time=draw(st.none() | instants),
        last_error=draw(st.sampled_from(["", "forbidden"])),
    )


@st.composite
def statuses(draw: st.DrawFn, of: WorkflowExecution) -> WorkflowStatus:
    """A status that some run wrote, or one that nobody would."""
    if draw(st.booleans()):
        return WorkflowStatus()
    names = [each.name for each in of.spec.workflow_definition.steps]
    recorded = [draw(results(name)) for name in names if draw(st.booleans())]
    phase = draw(st.sampled_from(Phase))
    return WorkflowStatus(
        phase=phase,
        settled=phase.terminal and draw(st.booleans()),
        step_results=tuple(recorded),
        execution_start_time=draw(st.none() | instants),
        execution_end_time=draw(st.none() | instants),
    )


@st.composite
def anything(draw: st.DrawFn) -> Facts:
    """Facts that no history need explain: nothing here may make a decision raise."""
    found = draw(controlled())
    found = found.with_status(draw(statuses(found)))
    return facts(
        found,
        *draw(st.lists(children(), max_size=6)),
        now=draw(nows),
        cap=draw(st.integers(1, 5)),
        timed=draw(st.booleans()) or draw(st.booleans()),
        paused=draw(st.booleans()) and draw(st.booleans()),
    )


@st.composite
def histories(draw: st.DrawFn) -> Facts:
    """Facts as honest runs leave them: a few runs, each seeing some children get further."""
    seen, listed, now = draw(controlled()), dict[str, Child](), NOW
    for _ in range(draw(st.integers(0, 5))):
        decision = decide(facts(seen, *listed.values(), now=now))
        seen = seen.with_status(decision.status)
        for creation in decision.create:
            result = creation.result
            if draw(st.integers(0, 3)) == 0:
                break  # a crash: reserved, and no child
            made = child(result.step_name, attempt=result.attempt, created=now)
            listed[made.name] = replace(made, cancel_requested=creation.cancelled)
        for name, each in listed.items():
            if not each.terminal and draw(st.booleans()):
                listed[name] = replace(
                    each,
                    phase=draw(phases),
                    started=draw(st.none() | st.just(now)),
                    reason=draw(words),
                )
        now = _later(draw, now)
    return facts(seen, *listed.values(), now=now)


def _later(draw: st.DrawFn, now: datetime) -> datetime:
    return now + timedelta(seconds=draw(st.sampled_from([0, 1, 30, 61, 700])))


def together(given: Facts, *more: Child) -> Facts:
    """The same moment with more children listed."""
    return replace(given, children=Children.of(given.workflow, [*given.children.every, *more]))
