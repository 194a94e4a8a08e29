"""Of stage 3, before the fence: what the records of a source's documents are to hold (contract 5).

An order whose record does not allow it goes no further. Each write carries the resourceVersion that
was read, so a document has one order of events.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace

from reconciler.core.api import RecordEntry, RecordState, WorkflowRecord
from reconciler.core.definitions import Outline
from reconciler.core.names import SOURCE_LABEL
from reconciler.core.orders import Order, Sighting
from reconciler.core.records import (
    adopted,
    entry_of,
    first_content,
    intended,
    new_record,
    others_running,
    read_as,
    reading_of,
    recorded,
    superseded,
)
from reconciler.core.source import Key, SourceView
from reconciler.core.verdicts import forgotten, live, record_taken
from reconciler.errors import AlreadyExists, ClusterError, Refused
from reconciler.seams import Cluster

_log = logging.getLogger(__name__)


def record_of(view: SourceView, definition: Outline) -> WorkflowRecord | None:
    return view.records.get((definition.namespace, definition.name))


def entered(cluster: Cluster, view: SourceView, order: Order) -> Order:
    """The order once its record allows it; a document whose record does not is not applied."""
    try:
        record = record_of(view, order.definition)
        if record is not None:
            return _entered(cluster, view, order, record)
        return _first(cluster, view, order) if order.verdict.entry else order
    except Refused as error:
        return order.refused(str(error))
    except ClusterError as error:  # a conflict too: another run writes this record
        return order.postponed(str(error))


def tidied(cluster: Cluster, view: SourceView) -> tuple[Mapping[Key, WorkflowRecord], bool]:
    """All records as they are now, and whether no reading stands that its file contradicts.

    A document that left git before its run started: that run never starts. A run of an older
    commit may still be about to make it.
    """
    written = dict(view.records)
    gone = {record.key: superseded(record) for record in view.gone}
    misread = {record.key: read_as(gone.get(record.key, record), None) for record in view.misread}
    believed = True
    for key, record in {**gone, **misread}.items():
        if record is written[key]:
            continue
        try:
            written[key] = cluster.write_record(record)
        except ClusterError as error:
            believed = believed and key not in misread
            _log.info("%s/%s is dropped by the next run: %s", *key, error)
    return written, believed


def _first(cluster: Cluster, view: SourceView, order: Order) -> Order:
    """The order of a document without a record, or whose record's name is another source's.

    Of a commit that was seen before it is read first: an unchanged cluster is written nothing.
    """
    definition, source = order.definition, view.settings.name
    key = (definition.namespace, definition.name)
    found = None if view.first else cluster.record(*key)
    if found is not None:
        return _entered(cluster, view, order, found)
    intends = order.verdict.entry is RecordState.INTENDED
    first = first_content(definition, view.commit, view.now) if intends else None
    try:
        found = cluster.create_record(new_record(definition, source, first))
    except AlreadyExists:
        found = cluster.record(*key)
        if found is None or found.metadata.labels.get(SOURCE_LABEL) == source:
            raise  # it came after the records were listed: the next run reads them both
    return _entered(cluster, view, order, found)


def _entered(cluster: Cluster, view: SourceView, order: Order, record: WorkflowRecord) -> Order:
    if record.metadata.labels.get(SOURCE_LABEL) != view.settings.name:
        return order.ruled(record_taken(record))
    if record.forgetful and order.verdict.entry is not RecordState.RECORDED:
        return order.ruled(forgotten(record))
    if order.verdict.entry is RecordState.CREATED and others_running(record, order.uid):
        return order.postponed("it is taken over once the older runs of the document have settled")
    written = _written(order, record, view.commit)
    if written is not record or _outdated(view, record, order.definition):
        written = cluster.write_record(read_as(written, reading_of(order.definition)))
    entry = entry_of(written, order.definition.content)
    older = others_running(written, order.uid)
    waits = (
        order.verdict.entry is RecordState.INTENDED
        and entry is not None
        and entry.state is RecordState.INTENDED
        and bool(older)
    )
    if not waits or order.definition.concurrency != "Replace":
        return replace(order, queued=waits)
    at_work = [_at_work(cluster, order.definition.namespace, each) for each in older]
    return replace(order, queued=True, replaces=tuple(filter(None, at_work)))


def _written(order: Order, record: WorkflowRecord, commit: str) -> WorkflowRecord:
    definition = order.definition
    match order.verdict.entry:
        case RecordState.INTENDED:
            return intended(record, definition, commit)
        case RecordState.RECORDED:
            return recorded(record, definition, commit)
        case RecordState.CREATED:
            return adopted(record, definition, commit, order.uid)
        case _:
            return superseded(record, definition.content)


def _outdated(view: SourceView, record: WorkflowRecord, definition: Outline) -> bool:
    """A file says otherwise than its reading, as to another release; else none is worth a write."""
    said = record.reading
    return said is not None and said.blob in view.parsed and said != reading_of(definition)


def _at_work(cluster: Cluster, namespace: str, entry: RecordEntry) -> Sighting | None:
    """An older run that nobody has asked to end, as it is now; None where nothing is to be done."""
    raw = cluster.raw_workflow(namespace, entry.run)
    if raw is None:
        return None
    seen = live(raw)
    over = seen.uid != entry.uid or seen.settled or seen.deleting
    if over or seen.spec.get("cancel") is True:
        return None
    return Sighting((namespace, entry.run), seen.uid, seen.version)
