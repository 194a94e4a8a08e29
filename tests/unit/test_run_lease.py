"""The Lease saves work, and whatever becomes of it the run is safe (contract 1, 7)."""

from datetime import timedelta

import pytest

from reconciler.core.outcome import ExitCode
from reconciler.kube.requests import LEASES, Verb
from tests.builders import NAMESPACE, step
from tests.fakes.clock import FrozenClock
from tests.unit.runs import Meets, Shop, of, refusal


@pytest.fixture
def shop() -> Shop:
    return Shop()


def _held(shop: Shop, by: str = "somebody", seconds: int = 60) -> None:
    renewed = shop.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": by, "leaseDurationSeconds": seconds, "renewTime": renewed}
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "reconciler-default", "namespace": NAMESPACE},
        "spec": spec,
    }
    shop.created(LEASES, body)


def test_a_lease_that_somebody_holds_ends_the_run_at_once(shop: Shop) -> None:
    """Contract 1, lease: nothing is asked, nothing pushed, exit 0."""
    shop.workflow("here", step("a"))
    _held(shop)
    outcome = shop.run()
    assert shop.asked() == ["get Lease"]
    assert (outcome.exit_code, outcome.held_elsewhere) == (ExitCode.DONE, True)
    assert shop.gateway.groups == frozenset()


def test_a_lease_that_has_expired_is_taken(shop: Shop) -> None:
    """Contract 1, lease: by the server's time."""
    _held(shop, seconds=60)
    shop.clock.advance(61)
    shop.workflow("here", step("a"))
    shop.run()
    assert shop.steps("here") == ["a"]
    assert shop.lease().get("holderIdentity", "") == ""


@pytest.mark.parametrize(
    ("wrong", "age", "taken"),
    [
        pytest.param(3600, 59, False, id="a-clock-that-is-fast-steals-nothing"),
        pytest.param(-3600, 61, True, id="a-clock-that-is-slow-waits-for-nobody"),
    ],
)
def test_a_lease_expires_by_the_servers_clock(
    shop: Shop, wrong: int, age: int, *, taken: bool
) -> None:
    """Contract 1, lease: expired is what the server's `Date` says, whatever the node believes."""
    _held(shop, seconds=60)
    shop.clock.advance(age)
    shop.node = FrozenClock(shop.clock.now() + timedelta(seconds=wrong))
    assert shop.run().held_elsewhere is not taken


def test_of_two_that_take_an_expired_lease_one_loses(shop: Shop) -> None:
    """Contract 1, lease: by the resourceVersion that was read."""
    _held(shop, seconds=1)
    shop.clock.advance(2)
    taken: list[str] = []

    def faster() -> None:
        if not taken:
            taken.append("by somebody")
            shop.patched(LEASES, "reconciler-default", spec={"holderIdentity": "faster"})

    shop.server.interceptor = Meets(of(Verb.UPDATE, LEASES), faster)
    assert shop.run().held_elsewhere is True
    assert shop.lease()["holderIdentity"] == "faster"


def test_a_lease_that_is_refused_is_a_warning(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Contract 1, lease: it saves work, safety never rests on it."""
    shop.workflow("here", step("a"))
    shop.server.interceptor = Meets(of(Verb.GET, LEASES), lambda: refusal(403))
    assert shop.run().exit_code is ExitCode.DONE
    assert shop.steps("here") == ["a"]
    assert "going on without the Lease" in caplog.text


def test_a_server_that_does_not_answer_for_the_lease_is_asked_nothing_else(shop: Shop) -> None:
    """Contract 7: exit 4 after three attempts; the push says so."""
    shop.server.interceptor = Meets(lambda _: True, lambda: refusal(503))
    assert shop.run().exit_code is ExitCode.CLUSTER
    assert shop.asked() == ["get Lease"] * 3
    assert shop.gauge("run_exit_code") == 4.0


@pytest.mark.parametrize(
    "lease",
    [
        pytest.param("reconciler-default", id="by-the-lease"),
        pytest.param(None, id="without-a-lease-by-the-pause"),
    ],
)
def test_credentials_that_are_not_accepted_are_told_once(
    shop: Shop, caplog: pytest.LogCaptureFixture, lease: str | None
) -> None:
    """Contract 7: exit 4 at the first answer; no other would be better."""
    shop.server.interceptor = Meets(lambda _: True, lambda: refusal(401))
    assert shop.run(lease_name=lease).exit_code is ExitCode.CLUSTER
    assert len(shop.asked()) == 1
    assert len(caplog.records) == 1
