"""In which order workflows have their turn when time is short."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.core.api import Phase, StepResult, StepStatus, WorkflowExecution
from reconciler.core.turns import in_turn
from tests.builders import NOW, step, workflow


def _of(namespace: str, name: str, age: float = 0) -> WorkflowExecution:
    made = workflow(step("a"), name=name)
    update = {"namespace": namespace, "creation_timestamp": NOW - timedelta(seconds=age)}
    return made.model_copy(update={"metadata": made.metadata.model_copy(update=update)})


def _served(made: WorkflowExecution, field: str) -> WorkflowExecution:
    """A run did something about it just now."""
    if field == "last_transition_time":
        return made.with_status(made.status.model_copy(update={field: NOW}))
    moved: dict[str, Any] = {field: NOW}
    result = StepResult(step_name="a", status=StepStatus.PENDING, **moved)
    return made.with_status(made.status.model_copy(update={"step_results": (result,)}))


def _names(*workflows: WorkflowExecution) -> list[str]:
    return [each.metadata.name for each in in_turn(workflows, lambda each: each)]


def test_who_has_waited_longest_comes_first() -> None:
    """The order of a list is that of names, and z would starve."""
    assert _names(_of("shop", "a", 1), _of("shop", "z", 9), _of("shop", "m", 5)) == ["z", "m", "a"]


@pytest.mark.parametrize("field", ["reserved_at", "healed_at", "last_transition_time"])
def test_who_was_served_goes_behind_who_was_not(field: str) -> None:
    """What was not reached is first in the next run."""
    assert _names(_served(_of("shop", "old", 9), field), _of("shop", "young", 1)) == [
        "young",
        "old",
    ]


def test_namespaces_take_turns() -> None:
    """A thousand workflows of one team hold up no other team's one."""
    crowd = [_of("crowd", f"c{n}", 100 + n) for n in range(4)]
    assert _names(*crowd, _of("alone", "mine", 1)) == ["c3", "mine", "c2", "c1", "c0"]


def test_a_tie_is_settled_by_name() -> None:
    """Twice the same list, twice the same order."""
    assert _names(_of("shop", "b"), _of("shop", "a")) == ["a", "b"]


def test_at_the_same_second_who_has_started_comes_first() -> None:
    """A queued run waits for the one before it, and starts in the same pass when that one ends."""
    begun = _of("shop", "z")
    begun = begun.with_status(begun.status.model_copy(update={"phase": Phase.EXECUTING}))
    assert _names(_of("shop", "a"), begun) == ["z", "a"]


def test_a_workflow_without_any_time_has_waited_for_ever() -> None:
    """A list may lack what the API server always sets."""
    made = _of("shop", "timeless")
    bare = made.model_copy(
        update={"metadata": made.metadata.model_copy(update={"creation_timestamp": None})}
    )
    assert _names(_of("shop", "a", 10**6), bare) == ["timeless", "a"]
