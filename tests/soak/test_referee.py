"""The referee of the soak sees what there is to see."""

from collections.abc import Sequence

import pytest

from tests.apiserver.objects import Body
from tests.soak.history import CHILD, WORKFLOW, Change
from tests.soak.referee import Referee

UID = "uid-of-w"


def workflow(*results: Body, phase: str = "Executing", limit: int = 5, **status: object) -> Body:
    """Of two steps, a and then b."""
    steps = [{"name": "a"}, {"name": "b", "dependsOn": ["a"]}]
    return {
        "metadata": {"name": "w", "uid": UID},
        "spec": {"workflowDefinition": {"steps": steps}, "maxConcurrentSteps": limit},
        "status": {"phase": phase, "stepResults": list(results), **status},
    }


def result(step: str, status: str = "Pending", **more: object) -> Body:
    return {"stepName": step, "status": status, "attempt": 0, "executionRef": f"w-{step}", **more}


def child(step: str, phase: str = "", attempt: int = 0, name: str = "", uid: str = "") -> Body:
    return {
        "metadata": {
            "name": name or f"w-{step}",
            "uid": uid or f"uid-{step}-{attempt}",
            "ownerReferences": [{"uid": UID}],
        },
        "spec": {"workflowExecutionRef": {"name": "w"}, "stepName": step, "attempt": attempt},
        "status": {"phase": phase},
    }


def committed(*bodies: Body | str) -> list[Change]:
    """One commit each; a name is the child of that name, deleted."""
    changes: list[Change] = []
    for revision, body in enumerate(bodies):
        if isinstance(body, str):
            changes.append(Change(revision, CHILD, body, None))
            continue
        kind, name = WORKFLOW if "workflowDefinition" in body["spec"] else CHILD, _name(body)
        there = [each for each in changes if (each.kind, each.name) == (kind, name)]
        new = not there or there[-1].body is None or _uid(there[-1].body) != _uid(body)
        changes.append(Change(revision, kind, name, body, created=new))
    return changes


def _name(body: Body) -> str:
    return str(body["metadata"]["name"])


def _uid(body: Body) -> str:
    return str(body["metadata"]["uid"])


DONE = result("a", "Completed", executionUID="uid-a-0")
HONEST = (
    workflow(),
    workflow(result("a")),
    child("a"),
    workflow(result("a", executionUID="uid-a-0")),
    child("a", "Completed"),
    workflow(DONE, result("b")),
    child("b"),
    child("b", "Completed"),
    workflow(
        DONE, result("b", "Completed", executionUID="uid-b-0"), phase="Completed", settled=True
    ),
)


def test_an_honest_history_is_without_violations_to_its_end() -> None:
    """What keeps the cases below from passing for another reason."""
    referee = Referee(cap=5)
    referee.see(committed(*HONEST))
    assert referee.violations + referee.ends() == []
    assert referee.numbers["children created"] == 2


@pytest.mark.parametrize(
    ("history", "told"),
    [
        pytest.param(
            [*HONEST[:4], "w-a", child("a", uid="another")], "(I1)", id="a-recorded-child-again"
        ),
        pytest.param(
            [workflow(result("a")), child("a"), child("a", uid="twin", name="w-a-twin")],
            "(I1)",
            id="two-children-of-one-attempt-at-once",
        ),
        pytest.param(
            [workflow(limit=1), child("a"), child("a", attempt=1, name="w-a-1")],
            "(I2)",
            id="a-child-above-the-limit",
        ),
        pytest.param(
            [workflow(limit=1), child("a"), workflow(result("x"), limit=1)],
            "(I2)",
            id="a-reservation-above-the-limit",
        ),
        pytest.param([workflow(), child("b")], "(I3)", id="a-child-before-its-dependency"),
        pytest.param(
            [*HONEST[:6], workflow(result("a", "Failed"), result("b"))],
            "(I4)",
            id="a-final-step-that-changes",
        ),
        pytest.param([*HONEST, workflow()], "(I4)", id="a-terminal-phase-that-changes"),
        pytest.param(
            [workflow(executionEndTime="1"), workflow(executionEndTime="2")],
            "(I4)",
            id="a-second-end",
        ),
        pytest.param(["w-a"], "(I8)", id="a-child-that-nobody-deleted"),
    ],
)
def test_each_violation_is_told(history: Sequence[Body | str], told: str) -> None:
    """I1 to I4, I8."""
    referee = Referee(cap=5)
    referee.see(committed(*history), deleted=["w-a"] if told == "(I1)" else [])
    assert any(told in each for each in referee.violations), referee.violations


@pytest.mark.parametrize(
    ("history", "told"),
    [
        pytest.param(HONEST[:6], "it is not over", id="a-workflow-that-goes-on"),
        pytest.param([*HONEST, child("b", "Running")], "is at work", id="a-child-that-goes-on"),
        pytest.param(
            [*HONEST[:4], *HONEST[5:]], "its child never was", id="a-result-that-no-child-told"
        ),
        pytest.param(
            [*HONEST[:5], workflow(DONE, phase="Completed", settled=True)],
            "not all of its steps are",
            id="a-completion-without-its-steps",
        ),
    ],
)
def test_an_end_that_is_none_is_told(history: Sequence[Body | str], told: str) -> None:
    """All are terminal at the end, by the children and not by the status alone."""
    referee = Referee(cap=5)
    referee.see(committed(*history))
    assert any(told in each for each in referee.ends()), referee.ends()


def test_a_child_that_was_deleted_before_anybody_recorded_it_may_be_made_again() -> None:
    """I1, as it is written."""
    referee = Referee(cap=5)
    again = child("a", uid="another")
    referee.see(committed(workflow(result("a")), child("a"), "w-a", again), deleted=["w-a"])
    assert referee.violations == []
