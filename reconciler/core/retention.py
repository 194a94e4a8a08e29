"""Prune, history limits and TTL: which runs of a source may be deleted, and why (contract 5, I8).

No I/O and no clock. Nothing else deletes a run. One goes only when its record says that it is over,
or that it never started; then its object is looked at whole, and it has the last word.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from reconciler.core.api import Metadata, RecordState, WorkflowRecord
from reconciler.core.bodies import TTL
from reconciler.core.outcome import Rule
from reconciler.core.records import MAX_CONTENTS, content_of, entry_of, record_name
from reconciler.core.source import Key, SourceView
from reconciler.core.verdicts import Live

Records = Mapping[Key, WorkflowRecord]


@dataclass(frozen=True, slots=True)
class Departure:
    """A run that may go, by what was listed; `why` is for people.

    `dropped`: its content was replaced before it started, so its object must not have started.
    """

    meta: Metadata
    rule: Rule
    why: str
    dropped: bool = False

    @property
    def key(self) -> Key:
        return (self.meta.namespace, self.meta.name)


@dataclass(frozen=True, slots=True)
class Departures:
    """Who may go, once each; `held` says why nothing is pruned though something could be."""

    items: tuple[Departure, ...] = ()
    held: str = ""


def departures(view: SourceView, records: Records) -> Departures:
    """By the records as this run has written them; empty when nothing is due."""
    if view.recording or not view.retiring:
        return Departures()
    gone = _gone(view)
    held = _held(view, gone) if view.settings.prune and gone else ""
    found: dict[Key, Departure] = {}
    for each in (
        *(_pruned(gone, records) if view.settings.prune and not held else ()),
        *_beyond_history(view, records),
        *_expired(view, records),
    ):
        found.setdefault(each.key, each)
    return Departures(tuple(found.values()), held)


def leaves(view: SourceView, departure: Departure, seen: Live | None) -> bool:
    """Whether its object, as it was read whole, may be deleted."""
    if seen is None or seen.deleting or seen.source != view.settings.name:
        return False
    if (seen.uid, seen.content) != (departure.meta.uid, content_of(departure.meta)):
        return False
    if departure.dropped:
        return not seen.started
    if not seen.settled or too_early(view, seen):
        return False
    return departure.rule is not Rule.TTL or _over_since(view, seen)


def too_early(view: SourceView, seen: Live) -> bool:
    """Whether it settled in this run: it goes in a later one."""
    return seen.settled and seen.ended is not None and seen.ended >= view.began


def _over_since(view: SourceView, seen: Live) -> bool:
    if view.at is None or seen.ended is None or seen.ttl is None:
        return False
    return view.at - seen.ended >= timedelta(seconds=seen.ttl)


# --- the three rules ------------------------------------------------------------------------


def _gone(view: SourceView) -> tuple[Metadata, ...]:
    """Objects whose document is not in git, over or not."""
    stated = view.definitions.names
    return tuple(meta for meta in view.objects.values() if _document(meta) not in stated)


def _held(view: SourceView, gone: Sequence[Metadata]) -> str:
    """Why nothing is pruned; empty when it may be."""
    stated, total = view.definitions, len(view.objects)
    rows = (
        (
            view.head.new or not view.head.of(view.settings),
            "the source is new here, or has moved: what is left of it is looked at first",
        ),
        (bool(stated.problems), "a document could not be read, and nobody can say which it is"),
        (not stated.outlines, "the source holds no document for this cluster"),
        (
            2 * len(gone) > total,
            f"{len(gone)} of its {total} objects would go, more than half: go in smaller steps",
        ),
    )
    return next((why for holds, why in rows if holds), "")


def _pruned(gone: Sequence[Metadata], records: Records) -> Iterator[Departure]:
    for meta in gone:
        record = records.get(_document(meta))
        dropped = _dropped(record, meta)
        if dropped or _over(record, meta):
            yield Departure(meta, Rule.PRUNE, "its document left git", dropped)


def _beyond_history(view: SourceView, records: Records) -> Iterator[Departure]:
    """Settled runs of superseded contents, the oldest first to go."""
    runs: defaultdict[Key, list[Metadata]] = defaultdict(list)
    for meta in view.objects.values():
        runs[_document(meta)].append(meta)
    for definition in view.definitions.outlines:
        document = (definition.namespace, definition.name)
        record = records.get(document)
        older = [
            meta
            for meta in runs[document]
            if meta.name != definition.run
            and content_of(meta) != definition.content
            and _over(record, meta)
        ]
        older.sort(key=lambda meta: _age(record, meta))
        for meta in older[definition.history :]:
            why = f"runPolicy.history keeps {definition.history} older runs"
            yield Departure(meta, Rule.HISTORY, why)


def _expired(view: SourceView, records: Records) -> Iterator[Departure]:
    """By the server's time alone: without it nothing expires in this run."""
    if view.at is None:
        return
    for meta in view.objects.values():
        ttl = meta.annotations.get(TTL, "")
        record = records.get(_document(meta))
        if not ttl.isdecimal() or not _over(record, meta):
            continue
        entry = entry_of(record, content_of(meta))
        ended = entry.end_time if entry and entry.uid == meta.uid else None
        if ended is None or view.at - ended >= timedelta(seconds=int(ttl[:12])):
            yield Departure(meta, Rule.TTL, f"it settled more than {ttl} seconds ago")


# --- what a record says of an object --------------------------------------------------------


def _document(meta: Metadata) -> Key:
    return (meta.namespace, record_name(meta))


def _over(record: WorkflowRecord | None, meta: Metadata) -> bool:
    """Whether the record keeps this content from running again, with a result.

    Without a record that does, the object is all that is known of its run. One that the record has
    no room for any more was over when it was forgotten.
    """
    entry = entry_of(record, content_of(meta))
    if entry is None:
        return record is not None and len(record.contents) >= MAX_CONTENTS
    return entry.state is RecordState.RECORDED or bool(entry.phase)


def _dropped(record: WorkflowRecord | None, meta: Metadata) -> bool:
    entry = entry_of(record, content_of(meta))
    return entry is not None and entry.state is RecordState.DROPPED


def _age(record: WorkflowRecord | None, meta: Metadata) -> tuple[int, float]:
    """Sorts the newest first: in the order of the record, then what it has forgotten, by time."""
    contents = record.contents if record else ()
    place = next(
        (at for at, entry in enumerate(contents) if entry.content == content_of(meta)),
        MAX_CONTENTS,
    )
    made = meta.creation_timestamp
    return place, -made.timestamp() if made else 0.0
