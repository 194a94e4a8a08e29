"""Before the first plan of a workflow and after it settled: its WorkflowRecord (contract 5, I12).

A workflow of a source is planned only when its record holds its content as created with its own
uid. Nothing is remembered between two calls: each reads the record anew, and after the workflow.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from reconciler.core.api import RecordEntry, WorkflowExecution, WorkflowRecord
from reconciler.core.names import SOURCE_LABEL
from reconciler.core.records import (
    Standing,
    admitted,
    record_name,
    result,
    ruling,
    running,
    same_source,
    with_result,
)
from reconciler.core.source import Key, SourceView
from reconciler.errors import ClusterError, Conflict
from reconciler.seams import Cluster

_log = logging.getLogger(__name__)
T = TypeVar("T")

_ATTEMPTS = 3  # at a record that others write too


class Answer(StrEnum):
    MAY_PLAN = "MayPlan"
    WAITS = "Waits"
    ALREADY_RAN = "AlreadyRan"


_ANSWERS: Mapping[Standing, Answer] = {
    Standing.CREATED: Answer.MAY_PLAN,
    Standing.WAITS: Answer.WAITS,
    Standing.HAD_ITS_RUN: Answer.ALREADY_RAN,
}


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a workflow may be planned now; `why` is for people, empty when it may."""

    answer: Answer
    why: str = ""


def admit(cluster: Cluster, workflow: WorkflowExecution) -> Admission:
    """Asked before every plan of a workflow as it was listed; reads nothing once it has started.

    One that is Pending is asked about too: git may have given it another content since. WAITS:
    leave it as it is, write nothing. ALREADY_RAN: end it with one status write
    (core.status.already_ran) by the resourceVersion that was listed. When the record's uid is due
    it is written here: a crash after that leaves an object that may be planned.

    Raises:
        Conflict: other runs write this record; the workflow is left to the next run.
        ClusterError, DeadlinePassed: as every call.
    """
    if SOURCE_LABEL not in workflow.metadata.labels or workflow.status.phase.started:
        return Admission(Answer.MAY_PLAN)
    # A conflict is most likely with the result of its older run, written beside it.
    return _anew(lambda: _admit(cluster, workflow))


def _admit(cluster: Cluster, workflow: WorkflowExecution) -> Admission:
    """By the record as it is now."""
    meta = workflow.metadata
    record = cluster.record(meta.namespace, record_name(meta))
    found = ruling(record, workflow)
    if record is None or found.standing is not Standing.DUE:
        return Admission(_ANSWERS[found.standing], found.why)
    for older in found.blockers:
        # A crash, or a hand, may have kept its result from being written.
        told = result(older, cluster.workflow(meta.namespace, older.run))
        if told is None:
            return Admission(Answer.WAITS, f"it waits for {older.run} to settle")
        record = with_result(record, told)
    cluster.write_record(admitted(record, workflow))
    # a crash here: created and not planned; the next run finds its uid and plans it. Deleted
    # before that it counts as run, though nothing of it did: of the two mistakes the safe one.
    return Admission(Answer.MAY_PLAN)


def conclude(cluster: Cluster, workflow: WorkflowExecution) -> None:
    """Writes the result of a workflow that has settled into its record, once.

    `workflow` is as its status write returned it. One without a source label has no record. A
    result that a crash kept back is written by who needs it (`admit`), or by the hourly look.

    Raises:
        Conflict: other runs write this record; whoever needs the result writes it later.
        ClusterError, DeadlinePassed: as every call.
    """
    if SOURCE_LABEL in workflow.metadata.labels and workflow.status.settled:
        _anew(lambda: _conclude(cluster, workflow))


def _conclude(cluster: Cluster, workflow: WorkflowExecution) -> None:
    meta = workflow.metadata
    record = cluster.record(meta.namespace, record_name(meta))
    if record is None or not same_source(record, meta):
        return  # nobody's, or another source's: it is left alone
    own = (each for each in record.contents if running(each) and each.uid == meta.uid)
    entry = next(own, None)
    told = result(entry, workflow) if entry else None
    if told is not None:
        _write_result(cluster, record, told)


def settle_records(cluster: Cluster, view: SourceView) -> int:
    """The hourly look, nothing unless `view.due`: results that were not written; how many were.

    A crash may have kept them back; and of a run whose object is gone the result is `Deleted`.
    """
    if not view.due:
        return 0
    alive = {each.metadata.uid for each in view.unsettled}
    return sum(
        _settle(cluster, key, record, entry)
        for key, record in view.records.items()
        for entry in record.contents
        if running(entry) and entry.uid not in alive
    )


def _settle(cluster: Cluster, key: Key, listed: WorkflowRecord, entry: RecordEntry) -> bool:
    """By name, for a list may be older than the object; whoever wrote the result first wins."""

    def settled() -> bool:
        told = result(entry, cluster.workflow(key[0], entry.run))
        record = cluster.record(*key) if told else None
        if told is None or record is None or record.metadata.uid != listed.metadata.uid:
            return False
        return same_source(record, listed.metadata) and _write_result(cluster, record, told)

    try:
        return _anew(settled)
    except ClusterError as error:  # this one's alone (I11); the next look comes to it again
        _log.warning("the result of %s was not recorded: %s", entry.run, error)
        return False


def _write_result(cluster: Cluster, record: WorkflowRecord, told: RecordEntry) -> bool:
    written = with_result(record, told)
    if written is record:
        return False
    cluster.write_record(written)
    return True


def _anew(act: Callable[[], T]) -> T:
    """What `act` returns; after a conflict it reads the record again, and decides by that."""
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(Conflict):
            return act()
    return act()
