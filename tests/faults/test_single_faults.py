"""I1 to I8, I11 and I12 under any fault, at any call of any run of a story."""

import pytest

from tests.faults.parts import SHARE, Part, parts


def _claims(space: str) -> list[object]:
    return [pytest.param(part, id=part.workload) for part in parts(SHARE, [space])]


@pytest.mark.parametrize("part", _claims("single-faults"))
def test_a_story_survives_any_fault_at_any_call(part: Part) -> None:
    """Contract 8: looked at after every change; I6 and I7 at the end."""
    assert part.carried_out().tally.schedules >= 150
