"""What the server in memory does beside being one: faults, other actors, other times.

That it is one is held by tests/conformance.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic_core import from_json

from reconciler.errors import Unreachable
from reconciler.kube import codec, requests
from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.paging import read_list
from reconciler.kube.requests import CHILDREN, WORKFLOWS, Request, Target, Verb, create, patch
from reconciler.retry import Transient
from reconciler.seams import Deadline, Scope
from tests.conformance.bodies import child, workflow
from tests.fakes.apiserver import MemoryApiServer
from tests.fakes.clock import FrozenClock
from tests.fakes.memory.refusals import status_response
from tests.fakes.memory.schemas import rules
from tests.fakes.memory.storage import Change

ONE = create(WORKFLOWS, "shop", workflow("one"))
TARGET = Target(WORKFLOWS, "shop", "one")


class Crash(BaseException):
    """The client is gone: nothing it has may catch this."""


@dataclass
class Between:
    """Plays the given parts once, at the first request of a verb."""

    verb: Verb
    instead: Response | None = None
    afterwards: Response | None = None
    crash_before: bool = False
    crash_after: bool = False
    actor: Request | None = None
    server: MemoryApiServer | None = None
    played: list[Verb] = field(default_factory=list)

    def before(self, request: Request) -> Response | None:
        if request.verb is not self.verb or self.played:
            return None
        self.played.append(request.verb)
        if self.crash_before:
            raise Crash
        if self.actor and self.server:
            self.server.handle(self.actor)
        return self.instead

    def after(self, request: Request, response: Response) -> Response:
        if request.verb is not self.verb or len(self.played) > 1:
            return response
        self.played.append(request.verb)
        if self.crash_after:
            raise Crash
        return self.afterwards or response


@pytest.fixture
def server() -> MemoryApiServer:
    return MemoryApiServer(FrozenClock(), namespaces=("shop",))


def calls_to(server: MemoryApiServer) -> Calls:
    clock = FrozenClock()
    return Calls(server, clock, Deadline(clock, 50), jitter=lambda low, _: low)


def sent(server: MemoryApiServer, request: Request) -> dict[str, Any]:
    response = server.send(request, 1)
    assert response.ok, response.body
    body: dict[str, Any] = from_json(response.body)
    return body


def names(server: MemoryApiServer) -> list[str]:
    return [each["metadata"]["name"] for each in server.objects(WORKFLOWS)]


# --- faults ---------------------------------------------------------------------------------


def test_an_error_may_come_without_the_write(server: MemoryApiServer) -> None:
    """F05: not applied, 503; the second attempt is."""
    server.interceptor = Between(Verb.CREATE, instead=status_response(503, "", "no"))
    calls_to(server).make(ONE, codec.read)
    assert names(server) == ["one"]
    assert [each.status for each in server.log] == [503, 201]


def test_an_error_may_come_with_the_write(server: MemoryApiServer) -> None:
    """F03: applied, then 500; the second attempt meets the first."""
    server.interceptor = Between(Verb.CREATE, afterwards=status_response(500, "", "no"))
    assert server.send(ONE, 1).status == 500
    assert names(server) == ["one"]
    assert server.send(ONE, 1).status == 409


@pytest.mark.parametrize(
    ("between", "there"),
    [
        pytest.param(Between(Verb.CREATE, crash_before=True), [], id="before"),
        pytest.param(Between(Verb.CREATE, crash_after=True), ["one"], id="after"),
    ],
)
def test_a_client_may_crash_before_or_after_a_write(
    server: MemoryApiServer, between: Between, there: list[str]
) -> None:
    """F01, F02: nothing of the client catches it, and no answer is logged."""
    server.interceptor = between
    with pytest.raises(Crash):
        calls_to(server).make(ONE, codec.read)
    assert names(server) == there
    assert server.log == []


def test_another_actor_may_come_in_between(server: MemoryApiServer) -> None:
    """F07: the version moves between a read and its write."""
    made = sent(server, ONE)["metadata"]
    faster = patch(TARGET, {"spec": {"suspend": True}})
    server.interceptor = Between(Verb.UPDATE, actor=faster, server=server)
    body = workflow("one", {"resourceVersion": made["resourceVersion"]}, cancel=True)
    assert server.send(requests.update(TARGET, body), 1).status == 409
    found = server.object(WORKFLOWS, "shop", "one")
    assert found is not None
    assert found["spec"].keys() == {"workflowDefinition", "suspend"}


def test_a_list_expires_between_its_pages(server: MemoryApiServer) -> None:
    """F11: the real client reads it again from its first page."""
    for at in range(1500):
        server.handle(create(WORKFLOWS, "shop", workflow(f"w{at:04}")))

    class Compaction:
        """Once, after the first page."""

        def __init__(self) -> None:
            self.done = False

        def before(self, _: Request) -> Response | None:
            return None

        def after(self, _: Request, response: Response) -> Response:
            if not self.done:
                self.done = True
                server.expire_lists()
            return response

    server.interceptor = Compaction()
    first = requests.page(WORKFLOWS, "shop")
    found = read_list(calls_to(server), first, lambda item: item["metadata"]["name"])
    assert len(set(found.items)) == 1500
    assert [each.status for each in server.log] == [200, 410, 200, 200]


def test_a_kind_may_be_missing(server: MemoryApiServer) -> None:
    """As where the CRDs are not installed."""
    server.not_installed.add(WORKFLOWS)
    assert server.send(ONE, 1).body == b"404 page not found\n"
    server.not_installed.clear()
    assert server.send(ONE, 1).status == 201


def test_no_answer_is_an_answer_too(server: MemoryApiServer) -> None:
    """F04: what an interceptor raises, the client sees."""

    class Cut:
        def before(self, _: Request) -> Response | None:
            return None

        def after(self, _: Request, __: Response) -> Response:
            raise Transient("reset")

    server.interceptor = Cut()
    clock = FrozenClock()
    calls = Calls(server, clock, Deadline(clock, 50), jitter=lambda low, _: low)
    with pytest.raises(Unreachable):
        KubeCluster(calls, state_namespace="shop").workflows(Scope("shop"))
    assert calls.sent() == {("list", "error"): 3}


# --- times ----------------------------------------------------------------------------------


def test_a_snapshot_is_all_there_was(server: MemoryApiServer) -> None:
    """F16, a restore from backup: objects, versions and uids go back."""
    sent(server, ONE)
    before = server.snapshot()
    two = create(WORKFLOWS, "shop", workflow("two"))
    first = sent(server, two)["metadata"]
    sent(server, requests.delete(TARGET))
    server.restore(before)
    assert names(server) == ["one"]
    assert sent(server, two)["metadata"] == first


def test_two_servers_that_are_asked_the_same_answer_the_same() -> None:
    """A fault is found again by its number."""
    asked = (
        ONE,
        patch(TARGET, {"spec": {"suspend": True}}),
        requests.get(WORKFLOWS, "shop", "one"),
    )
    first, second = (MemoryApiServer(FrozenClock(), namespaces=("shop",)) for _ in range(2))
    assert [first.send(each, 1) for each in asked] == [second.send(each, 1) for each in asked]


def test_time_is_the_clocks() -> None:
    """Creation times and the `Date` of every answer."""
    clock = FrozenClock()
    server = MemoryApiServer(clock, namespaces=("shop",))
    clock.advance(3600)
    response = server.send(ONE, 1)
    assert response.headers["date"] == "Fri, 02 Jan 2026 04:04:05 GMT"
    assert from_json(response.body)["metadata"]["creationTimestamp"] == "2026-01-02T04:04:05Z"


# --- what a test can see --------------------------------------------------------------------


def test_every_committed_change_is_observed(server: MemoryApiServer) -> None:
    """Contract 8: the invariants are held at every state, not only at the end."""
    changes: list[Change] = []
    server.observers.append(changes.append)
    uid = sent(server, ONE)["metadata"]["uid"]
    sent(server, create(CHILDREN, "shop", child("c", uid)))
    sent(server, patch(TARGET, {"spec": {"suspend": True}}))
    sent(server, patch(TARGET, {"spec": {"suspend": True}}))
    assert server.send(ONE, 1).status == 409
    sent(server, requests.delete(TARGET))
    server.collect_garbage()
    seen = [(each.resource.kind, each.before is None, each.after is None) for each in changes]
    assert seen == [
        ("WorkflowExecution", True, False),
        ("KubernetesExecution", True, False),
        ("WorkflowExecution", False, False),
        ("WorkflowExecution", False, True),
        ("KubernetesExecution", False, True),
    ]


def test_a_dry_run_is_observed_by_nobody(server: MemoryApiServer) -> None:
    """Nothing is stored, no version is taken."""
    changes: list[Change] = []
    server.observers.append(changes.append)
    before = server.snapshot()
    sent(server, requests.apply(TARGET, workflow("one"), dry_run=True))
    assert changes == []
    assert server.snapshot() == before


def test_what_was_sent_is_kept_in_order(server: MemoryApiServer) -> None:
    """What a run writes is asserted as a list of verbs and paths."""
    server.send(requests.get(WORKFLOWS, "shop", "one"), 7)
    server.send(ONE, 8)
    assert [(each.status, each.timeout) for each in server.log] == [(404, 7), (201, 8)]
    assert server.writes() == (ONE,)


def test_what_is_stored_is_not_what_was_handed_out(server: MemoryApiServer) -> None:
    """A body that a test has sent may be used again."""
    body = workflow("one")
    sent(server, create(WORKFLOWS, "shop", body))
    body["spec"]["suspend"] = True
    found = server.object(WORKFLOWS, "shop", "one")
    assert found is not None
    assert "suspend" not in found["spec"]


def test_a_rule_that_nobody_has_written_here_is_refused_at_the_start() -> None:
    """A CRD that says more than this server holds must not pass unnoticed."""
    said = {"x-kubernetes-validations": [{"rule": "self.a > 1", "fieldPath": ".a", "message": "m"}]}
    with pytest.raises(ValueError, match=r"self\.a > 1"):
        rules(said)
