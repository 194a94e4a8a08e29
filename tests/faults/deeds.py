"""What others do between two calls of a run, or between two runs: executors, people, git.

A deed that has nothing to do its work on is told by False: a schedule with it is no other schedule.
"""

from collections.abc import Callable, Mapping, Sequence

from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    LEASES,
    RECORDS,
    WORKFLOWS,
    Resource,
    Target,
    create,
    delete,
    patch,
    update,
)
from tests.faults import reading
from tests.faults.play import NAMESPACE, Play
from tests.faults.reading import Json
from tests.faults.workloads import Workload

Deed = Callable[[Play, Workload], bool]

_STRANGER = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "somebody",
    "uid": "0badc0de-0000-4000-8000-000000000000",
    "controller": True,
}


# --- executors ----------------------------------------------------------------------------------


def begin(play: Play, workload: Workload) -> bool:
    return workload.executor(play).begin()


def finish(play: Play, workload: Workload) -> bool:
    return workload.executor(play).finish()


def finish_first(play: Play, workload: Workload) -> bool:
    return workload.executor(play).finish_first()


def finish_last(play: Play, workload: Workload) -> bool:
    return workload.executor(play).finish_last()


def told(status: Json, *, terminal: bool | None = None) -> Deed:
    """An executor that says something of the first child, whatever it said before.

    Of one that is `terminal`, or that is not, where that is stated.
    """

    def deed(play: Play, _: Workload) -> bool:
        child = _first(play)
        if child is None or terminal not in (None, reading.terminal(child)):
            return False
        return _patched(play, child, {"status": status}, "status")

    return deed


# --- hands on children --------------------------------------------------------------------------


def child_deleted(play: Play, _: Workload) -> bool:
    """One that a run made: who frees a name that a stranger held is on nobody's side."""
    child = _first(play)
    return bool(child and reading.owner(child)) and _deleted(play, child)


def children_deleted(play: Play, _: Workload) -> bool:
    found = [each for each in play.server.objects(CHILDREN) if reading.owner(each)]
    for each in found:
        _deleted(play, each)
    return bool(found)


def child_edited(**metadata: object) -> Deed:
    def deed(play: Play, _: Workload) -> bool:
        child = _first(play)
        return bool(child) and _patched(play, child, {"metadata": metadata})

    return deed


def name_taken(play: Play, _: Workload) -> bool:
    """An object of nobody, under the name that the next child will have."""
    name = _next_name(play)
    if not name:
        return False
    reference = {"name": "somebody", "uid": _STRANGER["uid"]}
    body = {
        "apiVersion": CHILDREN.api_version,
        "kind": CHILDREN.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "workflowExecutionRef": reference,
            "stepName": "a",
            "attempt": 0,
            "action": "Notify",
            "timeout": "5m",
        },
    }
    return play.hand(create(CHILDREN, NAMESPACE, body)).ok


# --- hands on workflows -------------------------------------------------------------------------


def edited(**spec: object) -> Deed:
    """False where the server refuses it: a spec is immutable once its workflow has started."""

    def deed(play: Play, _: Workload) -> bool:
        workflow = _workflow(play)
        return bool(workflow) and _patched(play, workflow, {"spec": spec})

    return deed


def deleted(play: Play, _: Workload) -> bool:
    """And its children after it."""
    gone = _deleted(play, _workflow(play))
    play.server.collect_garbage()
    return gone


def held_and_deleted(play: Play, _: Workload) -> bool:
    """Being deleted, and held by somebody's finalizer."""
    workflow = _workflow(play)
    if not workflow or "deletionTimestamp" in workflow["metadata"]:
        return False
    _patched(play, workflow, {"metadata": {"finalizers": ["example.com/hold"]}})
    return _deleted(play, workflow)


def made_again(play: Play, workload: Workload) -> bool:
    """Deleted and created under the same name; its children are not collected yet."""
    workflow = _workflow(play)
    if not _deleted(play, workflow):
        return False
    assert workflow is not None
    about = workflow["metadata"]
    kept = {key: about[key] for key in ("name", "labels", "annotations") if key in about}
    body = {
        "apiVersion": WORKFLOWS.api_version,
        "kind": WORKFLOWS.kind,
        "metadata": kept,
        "spec": workflow["spec"],
    }
    return play.hand(create(WORKFLOWS, NAMESPACE, body)).ok


