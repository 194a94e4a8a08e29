"""Whatever a status or a child holds, there is a decision, and the API server takes it."""

from hypothesis import given

from reconciler.core.api import WorkflowStatus
from reconciler.core.decide import decide
from reconciler.core.facts import Facts, unlisted
from reconciler.core.ready import waiting
from reconciler.core.rollup import rollup
from reconciler.core.transitions import MAX_NOTE_BYTES, transitions
from tests.properties.strategies import anything


@given(anything())
def test_there_is_a_decision_for_everything(moment: Facts) -> None:
    """Contract 1: a pure function; whatever a child's status holds, it never raises."""
    decision = decide(moment)
    assert WorkflowStatus.model_validate(decision.status.wire()) == decision.status
    told = transitions(moment.workflow, decision.status, [each.result for each in decision.create])
    assert all(len(each.note.encode()) <= MAX_NOTE_BYTES for each in told)
    assert set(waiting(moment, rollup(moment))) <= {each.name for each in moment.steps}
    assert len(set(unlisted(moment.workflow, moment.children))) <= len(moment.steps)
