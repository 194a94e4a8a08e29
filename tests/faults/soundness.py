"""What holds of every workflow once runs have nothing left to do (I6), by the contract alone.

Independent of how the workflow came there: the status tells what the children tell, nothing that
could start waits, and what is over has settled.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.kube.requests import CHILDREN, CONFIG_MAPS, RECORDS, WORKFLOWS
from tests.faults import reading
from tests.faults.play import NAMESPACE, Play
from tests.faults.reading import Json


def unsound(play: Play) -> Iterator[str]:
    """Everything that is wrong, for people."""
    paused = play.server.object(CONFIG_MAPS, NAMESPACE, "reconciler-paused") is not None
    for workflow in play.server.objects(WORKFLOWS):
        if _held_back(workflow, paused=paused) or _unruled(play, workflow):
            continue
        seen = _seen(play, workflow)
        looks = (_results, _counts, _end, _verdict, *(() if paused else (_starts,)))
        for look in looks:
            for what in look(seen):
                yield f"I6: {workflow['metadata']['name']}: {what}"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A workflow and its children.

    `spoilt` are steps whose children hands have been on; `erased`, whether its status was.
    """

    workflow: Json
    children: tuple[Json, ...]
    spoilt: frozenset[str]
    erased: bool
    limit: int

    @property
    def status(self) -> Json:
        return reading.status(self.workflow)

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def over(self) -> bool:
        return self.phase in reading.OVER

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in self.workflow["metadata"]

    @property
    def held(self) -> int:
        """Slots."""
        unmade = reading.unmade(self.workflow, self.children)
        return sum(map(reading.active, self.children)) + len(unmade)

    def steps(self, status: str) -> list[str]:
        """Those that are recorded so."""
        results = reading.results(self.workflow).items()
        return [step for step, result in results if result["status"] == status]


def _seen(play: Play, workflow: Json) -> _Seen:
    uid = workflow["metadata"]["uid"]
    return _Seen(
        workflow,
        tuple(each for each in play.server.objects(CHILDREN) if reading.ours(workflow, each)),
        frozenset(step for owner, step, _ in play.monitor.past.forgiven if owner == uid),
        uid in play.monitor.past.erased,
        reading.limit(workflow, play.settings.max_concurrent_steps),
    )


def _held_back(workflow: Json, *, paused: bool) -> bool:
    """Not planned yet, and with a reason: its record, a pause, or its own end."""
    if reading.reason(workflow) == "AlreadyRan":
        return True
    planned = reading.status(workflow).get("phase")
    deleting = "deletionTimestamp" in workflow["metadata"]
    return not planned and (reading.of_a_source(workflow) or deleting or paused)


def _unruled(play: Play, workflow: Json) -> bool:
    """Of a source and not started, and hands were on its record: nobody can say whether it may."""
    if not reading.of_a_source(workflow) or reading.started(workflow):
        return False
    about = workflow["metadata"]
    record = play.server.object(RECORDS, NAMESPACE, reading.document(workflow))
    ruled = reading.entry(record, reading.content(workflow)).get("uid") == about["uid"]
    labels = (record or {}).get("metadata", {}).get("labels", {})
    return not ruled or labels.get(reading.SOURCE) != about["labels"][reading.SOURCE]


def _results(seen: _Seen) -> Iterator[str]:
    """Each result is that of its child, and each child has one."""
    results = reading.results(seen.workflow)
    by_attempt = {reading.attempt(child)[1:]: child for child in seen.children}
    for step, result in results.items():
        child = by_attempt.get((step, result.get("attempt", 0)))
        if child is not None and step not in seen.spoilt:
            yield from _result(step, result, child)
        if child is None and result["status"] == "Running":
            yield f"{step} runs without a child"
    for (step, number), child in by_attempt.items():
        if seen.erased and not _listed(seen.workflow, child):
            continue  # nothing tells of it any more
        if results.get(step, {"attempt": -1}).get("attempt", 0) < number:
            yield f"{step}/{number} has a child and no result"


