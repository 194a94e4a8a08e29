"""A source at one moment: its head, what was read of it, and what each document calls for.

The head says how far the applies of a commit came; its write, by the resourceVersion that was read,
is the fence of a run's applies (contract 5). Decisions here are values: no I/O, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from reconciler.core.api import Metadata, WorkflowExecution, WorkflowRecord
from reconciler.core.definitions import Definitions

CHECKED_EVERY = timedelta(hours=1)  # how often a source that stands still is looked at again

Key = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """One source, as the flags state it. `namespace` None means all; `release` is our version.

    `paths` empty means the whole repository. `moved` accepts a head that names another URL.
    """

    name: str
    url: str
    paths: tuple[str, ...] = ()
    namespace: str | None = None
    release: str = ""
    moved: bool = False

    @property
    def flags(self) -> str:
        """Flags that change what is applied: with others a commit is applied anew."""
        return f"namespace={self.namespace or '*'}"


class HeadState(StrEnum):
    """How far the commit in work came."""

    APPLYING = "applying"  # fenced: an apply may still be on its way, now or in a run that sleeps
    REACHED = "reached"  # every apply was answered, and something is still to come
    WHOLE = "whole"  # nothing is left that this commit can change


@dataclass(frozen=True, slots=True)
class Head:
    """The ConfigMap `reconciler-source-<source>`; no `version` (resourceVersion): not there yet.

    `commit` is the one in work and `whole` the one last applied whole, with `flags` and `release`.
    """

    name: str
    url: str = ""
    paths: tuple[str, ...] = ()
    commit: str = ""
    state: HeadState = HeadState.REACHED
    whole: str = ""
    flags: str = ""
    release: str = ""
    checked: datetime | None = None
    uid: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class SourceView:
    """Everything that stage 3 decides on, all of it read before the fence.

    `idle`: the ref is at the whole commit and nothing is due; nothing else was read then.
    `due`: an hour has passed since the last look, so the records are looked after too.
    `first`: no head has named this commit yet, so its Events are still to be told.
    `objects` and `records` are by namespace and name. `unsettled` is only read after a fence that
    was left unfinished.
    """

    settings: SourceSettings
    head: Head
    commit: str
    now: datetime
    idle: bool = False
    due: bool = False
    committed_at: datetime | None = None
    definitions: Definitions = Definitions((), ())
    objects: Mapping[Key, Metadata] = field(default_factory=lambda: MappingProxyType({}))
    records: Mapping[Key, WorkflowRecord] = field(default_factory=lambda: MappingProxyType({}))
    unsettled: tuple[WorkflowExecution, ...] = ()

    @property
    def first(self) -> bool:
        return self.head.commit != self.commit
