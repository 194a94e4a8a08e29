"""What the exploration has found: each schedule once broke something, and stays."""

import pytest

from tests.faults.explorer import Explorer
from tests.faults.schedule import Schedule, read
from tests.faults.workloads import WORKLOADS

_FOUND = [
    pytest.param(
        read("chain 0.4:applied-500 0.5:422"),
        id="a-child-that-was-made-is-not-refused-because-the-answer-was-lost",
    ),
    pytest.param(
        read("chain 0*2 0.4:to-B 0.9:422"),
        id="a-refusal-is-not-final-while-an-earlier-pass-may-still-create",
    ),
    pytest.param(
        read("pruned 0.9:500-always"),
        id="a-document-that-is-never-answered-keeps-no-other-from-its-run",
    ),
    pytest.param(read("queued 1.0:record-disowned"), id="a-record-of-nobody-is-written-no-result"),
    pytest.param(
        read("withdrawn 3.8:record-disowned"),
        id="nor-one-that-was-taken-away-between-read-and-write",
    ),
    pytest.param(
        read("history 2.3:429"), id="a-call-that-took-its-time-moves-no-deletion-to-another-hour"
    ),
]


@pytest.mark.parametrize("schedule", _FOUND)
def test_what_was_found_once_holds(schedule: Schedule) -> None:
    """Contract 8: the same invariants as everywhere."""
    assert Explorer(WORKLOADS[schedule.workload]).carry_out(schedule) is not None
