"""I6: once nothing changes any more, two runs come to rest and the next writes nothing."""

from hypothesis import given

from reconciler.core.facts import Facts
from tests.builders import decided
from tests.properties.strategies import anything, histories


@given(histories())
def test_two_runs_come_to_rest(moment: Facts) -> None:
    """Create, then record; `decided` asserts it."""
    decided(moment)


@given(anything())
def test_two_runs_come_to_rest_whatever_was_recorded(moment: Facts) -> None:
    """From a status that no honest run wrote, too."""
    decided(moment)
