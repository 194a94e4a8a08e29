"""Stage 3: records, then the fence, then the applies, then `whole` (contract 5).

A run that loses the fence applies nothing. One document harms itself alone. Nothing is applied
that its record does not hold as intended, and nothing that was not read before the fence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core.outcome import DocumentResult
from reconciler.core.source import SourceView
from reconciler.seams import Event, World


@dataclass(frozen=True, slots=True)
class DocumentOutcome:
    """What became of one document, with file and line; `message` is empty when all is well."""

    result: DocumentResult
    path: str
    line: int
    namespace: str = ""
    name: str = ""
    message: str = ""

    @property
    def text(self) -> str:
        """For people: `path:line: namespace/name: message`."""
        who = "/".join(part for part in (self.namespace, self.name) if part)
        return ": ".join(part for part in (f"{self.path}:{self.line}", who, self.message) if part)


@dataclass(frozen=True, slots=True)
class Applied:
    """What stage 3 did.

    `results` counts every document once; empty when the source stood still (nothing was read).
    `events` regard the head and are due only now, after the writes they speak of.
    `lost`: another run was faster and nothing was applied. `whole`: the commit is done with.
    """

    commit: str
    results: Mapping[DocumentResult, int]
    outcomes: tuple[DocumentOutcome, ...] = ()
    events: tuple[Event, ...] = ()
    lost: bool = False
    whole: bool = False

    @property
    def problems(self) -> tuple[DocumentOutcome, ...]:
        """Documents that somebody should hear of."""
        return tuple(outcome for outcome in self.outcomes if outcome.message)


def apply_source(
    world: World, view: SourceView, *, paused: bool = False, dry_run: bool = False
) -> Applied:
    """Applies what changed. Paused: nothing is written. Dry run: the server's, and no other write.

    Raises:
        SourceError: the head could not be written; nothing was applied.
        ClusterError: no answer to the fence; nothing was applied.
        DeadlinePassed: what is left is the next run's.
    """
    raise NotImplementedError
