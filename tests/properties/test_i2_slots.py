"""I2: no child is created while as many as the limit are active or reserved."""

from hypothesis import given

from reconciler.core.decide import decide
from reconciler.core.facts import Facts
from reconciler.core.ready import slots_held
from reconciler.core.rollup import rollup
from tests.properties.strategies import anything, histories


@given(anything() | histories())
def test_no_reservation_goes_beyond_the_limit(moment: Facts) -> None:
    """Contract 4, Ready: max(0, limit - active) new ones, whatever is active already."""
    decision = decide(moment)
    before = slots_held(moment, rollup(moment))
    assert decision.status.active_steps <= max(moment.limit, before)


@given(histories())
def test_slots_held_are_counted_on_the_children(moment: Facts) -> None:
    """Contract 4: slots go by children, results by steps."""
    decision = decide(moment)
    refs = {each.name for each in moment.children.every}
    unmade = [
        each
        for each in decision.status.step_results
        if each.status == "Pending" and each.execution_ref not in refs
    ]
    assert decision.status.active_steps == len(moment.children.active) + len(unmade)
