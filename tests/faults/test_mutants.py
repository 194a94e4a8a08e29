"""The bugs that are seeded by `make mutants` are still bugs of this code."""

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.mutants import ROOT, SEEDED, Bug, bugs

_BUGS = bugs(SEEDED.read_text())


def test_there_are_bugs_enough_and_each_is_another_one() -> None:
    """At least 25; a name that is there twice hides one of the two."""
    assert len(_BUGS) >= 25
    assert max(Counter(bug.name for bug in _BUGS).values()) == 1


@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name.replace(" ", "-")) for bug in _BUGS])
def test_the_words_that_a_bug_replaces_are_there_once(bug: Bug) -> None:
    """Else the exploration would be measured by code that does not change."""
    assert bug.changes
    for change in bug.changes:
        assert Path(ROOT / change.path).read_text().count(change.old) == 1
        assert change.old != change.new
