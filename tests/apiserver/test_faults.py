"""Contract 7 on a real server: answers that are lost, servers that hang, credentials that fail.

The client is the real one, as a service account with a run's role and no more; between it and the
server stands a gate that ends a connection after the server has done what it was asked.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.core.api import (
    CHILD_GROUP,
    WORKFLOW_GROUP,
    Metadata,
    Phase,
    RecordStatus,
    WorkflowExecution,
    WorkflowRecord,
    WorkflowStatus,
)
from reconciler.core.names import SOURCE_LABEL
from reconciler.errors import AlreadyExists, ClusterError, Conflict, Refused, Unreachable
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.config import access
from reconciler.kube.transport import ApiTransport
from reconciler.seams import (
    ConfigMap,
    Deadline,
    Event,
    Lease,
    NewChild,
    Precondition,
    Regarding,
    Scope,
)
from tests.apiserver.gate import Gate, Lost, Request
from tests.apiserver.identities import kubeconfig, reconcilers_token, token_of
from tests.conformance.bodies import child, workflow
from tests.controlplane import Api, eventually
from tests.fakes.clock import FrozenClock

pytestmark = pytest.mark.apiserver

_LEASE, _HEAD = "reconciler-default", "reconciler-source-default"  # what the role names
PENDING = WorkflowStatus(phase=Phase.PENDING, observed_generation=1)


class Faulty:
    """A cluster behind a gate, and the namespace of this test in it."""

    def __init__(self, gate: Gate, file: Path, namespace: str, *, timeout: float = 30.0) -> None:
        clock = FrozenClock()
        self.gate = gate
        self.namespace = namespace
        self.transport = ApiTransport(access(str(file)).configuration)
        self.calls = Calls(self.transport, clock, Deadline(clock, 3600), timeout=timeout)
        self.cluster = KubeCluster(self.calls, state_namespace=namespace)

    def lose(self, method: str, resource: str, *, times: int) -> None:
        """The next answers to such requests never arrive; the requests do."""
        left = iter(range(times))

        def lose(request: Request) -> None:
            if request.of(method, resource) and next(left, None) is not None:
                raise Lost

        self.gate.seen.clear()
        self.gate.after = lose

    def writes(self) -> list[str]:
        return [request.method for request in self.gate.seen if request.write]

    # --- what a run writes --------------------------------------------------------------------

    def apply(self, known: Precondition | None = None, **spec: bool) -> WorkflowExecution:
        """Of a new workflow, unless it is known."""
        body = workflow("one", {"namespace": self.namespace}, **spec)
        return self.cluster.apply_workflow(body, known or Precondition())

    def new_child(self) -> NewChild:
        return NewChild(self.namespace, "c", "", "a", 0, child("c"))

    def record(self) -> WorkflowRecord:
        labels = {SOURCE_LABEL: "default"}
        return WorkflowRecord(metadata=Metadata(name="r", namespace=self.namespace, labels=labels))


@pytest.fixture
def faulty(
    api: Api, crds: Sequence[str], namespace: str, gated: Gate, tmp_path: Path
) -> Iterator[Faulty]:
    token = reconcilers_token(api, namespace)
    file = kubeconfig(tmp_path, api, token, gated.server, gated.authority)
    opened = Faulty(gated, file, namespace)
    with closing(opened.transport):
        eventually(lambda: _granted(opened), "the role takes no effect")
        yield opened


def _granted(faulty: Faulty) -> bool:
    try:
        faulty.cluster.workflows(Scope(faulty.namespace))
    except Refused:
        return False
    return True


# --- lost answers ---------------------------------------------------------------------------


def test_a_child_whose_answer_was_lost_is_there_once(faulty: Faulty) -> None:
    """F04, contract 3: the caller reads it and sees that it is ours."""
    faulty.lose("POST", "kubernetesexecutions", times=1)
    with pytest.raises(AlreadyExists):
        faulty.cluster.create_child(faulty.new_child())
    assert faulty.writes() == ["POST", "POST"]
    found = faulty.cluster.child(faulty.namespace, "c")
    assert found is not None
    assert found.step == "a"


def test_a_status_whose_answer_was_lost_is_written_once(faulty: Faulty) -> None:
    """F04, contract 7: a conflict leaves the workflow to the next run, which reads what stands."""
    read = faulty.apply()
    faulty.lose("PUT", "workflowexecutions/status", times=1)
    with pytest.raises(Conflict):
        faulty.cluster.write_status(read, PENDING)
    assert faulty.writes() == ["PUT", "PUT"]
    found = faulty.cluster.workflow(faulty.namespace, "one")
    assert found is not None
    assert found.status == PENDING


def test_a_new_workflow_whose_answer_was_lost_is_there_once(faulty: Faulty) -> None:
    """F04, contract 5: create-only, so the second attempt meets the first."""
    faulty.lose("PATCH", "workflowexecutions", times=1)
    with pytest.raises(Conflict):
        faulty.apply()
    assert faulty.writes() == ["PATCH", "PATCH"]
    found = faulty.cluster.workflow(faulty.namespace, "one")
    assert found is not None
    assert found.metadata.generation == 1


def test_an_apply_whose_answer_was_lost_is_made_once(faulty: Faulty) -> None:
    """F04, contract 5: with the version that was read."""
    meta = faulty.apply().metadata
    faulty.lose("PATCH", "workflowexecutions", times=1)
    with pytest.raises(Conflict):
        faulty.apply(Precondition(meta.uid, meta.resource_version), suspend=True)
    found = faulty.cluster.workflow(faulty.namespace, "one")
    assert found is not None
    assert (found.spec.suspend, found.metadata.generation) == (True, 2)


def test_a_cancellation_whose_answer_was_lost_is_sent_again(faulty: Faulty) -> None:
    """F04: asking twice asks once."""
    made = faulty.cluster.create_child(faulty.new_child())
    faulty.lose("PATCH", "kubernetesexecutions", times=1)
    faulty.cluster.ask_to_stop(made)
    assert faulty.writes() == ["PATCH", "PATCH"]
    found = faulty.cluster.child(faulty.namespace, "c")
    assert found is not None
    assert found.cancel_requested


def test_records_whose_answers_were_lost_are_written_once(faulty: Faulty) -> None:
    """F04, I12: one document has one order of events."""
    faulty.lose("POST", "workflowrecords", times=1)
    with pytest.raises(AlreadyExists):
        faulty.cluster.create_record(faulty.record())
    read = faulty.cluster.record(faulty.namespace, "r")
    assert read is not None
    told = read.model_copy(update={"status": RecordStatus(observed_generation=1)})
    faulty.lose("PUT", "workflowrecords/status", times=1)
    with pytest.raises(Conflict):
        faulty.cluster.write_record(told)
    assert faulty.cluster.record(faulty.namespace, "r") != read


def test_a_lease_whose_answer_was_lost_is_held(faulty: Faulty) -> None:
    """F04, contract 1: who reads it again sees a holder, and that it is this run."""
    mine = Lease(_LEASE, "me", timedelta(seconds=60))
    faulty.lose("POST", "leases", times=1)
    with pytest.raises(AlreadyExists):
        faulty.cluster.write_lease(mine)
    read = faulty.cluster.lease(_LEASE).lease
    assert read is not None
    assert read.holder == "me"
    faulty.lose("PUT", "leases", times=1)
    with pytest.raises(Conflict):
        faulty.cluster.write_lease(replace(read, transitions=1))


def test_a_head_whose_answer_was_lost_is_written_once(faulty: Faulty) -> None:
    """F04, contract 5: that write is the fence."""
    made = faulty.cluster.write_config_map(ConfigMap(_HEAD, {"commit": "a"}))
    faulty.lose("PUT", "configmaps", times=1)
    with pytest.raises(Conflict):
        faulty.cluster.write_config_map(replace(made, data={"commit": "b"}))
    found = faulty.cluster.config_map(_HEAD)
    assert found is not None
    assert found.data == {"commit": "b"}


def test_an_event_whose_answer_was_lost_is_not_told_twice(faulty: Faulty, api: Api) -> None:
    """Contract 10: one attempt."""
    regarding = Regarding(
        WorkflowExecution.API, "WorkflowExecution", faulty.namespace, "one", "some-uid"
    )
    faulty.lose("POST", "events", times=1)
    with pytest.raises(Unreachable):
        faulty.cluster.announce(Event(regarding, "StepStarted", "a"))
    _, listed = api.get(f"/apis/events.k8s.io/v1/namespaces/{faulty.namespace}/events")
    assert [each["reason"] for each in listed["items"]] == ["StepStarted"]


def test_a_release_whose_answer_was_lost_is_not_sent_again(faulty: Faulty) -> None:
    """Contract 7: after the deadline one attempt."""
    made = faulty.cluster.write_lease(Lease(_LEASE, "me", timedelta(seconds=60)))
    faulty.lose("PUT", "leases", times=1)
    with pytest.raises(Unreachable):
        faulty.cluster.write_lease(replace(made, holder=""), timeout=5)
    assert faulty.writes() == ["PUT"]
    read = faulty.cluster.lease(_LEASE).lease
    assert read is not None
    assert read.holder == ""


def test_a_write_whose_every_answer_is_lost_is_made_once(faulty: Faulty) -> None:
    """Contract 7: three attempts, one child, and the run does not know: the next one will."""
    faulty.lose("POST", "kubernetesexecutions", times=99)
    with pytest.raises(Unreachable):
        faulty.cluster.create_child(faulty.new_child())
    assert faulty.writes() == ["POST", "POST", "POST"]
    assert len(faulty.cluster.children(faulty.namespace, ["one"])) == 1


def test_a_read_whose_answer_was_lost_is_made_again(faulty: Faulty) -> None:
    """Contract 7: reads change nothing."""
    faulty.apply()
    faulty.lose("GET", "workflowexecutions", times=2)
    listed = faulty.cluster.workflows(Scope(faulty.namespace))
    assert [each.metadata.name for each in listed.items] == ["one"]
    assert len(faulty.gate.seen) == 3


def test_a_request_that_never_arrived_is_made_again(faulty: Faulty) -> None:
    """Contract 7: not applied, so the second attempt is the first."""
    left = iter(range(2))

    def refuse(request: Request) -> None:
        if request.write and next(left, None) is not None:
            raise Lost

    faulty.gate.before = refuse
    assert faulty.cluster.create_child(faulty.new_child()).name == "c"


# --- servers that hang, credentials that fail -------------------------------------------------


def test_a_server_that_hangs_is_unreachable(faulty: Faulty, tmp_path: Path) -> None:
    """F14: each attempt ends in its time, and nothing is left waiting."""
    over = threading.Event()
    hasty = Faulty(faulty.gate, tmp_path / "kubeconfig", faulty.namespace, timeout=0.3)

    def hang(_: Request) -> None:
        over.wait(30)

    faulty.gate.before = hang
    with closing(hasty.transport):
        try:
            with pytest.raises(Unreachable, match=r"no answer within 0\.3 s"):
                hasty.cluster.workflows(Scope(faulty.namespace))
        finally:
            over.set()
    assert hasty.cluster.requests() == {("list", "error"): 3}


Ask = Callable[[KubeCluster, str], object]


def refused(file: Path, ask: Ask) -> ClusterError:
    """What the bearer of a kubeconfig is told, in one attempt."""
    clock = FrozenClock()
    with closing(ApiTransport(access(str(file)).configuration)) as transport:
        calls = Calls(transport, clock, Deadline(clock, 3600))
        with pytest.raises(ClusterError) as raised:
            ask(KubeCluster(calls, state_namespace="default"), "default")
        assert sum(calls.sent().values()) == 1
    return raised.value


@pytest.fixture
def nobody(api: Api, crds: Sequence[str], namespace: str, tmp_path: Path) -> Path:
    """The kubeconfig of an account to which nothing is granted."""
    return kubeconfig(tmp_path, api, token_of(api, namespace, "nobody"))


def test_wrong_credentials_are_told_without_them(
    api: Api, crds: Sequence[str], tmp_path: Path
) -> None:
    """Contract 9, exit 4, and I9."""
    file = kubeconfig(tmp_path, api, "s3cr3t")
    error = refused(file, lambda cluster, ns: cluster.workflows(Scope(ns)))
    assert "the credentials are not accepted" in str(error)
    assert "s3cr3t" not in str(error)


@pytest.mark.parametrize(
    ("ask", "missing"),
    [
        pytest.param(
            lambda cluster, ns: cluster.workflows(Scope(ns)),
            f'must grant "list" on "workflowexecutions" of the API group "{WORKFLOW_GROUP}"',
            id="list-workflows",
        ),
        pytest.param(
            lambda cluster, ns: cluster.children(ns, ["one"]),
            f'must grant "list" on "kubernetesexecutions" of the API group "{CHILD_GROUP}"',
            id="list-children",
        ),
        pytest.param(
            lambda cluster, ns: cluster.create_child(NewChild(ns, "c", "", "a", 0, child("c"))),
            f'must grant "create" on "kubernetesexecutions" of the API group "{CHILD_GROUP}"',
            id="create-a-child",
        ),
        pytest.param(
            lambda cluster, ns: cluster.apply_workflow(
                workflow("one", {"namespace": ns}), Precondition()
            ),
            f'must grant "patch" on "workflowexecutions" of the API group "{WORKFLOW_GROUP}"',
            id="apply",
        ),
        pytest.param(
            lambda cluster, _: cluster.lease(_LEASE),
            'must grant "get" on "leases" of the API group "coordination.k8s.io"',
            id="lease",
        ),
    ],
)
def test_a_missing_role_is_told_with_its_verb(nobody: Path, ask: Ask, missing: str) -> None:
    """Contract 9, exit 4: one line that says what to do."""
    error = refused(nobody, ask)
    assert isinstance(error, Refused)
    assert error.status == 403
    assert missing in str(error)
