"""Each Event at its transition, once; and nothing when nothing changed."""

import pytest

from reconciler.core.api import FailurePolicy, StepResult, StepStatus, WorkflowExecution
from reconciler.core.facts import Child
from reconciler.core.status import refused
from reconciler.core.transitions import MAX_NOTE_BYTES, Transition, ended, note, transitions
from tests.builders import (
    FactsFields,
    after,
    approved,
    at,
    child,
    decide_again,
    edited,
    step,
    workflow,
)

TWO = (step("a"), step("b"))
CHAIN = (step("a"), step("b", depends_on=("a",)))
CONTINUE = FailurePolicy.CONTINUE
GATED = (step("a"), step("b", depends_on=("a",), requires_approval=True))


def _told(seen: WorkflowExecution, *children: Child, now: int = 0) -> list[tuple[str, str]]:
    """Reason and note of every Event of the run that sees these children; all it creates exist."""
    return [(each.reason, each.note) for each in _events(seen, *children, now=now)]


def _events(seen: WorkflowExecution, *children: Child, now: int = 0) -> tuple[Transition, ...]:
    fields: FactsFields = {"now": at(seconds=now)}
    decision = decide_again(seen, *children, **fields)
    return transitions(seen, decision.status, [each.result for each in decision.create])


def test_a_first_run_tells_that_it_is_valid_and_what_started() -> None:
    """Contract 10: WorkflowValidated, StepStarted, one a reason."""
    assert _told(workflow(*TWO)) == [
        ("WorkflowValidated", "2 steps in order"),
        ("StepStarted", f"a: created {child('a').name}; b: created {child('b').name}"),
    ]


def test_an_invalid_workflow_is_told_as_such_and_not_as_failed_too() -> None:
    """Contract 10: WorkflowInvalid, a warning that names the step."""
    (only,) = _events(workflow(step("a", depends_on=("b",))))
    assert (only.reason, only.warning) == ("WorkflowInvalid", True)
    assert only.note == "step a: depends on 'b', which is no step"


@pytest.mark.parametrize(
    ("seen", "children"),
    [
        pytest.param(after(workflow(*TWO)), (child("a"), child("b")), id="children-are-seen"),
        pytest.param(
            after(workflow(*TWO), child("a"), child("b")),
            (child("a", "Running"), child("b", "Running")),
            id="children-begin",
        ),
        pytest.param(
            after(workflow(*TWO)),
            (child("a", "Completed"), child("b", "Running")),
            id="a-step-completes",
        ),
        pytest.param(
            after(workflow(step(retries=1))), (child("a", "Failed"),), id="an-attempt-fails"
        ),
        pytest.param(
            after(workflow(step())), (child("a", "Running"),), id="and-nothing-else-happens"
        ),
    ],
)
def test_what_stands_in_the_status_alone_is_no_event(
    seen: WorkflowExecution, children: tuple[Child, ...]
) -> None:
    """Contract 10: that a step completed stands in the status, not in an Event."""
    assert _told(seen, *children) == []


@pytest.mark.parametrize(
    ("seen", "children", "reason", "line"),
    [
        pytest.param(
            after(workflow(*TWO)),
            (child("a", "Failed", reason="ImagePull", last_error="no such image"), child("b")),
            "StepFailed",
            "a (ImagePull): no such image",
            id="a-step-fails-for-good",
        ),
        pytest.param(
            after(workflow(*TWO), child("a"), child("b")),
            (child("b"),),
            "StepFailed",
            f"a (ExecutionDeleted): {child('a').name} was deleted before its result was seen; "
            "it is not run again, for an action may not be repeatable",
            id="a-child-is-gone",
        ),
        pytest.param(
            after(workflow(*CHAIN, failure_policy=CONTINUE)),
            (child("a", "Failed"),),
            "StepSkipped",
            "b: blocked by failed a",
            id="a-step-is-skipped",
        ),
        pytest.param(
            after(workflow(*GATED)),
            (child("a", "Completed"),),
            "ApprovalRequired",
            "b: waits for an entry in spec.approvals",
            id="a-gate-is-reached",
        ),
        pytest.param(
            after(workflow(step())),
            (child("a", "Completed"),),
            "WorkflowCompleted",
            "1 of 1 steps completed",
            id="the-workflow-completes",
        ),
        pytest.param(
            after(workflow(step())),
            (child("a", "Failed"),),
            "WorkflowFailed",
            "step a failed (StepFailed), 0 of 1 steps completed",
            id="the-workflow-fails",
        ),
        pytest.param(
            edited(after(workflow(step())), cancel=True),
            (child("a", "Failed"),),
            "WorkflowCancelled",
            "cancelled, 0 of 1 steps completed",
            id="the-workflow-is-cancelled",
        ),
        pytest.param(
            edited(after(workflow(*CHAIN)), suspend=True),
            (child("a", "Completed"),),
            "WorkflowSuspended",
            "no step starts while spec.suspend is true",
            id="the-workflow-is-suspended",
        ),
        pytest.param(
            edited(after(edited(after(workflow(*TWO)), suspend=True)), suspend=False),
            (),
            "",
            "",
            id="a-resume-that-nobody-saw-is-none",
        ),
        pytest.param(
            edited(after(workflow(step(), suspend=True)), suspend=False),
            (),
            "WorkflowResumed",
            "steps start again",
            id="the-workflow-is-resumed",
        ),
    ],
)
def test_each_transition_is_told_in_the_run_that_saw_it(
    seen: WorkflowExecution, children: tuple[Child, ...], reason: str, line: str
) -> None:
    """Contract 10: after the write succeeded; one a workflow, reason and pass."""
    told = dict(_told(seen, *children))
    if reason:
        assert told[reason] == line
    else:
        assert "WorkflowResumed" not in told