def _listed(workflow: Json, child: Json) -> bool:
    label = child["metadata"].get("labels", {}).get("kubernaut.ai/workflow")
    return bool(label == workflow["metadata"]["name"])


def _result(step: str, result: Json, child: Json) -> Iterator[str]:
    status, told = result["status"], reading.phase(child)
    if result.get("executionUID") != child["metadata"]["uid"]:
        yield f"{step} does not record the uid of its child"
    if told == "Completed" and status != "Completed" and result.get("reason") != "TimedOut":
        yield f"{step} is {status} and its child Completed"
    if told == "Failed" and status not in ("Failed", "Retrying"):
        yield f"{step} is {status} and its child Failed"
    if reading.terminal(child):
        return
    if status == "Completed":
        yield f"{step} is Completed and its child is at work"
    if status in ("Failed", "Retrying") and not reading.asked_to_stop(child):
        yield f"{step} is {status} and its child was not asked to stop"


def _counts(seen: _Seen) -> Iterator[str]:
    status, completed = seen.status, len(seen.steps("Completed"))
    expected = {
        "completedSteps": completed,
        "failedSteps": len(seen.steps("Failed")),
        "progress": f"{completed}/{len(reading.steps(seen.workflow))}",
    }
    for key, count in expected.items():
        if status.get(key, 0) != count:
            yield f"{key} is {status.get(key)}, expected {count}"
    if status.get("activeSteps", 0) != seen.held and not status.get("settled") and not seen.spoilt:
        yield f"activeSteps is {status.get('activeSteps')}, and {seen.held} slots are held"


def _end(seen: _Seen) -> Iterator[str]:
    """What is over settles, and asks its children to stop."""
    if not seen.over:
        return
    if not seen.held and not seen.status.get("settled") and not seen.deleting:
        yield f"it is {seen.phase}, nothing is at work, and it has not settled"
    if seen.steps("Retrying"):
        yield "it is over and a step waits for its next attempt"
    for child in seen.children:
        stoppable = not reading.terminal(child) and child["spec"]["stepName"] not in seen.spoilt
        if seen.phase == "Cancelled" and stoppable and not reading.asked_to_stop(child):
            yield f"{child['metadata']['name']} was not asked to stop"


def _verdict(seen: _Seen) -> Iterator[str]:
    """Contract 4, Phase: the matches that need no clock."""
    spec, failed = seen.workflow["spec"], seen.steps("Failed")
    if spec.get("cancel") and not seen.over:
        yield f"it was cancelled and is {seen.phase}"
    if failed and spec.get("failurePolicy") != "Continue" and not seen.over:
        yield f"{', '.join(failed)} failed and it is {seen.phase}"
    if set(reading.steps(seen.workflow)) == set(seen.steps("Completed")) and not seen.over:
        yield f"every step is Completed and it is {seen.phase}"


def _starts(seen: _Seen) -> Iterator[str]:
    """Nothing that could start waits while a slot is free."""
    spec, failed = seen.workflow["spec"], seen.steps("Failed")
    if seen.over or seen.deleting or spec.get("suspend"):
        return
    if failed and spec.get("failurePolicy") != "Continue":
        return
    ready = [step for step in reading.steps(seen.workflow) if _ready(seen.workflow, step)]
    gates = [s for s in reading.steps(seen.workflow) if _awaits_approval(seen.workflow, s)]
    if ready and seen.limit > seen.held:
        yield f"{', '.join(ready)} could start, {seen.limit - seen.held} slots are free"
    if not ready and not seen.held and not gates and not seen.steps("Retrying"):
        yield f"nothing of it goes on and it is {seen.phase!r}"


def _ready(workflow: Json, step: str) -> bool:
    return (
        step not in reading.results(workflow)
        and not reading.unmet(workflow, step)
        and not _awaits_approval(workflow, step)
    )


def _awaits_approval(workflow: Json, step: str) -> bool:
    stated = reading.steps(workflow)[step]
    approved = {each["step"] for each in workflow["spec"].get("approvals", ())}
    return bool(stated.get("requiresApproval")) and step not in approved
