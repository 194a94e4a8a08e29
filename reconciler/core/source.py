"""A source at one moment: its head, and everything else that was read of it.

The head says how far the applies of a commit came; its write, by the resourceVersion that was read,
is the fence of a run's applies (contract 5). Decisions here are values: no I/O, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from reconciler.core.api import (
    Metadata,
    WorkflowExecution,
    WorkflowRecord,
    instant_or_none,
    rfc3339,
)
from reconciler.core.definitions import DUPLICATE, Definitions
from reconciler.core.signer import Signer

CHECKED_EVERY = timedelta(hours=1)  # how often a source that stands still is looked at again

Key = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """One source, as the flags state it. `namespace` None means all; `release` is our version.

    `paths` empty means the whole repository. The head lives in `state_namespace`. `moved` accepts
    a head that names another URL or other paths; `record` starts nothing of a source that is new
    to the cluster; `adopt` takes over objects that are not of this source; `prune` deletes runs
    whose document left git. `cluster` is this one's name, empty where nobody gave it one.
    """

    name: str
    url: str
    paths: tuple[str, ...] = ()
    namespace: str | None = None
    state_namespace: str = "default"
    release: str = ""
    moved: bool = False
    record: bool = False
    adopt: bool = False
    prune: bool = False
    cluster: str = ""

    @property
    def flags(self) -> str:
        """Flags that change what is applied: with others a commit is applied anew."""
        told = f"namespace={self.namespace or '*'}{',prune' if self.prune else ''}"
        return f"{told},cluster={self.cluster}" if self.cluster else told


# --- the head -------------------------------------------------------------------------------


class HeadState(StrEnum):
    """How far the commit in work came."""

    RECORDING = "recording"  # of a source new to the cluster, which starts nothing until all is in
    APPLYING = "applying"  # fenced: an apply may still be on its way, now or in a run that sleeps
    REACHED = "reached"  # every apply was answered, and something is still to come
    WHOLE = "whole"  # nothing is left that this commit can change


@dataclass(frozen=True, slots=True)
class Head:
    """The ConfigMap `reconciler-source-<source>`; no `version` (resourceVersion): not there yet.

    `commit` is the one in work, last brought to an end with `flags` and by `release`, and `whole`
    the one last applied whole.
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

    @property
    def new(self) -> bool:
        return not self.version

    @property
    def unfinished(self) -> bool:
        return self.state is HeadState.APPLYING

    def due(self, now: datetime) -> bool:
        """Whether the hourly look is due; a check in the future is another clock's."""
        return self.checked is None or not timedelta(0) <= now - self.checked < CHECKED_EVERY

    def of(self, settings: SourceSettings) -> bool:
        """Whether it was written for this URL and these paths; a new one is anybody's."""
        return self.new or (self.url, self.paths) == (settings.url, _sorted(settings.paths))

    def stands(self, settings: SourceSettings) -> bool:
        """Whether the commit in work was applied whole, with these flags and by this release."""
        return (
            self.state is HeadState.WHOLE
            and self.of(settings)
            and self.whole == self.commit
            and self.reads_as(settings)
        )

    def reads_as(self, settings: SourceSettings) -> bool:
        """Whether what was read of a file holds still: with these flags and by this release."""
        return (self.flags, self.release) == (settings.flags, settings.release)

    def fenced(self, settings: SourceSettings, commit: str, now: datetime) -> "Head":
        """The fence: from its write on, no run that read the head before may apply."""
        return replace(
            self,
            url=settings.url,
            paths=_sorted(settings.paths),
            commit=commit,
            state=HeadState.APPLYING,
            checked=now,
            # Other flags may read a file otherwise: until these have come to an end, nobody knows.
            flags=self.flags if self.reads_as(settings) else "",
            release=self.release if self.reads_as(settings) else "",
        )

    def closed(
        self, settings: SourceSettings, commit: str, now: datetime, state: HeadState
    ) -> "Head":
        """After the applies, or instead of them when there is nothing to send."""
        head = replace(self.fenced(settings, commit, now), state=state)
        if state is HeadState.RECORDING:
            return head
        whole = commit if state is HeadState.WHOLE else self.whole
        return replace(head, whole=whole, flags=settings.flags, release=settings.release)

    @property
    def doubtful(self) -> bool:
        """Written by a run that could not look at all that it should have."""
        return not (self.new or self.flags or self.unfinished)

    def doubted(self) -> "Head":
        """As though all had been read with other flags: the next run parses every file."""
        state = HeadState.REACHED if self.state is HeadState.WHOLE else self.state
        return replace(self, state=state, flags="", release="")

    def data(self) -> dict[str, str]:
        """As the ConfigMap holds it."""
        return {
            "url": self.url,
            "paths": "\n".join(self.paths),
            "commit": self.commit,
            "state": self.state.value,
            "whole": self.whole,
            "flags": self.flags,
            "version": self.release,
            "checked": rfc3339(self.checked) if self.checked else "",
        }