@pytest.mark.parametrize(
    ("seen", "children"),
    [
        pytest.param(workflow(*GATED), (child("a", "Completed"),), id="a-gate"),
        pytest.param(workflow(*TWO), (child("a", "Failed"), child("b")), id="a-failure"),
        pytest.param(
            workflow(*CHAIN, failure_policy=CONTINUE), (child("a", "Failed"),), id="a-skip"
        ),
        pytest.param(workflow(step()), (child("a", "Completed"),), id="a-completion"),
        pytest.param(workflow(step(), suspend=True), (), id="a-suspension"),
        pytest.param(workflow(step("a", depends_on=("b",))), (), id="an-invalid-workflow"),
        pytest.param(workflow(*TWO, cancel=True), (), id="a-cancel"),
    ],
)
def test_nothing_is_told_twice(seen: WorkflowExecution, children: tuple[Child, ...]) -> None:
    """Contract 10: once, in the run that saw it."""
    told = after(seen, *children)
    assert _told(told, *children) == []
    assert _told(told, *children, now=10) == []


def test_a_timeout_is_told_when_it_is_recorded_though_a_retry_follows() -> None:
    """Contract 10: StepTimedOut; closing the step later tells no second end."""
    given = workflow(step("a", retries=1, timeout="1s"), step("b"))
    slow = child("a", "Running", started=at())
    seen = after(given)
    assert _told(seen, slow, child("b"), now=100) == [
        ("StepTimedOut", "a (TimedOut): still Running after 1s")
    ]
    seen = after(seen, slow, child("b"), now=at(seconds=100))
    later = _told(seen, slow, child("b", "Failed"), now=101)
    assert [reason for reason, _ in later] == ["StepFailed", "WorkflowFailed"]
    assert dict(later)["StepFailed"].startswith("b (")


def test_a_timeout_for_good_is_not_told_as_a_failure_too() -> None:
    """Contract 10: one Event for one end."""
    seen = after(workflow(step(timeout="1s"), step("b"), failure_policy=CONTINUE))
    told = _told(seen, child("a", "Running", started=at()), child("b"), now=100)
    assert [reason for reason, _ in told] == ["StepTimedOut"]


def test_a_retry_is_told_when_its_child_is_made() -> None:
    """Contract 10: StepRetried, with the attempt counted from one as people do."""
    seen = after(workflow(step(retries=1)), child("a", "Failed"))
    assert _told(seen, child("a", "Failed"), now=30) == [
        ("StepRetried", f"a (attempt 2): created {child('a', attempt=1).name}")
    ]


def test_only_children_that_were_made_are_told() -> None:
    """Contract 8: a crash may lose an Event, none is invented."""
    seen = workflow(*TWO)
    decision = decide_again(seen)
    made = [creation.result for creation in decision.create[:1]]
    (started,) = [
        each for each in transitions(seen, decision.status, made) if each.reason == "StepStarted"
    ]
    assert started.note == f"a: created {child('a').name}"


def test_a_refused_creation_is_told() -> None:
    """Contract 10: StepFailed, from the second write of the pass."""
    seen = workflow(*TWO)
    written = refused(decide_again(seen).status, "a", "NameCollision", "taken")
    told = {each.reason: each.note for each in transitions(seen, written)}
    assert told["StepFailed"] == "a (NameCollision): taken"


