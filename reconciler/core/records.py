"""WorkflowRecords: a content of a source runs at most once (contract 5, I12).

A record is a fence, not a memo: what it does not hold as created with this object's uid is not
planned. Decisions about its entries are values here; who reads and writes records are the stages.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from reconciler.core.api import (
    FirstContent,
    Metadata,
    Phase,
    Reading,
    RecordEntry,
    RecordSpec,
    RecordState,
    RecordStatus,
    WorkflowExecution,
    WorkflowRecord,
)
from reconciler.core.definitions import Outline
from reconciler.core.names import SOURCE_LABEL

SPEC_HASH = "kubernaut.ai/spec-hash"
CONTROLS_HASH = "kubernaut.ai/controls-hash"
DEFINITION = "kubernaut.ai/definition"

MAX_CONTENTS = 20
DELETED = "Deleted"  # the result of a run whose object went before it was over


class Standing(Enum):
    """Of a workflow in its record. `DUE`: it may be planned once its uid stands there."""

    CREATED = auto()
    DUE = auto()
    WAITS = auto()
    HAD_ITS_RUN = auto()


@dataclass(frozen=True, slots=True)
class Ruling:
    """Where a workflow stands and why, for people.

    `blockers` of a DUE workflow are older runs of its document without a result: each must turn
    out to be over first.
    """

    standing: Standing
    why: str = ""
    blockers: tuple[RecordEntry, ...] = ()


# --- reading --------------------------------------------------------------------------------


def record_name(meta: Metadata) -> str:
    """Name of the record that a workflow's content stands in: its document's."""
    return meta.annotations.get(DEFINITION) or meta.name


def content_of(meta: Metadata) -> str:
    """The content that a workflow was applied with; empty when nobody says."""
    return meta.annotations.get(SPEC_HASH, "")


def entry_of(record: WorkflowRecord | None, content: str) -> RecordEntry | None:
    entries = record.contents if record else ()
    return next((entry for entry in entries if entry.content == content), None)


def running(entry: RecordEntry) -> bool:
    """Created and without a result: it may be at work, and one of a document is the most."""
    return entry.state is RecordState.CREATED and not entry.phase


def others_running(record: WorkflowRecord | None, uid: str) -> tuple[RecordEntry, ...]:
    """Runs of the document that may be at work in an object other than this one."""
    entries = record.contents if record else ()
    return tuple(entry for entry in entries if running(entry) and entry.uid != uid)


def ruling(record: WorkflowRecord | None, workflow: WorkflowExecution) -> Ruling:
    """Whether a workflow that has not started may be planned.

    `record` must have been read after the workflow: its entry is older than the object.
    """
    meta = workflow.metadata
    if record is not None and not same_source(record, meta):
        return Ruling(
            Standing.WAITS, f"the WorkflowRecord {record.metadata.name} is not its source's"
        )
    entry = entry_of(record, content_of(meta))
    if entry is not None and entry.state is RecordState.INTENDED:
        return _due(record, workflow)
    return _ruled(entry, meta.uid)


def _ruled(entry: RecordEntry | None, uid: str) -> Ruling:
    if entry is None:
        return Ruling(Standing.HAD_ITS_RUN, "no record says that this content is to run")
    if entry.state is RecordState.DROPPED:
        return Ruling(Standing.WAITS, "its content was replaced in git before it started")
    if running(entry) and entry.uid == uid:
        return Ruling(Standing.CREATED)
    return Ruling(Standing.HAD_ITS_RUN, why_over(entry))


def _due(record: WorkflowRecord | None, workflow: WorkflowExecution) -> Ruling:
    uid = workflow.metadata.uid
    if workflow.deleting:
        # Without a uid its content has not had its run: it is made again once this one is gone.
        return Ruling(Standing.WAITS, "it is being deleted")
    entries = record.contents if record else ()
    if any(entry.uid == uid and entry.phase for entry in entries):
        return Ruling(Standing.HAD_ITS_RUN, "this object has had its run under another content")
    return Ruling(Standing.DUE, blockers=others_running(record, uid))


def same_source(record: WorkflowRecord, meta: Metadata) -> bool:
    """Whether a record is still that of a workflow's source: hands may have been on its label."""
    return record.metadata.labels.get(SOURCE_LABEL) == meta.labels.get(SOURCE_LABEL)


def why_over(entry: RecordEntry) -> str:
    """For people: why a content does not run again."""
    if entry.state is RecordState.RECORDED:
        return "this content was recorded as run when the source was new to this cluster"
    return f"this content ran as {entry.run}{f', {entry.phase}' if entry.phase else ''}"


# --- writing --------------------------------------------------------------------------------


def new_record(
    definition: Outline, source: str, first: FirstContent | None = None
) -> WorkflowRecord:
    """The record of a document that has none. No owner: it outlives every run."""
    return WorkflowRecord(
        metadata=Metadata(
            name=definition.name, namespace=definition.namespace, labels={SOURCE_LABEL: source}
        ),
        spec=RecordSpec(kind=definition.kind, first=first),
    )


def first_content(definition: Outline, commit: str, now: datetime) -> FirstContent:
    """Of a record that is made for this content: that it is intended costs no second write."""
    return FirstContent(
        content=definition.content,
        run=definition.run,
        commit=commit,
        blob=definition.blob,
        intended_at=now,
        reading=reading_of(definition),
    )


