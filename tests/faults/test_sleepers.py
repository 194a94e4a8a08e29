"""I1 to I6 and I12 where a run is stopped between any two calls, and continues later."""

import pytest

from tests.faults.parts import SHARE, Part, parts


def _claims(space: str) -> list[object]:
    return [pytest.param(part, id=part.workload) for part in parts(SHARE, [space])]


@pytest.mark.parametrize("part", _claims("sleepers"))
def test_a_run_that_sleeps_and_wakes_up_breaks_nothing(part: Part) -> None:
    """Contract 1, create: within its deadline it is one run more, after it its child is Late."""
    assert part.carried_out().tally.schedules >= 100


@pytest.mark.parametrize("part", _claims("sleepers-and-hands"))
def test_a_run_that_sleeps_breaks_nothing_whatever_others_do_meanwhile(part: Part) -> None:
    """Contract 3 and 4: its workflow is cancelled, deleted, made again; its child edited."""
    assert part.carried_out().tally.schedules >= 800
