"""What a single write of a run must look like: rules of contract 3, 4 and 8 on before and after.

Each tells everything that is wrong, for people, beginning with the invariant.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from pydantic_core import from_json

from reconciler.kube.requests import CONFIG_MAPS, LEASES, RECORDS, WORKFLOWS, Verb
from tests.fakes.memory.storage import Change
from tests.faults import reading
from tests.faults.process import Process
from tests.faults.reading import Json

_KEPT = 3  # settled runs of older contents, where the document says nothing

_OF_A_VERSION = ("resourceVersion", "managedFields", "generation")


def destroyed(change: Change) -> bool:
    """Whether this change is a deletion, or the first word of one."""
    before, after = change.before, change.after
    return after is None or (
        "deletionTimestamp" in after["metadata"]
        and before is not None
        and "deletionTimestamp" not in before["metadata"]
    )


def may_go(
    actor: Process, gone: Json, record: Json | None, beside: Iterable[Json]
) -> Iterator[str]:
    """I8: a run of this source that is over and has its result, or that never began; by a rule.

    `beside` are all workflows that there are.
    """
    name = gone["metadata"]["name"]
    if not of_source(actor, gone) or not actor.settings.source_url or actor.read is None:
        yield f"I8: {name} is deleted by a run"
        return
    entry = reading.entry(record, reading.content(gone))
    # Intended: another run wants it again and has yet to pass the fence.
    never = entry.get("state") in ("dropped", "intended") and not reading.started(gone)
    over = reading.status(gone).get("settled") and (entry.get("phase") or not entry)
    if not (never or over):
        yield f"I8: {name} is deleted, and its record holds {entry}"
    if not (never or _by_a_rule(actor, gone, beside)):
        yield f"I8: {name} is deleted, and neither prune, history nor its time asks for it"


def _by_a_rule(actor: Process, gone: Json, beside: Iterable[Json]) -> bool:
    assert actor.read is not None
    name = reading.document(gone)
    text = "".join(each.data.decode() for each in actor.read.files)
    document = reading.stated(text, name)
    ended, ttl = (
        reading.status(gone)["executionEndTime"],
        gone["spec"].get("ttlSecondsAfterSettled"),
    )
    passed = actor.now - datetime.fromisoformat(ended)
    if ttl is not None and passed >= timedelta(seconds=ttl):
        return True
    if not document:
        return actor.settings.prune
    older = [
        each
        for each in beside
        if reading.of_a_source(each)
        and reading.document(each) == name
        and reading.status(each).get("settled")
        and not _states(document, each)
    ]
    return not _states(document, gone) and len(older) > int(
        reading.policy(document, "history") or _KEPT
    )


def _states(document: str, workflow: Json) -> bool:
    """Whether the run is one of what the document says."""
    version = workflow["spec"]["workflowDefinition"]["version"]
    rerun = workflow["metadata"]["annotations"].get("kubernaut.ai/rerun", "")
    return f'version: "{version}"' in document and reading.policy(document, "rerun") == rerun


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


def applied(actor: Process, before: Json | None, after: Json) -> Iterator[str]:
    """I5: beside its status a workflow is changed by the apply of its own source alone.

    And by Replace, which asks an older run to end.
    """
    pending, seen = actor.pending, before or after
    asked = pending is not None and pending.verb is Verb.PATCH and _makes_way(actor, before, after)
    applies = pending is not None and pending.verb is Verb.APPLY
    if not (applies or asked) or not of_source(actor, seen):
        yield f"I5: {seen['metadata']['name']} is changed beside its status"


def _makes_way(actor: Process, before: Json | None, after: Json) -> bool:
    """The one field, of a run of what git no longer says, and git says Replace."""
    if before is None or actor.read is None:
        return False
    asked = {"metadata": before["metadata"], "spec": {**before["spec"], "cancel": True}}
    text = "".join(each.data.decode() for each in actor.read.files)
    document = reading.stated(text, reading.document(before))
    return (
        without_status(asked) == without_status(after)
        and reading.policy(document, "concurrency") == "Replace"
        and not _states(document, before)
    )


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


def stops_at_birth(actor: Process, workflow: Json, child: Json) -> Iterator[str]:
    """Contract 4: under a terminal phase what is reserved is created all the same, to stop at once.

    The phase is the one that this run wrote: it may have slept since, and others written another.
    """
    name = workflow["metadata"]["name"]
    written = [
        from_json(each.body)["status"]["phase"]
        for each in actor.calls
        if each.verb is Verb.UPDATE
        and (each.target.resource, each.target.subresource) == (WORKFLOWS, "status")
        and each.target.name == name
    ]
    if written and written[-1] in reading.OVER and not child["spec"].get("cancelRequested"):
        yield f"contract 4: {child['metadata']['name']} is created to run, {name} is {written[-1]}"


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
