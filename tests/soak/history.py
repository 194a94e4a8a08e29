"""Every state of a namespace's workflows and children, in the order in which etcd committed them.

Read from etcd itself: its stream outlives kube-apiserver, leaves nothing out and has one order over
both kinds, which neither a watch through the server nor its audit log can promise.
"""

import base64
import json
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.api import KubernetesExecution, WorkflowExecution
from tests.apiserver.objects import Body

WORKFLOW, CHILD = WorkflowExecution.PLURAL, KubernetesExecution.PLURAL
_PATIENCE = 60.0  # seconds
# Whatever lies between the prefixes of the two kinds comes along, and is left aside.
_FIRST, _LAST = "/registry/kubernetesexecution.", "/registry/workflowexecution.z"
_MARK = "/registry/soak-"


@dataclass(frozen=True)
class Change:
    """One commit: the object as it is from this revision on; None is gone."""

    revision: int
    kind: str
    name: str
    body: Body | None
    created: bool = False


@dataclass
class History:
    """What was committed so far; it grows while it is recorded."""

    namespace: str
    changes: list[Change] = field(default_factory=list)
    latest: dict[tuple[str, str], Body] = field(default_factory=dict)
    writes: int = 0  # of workflows

    def of(self, kind: str) -> list[Body]:
        """The objects of a kind as they are now."""
        return [body for (each, _), body in list(self.latest.items()) if each == kind]

    def take(self, event: dict[str, Any]) -> None:
        kv = event["kv"]
        # /registry/<group>/<plural>/<namespace>/<name>
        parts = _text(kv["key"]).split("/")
        if len(parts) != 6 or parts[3] not in (WORKFLOW, CHILD) or parts[4] != self.namespace:
            return
        body = json.loads(_text(kv["value"])) if "value" in kv else None
        change = Change(
            int(kv["mod_revision"]), parts[3], parts[5], body, created=kv.get("version") == "1"
        )
        self.changes.append(change)
        self.writes += change.kind == WORKFLOW
        if body is None:
            self.latest.pop((change.kind, change.name), None)
        else:
            self.latest[change.kind, change.name] = body


@contextmanager
def recorded(etcd: str, namespace: str) -> Iterator[History]:
    """Recorded from here to the end of the block, and complete after it."""
    history, mark = History(namespace), f"{_MARK}{uuid.uuid4().hex}"
    asked = {"create_request": {"key": _bytes(_FIRST), "range_end": _bytes(_LAST)}}
    stream = _call(etcd, "watch", asked)
    json.loads(stream.readline())  # it says that it watches

    def record() -> None:
        with stream:
            for line in stream:
                for event in json.loads(line)["result"].get("events", ()):
                    if _text(event["kv"]["key"]) == mark:
                        return
                    history.take(event)

    thread = threading.Thread(target=record, daemon=True)
    thread.start()
    try:
        yield history
    finally:
        # What was committed before the mark comes before it.
        _call(etcd, "kv/put", {"key": _bytes(mark), "value": ""}).close()
        thread.join(_PATIENCE)
        assert not thread.is_alive(), "etcd tells no end of the history"
        _call(etcd, "kv/deleterange", {"key": _bytes(mark)}).close()


def _call(etcd: str, path: str, body: object) -> Any:  # noqa: ANN401  # urllib's response, untyped
    request = urllib.request.Request(  # noqa: S310  # the address is the test cluster's
        f"{etcd}/v3/{path}", data=json.dumps(body).encode(), method="POST"
    )
    return urllib.request.urlopen(request)  # noqa: S310  # the same


def _bytes(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode(errors="replace")
