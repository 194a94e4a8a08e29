"""A GitSource as the tests of this folder build one: on the real clock, with time to spare."""

from collections.abc import Sequence

from reconciler.app import RealClock
from reconciler.git.command import Limits
from reconciler.git.remote import Credentials, Remote
from reconciler.git.repository import GitSource
from reconciler.git.signatures import Trust
from reconciler.seams import Deadline, Snapshot

NO_CREDENTIALS = Credentials()
LIMITS = Limits()


def source(  # noqa: PLR0913 - each has a dull default; a test names one
    url: str,
    ref: str = "main",
    *,
    paths: Sequence[str] = (),
    credentials: Credentials = NO_CREDENTIALS,
    limits: Limits = LIMITS,
    seconds: float = 60.0,
    trust: Trust | None = None,
) -> GitSource:
    deadline = Deadline(RealClock(), seconds)
    return GitSource(Remote(url, ref, tuple(paths), credentials), deadline, limits, trust)


def read(source: GitSource) -> Snapshot:
    """What the ref holds now."""
    return source.fetch(source.resolve())


def texts(snapshot: Snapshot) -> dict[str, str]:
    return {file.path: file.data.decode() for file in snapshot.files}


def skipped(snapshot: Snapshot) -> dict[str, str]:
    return {each.path: each.why for each in snapshot.skipped}
