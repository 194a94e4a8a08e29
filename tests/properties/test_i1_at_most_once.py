"""I1: at most one child for (workflow uid, step, attempt), and a seen one is never made again."""

from hypothesis import given

from reconciler.core.decide import decide
from reconciler.core.facts import Facts
from reconciler.core.names import child_name
from tests.properties.strategies import anything, histories


@given(anything() | histories())
def test_what_is_created_exists_nowhere_yet(moment: Facts) -> None:
    """Contract 3: the name is computed, and no child of ours holds it."""
    decision = decide(moment)
    listed = {each.name for each in moment.children.every}
    created = [each.result.execution_ref for each in decision.create]
    assert not listed & set(created)
    assert len(created) == len(set(created))
    meta = moment.workflow.metadata
    for each in decision.create:
        result = each.result
        assert result.execution_ref == child_name(
            meta.name, meta.uid, result.step_name, result.attempt
        )


@given(anything() | histories())
def test_an_attempt_whose_uid_is_recorded_is_never_created_again(moment: Facts) -> None:
    """Contract 4: an action may not be repeatable."""
    seen = {
        (each.step_name, each.attempt)
        for each in moment.workflow.status.step_results
        if each.execution_uid
    }
    created = {(each.result.step_name, each.result.attempt) for each in decide(moment).create}
    assert not seen & created


@given(anything() | histories())
def test_only_what_the_written_status_reserves_is_created(moment: Facts) -> None:
    """Contract 1, create: the status first, with a change that makes one of two passes lose."""
    decision = decide(moment)
    before = moment.workflow.status.step_results
    for creation in decision.create:
        assert creation.result in decision.status.step_results
        assert creation.result not in before
        assert decision.changed
