"""Before the first plan of a workflow and after it settled: its WorkflowRecord (contract 5, I12).

A workflow of a source is planned only when its record holds its content as created with its own
uid. Nothing is remembered between two calls: each reads the record anew.
"""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.api import WorkflowExecution
from reconciler.core.source import SourceView
from reconciler.seams import Cluster


class Answer(StrEnum):
    MAY_PLAN = "MayPlan"
    WAITS = "Waits"
    ALREADY_RAN = "AlreadyRan"


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a workflow may be planned now; `why` is for people, empty when it may."""

    answer: Answer
    why: str = ""


def admit(cluster: Cluster, workflow: WorkflowExecution) -> Admission:
    """Asked before every plan of a workflow as it was listed; reads nothing once it has started.

    WAITS: leave it as it is, write nothing. ALREADY_RAN: end it with one status write
    (core.status.already_ran) by the resourceVersion that was listed. When the record's uid is due
    it is written here: a crash after that leaves an object that may be planned.

    Raises:
        Conflict: another run writes this record; the workflow is left to the next run.
        ClusterError, DeadlinePassed: as every call.
    """
    raise NotImplementedError


def conclude(cluster: Cluster, workflow: WorkflowExecution) -> None:
    """Writes the result of a workflow that has settled into its record, once.

    `workflow` is as its status write returned it. One without a source label has no record.

    Raises:
        Conflict: other runs write this record; whoever needs the result writes it later.
        ClusterError, DeadlinePassed: as every call.
    """
    raise NotImplementedError


def settle_records(cluster: Cluster, view: SourceView) -> int:
    """The hourly look, nothing unless `view.due`: results that a crash kept from being written; how many were.

    Heals what settled and was not recorded, and writes `Deleted` for what is gone.
    """
    raise NotImplementedError
