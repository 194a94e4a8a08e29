"""A source in memory: a ref, and the commits that it has stood at."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.core.signer import Signer
from reconciler.errors import SourceError
from reconciler.seams import Blob, SkippedFile, Snapshot
from tests.fakes.clock import START


class MemorySource:
    """Implements `seams.Source`; `trouble` is what every call fails with, `fetched` what was read.

    Names are as git makes them: a blob's follows from its content, a commit's from all it holds.
    """

    def __init__(self) -> None:
        self._commits: dict[str, Snapshot] = {}
        self._head = ""
        self._parents: dict[str, str] = {}
        self.trouble = ""
        self.fetched: list[str] = []
        self.verified: list[str] = []
        self.untrusted = ""  # why no signature is good, as once a key was revoked
        self.signer: Signer | None = None

    def commit(
        self,
        files: Mapping[str, str],
        *,
        at: datetime = START,
        skipped: tuple[SkippedFile, ...] = (),
    ) -> str:
        """A commit that holds exactly these files; the ref stands at it from now on."""
        blobs = tuple(
            Blob(path, _named("blob", text.encode()), text.encode())
            for path, text in sorted(files.items())
        )
        name = _named("commit", repr((self._head, blobs, at)).encode())
        self._commits[name] = Snapshot(name, at, blobs, skipped)
        self._parents[name] = self._head
        self._head = name
        return name

    def move(self, commit: str) -> None:
        """The ref to another commit, as a force push does."""
        self._head = commit

    def resolve(self) -> str:
        self._check()
        if not self._head:
            raise SourceError("the repository has no branch yet: push a first commit")
        return self._head

    def fetch(self, commit: str) -> Snapshot:
        self._check()
        if commit not in self._commits:
            raise SourceError(f"the commit {commit} is not there any more")
        self._check_signature()
        self.fetched.append(commit)
        return replace(self._commits[commit], signer=self.signer)

    def verify(self, commit: str) -> None:
        self._check()
        self._check_signature()
        self.verified.append(commit)

    def descends(self, commit: str, earlier: str) -> bool | None:
        if commit not in self._commits:
            return None
        above = commit
        while above and above != earlier:
            above = self._parents[above]
        return bool(above)

    def _check_signature(self) -> None:
        if self.untrusted:
            raise SourceError(self.untrusted)

    def _check(self) -> None:
        if self.trouble:
            raise SourceError(self.trouble)


def _named(kind: str, content: bytes) -> str:
    head = f"{kind} {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()
