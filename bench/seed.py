"""Fills a control plane: one workflow is made by real runs, and then stamped, over and over.

A copy is what etcd holds of the first one, with names and uids of its own: byte for byte what the
server would have stored, some hundred times faster than through the API. The server learns of each
by its watch, as of any other.
"""

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure import Broken
from bench.place import Place, reconcile
from reconciler.core.api import CHILD_GROUP, VERSION, WORKFLOW_GROUP
from reconciler.core.names import child_name
from tests.controlplane import Api

_WORKFLOWS = f"/registry/{WORKFLOW_GROUP}/workflowexecutions"
_CHILDREN = f"/registry/{CHILD_GROUP}/kubernetesexecutions"
_PATIENCE = 180.0  # seconds until the server has seen what etcd holds
_LOOK = 0.2  # seconds
_DAY = "24h"  # no step times out while it is measured
Json = dict[str, Any]


def workflows_of(namespace: str) -> str:
    return f"/apis/{WORKFLOW_GROUP}/{VERSION}/namespaces/{namespace}/workflowexecutions"


def children_of(namespace: str) -> str:
    return f"/apis/{CHILD_GROUP}/{VERSION}/namespaces/{namespace}/kubernetesexecutions"


def step(name: str, after: Sequence[str] = ()) -> Json:
    """As in a real document: about a third of a kilobyte."""
    return {
        "name": name,
        "action": "ScaleDeployment",
        "timeout": _DAY,
        "parameters": {"scaleDeployment": {"deploymentName": f"shop-{name}", "replicas": 3}},
        "targetResource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        **({"dependsOn": list(after)} if after else {}),
    }


def running(steps: int = 5) -> list[Json]:
    """Steps that all run at once."""
    return [step(f"step-{number}") for number in range(steps)]


def churning() -> list[Json]:
    """Five steps, of which the last waits for the one before it."""
    return [*running(4), step("step-4", ["step-3"])]


