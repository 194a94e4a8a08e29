"""Stage 2: the head of the source, its objects and records, then the commit (contract 5).

Everything that stage 3 compares is read before the fence, in the order that keeps it honest.
Nothing is written here, and nothing of a source that stands still is read but the head and the ref.
"""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from reconciler import manifests
from reconciler.core.definitions import Definitions, Document, Problem, read
from reconciler.core.recall import Objects, Recalled, Records, recalled
from reconciler.core.source import Head, SourceSettings, SourceView, head_name, read_head
from reconciler.errors import ClusterError, SourceError, UsageError
from reconciler.seams import Cluster, Scope, Snapshot, Source, Workflows, World

_log = logging.getLogger(__name__)

_NOTHING: Recalled = MappingProxyType({})


def read_source(world: World, settings: SourceSettings) -> SourceView:
    """What stage 3 needs; `idle` when the ref stands at the whole commit and no look is due.

    Only for a world with a source. With --interval it is called again in each pass.

    Raises:
        UsageError: the head names another URL or other paths, and --source-moved was not given.
        SourceError: the head, the repository or the ref could not be read.
        ClusterError: a list of the source's objects or records was refused or not answered.
        DeadlinePassed: stages 2 to 8 are over.
    """
    source = world.source
    if source is None:
        raise UsageError("there is no source to read: state --source-url")
    head = _head(world.cluster, settings)
    _refuse_another(head, settings)
    now = world.clock.now()
    if head.stands(settings) and not head.due(now):
        world.deadline.check()
        commit = source.resolve()
        if commit == head.commit:
            world.deadline.check()
            source.verify(commit)  # a key that was revoked since stops this run
            return SourceView(settings, head, commit, now, idle=True)
    return _whole_view(world, settings, source, head, now)


def at_the_fence(world: World, settings: SourceSettings) -> bool:
    """Whether somebody's applies may still be on their way: all that a shard asks of its source.

    The first shard reads the source. While it is at it, what is intended may be about to be taken
    back, and the others let it wait.

    Raises:
        SourceError: the head could not be read.
    """
    return _head(world.cluster, settings).unfinished


def _whole_view(
    world: World, settings: SourceSettings, source: Source, head: Head, now: datetime
) -> SourceView:
    """Head, objects, records, ref, in this order.

    Objects after the head: whoever applied after they were listed has written the head since, and
    the fence fails. Records after the objects: an object's entry is older than the object. The ref
    after the records, though it may have been resolved before: a run that overwrites what
    another one intended has then seen a commit at least as new.
    """
    cluster, scope = world.cluster, Scope(settings.namespace, settings.name)
    due, elapsed = head.due(now), world.deadline.elapsed
    objects = {(each.namespace, each.name): each for each in cluster.source_workflows(scope)}
    looks = due or head.unfinished or head.doubtful
    listed = cluster.workflows(scope) if looks else Workflows(())
    if listed.at is not None:
        elapsed = world.deadline.elapsed
    records = {record.key: record for record in cluster.records(scope)}
    world.deadline.check()
    commit = source.resolve()
    world.deadline.check()
    snapshot = source.fetch(commit)
    known = _known(snapshot, settings, head, records, objects)
    definitions, invalid = _definitions(snapshot, settings, known)
    if len(definitions.recalled) != sum(len(each) for each in known.values()):
        # Two of one name, one of them in a file that was not parsed: told by what the files say.
        known = _NOTHING
        definitions, invalid = _definitions(snapshot, settings, known)
    _log.info("%d of %d files were parsed", len(snapshot.files) - len(known), len(snapshot.files))
    return SourceView(
        settings,
        head,
        commit,
        now,
        due=due,
        committed_at=snapshot.committed_at,
        signer=snapshot.signer,
        rewritten=_rewritten(source, head, settings, commit),
        definitions=definitions,
        invalid=invalid,
        parsed=frozenset(file.blob for file in snapshot.files if file.path not in known),
        objects=objects,
        records=records,
        unsettled=listed.items,
        at=listed.at,
        elapsed=timedelta(seconds=elapsed),
    )


def _rewritten(source: Source, head: Head, settings: SourceSettings, commit: str) -> bool:
    """Whether the ref went anywhere but forward since the head was written; asked when it moved."""
    if head.commit in ("", commit) or head.url != settings.url:
        return False
    known = source.descends(commit, head.commit)
    if known is None:
        _log.info("whether %s descends from %s could not be told", commit, head.commit)
    return known is False


def _head(cluster: Cluster, settings: SourceSettings) -> Head:
    """The head as it is stored, or a new one where there is none."""
    name = head_name(settings.name)
    try:
        stored = cluster.config_map(name)
        if stored is None:
            return Head(name)
        return read_head(name, stored.data, stored.uid, stored.version)
    except ClusterError as error:
        raise SourceError(
            f"the head of the source, ConfigMap {name}, could not be read, so nothing new is "
            f"applied: {error}"
        ) from error
    except ValueError as error:
        raise SourceError(
            f"the head of the source, ConfigMap {name}, is not what the reconciler wrote, so "
            f"nothing new is applied: {error}. Restore it, or delete it: what has run stands in "
            "the WorkflowRecords and does not run again"
        ) from error


def _refuse_another(head: Head, settings: SourceSettings) -> None:
    if settings.moved or head.of(settings):
        return
    raise UsageError(
        f"the source {settings.name!r} was read from {_place(head.url, head.paths)} so far, and "
        f"now --source-url and --source-path say {_place(settings.url, settings.paths)}: give "
        "another source another --source-name, or accept the move once with --source-moved"
    )


def _place(url: str, paths: Sequence[str]) -> str:
    return f"{url} ({', '.join(sorted(paths)) or 'the whole repository'})"


def _known(
    snapshot: Snapshot, settings: SourceSettings, head: Head, records: Records, objects: Objects
) -> Recalled:
    """The files that need not be parsed; all are with other flags or by another release."""
    if not head.reads_as(settings):
        return _NOTHING
    files = ((file.path, file.blob) for file in snapshot.files)
    return recalled(files, records, objects, adopt=settings.adopt)


def _definitions(
    snapshot: Snapshot, settings: SourceSettings, known: Recalled = _NOTHING
) -> tuple[Definitions, int]:
    """All documents of the commit, and how many of them are refused; known files are not parsed.

    A file that was not read counts as one.
    """
    unread = [Problem(each.path, 1, each.why, reason="NotRead") for each in snapshot.skipped]
    count = 0

    def parsed() -> Iterator[Document]:
        """One file at a time: what is refused does not stay in memory."""
        nonlocal count
        for file in snapshot.files:
            if file.path in known:
                continue
            found, problems = manifests.documents(file.path, file.blob, file.data)
            count += len(found)
            unread.extend(problems)
            yield from found

    outlines = itertools.chain.from_iterable(known.values())
    told = read(parsed(), settings.namespace, settings.cluster, outlines)
    refused = count - len(told.definitions) - len(told.elsewhere)
    every = sorted((*unread, *told.problems), key=lambda problem: (problem.path, problem.line))
    return replace(told, problems=tuple(every)), len(unread) + refused