def status_lost(play: Play, _: Workload) -> bool:
    """A restore without status, or a hand: whatever was recorded is gone."""
    workflow = _workflow(play)
    if not workflow or not reading.status(workflow).get("phase"):
        return False
    about = workflow["metadata"]
    target = Target(WORKFLOWS, NAMESPACE, about["name"], "status")
    meta = {"name": about["name"], "resourceVersion": about["resourceVersion"]}
    body = {"apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "metadata": meta}
    return play.hand(update(target, body)).ok


# --- around -------------------------------------------------------------------------------------


def lease_left(play: Play, _: Workload) -> bool:
    """A run that was killed holds the Lease."""
    name = play.settings.lease_name
    if not name or play.server.object(LEASES, NAMESPACE, name):
        return False
    now = play.time.now().strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    body = {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"holderIdentity": "killed", "leaseDurationSeconds": 60, "renewTime": now},
    }
    return play.hand(create(LEASES, NAMESPACE, body)).ok


def paused(play: Play, _: Workload) -> bool:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "reconciler-paused", "namespace": NAMESPACE},
        "data": {"why": "maintenance"},
    }
    return play.hand(create(CONFIG_MAPS, NAMESPACE, body)).ok


def resumed(play: Play, _: Workload) -> bool:
    target = Target(CONFIG_MAPS, NAMESPACE, "reconciler-paused")
    return play.hand(delete(target)).ok


# --- hands on what a source keeps ---------------------------------------------------------------


def record_lost(play: Play, _: Workload) -> bool:
    return _all_deleted(play, RECORDS)


def record_emptied(play: Play, _: Workload) -> bool:
    """As it comes back from a backup that knows of no status."""
    seen = _record(play)
    if not seen or not reading.entries(seen):
        return False
    about = seen["metadata"]
    target = Target(RECORDS, NAMESPACE, about["name"], "status")
    meta = {"name": about["name"], "resourceVersion": about["resourceVersion"]}
    body = {"apiVersion": RECORDS.api_version, "kind": RECORDS.kind, "metadata": meta}
    return play.hand(update(target, {**body, "spec": seen["spec"], "status": {}})).ok


def record_disowned(play: Play, _: Workload) -> bool:
    seen = _record(play)
    if not seen or reading.SOURCE not in seen["metadata"].get("labels", {}):
        return False
    target = Target(RECORDS, NAMESPACE, seen["metadata"]["name"])
    return play.hand(patch(target, {"metadata": {"labels": {reading.SOURCE: None}}})).ok


def head_lost(play: Play, _: Workload) -> bool:
    name = f"reconciler-source-{play.settings.source_name}"
    return play.hand(delete(Target(CONFIG_MAPS, NAMESPACE, name))).ok


def head_says(**data: str) -> Deed:
    def deed(play: Play, _: Workload) -> bool:
        target = Target(CONFIG_MAPS, NAMESPACE, f"reconciler-source-{play.settings.source_name}")
        seen = play.server.object(CONFIG_MAPS, NAMESPACE, target.name)
        if seen is None or seen["data"] == {**seen["data"], **data}:
            return False
        return play.hand(patch(target, {"data": data})).ok

    return deed


def pushed(commit: str) -> Deed:
    def deed(play: Play, _: Workload) -> bool:
        repository = play.repository
        if repository is None or commit not in repository.commits or repository.head == commit:
            return False
        play.repository = type(repository)(commit, repository.commits)
        return True

    return deed


def passes(seconds: float) -> Deed:
    def deed(play: Play, _: Workload) -> bool:
        play.time.sleep(seconds)
        return True

    return deed


# --- the table ----------------------------------------------------------------------------------