@dataclass(frozen=True)
class Stamp:
    """A workflow and its children as etcd holds them, and the words that are its own."""

    name: str
    uid: str
    namespace: str
    values: Sequence[tuple[str, bytes]]  # the workflow first
    children: Sequence[tuple[str, str, str]]  # name, uid, step

    def copies(self, namespace: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            words = {self.name: name, self.uid: _uid(namespace, name)}
            made = {
                child: (child_name(name, words[self.uid], step, 0), _uid(namespace, name, step))
                for child, _, step in self.children
            }
            words = {
                **{child: made[child][0] for child, _, _ in self.children},
                **{uid: made[child][1] for child, uid, _ in self.children},
                **words,
                f'"namespace":"{self.namespace}"': f'"namespace":"{namespace}"',
                f"/{self.namespace}/": f"/{namespace}/",
            }
            for key, value in self.values:
                yield _said(key, words), _said(value.decode(), words).encode()


def _said(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    return text


def _uid(*words: str) -> str:
    """The same for the same words, so that a bench can be looked at twice."""
    return str(uuid.UUID(hashlib.md5("/".join(words).encode(), usedforsecurity=False).hexdigest()))


def stamp(place: Place, namespace: str, steps: Sequence[Json], *turns: "Turn") -> Stamp:
    """The first workflow, after real runs and what an executor does between them.

    One turn is one run and then what is said of the children; one run more records it.
    """
    place.namespace(namespace)
    name = "proto-typus"
    spec = {
        "maxConcurrentSteps": max(5, min(100, len(steps))),
        "workflowDefinition": {"steps": steps},
    }
    body = {
        "apiVersion": f"{WORKFLOW_GROUP}/{VERSION}",
        "kind": "WorkflowExecution",
        "metadata": {"name": name},
        "spec": spec,
    }
    code, made = place.api.post(workflows_of(namespace), body)
    if code != 201:  # noqa: PLR2004  # created
        raise Broken(f"the first workflow: {made}")
    flags = ("-n", namespace, "--no-lease", "--max-concurrent-steps", "100")
    for turn in turns:
        reconcile(place, *flags)
        for child in place.api.get(children_of(namespace))[1]["items"]:
            say(place.api, child, turn.says(child["spec"]["stepName"]))
        if turn.recorded:
            reconcile(place, *flags)
    return _taken(place, namespace, name, made["metadata"]["uid"])


@dataclass(frozen=True)
class Turn:
    """What an executor says of the children after a run, by step; empty says nothing."""

    says: Callable[[str], str]
    recorded: bool = True  # one more run, after which nothing is left to do


def say(api: Api, child: Json, phase: str) -> None:
    """An executor's word."""
    if not phase or child.get("status", {}).get("phase") == phase:
        return
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    times = {"executionStartTime": now} | ({"executionEndTime": now} if phase != "Running" else {})
    meta = child["metadata"]
    path = f"{children_of(meta['namespace'])}/{meta['name']}/status"
    code, answer = api.patch(path, {"status": {"phase": phase, **times}})
    if code != 200:  # noqa: PLR2004  # written
        raise Broken(f"the status of {meta['name']}: {answer}")


def _taken(place: Place, namespace: str, name: str, uid: str) -> Stamp:
    """Out of etcd, and out of the server: only its copies are to be there."""
    first = place.etcd.values(f"{_WORKFLOWS}/{namespace}/{name}")
    rest = place.etcd.values(f"{_CHILDREN}/{namespace}/")
    bodies = [json.loads(value) for value in rest.values()]
    children = [
        (each["metadata"]["name"], each["metadata"]["uid"], each["spec"]["stepName"])
        for each in bodies
    ]
    place.etcd.delete(f"{_WORKFLOWS}/{namespace}/")
    place.etcd.delete(f"{_CHILDREN}/{namespace}/")
    return Stamp(name, uid, namespace, [*first.items(), *rest.items()], children)


def stir(place: Place, namespace: str) -> None:
    """One write to each of the two kinds, as somebody makes wherever there is life.

    Of a kind that was not written between two compactions of etcd, five minutes apart, the server
    keeps no snapshot: every page of a list but the first comes out of etcd, five times as slowly.
    """
    for path in (workflows_of(namespace), children_of(namespace)):
        first = place.api.get(f"{path}?limit=1")[1]["items"][0]["metadata"]["name"]
        told = {"metadata": {"annotations": {"bench/at": str(time.time_ns())}}}
        code, answer = place.api.patch(f"{path}/{first}", told)
        if code != 200:  # noqa: PLR2004  # written
            raise Broken(f"a write to {first}: {answer}")


def stamped(place: Place, made: Stamp, namespace: str, names: Sequence[str]) -> None:
    """These copies; seen by the server when it returns."""
    place.namespace(namespace)
    batch: list[tuple[str, bytes]] = []
    for each in made.copies(namespace, names):
        batch.append(each)
        if len(batch) == 1000:  # noqa: PLR2004  # as many as are held at once
            place.etcd.put(batch)
            batch = []
    place.etcd.put(batch)
    for key, _ in list(made.copies(namespace, names[-1:])):
        _until_seen(place, namespace, key)


def _until_seen(place: Place, namespace: str, key: str) -> None:
    """Waits until the server's cache, which follows etcd, has the object of this key."""
    objects = workflows_of if key.startswith(_WORKFLOWS) else children_of
    name = key.rpartition("/")[2]
    path = f"{objects(namespace)}?resourceVersion=0&fieldSelector=metadata.name={name}"
    give_up = time.monotonic() + _PATIENCE
    while not place.api.get(path)[1]["items"]:
        if time.monotonic() > give_up:
            raise Broken(f"the server does not see {namespace}/{name}")
        time.sleep(_LOOK)


def removed(place: Place, namespace: str) -> None:
    """All workflows and children of a namespace, at once and without a word to the server."""
    place.etcd.delete(f"{_WORKFLOWS}/{namespace}/")
    place.etcd.delete(f"{_CHILDREN}/{namespace}/")


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:05}" for number in range(count)]


def labelled(
    place: Place, made: Stamp, namespace: str, workflows: Sequence[str], count: int
) -> None:
    """Children that carry the labels and owners of these workflows, under names of nobody's."""
    own = {child for child, _, _ in made.children}
    stamps = [
        copy for copy in made.copies(namespace, workflows) if copy[0].startswith(_CHILDREN) and own
    ]
    batch: list[tuple[str, bytes]] = []
    for number in range(count):
        key, value = stamps[number % len(stamps)]
        name = key.rpartition("/")[2]
        body = json.loads(value)
        words = {name: f"x{number:06}-{name[:40]}"}
        words[body["metadata"]["uid"]] = _uid(namespace, name, str(number))
        batch.append((_said(key, words), _said(value.decode(), words).encode()))
        if len(batch) == 1000 or number == count - 1:  # noqa: PLR2004  # held at once
            place.etcd.put(batch)
            batch = []
    if count:
        _until_seen(place, namespace, _said(key, words))
