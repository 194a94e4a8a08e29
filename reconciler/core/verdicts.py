"""What a document calls for, by its record's entry and its object as they were read (contract 5).

No I/O and no clock. A verdict that needs the whole object says so; what it cannot know for certain
is left to the next run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

from reconciler.core.api import (
    Metadata,
    Phase,
    RecordEntry,
    RecordState,
    WorkflowRecord,
    instant_or_none,
)
from reconciler.core.definitions import CONTROLS, Definition, Outline
from reconciler.core.envelope import mapping, text
from reconciler.core.names import SOURCE_LABEL
from reconciler.core.outcome import DocumentResult
from reconciler.core.records import (
    CONTROLS_HASH,
    DEFINITION,
    SPEC_HASH,
    content_of,
    running,
    why_over,
)


@dataclass(frozen=True, slots=True)
class Live:
    """One workflow as it was read whole."""

    uid: str
    version: str
    source: str
    content: str
    controls: str
    started: bool
    settled: bool
    deleting: bool
    ended: datetime | None = None
    spec: Mapping[str, object] = field(default_factory=dict)

    @property
    def ttl(self) -> int | None:
        """Seconds that it stays once it has settled; None: for ever."""
        stated = self.spec.get("ttlSecondsAfterSettled")
        return stated if isinstance(stated, int) else None


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose objects a source's documents may speak of; `adopt`: also those of nobody or others."""

    source: str
    adopt: bool = False


def live(raw: Mapping[str, object]) -> Live:
    """What a verdict needs of a workflow's JSON; a phase that nobody knows has started."""
    metadata, status = mapping(raw.get("metadata")), mapping(raw.get("status"))
    annotations = mapping(metadata.get("annotations"))
    phase = text(status.get("phase"))
    return Live(
        uid=text(metadata.get("uid")),
        version=text(metadata.get("resourceVersion")),
        source=text(mapping(metadata.get("labels")).get(SOURCE_LABEL)),
        content=text(annotations.get(SPEC_HASH)),
        controls=text(annotations.get(CONTROLS_HASH)),
        started=phase not in (Phase.NEW, Phase.PENDING),
        settled=status.get("settled") is True,
        deleting=bool(metadata.get("deletionTimestamp")),
        ended=instant_or_none(text(status.get("executionEndTime"))),
        spec=mapping(raw.get("spec")),
    )


def as_listed(seen: Live, meta: Metadata | None) -> bool:
    """Whether it is the object that was listed, applied with the same document since."""
    if meta is None:
        return False
    listed = (meta.uid, content_of(meta), meta.annotations.get(CONTROLS_HASH, ""))
    return listed == (seen.uid, seen.content, seen.controls)


# --- what a document calls for --------------------------------------------------------------


class Todo(Enum):
    """What to do about a document."""

    LEAVE = auto()
    LOOK = auto()  # its object must be read whole first: `looked` decides then
    MAKE = auto()  # no object: create it, and only create it
    REPLACE = auto()  # an object that has not started: the whole document over it
    STEER = auto()  # one that has: suspend, cancel and approvals alone
    ADOPT = auto()  # one that has, is not of this source, and states what the document does


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a document calls for, what it counts as, and why, when somebody should hear of it.

    `entry`: its content is to stand in the record like this, if nothing better stands there.
    """

    todo: Todo
    result: DocumentResult
    why: str = ""
    entry: RecordState | None = None


_LOOK = Verdict(Todo.LOOK, DocumentResult.NOT_REACHED)
_LEAVES = Verdict(
    Todo.LEAVE, DocumentResult.NOT_REACHED, "its object is being deleted; it is looked at again"
)
_KEEP = Verdict(Todo.LEAVE, DocumentResult.UNCHANGED, entry=RecordState.INTENDED)
_UNCHANGED = Verdict(Todo.LEAVE, DocumentResult.UNCHANGED)
_MAKE = Verdict(Todo.MAKE, DocumentResult.APPLIED, entry=RecordState.INTENDED)
_REPLACE = Verdict(Todo.REPLACE, DocumentResult.APPLIED, entry=RecordState.INTENDED)
_STEER = Verdict(Todo.STEER, DocumentResult.APPLIED)
_ADOPT = Verdict(Todo.ADOPT, DocumentResult.APPLIED, entry=RecordState.CREATED)
_RECORDED = Verdict(Todo.LEAVE, DocumentResult.RECORDED, entry=RecordState.RECORDED)
_CHANGED = Verdict(
    Todo.LEAVE, DocumentResult.NOT_REACHED, "its object changed while it was read; looked at again"
)


def recorded(stands: Verdict, entry: RecordEntry | None) -> Verdict:
    """The verdict while a source is entered that is new to the cluster: nothing of it starts.

    A content that was created before, in a run that outlived its head, keeps its entry.
    """
    if entry is None or entry.state is not RecordState.CREATED:
        return _RECORDED
    if stands.todo in (Todo.MAKE, Todo.REPLACE, Todo.STEER, Todo.ADOPT):
        return Verdict(Todo.LEAVE, DocumentResult.NOT_REACHED, "what is new is entered first")
    return stands


def verdict(definition: Outline, entry: RecordEntry | None, meta: Metadata | None) -> Verdict:
    """The verdict by the record's entry of its content and the metadata of its object."""
    if meta is None:
        return _without_object(entry)
    if meta.annotations.get(DEFINITION, definition.name) != definition.name:
        return _taken(definition, f"of the document {meta.annotations[DEFINITION]!r}")
    if entry is not None and entry.state is RecordState.RECORDED:
        return Verdict(Todo.LEAVE, DocumentResult.RECORDED)
    if content_of(meta) == definition.content:
        return _as_applied(definition, entry, meta)
    return _with_other_content(entry, meta)


