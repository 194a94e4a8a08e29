"""I4: a final step and a terminal phase never change; executionEndTime is set once."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.decide import decide
from reconciler.core.facts import Child, Children, Facts
from tests.properties.strategies import anything, children, histories


@given(anything() | histories(), st.lists(children(), max_size=4))
def test_what_is_final_stays(moment: Facts, listed: list[Child]) -> None:
    """Contract 4, Rollup: whatever its child says later, or whoever deletes it."""
    decision = decide(moment)
    before = decision.status
    seen = moment.workflow.with_status(before)
    later = decide(replace(moment, workflow=seen, children=Children.of(seen, listed))).status
    after = {each.step_name: each for each in later.step_results}
    for each in before.step_results:
        # An assumption goes with the spec that makes it, until the workflow starts.
        if each.status.final and before.phase.started:
            assert after[each.step_name] == each
    if before.phase.terminal:
        assert later.phase is before.phase
        assert later.last_transition_time == before.last_transition_time
    if before.execution_end_time:
        assert later.execution_end_time == before.execution_end_time
    assert later.settled or not before.settled


@given(anything() | histories())
def test_a_settled_workflow_has_nothing_left(moment: Facts) -> None:
    """Contract 2, settled: terminal, no reservation without a child, no active child."""
    status = decide(moment).status
    if status.settled and not moment.workflow.status.settled:
        assert status.phase.terminal
        assert status.active_steps == 0
        assert status.execution_end_time is not None
        assert all(each.status.final for each in status.step_results)
