"""Contract 7: attempts, the time of each call, and the count of what was sent."""

import threading

import pytest

from reconciler.errors import AlreadyExists, DeadlinePassed, Refused, Unreachable
from reconciler.kube import codec, requests
from reconciler.kube.answers import Response
from reconciler.kube.requests import CHILDREN, CONFIG_MAPS, Request
from reconciler.kube.transport import TimedOut
from reconciler.retry import Transient
from tests.conformance.bodies import child, config_map
from tests.unit.kube.scripted import Wire, ok, refusal

GET = requests.get(CONFIG_MAPS, "shop", "c")
CREATE = requests.create(CHILDREN, "shop", child("c"))
THERE = ok(config_map("c", {}))
SLOW = TimedOut("no answer within 30 s")


def test_an_answer_is_read_by_whom_it_is_for() -> None:
    """One request, one answer."""
    wire = Wire(THERE)
    assert wire.calls.make(GET, codec.read)["kind"] == "ConfigMap"
    assert wire.sent == 1


def test_each_call_may_last_as_long_as_the_request_timeout() -> None:
    """Contract 9: --request-timeout."""
    wire = Wire(THERE, timeout=7)
    wire.calls.make(GET, codec.read)
    assert wire.transport.timeouts == [7]


def test_no_call_may_last_longer_than_the_time_that_is_left() -> None:
    """Contract 7: the smaller of the two."""
    wire = Wire(THERE, seconds=50, timeout=30)
    wire.clock.advance(40)
    wire.calls.make(GET, codec.read)
    assert wire.transport.timeouts == [10]


def test_a_call_that_the_deadline_cut_says_nothing_of_the_server() -> None:
    """Contract 7: cut by the deadline is exit 0."""
    wire = Wire(SLOW, seconds=50)
    wire.clock.advance(40)
    with pytest.raises(DeadlinePassed):
        wire.calls.make(GET, codec.read)
    assert wire.sent == 1


def test_a_server_that_hangs_is_unreachable() -> None:
    """Contract 7: exit 4, though the last attempt is cut by the deadline."""
    wire = Wire(SLOW, seconds=50)
    hung = wire.transport.send

    def send(request: Request, timeout: float) -> Response:
        wire.clock.advance(timeout)
        return hung(request, timeout)

    wire.transport.send = send  # type: ignore[method-assign]  # time goes by on this wire
    with pytest.raises(Unreachable):
        wire.calls.make(GET, codec.read)
    assert wire.transport.timeouts == [30, 20]


def test_after_the_deadline_nothing_is_sent() -> None:
    """Contract 1, create: asked before each call."""
    wire = Wire(THERE)
    wire.deadline.stop()
    with pytest.raises(DeadlinePassed):
        wire.calls.make(CREATE, codec.read)
    assert wire.sent == 0


def test_a_call_that_may_follow_the_deadline_is_made_once() -> None:
    """Contract 7: the Lease's release, one attempt, whatever comes."""
    wire = Wire(refusal(503))
    wire.deadline.stop()
    with pytest.raises(Unreachable):
        wire.calls.make_once(GET, codec.read, 5)
    assert wire.transport.timeouts == [5]


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    """Contract 7: the second answer tells that the first had happened."""
    wire = Wire(Transient("reset"), refusal(409, "AlreadyExists", name="c"))
    with pytest.raises(AlreadyExists):
        wire.calls.make(CREATE, codec.read)
    assert wire.sent == 2


def test_the_same_bytes_are_sent_again() -> None:
    """So the second attempt means what the first did."""
    wire = Wire(Transient("reset"), ok(child("c")))
    wire.calls.make(CREATE, codec.read)
    first, second = wire.transport.requests
    assert first == second


def test_what_was_sent_is_counted_by_verb_and_code() -> None:
    """Contract 10: `error` when no answer came; every attempt counts."""
    wire = Wire(Transient("reset"), refusal(503), THERE)
    wire.calls.make(GET, codec.read)
    assert wire.calls.sent() == {("get", "error"): 1, ("get", "503"): 1, ("get", "200"): 1}


def test_a_refusal_is_counted_too() -> None:
    """One request, one count."""
    wire = Wire(refusal(422, "Invalid"))
    with pytest.raises(Refused):
        wire.calls.make(CREATE, codec.read)
    assert wire.calls.sent() == {("create", "422"): 1}


def test_threads_lose_no_count() -> None:
    """Contract 10: a run writes from up to 16 threads."""
    wire = Wire(THERE)

    def many() -> None:
        for _ in range(200):
            wire.calls.make(GET, codec.read)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wire.calls.sent() == {("get", "200"): 1600}
