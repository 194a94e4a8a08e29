"""How a process is asked to stop: told once, whenever it was asked, and never in the middle."""

import signal
from collections.abc import Iterator

import pytest

from reconciler.process import Stop


@pytest.fixture
def stop() -> Iterator[Stop]:
    """Listening, with the handlers of this process put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Stop().listen()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, id="SIGTERM"), pytest.param(signal.SIGINT, id="SIGINT")]
)
def test_a_signal_asks_to_stop_and_ends_nothing(stop: Stop, number: signal.Signals) -> None:
    """Contract 7: the run stops where it may."""
    told: list[str] = []
    stop.tells(lambda: told.append("stop"))
    signal.raise_signal(number)
    assert (stop.asked, told) == (True, ["stop"])


def test_a_signal_that_came_before_the_run_is_not_lost(stop: Stop) -> None:
    """A pod may be deleted while the imports of its process go on."""
    told: list[str] = []
    signal.raise_signal(signal.SIGTERM)
    stop.tells(lambda: told.append("stop"))
    assert told == ["stop"]


def test_signals_that_follow_tell_nothing_new(stop: Stop) -> None:
    """One handler can interrupt another: telling twice could meet itself halfway."""
    told: list[str] = []
    stop.tells(lambda: told.append("stop"))
    for _ in range(3):
        signal.raise_signal(signal.SIGTERM)
    assert told == ["stop"]


def test_a_second_ctrl_c_is_no_longer_held_back(stop: Stop) -> None:
    """Who presses it twice means it."""
    stop.tells(lambda: None)
    signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is stop
