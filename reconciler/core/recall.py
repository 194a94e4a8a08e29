"""What the records tell of files that have not changed, so that they are not parsed (contract 5).

Believed only where it says that nothing is to be done: what is sent, or looked at whole, was parsed
in the same run. So a reading that is wrong can keep something from running, and starts nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from reconciler.core.api import Metadata, Reading, RecordState, WorkflowRecord
from reconciler.core.definitions import Outline, run_of
from reconciler.core.records import entry_of
from reconciler.core.source import Key
from reconciler.core.verdicts import Todo, verdict

_BEGAN = (RecordState.CREATED, RecordState.RECORDED)

Records = Mapping[Key, WorkflowRecord]
Objects = Mapping[Key, Metadata]
Recalled = Mapping[str, tuple[Outline, ...]]  # by path


def recalled(
    files: Iterable[tuple[str, str]], records: Records, objects: Objects, *, adopt: bool
) -> Recalled:
    """Of the files, by path and blob, those whose every document the records know.

    A file counts as known when as many records name its blob as it holds documents, so one that
    holds a document for which there is no record, as a bad one, is parsed each time. What stands
    at two paths is parsed too: each claims the name.
    """
    stated = tuple(files)
    places = Counter(blob for _, blob in stated)
    named: defaultdict[str, list[tuple[WorkflowRecord, Reading]]] = defaultdict(list)
    for record in records.values():
        if record.reading is not None:
            named[record.reading.blob].append((record, record.reading))
    found: dict[str, tuple[Outline, ...]] = {}
    for path, blob in stated:
        told = named.get(blob, [])
        outlines = [
            outline
            for record, reading in told
            if reading.documents == len(told)
            and _rests(outline := _outline(record, reading, path), record, objects, adopt=adopt)
        ]
        if outlines and len(outlines) == len(told) and places[blob] == 1:
            found[path] = tuple(sorted(outlines, key=lambda each: each.line))
    return found


def _outline(record: WorkflowRecord, reading: Reading, path: str) -> Outline:
    namespace, name = record.key
    return Outline(
        kind=reading.kind,
        namespace=namespace,
        name=name,
        run=run_of(reading.kind, name, reading.content),
        content=reading.content,
        controls=reading.controls,
        path=path,
        line=reading.line,
        blob=reading.blob,
        documents=reading.documents,
        concurrency=reading.concurrency,
        history=reading.history,
    )


def _rests(outline: Outline, record: WorkflowRecord, objects: Objects, *, adopt: bool) -> bool:
    """Whether nothing of a document is to be done, by a content that has begun or never will."""
    entry = entry_of(record, outline.content)
    if entry is None or entry.state not in _BEGAN:
        return False
    if any(each.state is RecordState.INTENDED for each in record.contents):
        return False
    meta = objects.get((outline.namespace, outline.run))
    if meta is None and adopt:
        return False  # somebody else's object of that name may be there
    return verdict(outline, entry, meta).todo is Todo.LEAVE
