"""The invariants of contract 8, looked at after every change that the server commits.

A `Monitor` sees each change with who made it: a run, or anybody else. It keeps only what the
server forgets: which attempts were ever made, and what people's hands have spoilt since.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from reconciler.kube.requests import CHILDREN, EVENTS, RECORDS, WORKFLOWS, Request
from tests.fakes.apiserver import MemoryApiServer
from tests.fakes.memory.storage import Change
from tests.faults import reading, rules
from tests.faults.process import Process
from tests.faults.reading import Attempt, Json


class Violation(AssertionError):  # noqa: N818  # that is what it is called
    """An invariant that does not hold; the message begins with which."""


@dataclass(frozen=True, slots=True)
class Past:
    """What no object tells any more.

    `forgiven`: attempts whose child somebody deleted (I1 admits that they are made again), or
    whose executor took back a result. `erased`: workflows whose status somebody wrote.
    `unrecorded`: runs that hands have taken out of their record; I12 speaks of what it holds.
    """

    made: frozenset[Attempt] = field(default_factory=frozenset)
    ran: frozenset[tuple[str, str, str, str]] = field(default_factory=frozenset)
    forgiven: frozenset[Attempt] = field(default_factory=frozenset)
    erased: frozenset[str] = field(default_factory=frozenset)
    unrecorded: frozenset[str] = field(default_factory=frozenset)


class Monitor:
    """Raises Violation out of the write that broke an invariant. `actor` None is no run."""

    def __init__(self, server: MemoryApiServer) -> None:
        self.past = Past()
        self.actor: Process | None = None
        self._server = server
        self._spoilt: dict[str, int] = {}  # records, how often hands were on them
        self._known: dict[tuple[Process, str], int] = {}  # and when a run last looked
        server.observers.append(self._changed)

    def back_to(self, past: Past) -> None:
        """No run is on its way then."""
        self.past = past
        self._spoilt.clear()
        self._known.clear()

    def asked(self, actor: Process, request: Request) -> None:
        """A run reads or writes records: from now on it knows what hands have done to them."""
        if request.target.resource is RECORDS:
            for name in [request.target.name] if request.target.name else self._spoilt:
                self._known[actor, name] = self._spoilt.get(name, 0)

    def _unaware(self, actor: Process, name: str) -> bool:
        """Whether hands were on a record after this run had looked at it."""
        return self._known.get((actor, name), 0) != self._spoilt.get(name, 0)

    def _changed(self, change: Change) -> None:
        if change.resource is EVENTS:
            return
        if self.actor is None:
            self._by_hand(change)
            return
        if rules.destroyed(change):
            self._destroyed(self.actor, change)
            return
        if change.resource is CHILDREN:
            self._child_by(self.actor, change)
        elif change.resource is WORKFLOWS:
            self._workflow_by(self.actor, change)
        else:
            _hold(rules.not_ours(self.actor, change))

    def _destroyed(self, actor: Process, change: Change) -> None:
        gone = change.before
        assert gone is not None
        if change.resource is not WORKFLOWS:
            raise Violation(f"I8: {gone['metadata']['name']} is deleted by a run")
        if reading.of_a_source(gone) and self._unaware(actor, reading.document(gone)):
            return
        beside = self._server.objects(WORKFLOWS)
        others = [each for each in beside if each["metadata"]["uid"] != gone["metadata"]["uid"]]
        _hold(rules.may_go(actor, gone, self._record_of(gone), [*others, gone]))

    # --- hands ------------------------------------------------------------------------------

    def _by_hand(self, change: Change) -> None:
        """What a hand or an executor spoilt is nothing that a run could have kept."""
        before, after = change.before, change.after
        if change.resource is CHILDREN and before is not None:
            taken_back = (
                after is not None
                and reading.terminal(before)
                and reading.phase(before) != reading.phase(after)
            )
            disowned = after is not None and self._disowned(before, after)
            if after is None or taken_back or disowned:
                self._forgive(reading.attempt(before))
        if change.resource is WORKFLOWS and before and after:
            self._erased(before, after)
        if change.resource is RECORDS:
            self._unrecorded(before, after)

    def _disowned(self, before: Json, after: Json) -> bool:
        """Whether nothing but its name says any more whose it is: no uid of it is recorded."""
        workflow = self._workflow_of(reading.attempt(before))
        return reading.owner(before) != reading.owner(after) and not (
            workflow and reading.ours(workflow, after)
        )

    def _erased(self, before: Json, after: Json) -> None:
        if reading.status(before) != reading.status(after):
            erased = self.past.erased | {after["metadata"]["uid"]}
            self.past = replace(self.past, erased=erased)

    def _unrecorded(self, before: Json | None, after: Json | None) -> None:
        """What a record no longer holds may run again, for all that anybody knows."""
        about = (before or after or {})["metadata"]
        self._spoilt[about["name"]] = self._spoilt.get(about["name"], 0) + 1
        kept = {each.get("uid") for each in reading.entries(after)}
        lost = {each["uid"] for each in reading.entries(before) if each.get("uid")} - kept
        of_it = {
            each["metadata"]["uid"]
            for each in self._server.objects(WORKFLOWS)
            if reading.of_a_source(each) and reading.document(each) == about["name"]
        }
        ran = frozenset(run for run in self.past.ran if run[3] not in lost)
        unrecorded = self.past.unrecorded | lost | (of_it - kept)
        self.past = replace(self.past, ran=ran, unrecorded=unrecorded)

    def _forgive(self, attempt: Attempt) -> None:
        self.past = replace(self.past, forgiven=self.past.forgiven | {attempt})

    # --- children ---------------------------------------------------------------------------

    def _child_by(self, actor: Process, change: Change) -> None:
        before, after = change.before, change.after
        assert after is not None
        if before is not None:
            _hold(self._stopped(before, after))
            return
        attempt = reading.attempt(after)
        workflow = self._workflow_of(attempt)
        _hold(rules.bounded(actor, after))
        if attempt in self.past.made and attempt not in self.past.forgiven:
            raise Violation(f"I1: {attempt[1:]} is created a second time")
        self.past = replace(self.past, made=self.past.made | {attempt})
        if workflow is None:
            return  # deleted between reservation and creation: its child goes with it
        _hold(rules.well_made(workflow, after))
        _hold(rules.stops_at_birth(actor, workflow, after))
        if attempt in self.past.forgiven or attempt[0] in self.past.erased:
            return
        _hold(self._in_its_place(actor, workflow, after))

    def _in_its_place(self, actor: Process, workflow: Json, child: Json) -> Iterator[str]:
        """A reservation holds the slot, the cap holds, and so does the order."""
        _, step, number = reading.attempt(child)
        result = reading.results(workflow).get(step, {})
        if (result.get("attempt", 0), result.get("status")) != (number, "Pending"):
            yield f"I2: {step}/{number} is created, and reserved is {result or 'nothing'}"
        if reading.status(workflow).get("settled"):
            yield f"I4: {step}/{number} is created in a workflow that has settled"
        held = self._held(workflow, besides=child["metadata"]["uid"])
        if held >= reading.limit(workflow, actor.settings.max_concurrent_steps):
            yield f"I2: {step}/{number} is created beside {held}"
        if missing := reading.unmet(workflow, step):
            yield f"I3: {step} is created before {', '.join(missing)}"

    def _stopped(self, before: Json, after: Json) -> Iterator[str]:
        """The one thing that a run does to a child: it asks one of ours to stop."""
        workflow = self._workflow_of(reading.attempt(before))
        if rules.without_stop(before) != rules.without_stop(after) or not reading.asked_to_stop(
            after
        ):
            yield f"I5: {before['metadata']['name']} is changed"
        if workflow is None and reading.attempt(before) in self.past.made:
            return  # its workflow was deleted after the run had looked at it
        if workflow is None or not reading.ours(workflow, before):
            yield f"I5: {before['metadata']['name']} is not ours and is changed"

    # --- workflows --------------------------------------------------------------------------

    def _workflow_by(self, actor: Process, change: Change) -> None:
        before, after = change.before, change.after
        assert after is not None
        if before is None or rules.without_status(before) != rules.without_status(after):
            _hold(rules.applied(actor, before, after))
        if before is None or before.get("status") == after.get("status"):
            return
        uid = after["metadata"]["uid"]
        if uid not in self.past.erased:
            _hold(rules.finality(before, after))
            _hold(self._reservations(actor, before, after))
        _hold(self._settled(before, after))
        if reading.of_a_source(after):
            self._of_a_record(actor, before, after)

    def _reservations(self, actor: Process, before: Json, after: Json) -> Iterator[str]:
        """Contract 4, Ready: each new one stands behind every gate, and the cap holds."""
        new = rules.newly_reserved(before, after, self._children())
        for step, result in new.items():
            yield from self._reservation(after, step, result)
        if not new:
            return
        gates = ("suspend", "cancel")
        if closed := [gate for gate in gates if after["spec"].get(gate)]:
            yield f"{', '.join(new)} is reserved in spite of {', '.join(closed)}"
        if "deletionTimestamp" in after["metadata"]:
            yield f"{', '.join(new)} is reserved in a workflow that is being deleted"
        if reading.status(after)["phase"] in reading.OVER:
            yield f"{', '.join(new)} is reserved in a workflow that is over"
        held = self._held(after)
        if held > reading.limit(after, actor.settings.max_concurrent_steps):
            yield f"I2: {', '.join(new)} is reserved, and {held} slots are held"

    def _reservation(self, workflow: Json, step: str, result: Json) -> Iterator[str]:
        number = result.get("attempt", 0)
        stated = reading.steps(workflow)[step]
        about = workflow["metadata"]
        if result["executionRef"] != reading.name_of(about["name"], (about["uid"], step, number)):
            yield f"{step}/{number} is reserved under the name {result['executionRef']}"
        if missing := reading.unmet(workflow, step):
            yield f"I3: {step}/{number} is reserved before {', '.join(missing)}"
        approved = {each["step"] for each in workflow["spec"].get("approvals", ())}
        if not number and stated.get("requiresApproval") and step not in approved:
            yield f"{step} is reserved without its approval"
        if number:
            yield from self._next_attempt(workflow, step, number)

    def _next_attempt(self, workflow: Json, step: str, number: int) -> Iterator[str]:
        """After the one before is terminal or gone, and no more of them than retries allow."""
        attempts = [
            child
            for child in self._children()
            if reading.ours(workflow, child) and child["spec"]["stepName"] == step
        ]
        at_work = [
            each["spec"]["attempt"]
            for each in attempts
            if reading.active(each) and reading.attempt(each) not in self.past.forgiven
        ]
        if at_work:
            yield f"{step}/{number} is reserved while {at_work} is at work"
        late = [each for each in attempts if each["status"].get("reason") == "Late"]
        if number - len(late) > reading.steps(workflow)[step].get("retries", 0):
            yield f"{step}/{number} is reserved, and its retries are used up"

    def _settled(self, before: Json, after: Json) -> Iterator[str]:
        if reading.status(before).get("settled") or not reading.status(after).get("settled"):
            return
        at_work = [
            child["metadata"]["name"]
            for child in self._children()
            if reading.ours(after, child)
            and reading.active(child)
            and reading.attempt(child) not in self.past.forgiven
        ]
        waiting = reading.unmade(after, self._children())
        if at_work or waiting:
            yield f"I4: it settles over {[*at_work, *waiting]}"

    # --- records ----------------------------------------------------------------------------

    def _of_a_record(self, actor: Process, before: Json, after: Json) -> None:
        """I12: what is planned stands in its record with this uid; one run a definition."""
        about, told = after["metadata"], reading.status(after)
        planned = not reading.status(before).get("phase") and not told.get("settled")
        content = reading.content(after)
        entry = reading.entry(self._record_of(after), content)
        unaware = self._unaware(actor, reading.document(after))
        if (
            planned
            and not unaware
            and (entry.get("state"), entry.get("uid")) != ("created", about["uid"])
        ):
            raise Violation(f"I12: {about['name']} is planned, and its record holds {entry}")
        if reading.started(before) or not reading.started(after) or unaware:
            return
        run = (about["namespace"], reading.document(after), content, about["uid"])
        if any(ran[:3] == run[:3] and ran != run for ran in self.past.ran):
            raise Violation(f"I12: the content of {about['name']} runs a second time")
        self.past = replace(self.past, ran=self.past.ran | {run})
        _hold(self._beside(after))

    def _beside(self, workflow: Json) -> Iterator[str]:
        for other in self._server.objects(WORKFLOWS):
            if (
                reading.of_a_source(other)
                and other["metadata"]["uid"] != workflow["metadata"]["uid"]
                and other["metadata"]["namespace"] == workflow["metadata"]["namespace"]
                and reading.document(other) == reading.document(workflow)
                and reading.started(other)
                and not reading.status(other).get("settled")
                and other["metadata"]["uid"] not in self.past.unrecorded
            ):
                yield f"I12: {workflow['metadata']['name']} starts beside its older run"

    # --- the server -------------------------------------------------------------------------

    def _children(self) -> tuple[Json, ...]:
        return self._server.objects(CHILDREN)

    def _record_of(self, workflow: Json) -> Json | None:
        namespace = workflow["metadata"]["namespace"]
        return self._server.object(RECORDS, namespace, reading.document(workflow))

    def _workflow_of(self, attempt: Attempt) -> Json | None:
        return next(
            (
                each
                for each in self._server.objects(WORKFLOWS)
                if each["metadata"]["uid"] == attempt[0]
            ),
            None,
        )

    def _held(self, workflow: Json, besides: str = "") -> int:
        """Slots: children at work and reservations without a child, but for one child."""
        children = self._children()
        at_work = [
            child
            for child in children
            if reading.ours(workflow, child)
            and reading.active(child)
            and child["metadata"]["uid"] != besides
            and reading.attempt(child) not in self.past.forgiven
        ]
        return len(at_work) + len(reading.unmade(workflow, children))


def _hold(broken: Iterable[str]) -> None:
    for what in broken:
        raise Violation(what)
