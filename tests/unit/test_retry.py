"""Contract 7: attempts, backoff, jitter and Retry-After within the time that is left."""

from collections.abc import Callable

import pytest

from reconciler.errors import Conflict, DeadlinePassed, Refused, Unreachable
from reconciler.retry import Policy, Transient
from reconciler.seams import Deadline
from tests.fakes.clock import FrozenClock

Attempt = Callable[[], str]


class World:
    """A clock, 50 seconds, and jitter that always draws the most."""

    def __init__(self, seconds: float = 50.0) -> None:
        self.clock = FrozenClock()
        self.deadline = Deadline(self.clock, seconds)
        self.attempts = 0
        self.policy = Policy(self.deadline, self.clock.sleep, lambda _, most: most)

    @property
    def waited(self) -> float:
        return sum(self.clock.slept)

    def failing(self, *errors: Exception) -> Attempt:
        """Fails with each of them in turn, then answers."""
        left = list(errors)

        def attempt() -> str:
            self.attempts += 1
            if left:
                raise left.pop(0)
            return "done"

        return attempt


def test_what_succeeds_is_made_once_and_waits_for_nothing() -> None:
    """Contract 7."""
    world = World()
    assert world.policy.call(world.failing()) == "done"
    assert (world.attempts, world.waited) == (1, 0.0)


def test_a_transient_failure_is_tried_again_after_a_growing_wait() -> None:
    """Contract 7: exponential backoff; the bound of the jitter doubles."""
    world = World()
    assert world.policy.call(world.failing(Transient("a"), Transient("b"))) == "done"
    assert world.attempts == 3
    assert world.waited == 0.5 + 1.0


def test_jitter_is_drawn_between_nothing_and_the_backoff() -> None:
    """Full jitter: runs that failed together do not come back together."""
    world, bounds = World(), list[tuple[float, float]]()

    def draw(low: float, high: float) -> float:
        bounds.append((low, high))
        return low

    policy = Policy(world.deadline, world.clock.sleep, draw)
    policy.call(world.failing(Transient("a"), Transient("b")))
    assert bounds == [(0.0, 0.5), (0.0, 1.0)]
    assert world.waited == 0.0


def test_three_attempts_are_the_most() -> None:
    """Contract 7: at most 3 attempts; the last failure is the one that is told."""
    world = World()
    errors = [Transient(name) for name in ("a", "b", "c", "d")]
    with pytest.raises(Transient, match="c"):
        world.policy.call(world.failing(*errors))
    assert world.attempts == 3


def test_one_attempt_may_be_all_there_is() -> None:
    """Contract 10: a failed Event changes nothing else, so it is sent once."""
    world = World()
    with pytest.raises(Unreachable):
        world.policy.call(world.failing(Transient("a")), attempts=1)
    assert (world.attempts, world.waited) == (1, 0.0)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Refused("a", status=422), id="refused"),
        pytest.param(Conflict("a"), id="conflict"),
        pytest.param(Unreachable("a"), id="unreachable-for-good"),
        pytest.param(ValueError("a"), id="a-bug"),
    ],
)
def test_no_other_failure_is_tried_again(error: Exception) -> None:
    """Contract 7: only the transient class."""
    world = World()
    with pytest.raises(type(error)):
        world.policy.call(world.failing(error))
    assert world.attempts == 1


def test_what_the_server_asks_for_is_waited_for() -> None:
    """Contract 7: Retry-After obeyed, with the jitter on top: it asked everybody."""
    world = World()
    world.policy.call(world.failing(Transient("a", retry_after=10)))
    assert world.waited == 10.5


@pytest.mark.parametrize("asked", [49.5, 50, 3600, 999_999_999])
def test_what_does_not_fit_the_time_left_is_not_waited_for(asked: float) -> None:
    """Contract 7: within the run's time budget; it gives up now, not at the deadline."""
    world = World()
    with pytest.raises(Transient):
        world.policy.call(world.failing(Transient("a", retry_after=asked)))
    assert (world.attempts, world.waited) == (1, 0.0)


def test_after_the_deadline_nothing_is_tried() -> None:
    """Contract 1, create: asked before each call."""
    world = World()
    world.clock.advance(50)
    with pytest.raises(DeadlinePassed):
        world.policy.call(world.failing())
    assert world.attempts == 0


def test_a_server_that_failed_before_the_deadline_is_what_is_told() -> None:
    """Exit 4 says more than a run that was cut: the server never answered."""
    world = World()

    def slow() -> str:
        world.attempts += 1
        world.clock.advance(49.9)
        raise Transient("no answer")

    with pytest.raises(Transient, match="no answer"):
        world.policy.call(slow)
    assert world.attempts == 1


def test_sigterm_ends_a_wait_within_half_a_second() -> None:
    """Contract 7: SIGTERM is the same as the deadline, and 5 seconds later all is over."""
    world = World()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.deadline.stop()

    policy = Policy(world.deadline, sleep, lambda _, most: most)
    with pytest.raises(Transient):
        policy.call(world.failing(Transient("a", retry_after=30)))
    assert slept == [0.5]
    assert world.attempts == 1