def reading_of(definition: Outline) -> Reading | None:
    """What a document says; None where not all of its file could be read."""
    if not definition.documents:
        return None
    return Reading(
        blob=definition.blob,
        line=definition.line,
        documents=definition.documents,
        kind=definition.kind,
        content=definition.content,
        controls=definition.controls,
        concurrency=definition.concurrency,
        history=definition.history,
    )


def read_as(record: WorkflowRecord, reading: Reading | None) -> WorkflowRecord:
    """The record with another reading, or with none: its file is parsed then."""
    return _with_status(record, record.contents, reading)


def intended(record: WorkflowRecord, definition: Outline, commit: str) -> WorkflowRecord:
    """The record before the object is made; the very same one when it says so already.

    A content that was dropped is current again; one that is created in an object that has not
    started, and is being given back to it, keeps its uid. One that is intended still is so by
    this commit: the write makes a run of an older one, about to drop it, lose.
    """
    record = superseded(record, definition.content)
    entry = entry_of(record, definition.content)
    if entry is not None and entry.state not in (RecordState.DROPPED, RecordState.INTENDED):
        return record
    wanted = _new_entry(definition, RecordState.INTENDED, commit)
    return _with(record, (wanted, *_others(record, definition.content)))


def _new_entry(definition: Outline, state: RecordState, commit: str) -> RecordEntry:
    return RecordEntry(
        content=definition.content,
        state=state,
        run=definition.run,
        commit=commit,
        blob=definition.blob,
    )


def _others(record: WorkflowRecord, content: str) -> Iterable[RecordEntry]:
    return (each for each in record.contents if each.content != content)


def adopted(record: WorkflowRecord, definition: Outline, commit: str, uid: str) -> WorkflowRecord:
    """The record before a run is taken over that started elsewhere: it is this content's run."""
    record = superseded(record, definition.content)
    entry = _new_entry(definition, RecordState.CREATED, commit).model_copy(update={"uid": uid})
    stands = entry_of(record, definition.content)
    if stands is not None and stands.state is RecordState.CREATED:
        return record
    return _with(record, (entry, *_others(record, definition.content)))


def recorded(record: WorkflowRecord, definition: Outline, commit: str) -> WorkflowRecord:
    """The record of a source that is new to the cluster: this content counts as run."""
    record = superseded(record, definition.content)
    stands = entry_of(record, definition.content)
    if stands is not None and stands.state in (RecordState.CREATED, RecordState.RECORDED):
        return record
    entry = _new_entry(definition, RecordState.RECORDED, commit)
    return _with(record, (entry, *_others(record, definition.content)))


def superseded(record: WorkflowRecord, current: str = "") -> WorkflowRecord:
    """Without intentions but for the current content: what was replaced never starts."""
    dropped = {"state": RecordState.DROPPED}
    return _with(
        record,
        (
            entry.model_copy(update=dropped)
            if entry.state is RecordState.INTENDED and entry.content != current
            else entry
            for entry in record.contents
        ),
    )


def admitted(record: WorkflowRecord, workflow: WorkflowExecution) -> WorkflowRecord:
    """The record just before the first plan: this content is created, in this object.

    An object has one content: another one that it was created with, and that did not start,
    is replaced.
    """
    meta = workflow.metadata
    content = content_of(meta)
    update = {"state": RecordState.CREATED, "uid": meta.uid, "run": meta.name}
    return _with(
        record,
        (
            entry.model_copy(update=update) if entry.content == content else entry
            for entry in record.contents
            if entry.content == content or entry.uid != meta.uid
        ),
    )


def result(entry: RecordEntry, workflow: WorkflowExecution | None) -> RecordEntry | None:
    """The entry with its result, from its object as read by name; None while that is at work.

    No object, or a namesake with another uid: it is gone, and whatever it did is not done again.
    """
    if workflow is None or workflow.metadata.uid != entry.uid:
        return entry.model_copy(update={"phase": DELETED})
    status = workflow.status
    if not status.settled:
        return None
    return entry.model_copy(
        update={
            "phase": status.phase.value or Phase.FAILED.value,
            "progress": status.progress,
            "start_time": status.execution_start_time,
            "end_time": status.execution_end_time,
        }
    )


def with_result(record: WorkflowRecord, told: RecordEntry) -> WorkflowRecord:
    """The record with a result that it lacks; a result that stands there is never changed."""
    return _with(
        record,
        (told if running(entry) and entry.uid == told.uid else entry for entry in record.contents),
    )


def _with(record: WorkflowRecord, entries: Iterable[RecordEntry]) -> WorkflowRecord:
    return _with_status(record, _bounded(tuple(entries)), record.reading)


def _with_status(
    record: WorkflowRecord, contents: tuple[RecordEntry, ...], reading: Reading | None
) -> WorkflowRecord:
    """The very same record where nothing of it changes."""
    if (contents, reading) == (record.contents, record.reading):
        return record
    status = RecordStatus(
        observed_generation=record.metadata.generation, contents=contents, reading=reading
    )
    return record.model_copy(update={"status": status})


def _bounded(entries: tuple[RecordEntry, ...]) -> tuple[RecordEntry, ...]:
    """The newest; one that may be at work is never forgotten, or a second would start beside it."""
    excess = len(entries) - MAX_CONTENTS
    kept: list[RecordEntry] = []
    for entry in reversed(entries):
        if excess > 0 and not running(entry):
            excess -= 1
        else:
            kept.append(entry)
    return tuple(reversed(kept))
