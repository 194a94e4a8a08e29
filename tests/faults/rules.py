"""What a single write of a run must look like: rules of contract 3, 4 and 8 on before and after.

Each tells everything that is wrong, for people, beginning with the invariant.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from reconciler.kube.requests import CONFIG_MAPS, LEASES, RECORDS, Verb
from tests.fakes.memory.storage import Change
from tests.faults import reading
from tests.faults.process import Process
from tests.faults.reading import Json

_OF_A_VERSION = ("resourceVersion", "managedFields", "generation")


def destroyed(change: Change) -> Iterator[str]:
    """I8: nothing of ours deletes anything yet."""
    before, after = change.before, change.after
    if after is None or (
        "deletionTimestamp" in after["metadata"]
        and before is not None
        and "deletionTimestamp" not in before["metadata"]
    ):
        yield f"I8: {(before or {})['metadata']['name']} is deleted by a run"


def not_ours(actor: Process, change: Change) -> Iterator[str]:
    """I5 of the kinds around: a record and a head of this source, a Lease of this name."""
    assert change.after is not None
    seen = change.before or change.after
    name = seen["metadata"]["name"]
    allowed = {
        RECORDS: of_source(actor, seen),
        CONFIG_MAPS: name == f"reconciler-source-{actor.settings.source_name}",
        LEASES: name == actor.settings.lease_name,
    }
    if not allowed.get(change.resource, False):
        yield f"I5: {change.resource.kind} {name} is changed"


def applied(actor: Process, seen: Json) -> Iterator[str]:
    """I5: beside its status a workflow is changed by the apply of its own source alone."""
    pending = actor.pending
    if pending is None or pending.verb is not Verb.APPLY or not of_source(actor, seen):
        yield f"I5: {seen['metadata']['name']} is changed beside its status"


def of_source(actor: Process, seen: Json) -> bool:
    labels = seen["metadata"].get("labels", {})
    named = actor.settings.source_name if actor.settings.source_url else None
    return bool(labels.get(reading.SOURCE) == named)


def well_made(workflow: Json, child: Json) -> Iterator[str]:
    """Contract 3: name, labels and the one owner."""
    about, made = child["metadata"], reading.attempt(child)
    owner = workflow["metadata"]
    if about["name"] != reading.name_of(owner["name"], made):
        yield f"I1: {made[1:]} is created under the name {about['name']}"
    if set(about.get("labels", {})) != {
        "kubernaut.ai/workflow", "kubernaut.ai/step", "app.kubernetes.io/managed-by",
    }:  # fmt: skip
        yield f"I5: {about['name']} is labelled {about.get('labels')}"
    references = about.get("ownerReferences", ())
    if [each["uid"] for each in references] != [owner["uid"]] or not reading.owner(child):
        yield f"I5: {about['name']} is owned by {references}"


def bounded(actor: Process, child: Json) -> Iterator[str]:
    """Its `not-after` is no later than the deadline of the run that creates it."""
    told = child["metadata"].get("annotations", {}).get(reading.NOT_AFTER, "")
    try:
        bound = datetime.strptime(told, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        yield f"I1: {child['metadata']['name']} has no bound but {told!r}"
        return
    if bound > actor.born + timedelta(seconds=actor.settings.deadline + 1):
        yield f"I1: {child['metadata']['name']} is bounded by {told}, after its run's deadline"


def finality(before: Json, after: Json) -> Iterator[str]:
    """I4: what is final stays, and what is reserved is never dropped."""
    now = reading.results(after)
    for step, result in reading.results(before).items():
        found = now.get(step)
        if found is None:
            if result.get("reason") != "Assumed" or reading.started(before):
                yield f"I4: {step} loses its result {result['status']}"
            continue
        yield from _same_result(step, result, found)
    yield from _same_phase(reading.status(before), reading.status(after))


def _same_result(step: str, before: Json, after: Json) -> Iterator[str]:
    if before["status"] in reading.FINAL:
        kept = ("status", "reason", "attempt", "executionRef")
        if [before.get(key) for key in kept] != [after.get(key) for key in kept]:
            yield f"I4: {step} was {before['status']} and becomes {after['status']}"
    if before.get("attempt", 0) > after.get("attempt", 0):
        yield f"I4: {step} goes back to attempt {after.get('attempt', 0)}"
    if before.get("attempt", 0) < after.get("attempt", 0) and before["status"] not in (
        "Retrying", "Pending", "Running",
    ):  # fmt: skip
        yield f"I4: {step} was {before['status']} and is tried again"
    recorded = before.get("executionUID")
    same_attempt = before.get("attempt", 0) == after.get("attempt", 0)
    if recorded and same_attempt and recorded != after.get("executionUID"):
        yield f"I4: the uid that {step} records changes"


def _same_phase(before: Json, after: Json) -> Iterator[str]:
    if before.get("phase") in reading.OVER and before["phase"] != after.get("phase"):
        yield f"I4: the phase {before['phase']} becomes {after.get('phase')}"
    if before.get("settled") and not after.get("settled"):
        yield "I4: what was settled is not any more"
    for key in ("executionStartTime", "executionEndTime"):
        if before.get(key) and before[key] != after.get(key):
            yield f"I4: {key} is set twice"
    if before.get("completedSteps", 0) > after.get("completedSteps", 0):
        yield "I4: fewer steps are completed than were"


def newly_reserved(before: Json, after: Json, children: Iterable[Json]) -> dict[str, Json]:
    """Attempts that have a name since this write; what a lost status is rebuilt from is older."""
    known = {(step, each.get("attempt", 0)) for step, each in reading.reserved(before).items()}
    made = {reading.attempt(child)[1:] for child in children if reading.ours(after, child)}
    return {
        step: each
        for step, each in reading.reserved(after).items()
        if (step, each.get("attempt", 0)) not in known | made
    }


def without_status(workflow: Json) -> Json:
    about = {key: each for key, each in workflow["metadata"].items() if key not in _OF_A_VERSION}
    return {"metadata": about, "spec": workflow["spec"]}


def without_stop(child: Json) -> Json:
    spec = {key: each for key, each in child["spec"].items() if key != "cancelRequested"}
    about = {key: each for key, each in child["metadata"].items() if key not in _OF_A_VERSION}
    return {"metadata": about, "spec": spec, "status": child.get("status")}
