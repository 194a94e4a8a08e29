"""The invariants, asked of a history commit by commit (I1 to I4, I8), and of its end.

Nothing is believed that a status says about children: what there is to hold and to count is counted
on the children themselves.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.apiserver.objects import Body
from tests.soak.history import WORKFLOW, Change

_OVER = ("Completed", "Failed", "Cancelled")
_FINAL = ("Completed", "Failed", "Skipped")

Attempt = tuple[str, str, int]


@dataclass
class Referee:
    """`cap` is the limit of the runs. Violations are sentences, in the order of the commits."""

    cap: int
    violations: list[str] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)
    workflows: dict[str, Body] = field(default_factory=dict)
    children: dict[str, Body] = field(default_factory=dict)
    made: dict[Attempt, str] = field(default_factory=dict)  # the uid of the last that was made
    recorded: set[str] = field(default_factory=set)  # uids of children that a status ever held
    completed: set[str] = field(default_factory=set)  # uids of children that said so

    def see(self, changes: Iterable[Change], *, deleted: Iterable[str] = ()) -> None:
        """All of a history; `deleted` are the children that somebody else deleted."""
        gone = set(deleted)
        for change in changes:
            told = self._workflow(change) if change.kind == WORKFLOW else self._child(change, gone)
            self.violations += [f"at {change.revision}, {change.name}: {each}" for each in told]

    def _workflow(self, change: Change) -> Iterator[str]:
        before, after = self.workflows.get(change.name), change.body
        if after is None:
            self.workflows.pop(change.name, None)
            yield "a workflow was deleted, and nobody asked for it (I8)"
            return
        self.workflows[change.name] = after
        if before is None:
            return
        self.numbers["status writes"] += _status(before) != _status(after)
        self.numbers["lost reservations healed"] += max(0, _healed(after) - _healed(before))
        self.recorded |= {
            each["executionUID"] for each in _results(after) if "executionUID" in each
        }
        yield from _final(_status(before), _status(after))
        yield from self._held(after, "reserved")

    def _child(self, change: Change, gone: set[str]) -> Iterator[str]:
        child = change.body
        if child is None:
            self.children.pop(change.name, None)
            self.numbers["children deleted"] += 1
            if change.name not in gone:
                yield "a child was deleted, and no executor did it (I8)"
            return
        self.children[change.name] = child
        if _phase(child) == "Completed":
            self.completed.add(_uid(child))
        if change.created:
            self.numbers["children created"] += 1
            yield from self._created(child)

    def _created(self, child: Body) -> Iterator[str]:
        owner = self._owner(child)
        if owner is None:
            yield "created for a workflow that is not there"
            return
        attempt = (_uid(owner), child["spec"]["stepName"], child["spec"]["attempt"])
        earlier = self.made.get(attempt)
        if earlier is not None:
            self.numbers["children made again, deleted before they were recorded"] += 1
            if earlier in self.recorded or any(_uid(c) == earlier for c in self.children.values()):
                yield f"a second child of {attempt} (I1)"
        self.made[attempt] = _uid(child)
        self.numbers["retries"] += child["spec"]["attempt"] > 0
        done = {each["stepName"] for each in _results(owner) if each["status"] == "Completed"}
        waits = set(_steps(owner)[attempt[1]].get("dependsOn", ())) - done
        if waits:
            yield f"created before {', '.join(sorted(waits))} is recorded Completed (I3)"
        yield from self._held(owner, "created")

    def _held(self, workflow: Body, what: str) -> Iterator[str]:
        """Children at work, and reservations without a child."""
        limit = min(self.cap, workflow["spec"].get("maxConcurrentSteps", 5))
        ours = [child for child in self.children.values() if _owner(child) == _uid(workflow)]
        names = {child["metadata"]["name"] for child in ours}
        held = sum(map(_active, ours)) + sum(
            each["status"] == "Pending"
            and "executionUID" not in each
            and each["executionRef"] not in names
            for each in _results(workflow)
        )
        self.numbers["most slots held at once"] = max(self.numbers["most slots held at once"], held)
        if held > limit:
            yield f"{held} of {limit} slots are held where one was {what} (I2)"

    def _owner(self, child: Body) -> Body | None:
        found = self.workflows.get(child["spec"]["workflowExecutionRef"]["name"])
        return found if found is not None and _uid(found) == _owner(child) else None

    # --- at the end -----------------------------------------------------------------------------

    def ends(self) -> list[str]:
        """What is not over though it should be, told from the children."""
        return [
            f"at the end, {name}: {each}"
            for name, workflow in self.workflows.items()
            for each in self._end(workflow)
        ]

    def _end(self, workflow: Body) -> Iterator[str]:
        status = _status(workflow)
        self.numbers[f"workflows {status.get('phase', 'new')}"] += 1
        if status.get("phase") not in _OVER or not status.get("settled"):
            yield "it is not over"
        ours = [child for child in self.children.values() if _owner(child) == _uid(workflow)]
        for child in filter(_active, ours):
            yield f"{child['metadata']['name']} is at work"
        for each in _results(workflow):
            if each["status"] == "Completed" and each.get("executionUID") not in self.completed:
                yield f"step {each['stepName']} is Completed, its child never was"
            if each["status"] not in _FINAL:
                yield f"step {each['stepName']} is {each['status']}"
        done = {each["stepName"] for each in _results(workflow) if each["status"] == "Completed"}
        if status.get("phase") == "Completed" and done != set(_steps(workflow)):
            yield "it is Completed, and not all of its steps are"


def _final(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """What may never change again (I4)."""
    now = {each["stepName"]: each for each in _listed(after)}
    for each in _listed(before):
        if each["status"] in _FINAL and now.get(each["stepName"]) != each:
            yield f"the final step {each['stepName']} changed (I4)"
    if before.get("phase") in _OVER and after.get("phase") != before.get("phase"):
        yield f"{before['phase']} became {after.get('phase')} (I4)"
    if "executionEndTime" in before and after.get("executionEndTime") != before["executionEndTime"]:
        yield "it ended twice (I4)"
    if before.get("settled") and not after.get("settled"):
        yield "it is settled no more (I4)"


def _status(workflow: Body) -> Body:
    status: Body = workflow.get("status", {})
    return status


def _listed(status: Mapping[str, object]) -> list[Body]:
    found = status.get("stepResults", [])
    return found if isinstance(found, list) else []


def _results(workflow: Body) -> list[Body]:
    return _listed(_status(workflow))


def _steps(workflow: Body) -> dict[str, Body]:
    return {each["name"]: each for each in workflow["spec"]["workflowDefinition"]["steps"]}


def _healed(workflow: Body) -> int:
    return sum("healedAt" in each for each in _results(workflow))


def _phase(child: Body) -> str:
    return str(child.get("status", {}).get("phase", ""))


def _active(child: Body) -> bool:
    return _phase(child) not in ("Completed", "Failed") or "deletionTimestamp" in child["metadata"]


def _uid(body: Body) -> str:
    return str(body["metadata"]["uid"])


def _owner(child: Body) -> str:
    (owner,) = child["metadata"]["ownerReferences"]
    return str(owner["uid"])
