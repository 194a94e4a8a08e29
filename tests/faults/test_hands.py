"""I1 to I8 and I12 whatever executors and people do, before any call of any run."""

import pytest

from tests.faults.parts import SHARE, Part, parts


def _claims(space: str) -> list[object]:
    return [pytest.param(part, id=part.workload) for part in parts(SHARE, [space])]


@pytest.mark.parametrize("part", _claims("hands"))
def test_a_story_survives_anything_that_others_do(part: Part) -> None:
    """Contract 3 and 4: between two runs, and between any two calls of one."""
    assert part.carried_out().tally.schedules >= 100
