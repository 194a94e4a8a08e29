"""I3: a child is created only after every dependency is recorded Completed."""

from hypothesis import given

from reconciler.core.decide import decide
from reconciler.core.facts import Facts
from tests.properties.strategies import anything, histories


@given(anything() | histories())
def test_nothing_starts_before_what_it_depends_on(moment: Facts) -> None:
    """Contract 4, Ready: of first attempts and of retries; in the status that is written."""
    decision = decide(moment)
    completed = {
        each.step_name for each in decision.status.step_results if each.status == "Completed"
    }
    reserved_before = {
        (each.step_name, each.attempt)
        for each in moment.workflow.status.step_results
        if each.status == "Pending"
    }
    needs = {each.name: set(each.depends_on) for each in moment.steps}
    for creation in decision.create:
        result = creation.result
        if (result.step_name, result.attempt) not in reserved_before:
            assert needs[result.step_name] <= completed


@given(anything() | histories())
def test_nothing_new_starts_behind_a_closed_gate(moment: Facts) -> None:
    """Contract 4, Ready: not suspended, paused, cancelled, being deleted or over."""
    spec, status = moment.workflow.spec, moment.workflow.status
    closed = (
        spec.suspend
        or spec.cancel
        or moment.paused
        or moment.workflow.deleting
        or status.phase.terminal
    )
    reserved_before = {each.execution_ref for each in status.step_results if each.reserved}
    created = {each.result.execution_ref for each in decide(moment).create}
    assert not closed or created <= reserved_before
