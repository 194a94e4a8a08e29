"""A git repository at one ref, as the Source of a run (contract 1, stage 2; contract 5).

The server resolves the ref; one commit is fetched into a fresh bare repository and read as objects.
There is no work tree, nothing is followed (symlinks, submodules, LFS), and nothing is kept. What
fails is a SourceError for people.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from reconciler.core.signer import Signer
from reconciler.errors import SourceError
from reconciler.git import ignored
from reconciler.git.command import Git, Limits
from reconciler.git.environment import DEFAULT_USERNAME, own_folder
from reconciler.git.messages import Told
from reconciler.git.remote import Credentials, Remote, full_commit
from reconciler.git.signatures import Trust, signer
from reconciler.git.tree import (
    Entry,
    TooManyError,
    choose,
    entries,
    missing,
    objects,
    read_blobs,
)
from reconciler.logs import Redactor
from reconciler.seams import Deadline, Snapshot

_HEAD = "refs/reconciler/head"
_PEELED = "^{}"
_COMMIT = "^{commit}"
# At most 11 digits: the year 5138. What is longer is no time that Python can hold.
_COMMITTER = re.compile(rb"^committer [^\n]*> ([0-9]{1,11}) [-+][0-9]{4}$", re.MULTILINE)
_SHORT_ID = re.compile(r"[0-9a-f]{7,39}")
_IN_PACK = re.compile(rb"^in-pack: ([0-9]{1,12})$", re.MULTILINE)
_SHA256_DIGITS = 64
_SHOWN_NAMES = 10
_MAX_COMMIT = 1 << 20
_MAX_HISTORY = 8 << 20
_BATCH_LINE = 128
_NO_LIMITS_GIVEN = Limits()
# How far back a commit is looked for. Most runs find it at once; the second look is for a history
# that was rewritten, and asks for commits alone: 50,000 are about 10 MB.
_NEAR = 100
_FAR = 50_000
_LOOKING_BACK = 10.0  # seconds for each command: it only tells, and must not use up the run
_ONLY_COMMITS = "--filter=tree:0"  # a server that does not know it sends all


class GitSource:
    """Implements seams.Source."""

    def __init__(
        self,
        remote: Remote,
        deadline: Deadline,
        limits: Limits = _NO_LIMITS_GIVEN,
        trust: Trust | None = None,
    ) -> None:
        self._remote = remote
        self._deadline = deadline
        self._limits = limits
        self._trust = trust
        self._name = ""  # the full name of the ref, once the server has told it

    def resolve(self) -> str:
        """The commit that the ref stands at now; an annotated tag stands at its commit.

        Raises:
            SourceError: no answer, no such ref, or a name that is a branch and a tag.
            DeadlinePassed: the run has no time left.
        """
        if self._remote.fixed:
            return self._remote.ref
        told = self._told()
        with self._git(told) as git:
            names = self._remote.names
            asked = (form for name in names for form in (name, name + _PEELED))
            found = self._advertised(git, *asked)
            held = [name for name in names if name in found]
            if not held:
                raise told.error(self._absent(git))
        if len(held) > 1:
            raise told.error(
                f"{self._remote.ref} is a branch and a tag: say {' or '.join(held)} with "
                "--source-ref"
            )
        self._name = held[0]
        return found.get(self._name + _PEELED, found[self._name])

    def fetch(self, commit: str) -> Snapshot:
        """The YAML files of that commit under the paths.

        Raises:
            SourceError: the commit or a path is not there, or a bound is passed.
            DeadlinePassed: the run has no time left.
        """
        told = self._told()
        with self._git(told) as git:
            head = self._take(git, commit, told)
            by = self._signer(git, commit, head, told)
            paths = self._remote.paths
            held = self._kept(git, self._listed(git, commit), told)
            absent = missing(held, paths)
            if absent:
                raise told.error(
                    f"the commit {commit} holds no {' and no '.join(absent)}: correct "
                    "--source-path; a folder that may be empty holds a .gitkeep"
                )
            try:
                chosen = choose(held, paths, self._limits)
            except TooManyError as error:
                raise told.error(str(error)) from None
            batch = _objects(git, *(entry.blob for entry in chosen.files), most=self._batch_bytes)
            blobs, unread = read_blobs(batch, chosen.files)
        skipped = sorted((*chosen.skipped, *unread), key=lambda each: each.path)
        return Snapshot(commit, _committed_at(head), tuple(blobs), tuple(skipped), by)

    def verify(self, commit: str) -> None:
        """That the commit, which was read before, is still signed by somebody who may.

        Nothing is asked where no signature is asked for.

        Raises:
            SourceError: it is not, or it could not be read.
            DeadlinePassed: the run has no time left.
        """
        if self._trust is None:
            return
        told = self._told()
        with self._git(told) as git:
            head = self._take(git, commit, told, _ONLY_COMMITS)
            self._signer(git, commit, head, told)

    def descends(self, commit: str, earlier: str) -> bool | None:
        """Whether the earlier commit is an ancestor; None where that cannot be told cheaply.

        Raises:
            DeadlinePassed: the run has no time left.
        """
        bounds = replace(self._limits, seconds=min(self._limits.seconds, _LOOKING_BACK))
        told = self._told()
        try:
            with self._git(told, bounds) as git:
                for depth in (_NEAR, _FAR):
                    self._take(git, commit, told, _ONLY_COMMITS, f"--depth={depth}")
                    history = git.run("rev-list", _HEAD, most=_MAX_HISTORY).decode("ascii").split()
                    if earlier in history:
                        return True
                    if git.run("rev-parse", "--is-shallow-repository") == b"false\n":
                        return False
                    if _packed(git) > len(history):
                        return None  # the server sent the files too: no further look
        except SourceError:  # not worth a run: what the ref says is applied all the same
            return None
        return None

    # --- the ref ----------------------------------------------------------------------------

    def _advertised(self, git: Git, *patterns: str) -> Mapping[str, str]:
        """Full names and ids that the server tells; a pattern matches the end of a name too."""
        printed = git.run("ls-remote", "--quiet", "--", self._remote.url, *patterns)
        lines = (line.partition("\t") for line in printed.decode("utf-8", "replace").splitlines())
        return {name: commit for commit, _, name in lines if full_commit(commit)}

    def _absent(self, git: Git) -> str:
        """Why the server told nothing about the ref, and what there is instead."""
        branches = sorted(
            name.removeprefix("refs/heads/") for name in self._advertised(git, "refs/heads/*")
        )
        if not branches:
            return "the repository has no branch yet: push a first commit"
        ref = self._remote.ref
        hint = " (a commit is named by its full id)" if _SHORT_ID.fullmatch(ref) else ""
        shown = ", ".join(branches[:_SHOWN_NAMES])
        left = len(branches) - _SHOWN_NAMES
        more = f" and {left} more" if left > 0 else ""
        return f"there is no {ref}{hint}: there are the branches {shown}{more}"

    # --- the commit -------------------------------------------------------------------------

    def _take(self, git: Git, commit: str, told: Told, *options: str) -> bytes:
        """Fetches the commit: by the name of its ref, which any server allows, else by its id.

        Its text, as git prints it. The ref may have moved since it was resolved: then its name
        brings another commit.
        """
        git.run("init", "--quiet", "--bare", "--template=", f"--object-format={_form(commit)}")
        for wanted in filter(None, (self._name, commit)):
            git.run(
                *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules"),
                *("--no-write-fetch-head", "--no-auto-maintenance", *options),
                *("--", self._remote.url, f"+{wanted}:{_HEAD}"),
            )
            head = _objects(git, _HEAD + _COMMIT, most=_MAX_COMMIT)
            if head.startswith(commit.encode("ascii")):
                return head
        raise told.error(f"{commit} is no commit")

    def _listed(self, git: Git, commit: str) -> tuple[Entry, ...]:
        """All files under the paths, and the file that says which of them are ignored."""
        paths = (*self._remote.paths, ignored.NAME) if self._remote.paths else ()
        return entries(
            git.run(
                *("ls-tree", "-r", "-z", "--long", "--full-tree", commit, "--", *paths),
                most=self._limits.listed_bytes,
            )
        )

    def _kept(self, git: Git, held: Sequence[Entry], told: Told) -> tuple[Entry, ...]:
        """What is not ignored."""
        listed = next((each for each in held if each.path == ignored.NAME), None)
        if listed is None:
            return tuple(held)
        if not listed.regular or listed.size > ignored.MAX_BYTES:
            raise told.error(
                f"{ignored.NAME} must be a regular file of at most {ignored.MAX_BYTES >> 10} KiB"
            )
        batch = _objects(git, listed.blob, most=ignored.MAX_BYTES + _BATCH_LINE)
        try:
            rules = ignored.Ignored(next(objects(batch), b""))
        except ignored.IgnoreError as error:
            raise told.error(str(error)) from None
        return tuple(each for each in held if each is not listed and each.path not in rules)

    def _signer(self, git: Git, commit: str, head: bytes, told: Told) -> Signer | None:
        return signer(git, commit, head, self._trust, told) if self._trust else None

    @property
    def _batch_bytes(self) -> int:
        """Room for the files and the line that `cat-file --batch` puts before each."""
        return self._limits.total_bytes + self._limits.files * _BATCH_LINE

    # --- where git runs ---------------------------------------------------------------------

    @contextmanager
    def _git(self, told: Told, limits: Limits | None = None) -> Iterator[Git]:
        try:
            with own_folder(self._remote, self._trust) as (folder, environment):
                yield Git(folder, environment, self._deadline, limits or self._limits, told)
        except OSError as error:
            raise told.error(
                f"no temporary folder can be used ({error.strerror}): set TMPDIR to one that can"
            ) from error

    def _told(self) -> Told:
        """The credentials are read here too: only what is known can be kept out of a message."""
        user, token = _secrets(self._remote.credentials)
        shown = f"{self._remote.url} at {self._remote.ref}"
        secrets = (token, f"{user}:{token}") if token else ()
        return Told(shown, self._remote.host, Redactor(secrets))


def _secrets(given: Credentials) -> tuple[str, str]:
    """User name and token, empty where there are none."""
    try:
        return (
            _first_line(given.username_file) if given.username_file else DEFAULT_USERNAME,
            _first_line(given.token_file) if given.token_file else "",
        )
    except OSError as error:
        raise SourceError(
            f"the file {error.filename} of --git-username-file or --git-token-file cannot be read: "
            f"{error.strerror}"
        ) from error


def _first_line(path: Path) -> str:
    """What git takes from an askpass program."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[0] if lines else ""


def _objects(git: Git, *names: str, most: int) -> bytes:
    """What `cat-file --batch` prints for the names; nothing for none."""
    if not names:
        return b""
    asked = "".join(f"{name}\n" for name in names)
    return git.run("cat-file", "--batch", "--buffer", given=asked.encode("ascii"), most=most)


def _packed(git: Git) -> int:
    """How many objects were fetched."""
    match = _IN_PACK.search(git.run("count-objects", "-v"))
    return int(match[1]) if match else 0


def _committed_at(head: bytes) -> datetime:
    """The committer's time; the epoch where a commit tells none."""
    match = _COMMITTER.search(head)
    return datetime.fromtimestamp(int(match[1]) if match else 0, UTC)


def _form(commit: str) -> str:
    """The object format of the repository that a commit id comes from."""
    return "sha256" if len(commit) == _SHA256_DIGITS else "sha1"
