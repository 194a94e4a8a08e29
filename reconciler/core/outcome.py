"""What one run comes to: `Outcome`, the numbers behind gauges, summary line and exit code.

`run.py` fills it, `gauges.py` turns it into gauges (contract 10), `app.py` ends with its exit code
(contract 7). Counting is the caller's: nothing here looks at a cluster or a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from reconciler.core.api import Phase, StepStatus


class Stage(StrEnum):
    """The stages that a run can time; the push cannot tell its own length."""

    LEASE = "lease"
    SOURCE = "source"
    APPLY = "apply"
    OBSERVE = "observe"
    DECIDE = "decide"
    RESERVE = "reserve"
    CREATE = "create"
    REPORT = "report"


class DocumentResult(StrEnum):
    """What became of one document of the source (contract 5); each counts under exactly one."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    QUEUED = "queued"
    ALREADY_RAN = "already-ran"
    RECORDED = "recorded"
    ELSEWHERE = "elsewhere"
    INVALID = "invalid"
    SPEC_IMMUTABLE = "spec-immutable"
    NAME_TAKEN = "name-taken"
    REFUSED = "refused"
    NOT_REACHED = "not-reached"


class Rule(StrEnum):
    """Why a run is deleted (I8); nothing else deletes one."""

    PRUNE = "prune"
    HISTORY = "history"
    TTL = "ttl"


class CreationError(StrEnum):
    """Why a child was not created. The first two are final, after the others it is tried again."""

    REFUSED = "CreationRefused"
    NAME_COLLISION = "NameCollision"
    FORBIDDEN = "Forbidden"
    UNREACHABLE = "Unreachable"


class ExitCode(IntEnum):
    """Contract 7. It speaks of the reconciler, never of the users' workflows."""

    DONE = 0
    REPORTED = 1
    USAGE = 2
    SOURCE = 3
    CLUSTER = 4
    BUG = 70


@dataclass(frozen=True, slots=True)
class Documents:
    """What reading the source told, and how many runs it deleted."""

    ref: str
    commit: str
    committed_at: datetime
    results: Mapping[DocumentResult, int] = field(default_factory=dict)
    deleted: Mapping[Rule, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """The workflows that were observed, and what the run did about them.

    `phases` and `steps` count the unsettled and those that settled in this run, as they stand at
    its end. Durations and ages are seconds.
    """

    phases: Mapping[Phase, int] = field(default_factory=dict)
    steps: Mapping[StepStatus, int] = field(default_factory=dict)
    slots_limit: int = 0
    slots_used: int = 0
    ready_waiting: int = 0
    created: int = 0
    creation_errors: Mapping[CreationError, int] = field(default_factory=dict)
    step_durations: tuple[float, ...] = ()
    oldest_unsettled: float = 0.0
    conflicts: int = 0
    not_reached: int = 0
    last_failure: datetime | None = None
    commit_to_first_step: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run, at its end.

    `ended` is the node's time. `held_elsewhere`: somebody else holds the Lease. `observed`: every
    list of the run was read to its end, so `work` is the whole truth. `source_ready` is None for a
    run without a source, and `documents` None when none were read. `admits`: new runs of the source
    may be planned, but for those that are `unanswered`. `reported` counts what was told to people
    as wrong: refused documents, failed workflows.
    """

    ended: datetime
    seconds: float
    held_elsewhere: bool = False
    observed: bool = False
    truncated: bool = False
    paused: bool = False
    bug: bool = False
    cluster_failed: bool = False
    source_ready: bool | None = None
    documents: Documents | None = None
    admits: bool = True
    unanswered: frozenset[tuple[str, str]] = frozenset()
    work: Work = field(default_factory=Work)
    reported: int = 0
    strict: bool = False
    stage_seconds: Mapping[Stage, float] = field(default_factory=dict)
    requests: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """The first of 70, 4, 3, 1 that holds, else 0."""
        rows = (
            (self.bug, ExitCode.BUG),
            (self.cluster_failed, ExitCode.CLUSTER),
            (self.source_ready is False, ExitCode.SOURCE),
            (self.strict and self.reported > 0, ExitCode.REPORTED),
        )
        return next((code for holds, code in rows if holds), ExitCode.DONE)

    def after(self, earlier: "Outcome") -> "Outcome":
        """This pass as the last of its run: what went wrong in an earlier one stays true."""
        return replace(
            self,
            bug=self.bug or earlier.bug,
            cluster_failed=self.cluster_failed or earlier.cluster_failed,
            source_ready=False if earlier.source_ready is False else self.source_ready,
            reported=self.reported + earlier.reported,
        )

    @property
    def succeeded(self) -> bool:
        """Whether `last_success` moves: the whole of the work was done."""
        return self.exit_code is ExitCode.DONE and self.observed and not self.truncated

    @property
    def summary(self) -> str:
        """The one line that a run ends with (contract 9)."""
        if self.held_elsewhere:
            done = ["nothing done: another run holds the Lease"]
        elif not self.observed:
            done = [*_told(self.documents), "the workflows were not observed"]
        else:
            done = [*_told(self.documents), *_done(self.work)]
        paused = ["paused"] if self.paused else []
        cut = ["cut short, what is left is the next run's"] if self.truncated else []
        return "; ".join([*paused, *cut, *done, f"{self.seconds:.1f}s"])


def _told(documents: Documents | None) -> list[str]:
    if documents is None:
        return []
    gone = [f"deleted: {_counted(documents.deleted)}"] if any(documents.deleted.values()) else []
    return [f"commit {documents.commit[:10]}", f"documents: {_counted(documents.results)}", *gone]


def _done(work: Work) -> list[str]:
    errors = sum(work.creation_errors.values())
    refused = f", {errors} not to be created" if errors else ""
    return [f"workflows: {_counted(work.phases)}", f"steps: {work.created} created{refused}"]


def _counted(
    counts: Mapping[Phase, int] | Mapping[DocumentResult, int] | Mapping[Rule, int],
) -> str:
    told = [f"{count} {name or 'new'}" for name, count in counts.items() if count]
    return ", ".join(told) or "none"
