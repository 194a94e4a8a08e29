"""I1 to I6 and I12 where runs overlap, with the Lease off: it is never what safety rests on."""

import pytest

from tests.faults.parts import SHARE, Part, parts


def _claims(*spaces: str) -> list[object]:
    return [pytest.param(part, id=f"{part.space}-{part.workload}") for part in parts(SHARE, spaces)]


@pytest.mark.parametrize("part", _claims("two-runs", "three-runs"))
def test_runs_that_overlap_break_nothing(part: Part) -> None:
    """Contract 1: every order of their calls with few switches, an executor in between."""
    assert part.carried_out().tally.schedules >= 40


@pytest.mark.parametrize("part", _claims("two-runs-and-a-fault"))
def test_runs_that_overlap_break_nothing_under_a_fault(part: Part) -> None:
    """Contract 1 and 8: either of them crashes, or is answered wrongly, at any call."""
    assert part.carried_out().tally.schedules >= 1_000
