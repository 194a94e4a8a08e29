"""The same work by an operator that starts cold: `kopf run`, the usual way in Python.

Each workflow is handled once: its children are listed, its status is written, its next child is
created and an Event is told. The operator ends as soon as the server shows the status of all
`BENCH_WORKFLOWS` of them. Its log does not become Events, and its progress is kept in annotations,
for the schema would drop it: both as its documentation advises.
"""

import asyncio
import base64
import hashlib
import json
import os
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import kopf
import urllib3

_LABEL = "kubernaut.ai/workflow"
_NEXT, _BEFORE = "step-4", "step-3"
_GROUP, _VERSION = "workflowexecution.kubernaut.ai", "v1alpha1"
_CHILD = "kubernetesexecution.kubernaut.ai/v1alpha1"
_WORKFLOWS = int(os.environ["BENCH_WORKFLOWS"])
_KIND = (_GROUP, _VERSION, "workflowexecutions")

_loaded = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
_cluster = _loaded["clusters"][0]["cluster"]
_pool = urllib3.PoolManager(
    maxsize=16,
    ssl_context=ssl.create_default_context(
        cadata=base64.b64decode(_cluster["certificate-authority-data"]).decode()
    ),
)
_headers = {
    "Authorization": f"Bearer {_loaded['users'][0]['user']['token']}",
    "Content-Type": "application/json",
    "User-Agent": "bench-kopf",
}
_done: set[str] = set()


@kopf.on.login()
def login(**known: Any) -> Any:  # noqa: ANN401  # kopf's own types
    return kopf.login_with_kubeconfig(**known)


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:  # noqa: ANN401  # as above
    settings.posting.loggers = False
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage()
    settings.execution.max_workers = 16


@kopf.on.resume(*_KIND)
@kopf.on.create(*_KIND)
def advance(body: kopf.Body, patch: kopf.Patch, **_: Any) -> None:  # noqa: ANN401  # as above
    meta, status = body["metadata"], body["status"]
    selector = quote(f"{_LABEL}={meta['name']}")
    path = f"/apis/{_CHILD}/namespaces/{meta['namespace']}/kubernetesexecutions"
    children = json.loads(_ask("GET", f"{path}?labelSelector={selector}"))["items"]
    if not any(_completed(child) for child in children):
        return
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    digest = hashlib.sha256(f"{meta['uid']}\0{_NEXT}\0{0}".encode()).hexdigest()
    name = f"{meta['name']}-{_NEXT}-{digest[:10]}"
    results = [dict(result) for result in status["stepResults"]]
    for result in results:
        if result["stepName"] == _BEFORE:
            result |= {"status": "Completed", "executionEndTime": now}
    reserved = {"stepName": _NEXT, "status": "Pending", "attempt": 0, "executionRef": name}
    patch.status["stepResults"] = [*results, {**reserved, "reservedAt": now}]
    patch.status["completedSteps"] = 1
    patch.status["progress"] = "1/5"
    _ask("POST", path, _child(body, name, now))
    kopf.event(body, type="Normal", reason="StepStarted", message=_NEXT)


@kopf.on.event(*_KIND)
async def watch(body: kopf.Body, **_: Any) -> None:  # noqa: ANN401  # as above
    """Ends the process once all of them are seen to be written."""
    if body.get("status", {}).get("completedSteps") == 1:
        _done.add(body["metadata"]["uid"])
    if len(_done) == _WORKFLOWS:
        await asyncio.sleep(0)
        os._exit(0)


def _completed(child: dict[str, Any]) -> bool:
    phase = child.get("status", {}).get("phase")
    return bool(child["spec"]["stepName"] == _BEFORE and phase == "Completed")


def _ask(method: str, path: str, body: object = None) -> bytes:
    data = None if body is None else json.dumps(body)
    url = _cluster["server"] + path
    answer = _pool.request(method, url, body=data, headers=_headers, retries=False)
    if answer.status not in (200, 201, 409):  # 409: made by an attempt before this one
        raise kopf.TemporaryError(f"{method} {path}: {answer.status}", delay=1)
    return answer.data


def _child(workflow: kopf.Body, name: str, now: str) -> dict[str, Any]:
    meta, step = workflow["metadata"], workflow["spec"]["workflowDefinition"]["steps"][-1]
    owner = {"apiVersion": f"{_GROUP}/{_VERSION}", "kind": "WorkflowExecution"}
    owner |= {"name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": _CHILD,
        "kind": "KubernetesExecution",
        "metadata": {
            "name": name,
            "labels": {_LABEL: meta["name"], "kubernaut.ai/step": _NEXT},
            "annotations": {"kubernaut.ai/not-after": now},
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": False}],
        },
        "spec": {
            "workflowExecutionRef": {"name": meta["name"], "uid": meta["uid"]},
            "stepName": _NEXT,
            "attempt": 0,
            "action": step["action"],
            "actionParameters": dict(step["parameters"]),
            "targetResource": dict(step["targetResource"]),
            "timeout": "5m",
        },
    }
