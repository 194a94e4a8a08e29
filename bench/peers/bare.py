"""The requests of a run by urllib3 and json and nothing else: less no Python program can do.

    bytes|lists|plain|churn NAMESPACE

`bytes` makes the lists and throws the answers away: what is left is the server's time. `lists`
parses them, `plain` does so one list after another, `churn` also writes each workflow's status,
creates its next child and tells an Event. As many lists and writes at once as a run has, but for
`plain`. It prints one JSON line.
"""

import base64
import hashlib
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3

_FIRST_PAGE, _FIRST_OF_WORKFLOWS = 1000, 250  # objects
_PAGE_BYTES = 2 << 20  # of the pages after it
_NAMES = 100  # label values a list
_NAMES_FOR_ONE = 1000  # above: one list of all
_END = 2000  # bytes of a page that may hold its token
_LISTS_AT_ONCE, _WRITES_AT_ONCE = 4, 16
_LABEL = "kubernaut.ai/workflow"
_NEXT, _BEFORE = "step-4", "step-3"
_WORKFLOW = "workflowexecution.kubernaut.ai/v1alpha1"
_CHILD = "kubernetesexecution.kubernaut.ai/v1alpha1"
_GOOD = (200, 201, 404)  # 404: nothing is paused
Json = dict[str, Any]