DEEDS: Mapping[str, Deed] = {
    "begin": begin,
    "finish": finish,
    "finish-first": finish_first,
    "finish-last": finish_last,
    "fails": told(
        {"phase": "Failed", "reason": "Broken", "lastError": "x" * 4096}, terminal=False
    ),
    "back-to-work": told({"phase": "Running", "executionEndTime": None}, terminal=True),
    "failed-after-all": told({"phase": "Failed", "reason": "Broken"}, terminal=True),
    "completed-after-all": told({"phase": "Completed", "reason": ""}, terminal=True),
    "nonsense": told({"phase": "Quux", "executionStartTime": "2026-03-01T00:00:00Z"}),
    "ends-before-it-began": told({
        "phase": "Completed", "executionStartTime": "2027-01-01T00:00:00Z",
        "executionEndTime": "2026-01-01T00:00:00Z",
    }),
    "child-deleted": child_deleted,
    "children-deleted": children_deleted,
    "label-lost": child_edited(labels={"kubernaut.ai/workflow": None}),
    "label-edited": child_edited(labels={"kubernaut.ai/workflow": "v", "kubernaut.ai/step": "z"}),
    "owner-lost": child_edited(ownerReferences=None),
    "owner-edited": child_edited(ownerReferences=[_STRANGER]),
    "name-taken": name_taken,
    "limit-1": edited(maxConcurrentSteps=1),
    "limit-9": edited(maxConcurrentSteps=9),
    "suspended": edited(suspend=True),
    "resumed": edited(suspend=False),
    "cancelled": edited(cancel=True),
    "deleted": deleted,
    "held-and-deleted": held_and_deleted,
    "made-again": made_again,
    "status-lost": status_lost,
    "lease-left": lease_left,
    "paused": paused,
    "unpaused": resumed,
    "record-lost": record_lost,
    "record-emptied": record_emptied,
    "record-disowned": record_disowned,
    "head-lost": head_lost,
    "head-spoilt": head_says(state="finished"),
    "head-old": head_says(commit="c0", whole="c0", state="whole"),
    "push-c0": pushed("c0"),
    "push-c1": pushed("c1"),
    "push-c2": pushed("c2"),
    "31s": passes(31),
    "3m": passes(180),
    "2h": passes(7200),
}  # fmt: skip


# --- parts --------------------------------------------------------------------------------------


def _workflow(play: Play) -> Json | None:
    """The one that people have their hands on: the last by name."""
    found: Sequence[Json] = play.server.objects(WORKFLOWS)
    return found[-1] if found else None


def _record(play: Play) -> Json | None:
    return next(iter(play.server.objects(RECORDS)), None)


def _first(play: Play) -> Json | None:
    """The first child at work, else the first."""
    children = play.server.objects(CHILDREN)
    return next((each for each in children if not reading.terminal(each)), None) or next(
        iter(children), None
    )


def _next_name(play: Play) -> str:
    """Name of the first child that is not there yet, in the order of the definition."""
    workflow = _workflow(play)
    if workflow is None:
        return ""
    about, results = workflow["metadata"], reading.results(workflow)
    for step in reading.steps(workflow):
        result = results.get(step)
        number = 0 if result is None else result.get("attempt", 0)
        if result is not None and result["status"] == "Retrying":
            number += 1
        name = reading.name_of(about["name"], (about["uid"], step, number))
        if play.server.object(CHILDREN, NAMESPACE, name) is None:
            return name
    return ""


def _patched(play: Play, seen: Json | None, body: Json, subresource: str = "") -> bool:
    assert seen is not None
    resource = WORKFLOWS if seen["kind"] == WORKFLOWS.kind else CHILDREN
    target = Target(resource, NAMESPACE, seen["metadata"]["name"], subresource)
    return play.hand(patch(target, body)).ok


def _all_deleted(play: Play, resource: Resource) -> bool:
    found = play.server.objects(resource)
    for each in found:
        _deleted(play, each, resource)
    return bool(found)


def _deleted(play: Play, seen: Json | None, resource: Resource | None = None) -> bool:
    if seen is None:
        return False
    resource = resource or (WORKFLOWS if seen["kind"] == WORKFLOWS.kind else CHILDREN)
    return play.hand(delete(Target(resource, NAMESPACE, seen["metadata"]["name"]))).ok