def _without_object(entry: RecordEntry | None) -> Verdict:
    if entry is None or entry.state is RecordState.DROPPED:
        return _MAKE
    if entry.state is RecordState.RECORDED:
        return Verdict(Todo.LEAVE, DocumentResult.RECORDED)
    if entry.state is RecordState.INTENDED or running(entry):
        # An object that nobody listed may be there: made after the list, or somebody else's.
        return _LOOK
    return already_ran(why_over(entry))


def _as_applied(definition: Outline, entry: RecordEntry | None, meta: Metadata) -> Verdict:
    """An object of this very content."""
    if entry is None:
        # An entry is older than its object: this one was restored, or its record is lost.
        return already_ran(f"{meta.name} exists, and no record says that its content is to run")
    if entry.state is RecordState.CREATED and entry.uid != meta.uid:
        return already_ran(why_over(entry))
    if meta.annotations.get(CONTROLS_HASH) != definition.controls:
        return _LOOK
    if entry.state is RecordState.CREATED:
        return _UNCHANGED
    return _LEAVES if meta.deletion_timestamp else _KEEP


def _with_other_content(entry: RecordEntry | None, meta: Metadata) -> Verdict:
    """An object of another content: of an execution, which has one name for all its contents."""
    if entry is not None and entry.state is RecordState.CREATED:
        given_back = running(entry) and entry.uid == meta.uid
        return _LOOK if given_back else already_ran(why_over(entry))
    return _LOOK


def looked(
    definition: Definition,
    entry: RecordEntry | None,
    meta: Metadata | None,
    seen: Live | None,
    claim: Claim,
) -> Verdict:
    """The verdict once the object was read whole; `meta` is what was listed of it, if anything."""
    if meta is not None and (seen is None or seen.uid != meta.uid):
        return _CHANGED
    made = entry if meta is None and entry and entry.state is RecordState.CREATED else None
    if made and (seen is None or seen.uid != made.uid):
        return already_ran(why_over(made))
    if seen is None:
        return _MAKE  # intended and no object: none was ever planned
    if seen.source == claim.source or (made and not claim.adopt):
        return _seen(definition, seen)
    return _foreign(definition, seen) if claim.adopt else name_taken(definition, seen)


def _foreign(definition: Definition, seen: Live) -> Verdict:
    """An object that is to become ours. One that has started keeps its spec, or it is not taken."""
    if seen.deleting:
        return _LEAVES
    if not (seen.started or seen.settled):
        return _REPLACE
    if _content(seen.spec) == _content(definition.spec):
        return _ADOPT
    taken = name_taken(definition, seen)
    return replace(taken, why=f"{taken.why}. It has started with another spec: --adopt leaves it")


def _content(spec: Mapping[str, object]) -> Mapping[str, object]:
    return {key: each for key, each in spec.items() if key not in CONTROLS}


def _seen(definition: Definition, seen: Live) -> Verdict:
    if seen.content != definition.content:
        return _other_content_seen(seen)
    if seen.settled or seen.controls == definition.controls:
        return _KEEP
    if seen.started:
        return _STEER
    return _LEAVES if seen.deleting else _REPLACE


def _other_content_seen(seen: Live) -> Verdict:
    if seen.settled or seen.started:
        return Verdict(
            Todo.LEAVE,
            DocumentResult.SPEC_IMMUTABLE,
            "its run has started, so its spec stays as it is; the new content runs once that "
            "object is deleted, or give it another name",
        )
    return _LEAVES if seen.deleting else _REPLACE


def already_ran(why: str) -> Verdict:
    return Verdict(
        Todo.LEAVE,
        DocumentResult.ALREADY_RAN,
        f"{why}; to run it again change the annotation kubernaut.ai/rerun",
    )


def name_taken(definition: Outline, seen: Live) -> Verdict:
    """An object of that name that is not of this source, or of another document of it."""
    owner = f"of the source {seen.source!r}" if seen.source else "of no source"
    return _taken(definition, owner)


def record_taken(record: WorkflowRecord) -> Verdict:
    """The record of the document's name is of another source, or has lost its label."""
    meta = record.metadata
    source = meta.labels.get(SOURCE_LABEL)
    owner = f"is of the source {source!r}" if source else f"has no label {SOURCE_LABEL}"
    return Verdict(
        Todo.LEAVE,
        DocumentResult.NAME_TAKEN,
        f"the WorkflowRecord {meta.name} {owner}: give this document another name",
    )


def forgotten(record: WorkflowRecord) -> Verdict:
    """The record came back without its status: what has run of its document nobody knows."""
    name = record.metadata.name
    return Verdict(
        Todo.LEAVE,
        DocumentResult.REFUSED,
        f"the WorkflowRecord {name} was restored without its status, so nobody knows what has run: "
        f"restore its status too, or let the current content run: kubectl delete wr {name}",
    )


def _taken(definition: Outline, owner: str) -> Verdict:
    return Verdict(
        Todo.LEAVE,
        DocumentResult.NAME_TAKEN,
        f"the name {definition.run} is taken by a WorkflowExecution {owner}; that one is left "
        "alone: give this document another name",
        entry=RecordState.INTENDED,
    )


# Only a new commit can change these, so a commit with nothing else is whole.
LASTING = frozenset(
    {
        DocumentResult.APPLIED,
        DocumentResult.UNCHANGED,
        DocumentResult.ALREADY_RAN,
        DocumentResult.RECORDED,
        DocumentResult.ELSEWHERE,
        DocumentResult.INVALID,
        DocumentResult.SPEC_IMMUTABLE,
    }
)
