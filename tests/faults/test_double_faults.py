"""I1 to I8 and I12 under any two faults, in one run or in two, of a story small enough for that."""

import pytest

from tests.faults.parts import SHARE, Part, parts


def _claims(space: str) -> list[object]:
    return [pytest.param(part, id=part.workload) for part in parts(SHARE, [space])]


@pytest.mark.parametrize("part", _claims("double-faults"))
def test_a_small_story_survives_any_two_faults(part: Part) -> None:
    """Contract 8: the second in the same run or in any run after it."""
    assert part.carried_out().tally.schedules >= 10_000