def head_name(source: str) -> str:
    return f"reconciler-source-{source}"


def read_head(name: str, data: Mapping[str, str], uid: str, version: str) -> Head:
    """The head as it is stored.

    Raises:
        ValueError: it is not what we write, told for people.
    """
    missing = [key for key in Head(name).data() if key not in data]
    if missing:
        raise ValueError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    if data["state"] not in set(HeadState):
        raise ValueError(f"state is {data['state'][:32]!r}, not one of {', '.join(HeadState)}")
    return Head(
        name=name,
        url=data["url"],
        paths=tuple(data["paths"].splitlines()),
        commit=data["commit"],
        state=HeadState(data["state"]),
        whole=data["whole"],
        flags=data["flags"],
        release=data["version"],
        checked=instant_or_none(data["checked"]),
        uid=uid,
        version=version,
    )


def _sorted(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(paths))


# --- what was read --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not read: it counts as a document that is refused."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class SourceView:
    """Everything that stage 3 decides on, all of it read before the fence.

    `idle`: the ref is at the whole commit and nothing is due; nothing else was read then.
    `due`: an hour has passed since the last look, so the records are looked after too.
    `rewritten`: the commit is known not to descend from the one that the head names.
    `objects` and `records` are by namespace and name. `unsettled` is read when an unfinished
    fence, a doubtful head or the hourly look asks for it; `at` is the server's time of that list.
    `invalid` counts the documents behind the problems. `parsed` are the blobs of the files that
    were parsed; the records told of the others. `elapsed` is how long the run had been at work by
    then: at `at`, or where that is not known, at `now`.
    """

    settings: SourceSettings
    head: Head
    commit: str
    now: datetime
    idle: bool = False
    due: bool = False
    committed_at: datetime | None = None
    signer: Signer | None = None
    rewritten: bool = False
    definitions: Definitions = field(default_factory=lambda: Definitions((), ()))
    invalid: int = 0
    parsed: frozenset[str] = frozenset()
    objects: Mapping[Key, Metadata] = field(default_factory=lambda: MappingProxyType({}))
    records: Mapping[Key, WorkflowRecord] = field(default_factory=lambda: MappingProxyType({}))
    unsettled: tuple[WorkflowExecution, ...] = ()
    at: datetime | None = None
    elapsed: timedelta = timedelta(0)

    @property
    def recording(self) -> bool:
        """The source is new to this cluster, and what it states counts as run."""
        return self.settings.record and (self.head.new or self.head.state is HeadState.RECORDING)

    @property
    def retiring(self) -> bool:
        """Whether deletions are due: of a new commit or with new flags, after a crash, hourly."""
        stood = self.head.commit == self.commit and self.head.flags == self.settings.flags
        return self.due or self.head.unfinished or not stood

    @property
    def began(self) -> datetime:
        """When the run began, by the server's clock where that is known; whole seconds."""
        return ((self.at or self.now) - self.elapsed).replace(microsecond=0)

    @property
    def first(self) -> bool:
        """No head has named this commit yet, so its Events are still to be told."""
        return self.head.commit != self.commit

    @property
    def gone(self) -> tuple[WorkflowRecord, ...]:
        """Records whose document is in git no more.

        None while any document is bad: which one it is, nobody can say then.
        """
        if self.definitions.problems:
            return ()
        stated = self.definitions.names
        return tuple(record for key, record in self.records.items() if key not in stated)

    @property
    def misread(self) -> tuple[WorkflowRecord, ...]:
        """Records whose file holds no such document to these flags and this release.

        Theirs is taken back, or the next commit would believe it. Of two documents of one name
        nobody knows what each would say alone.
        """
        told = self.definitions
        stated = {(each.namespace, each.name) for each in told.definitions}
        stated |= {
            (each.namespace, each.name) for each in told.problems if each.reason == DUPLICATE
        }
        return tuple(
            record
            for key, record in self.records.items()
            if record.reading is not None
            and record.reading.blob in self.parsed
            and key not in stated
        )
