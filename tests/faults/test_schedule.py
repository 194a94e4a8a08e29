"""A schedule is text that a person can copy from a failure and replay."""

import pytest
from typing_extensions import override

from tests.faults.explorer import Explorer
from tests.faults.invariants import Violation
from tests.faults.schedule import Mark, Schedule, read
from tests.faults.workloads import CHAIN


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("chain", id="no-mark"),
        pytest.param("chain 2.3:crash-after", id="one-fault"),
        pytest.param("fan-2 0*2 0.5:to-B 0.9:finish,to-A", id="overlap-and-executor"),
        pytest.param("retry 0.4:sleep-120 3.0:wake", id="sleeper"),
    ],
)
def test_a_schedule_reads_as_it_was_written(text: str) -> None:
    """What a violation prints is what `make explore` takes."""
    assert str(read(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("chain 2", id="no-place"),
        pytest.param("chain 2.x:crash-after", id="no-number"),
        pytest.param("chain a*2", id="no-scene"),
    ],
)
def test_what_is_no_schedule_is_told(text: str) -> None:
    """In words for people."""
    with pytest.raises(ValueError, match=r"is neither SCENE.CALL:WORD nor SCENE\*RUNS"):
        read(text)


class Hopeless(Explorer):
    """Whatever happens, nothing ends well."""

    __slots__ = ()

    @override
    def _conclude(self, schedule: Schedule) -> None:
        raise Violation("I6: nothing ever ends well")


def test_a_violation_tells_how_to_replay_it() -> None:
    """The schedule stands in the message, ready for a shell."""
    explorer = Hopeless(CHAIN)
    with pytest.raises(Violation, match=r"make explore PLAN='chain 0.4:crash-before'"):
        explorer.carry_out(Schedule("chain", (Mark(0, 4, "crash-before"),)))


def test_a_patient_explorer_keeps_violations_and_goes_on() -> None:
    """So that the whole of a space can be told, the shortest first."""
    explorer = Hopeless(CHAIN, patient=True)
    for call in range(3):
        explorer.carry_out(Schedule("chain", (Mark(0, call, "crash-before"),)))
    assert len(explorer.violations) == 3


def test_a_mark_that_can_do_nothing_makes_no_schedule() -> None:
    """Else the counts would tell of plans that are all the same."""
    explorer = Explorer(CHAIN)
    assert explorer.carry_out(Schedule("chain", (Mark(0, 0, "finish"),))) is None
    assert explorer.tally.schedules == 0