class Server:
    """The API server of the kubeconfig, one namespace of it."""

    def __init__(self, namespace: str) -> None:
        told = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
        cluster = told["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._url = cluster["server"]
        self._headers = {
            "Authorization": f"Bearer {told['users'][0]['user']['token']}",
            "Content-Type": "application/json",
            "User-Agent": "bench-bare",
        }
        self._pool = urllib3.PoolManager(
            maxsize=_WRITES_AT_ONCE, ssl_context=ssl.create_default_context(cadata=authority)
        )
        self.lists: list[str] = []  # that were asked for
        self.namespace = namespace
        self.workflows = f"/apis/{_WORKFLOW}/namespaces/{namespace}/workflowexecutions"
        self.children = f"/apis/{_CHILD}/namespaces/{namespace}/kubernetesexecutions"
        self.events = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body)
        answer = self._pool.request(
            method, self._url + path, body=data, headers=self._headers, retries=False
        )
        if answer.status not in _GOOD:
            sys.exit(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return answer.data

    def pages(self, path: str) -> Iterator[bytes]:
        """The bodies of a list; of each no more is looked at than leads to the next."""
        limit = _FIRST_OF_WORKFLOWS if path.startswith(self.workflows) else _FIRST_PAGE
        token = ""
        while True:
            page = self.ask("GET", f"{path}&limit={limit}{token}")
            self.lists.append(path)
            yield page
            limit = max(1, _PAGE_BYTES * page.count(b'"creationTimestamp"') // len(page))
            token = f"&continue={found}" if (found := _token(page)) else ""
            if not token:
                return

    def items(self, path: str) -> list[Json]:
        return [item for page in self.pages(path) for item in json.loads(page)["items"]]

    @property
    def unsettled(self) -> str:
        selector = quote("status.settled!=true")
        return f"{self.workflows}?fieldSelector={selector}"

    def of(self, names: list[str]) -> list[str]:
        """The lists of the children of these workflows."""
        if len(names) > _NAMES_FOR_ONE:
            return [f"{self.children}?labelSelector={quote(_LABEL)}"]
        parts = [names[start : start + _NAMES] for start in range(0, len(names), _NAMES)]
        return [
            f"{self.children}?labelSelector={quote(f'{_LABEL} in ({some})')}"
            for some in (",".join(part) for part in parts)
        ]


def main() -> int:
    what, namespace = sys.argv[1:]
    act = {"bytes": _bytes, "lists": _lists, "plain": _plain, "churn": _churn}[what]
    server = Server(namespace)
    names = _names(namespace) if what == "bytes" else []
    began, used = time.perf_counter(), time.process_time()
    told = act(server, names)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    print(json.dumps({"seconds": seconds, "cpu": cpu, "lists": len(server.lists), **told}))
    return 0


def _names(namespace: str) -> list[str]:
    """Known beforehand: to read them off the answers would be parsing."""
    server = Server(namespace)
    return sorted(item["metadata"]["name"] for item in server.items(server.unsettled))


def _token(page: bytes) -> str:
    """Stands before the items or after them, as the kind is written."""
    ends = page[:_END] + page[-_END:]
    return ends.partition(b'"continue":"')[2].partition(b'"')[0].decode()


def _bytes(server: Server, names: list[str]) -> Json:
    server.ask("GET", f"/api/v1/namespaces/{server.namespace}/configmaps/reconciler-paused")
    size = sum(map(len, server.pages(server.unsettled)))
    with ThreadPoolExecutor(_LISTS_AT_ONCE) as pool:
        size += sum(pool.map(lambda path: sum(map(len, server.pages(path))), server.of(names)))
    return {"bytes": size}


def _lists(server: Server, _: list[str]) -> Json:
    workflows, children = _read(server)
    return {"workflows": len(workflows), "children": len(children)}


def _plain(server: Server, _: list[str]) -> Json:
    """As most would write it."""
    workflows, children = _read(server, at_once=1)
    return {"workflows": len(workflows), "children": len(children)}


def _read(server: Server, at_once: int = _LISTS_AT_ONCE) -> tuple[list[Json], list[Json]]:
    server.ask("GET", f"/api/v1/namespaces/{server.namespace}/configmaps/reconciler-paused")
    workflows = server.items(server.unsettled)
    lists = server.of(sorted(item["metadata"]["name"] for item in workflows))
    with ThreadPoolExecutor(at_once) as pool:
        children = [child for part in pool.map(server.items, lists) for child in part]
    return workflows, children


def _churn(server: Server, _: list[str]) -> Json:
    workflows, children = _read(server)
    completed = {
        child["metadata"]["labels"][_LABEL]
        for child in children
        if child["spec"]["stepName"] == _BEFORE and child["status"].get("phase") == "Completed"
    }
    due = [each for each in workflows if each["metadata"]["name"] in completed]
    with ThreadPoolExecutor(_WRITES_AT_ONCE) as pool:
        list(pool.map(lambda workflow: _advance(server, workflow), due))
    return {"workflows": len(workflows), "children": len(children), "written": len(due)}


def _advance(server: Server, workflow: Json) -> None:
    meta, status = workflow["metadata"], workflow["status"]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    digest = hashlib.sha256(f"{meta['uid']}\0{_NEXT}\0{0}".encode()).hexdigest()
    name = f"{meta['name']}-{_NEXT}-{digest[:10]}"
    for result in status["stepResults"]:
        if result["stepName"] == _BEFORE:
            result |= {"status": "Completed", "executionEndTime": now}
    reserved = {"stepName": _NEXT, "status": "Pending", "attempt": 0, "executionRef": name}
    status["stepResults"].append({**reserved, "reservedAt": now})
    status |= {"completedSteps": 1, "progress": "1/5", "message": "1 of 5 steps completed"}
    body = {**workflow, "apiVersion": _WORKFLOW, "kind": "WorkflowExecution"}
    server.ask("PUT", f"{server.workflows}/{meta['name']}/status", body)
    server.ask("POST", server.children, _child(workflow, name, now))
    server.ask("POST", server.events, _event(meta))


def _child(workflow: Json, name: str, now: str) -> Json:
    meta, step = workflow["metadata"], workflow["spec"]["workflowDefinition"]["steps"][-1]
    owner = {"apiVersion": _WORKFLOW, "kind": "WorkflowExecution", "name": meta["name"]}
    return {
        "apiVersion": _CHILD,
        "kind": "KubernetesExecution",
        "metadata": {
            "name": name,
            "labels": {
                _LABEL: meta["name"],
                "kubernaut.ai/step": _NEXT,
                "app.kubernetes.io/managed-by": "reconciler",
            },
            "annotations": {"kubernaut.ai/not-after": now},
            "ownerReferences": [
                {**owner, "uid": meta["uid"], "controller": True, "blockOwnerDeletion": False}
            ],
        },
        "spec": {
            "workflowExecutionRef": {"name": meta["name"], "uid": meta["uid"]},
            "stepName": _NEXT,
            "attempt": 0,
            "action": step["action"],
            "actionParameters": step["parameters"],
            "targetResource": step["targetResource"],
            "timeout": "5m",
        },
    }


def _event(meta: Json) -> Json:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{meta['name']}-"},
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()),
        "reportingController": "bench",
        "reportingInstance": "bench",
        "action": "Reconcile",
        "reason": "StepStarted",
        "type": "Normal",
        "note": _NEXT,
        "regarding": {
            "apiVersion": _WORKFLOW,
            "kind": "WorkflowExecution",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
    }


if __name__ == "__main__":
    sys.exit(main())
