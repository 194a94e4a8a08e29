"""What is read and with which credentials, checked whole before any program runs (contract 5).

All of it comes from whoever runs the reconciler, none from a repository or the cluster. What does
not fit is a UsageError that names the flag and never repeats an URL, which could hold a password.
"""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NoReturn

from reconciler.errors import UsageError

_HOST = r"(?P<host>[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
# No '?', '#', '\' or blank; an escape stands for no control character.
_PATH = r"/([A-Za-z0-9._~/+@,=-]|%[2-9A-Fa-f][0-9A-Fa-f])+"
_URLS = {
    "https": re.compile(rf"https://{_HOST}{_PATH}"),
    "http": re.compile(
        rf"http://(?P<host>localhost|127(\.[0-9]{{1,3}}){{3}}|\[::1\])(:[0-9]{{1,5}})?{_PATH}"
    ),
    "ssh": re.compile(rf"ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?{_HOST}{_PATH}"),
    "file": re.compile(rf"file://(?P<host>){_PATH}"),
}
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]")
_SCP = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^/].*")

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@=#-]{0,200}")
_NOT_IN_A_NAME = re.compile(r"\.\.|@\{|//|/\.|\.lock(/|$)|[./]$")
# ssh splits and expands what stands in its options: such a path could mean another.
_PLAIN_PATH = re.compile(r"[\w./+@,:-]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files, each read by the program that needs it and at the moment it does."""

    username_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    ssh_key: Path | None = None
    known_hosts: Path | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository, a ref of it, and the paths that are read; no paths: all of it.

    Raises:
        UsageError: a part that cannot be meant, or a credential that does not belong to the URL.
    """

    url: str
    ref: str = "main"
    paths: tuple[str, ...] = ()
    credentials: Credentials = Credentials()

    def __post_init__(self) -> None:
        _check_url(self.url)
        _check_ref(self.ref)
        for path in self.paths:
            _check_path(path)
        _check_credentials(self.scheme, self.credentials)

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0]

    @property
    def host(self) -> str:
        match = _URLS[self.scheme].fullmatch(self.url)
        return match["host"] if match else ""

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine, which no proxy stands before."""
        return bool(_LOOPBACK.fullmatch(self.host))

    @property
    def fixed(self) -> bool:
        """Whether the ref is a commit, which stands where it stands."""
        return full_commit(self.ref)

    @property
    def names(self) -> tuple[str, ...]:
        """The full names that the ref can have."""
        if self.ref.startswith("refs/") or self.ref == "HEAD":
            return (self.ref,)
        return (f"refs/heads/{self.ref}", f"refs/tags/{self.ref}")


def full_commit(text: str) -> bool:
    """Whether it is a full commit id, SHA-1 or SHA-256."""
    return bool(_COMMIT.fullmatch(text))


def _check_url(url: str) -> None:
    if any(pattern.fullmatch(url) for pattern in _URLS.values()):
        return
    if _SCP.fullmatch(url):
        _refuse("--source-url", "as an URL: ssh://git@host/path instead of git@host:path")
    _refuse(
        "--source-url",
        "https://host/path, ssh://user@host/path or file:///path; http:// goes to this machine "
        "only. Neither user, password nor token belong into it, nor '?' and '#'",
    )


def _check_ref(ref: str) -> None:
    if full_commit(ref) or (_NAME.fullmatch(ref) and not _NOT_IN_A_NAME.search(ref)):
        return
    _refuse(
        "--source-ref",
        "a branch, a tag, a full commit id, or the full name of a ref as in refs/heads/main",
    )


def _check_path(path: str) -> None:
    parts = path.split("/")
    if not path.isprintable() or path.startswith("-") or set(parts) & {"", ".", ".."}:
        _refuse("--source-path", "a path inside the repository, as in workflows/prod, without '..'")


def _check_credentials(scheme: str, given: Credentials) -> None:
    belongs = {
        "https": {"username_file", "token_file", "ca_file"},
        "http": {"username_file", "token_file"},
        "ssh": {"ssh_key", "known_hosts"},
        "file": set[str](),
    }[scheme]
    stated = {field.name for field in fields(given) if getattr(given, field.name) is not None}
    for name in sorted(stated - belongs):
        _refuse(
            f"--git-{name.replace('_', '-')}", f"left out with {scheme}://, which has no use for it"
        )
    if "username_file" in stated and "token_file" not in stated:
        _refuse("--git-token-file", "given with --git-username-file")
    if scheme == "ssh":
        _check_ssh(given)


def _check_ssh(given: Credentials) -> None:
    """The key without the known hosts would be shown to whoever answers."""
    if given.ssh_key is None or given.known_hosts is None:
        _refuse("--git-ssh-key and --git-known-hosts", "given, both, with ssh://")
    for flag, path in (("--git-ssh-key", given.ssh_key), ("--git-known-hosts", given.known_hosts)):
        if not _PLAIN_PATH.fullmatch(str(path.absolute())):
            _refuse(flag, "a path of letters, digits and ._/+@,:- only, which ssh reads as it is")


def _refuse(flag: str, allowed: str) -> NoReturn:
    raise UsageError(f"{flag} must be {allowed}")