def test_a_gate_that_is_passed_is_not_told_again() -> None:
    """Contract 10: ApprovalRequired is for who must act."""
    seen = edited(after(workflow(*GATED), child("a", "Completed")), approvals=approved("b"))
    assert [reason for reason, _ in _told(seen, child("a", "Completed"))] == ["StepStarted"]


def test_a_gate_of_a_workflow_that_is_over_is_not_told() -> None:
    """Contract 10: nobody needs to approve what will never start."""
    seen = edited(after(workflow(*GATED)), cancel=True)
    assert "ApprovalRequired" not in dict(_told(seen, child("a", "Completed")))


def test_a_child_that_comes_back_to_life_resumes_nothing() -> None:
    """Contract 10: WorkflowResumed is for spec.suspend, not for what an executor says."""
    seen = after(edited(after(workflow(*CHAIN)), suspend=True), child("a", "Completed"))
    assert _told(seen, child("a", "Running")) == []


def test_what_ended_in_this_pass_is_known_for_its_gauges() -> None:
    """Contract 10: reconciler_step_duration_seconds, of steps that ended in this run."""
    seen = after(workflow(*CHAIN, step("c"), failure_policy=CONTINUE), child("c", "Completed"))
    decision = decide_again(seen, child("a", "Failed"), child("c", "Completed"))
    assert [each.step_name for each in ended(seen.status, decision.status)] == ["a", "b"]


@pytest.mark.parametrize(
    ("reason", "warning"),
    [
        pytest.param("StepFailed", True, id="a-failure-warns"),
        pytest.param("WorkflowFailed", True, id="a-failed-workflow-warns"),
    ],
)
def test_a_failure_is_a_warning(reason: str, warning: bool) -> None:
    """events.k8s.io: Warning is for what a person should look at."""
    events = _events(after(workflow(step())), child("a", "Failed"))
    assert [each.warning for each in events if each.reason == reason] == [warning]


def test_a_start_is_no_warning() -> None:
    """events.k8s.io: Normal."""
    assert not any(each.warning for each in _events(workflow(*TWO)))


# notes


def _bytes(text: str) -> int:
    return len(text.encode())


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("x" * 100, id="ascii"),
        pytest.param("\N{FIRE}" * 60, id="four-bytes-a-character"),
        pytest.param("x" * 1005, id="one-that-just-fits"),
        pytest.param("x" * 2000, id="one-that-does-not-fit"),
        pytest.param("x" + "\N{FIRE}" * 500, id="cut-between-characters"),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_a_note_fits_1024_bytes_and_counts_the_rest(line: str, count: int) -> None:
    """Contract 10: naming as many steps as fit 1,024 bytes, then `and n more`."""
    text = note([line] * count)
    assert _bytes(text) <= MAX_NOTE_BYTES
    told = text.split("; ")
    if told[-1].startswith("and "):
        assert told[-1] == f"and {count - len(told) + 1} more"
    else:
        assert len(told) == count
    assert told[0].startswith(line[:50])


def test_a_note_names_as_many_as_fit() -> None:
    """Contract 10: not one less for a count that is not needed."""
    assert note(["x" * 510, "y" * 512]) == "x" * 510 + "; " + "y" * 512
    assert note(["x" * 510, "y" * 513]) == "x" * 317 + "...; " + "y" * 317 + "..."


def test_a_note_of_nothing_is_empty() -> None:
    """No line, no words."""
    assert note([]) == ""


def test_long_errors_hide_no_other_step() -> None:
    """Contract 10: naming as many steps as fit, then `and n more`."""
    seen = after(workflow(*(step(name) for name in "abcd"), failure_policy=CONTINUE))
    failed = [child(name, "Failed", last_error="e" * 1024) for name in "abcd"]
    told = dict(_told(seen, *failed))["StepFailed"].split("; ")
    assert [line[:19] for line in told[:3]] == [f"{name} (StepFailed): eee" for name in "abc"]
    assert told[3:] == ["and 1 more"]


def test_a_thousand_steps_fit_one_note() -> None:
    """Contract 10: so that Events cost about one write a step."""
    made = [
        StepResult(step_name=f"s{number}", status=StepStatus.PENDING, execution_ref="r" * 63)
        for number in range(1000)
    ]
    (only,) = transitions(after(workflow(step())), after(workflow(step())).status, made)
    assert _bytes(only.note) <= MAX_NOTE_BYTES
    assert only.note.endswith(" more")
