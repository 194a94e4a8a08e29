"""I5: what is not ours is neither counted nor touched."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.decide import decide
from reconciler.core.facts import Child, Facts
from tests.properties.strategies import foreigners, histories, together


@given(histories(), st.lists(foreigners, max_size=4))
def test_strangers_change_no_decision(moment: Facts, strangers: list[Child]) -> None:
    """Contract 3: another owner, none, another name, another namespace."""
    assert decide(together(moment, *strangers)) == decide(moment)
