"""Real keys of ssh-keygen and gpg, and commits that are signed with them.

Every key is made by the tests and lives in a folder of theirs; the agent that gpg starts to make
one ends with the folder.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.gitservers import Repository

_LONG_AGO = "20200101T000000!"  # gpg's clock stands still there


@dataclass(frozen=True)
class SshKey:
    """A private key, its line for a file of allowed signers, and its fingerprint."""

    file: Path
    public: str
    fingerprint: str

    def allowed(self, principal: str, options: str = "") -> str:
        return " ".join(part for part in (principal, options, self.public) if part) + "\n"

    @property
    def config(self) -> tuple[str, ...]:
        return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={self.file}")


def ssh_key(folder: Path, name: str) -> SshKey:
    file = folder / name
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file))
    public = file.with_suffix(".pub").read_text().strip()
    fingerprint = _run("ssh-keygen", "-l", "-f", f"{file}.pub").split()[1]
    return SshKey(file, public, fingerprint)


@dataclass(frozen=True)
class GpgKey:
    """A key of a GpgHome, its primary fingerprint, and the program that signs with it."""

    home: "GpgHome"
    fingerprint: str
    program: Path

    @property
    def config(self) -> tuple[str, ...]:
        return ("-c", f"gpg.program={self.program}", "-c", f"user.signingkey={self.fingerprint}")

    def exported(self, *, armor: bool = True) -> bytes:
        return self.home.gpg(*(("--armor",) if armor else ()), "--export", self.fingerprint)

    def revoked(self) -> bytes:
        """The key as it is published once it was revoked; the key in the home stays good."""
        written = self.home.folder / "openpgp-revocs.d" / f"{self.fingerprint}.rev"
        certificate = written.read_text().replace(":-----BEGIN", "-----BEGIN")
        with gpg_home() as other:
            other.gpg("--import", given=self.exported())
            other.gpg("--import", given=certificate.encode())
            return other.gpg("--armor", "--export", self.fingerprint)


@dataclass(frozen=True)
class GpgHome:
    folder: Path

    def gpg(self, *arguments: str, given: bytes = b"") -> bytes:
        done = subprocess.run(
            ["gpg", "--homedir", str(self.folder), "--batch", "--quiet", *arguments],
            input=given,
            capture_output=True,
            check=True,
        )
        return done.stdout

    def key(self, user: str, *, expired: bool = False) -> GpgKey:
        """A key that can sign; an expired one was good when it signs, and only then."""
        clock = ("--faked-system-time", _LONG_AGO) if expired else ()
        until = "1y" if expired else "never"
        options = ("--passphrase", "", "--quick-generate-key", user, "ed25519", "sign", until)
        self.gpg(*clock, *options)
        listed = self.gpg("--with-colons", "--list-keys", user).decode().splitlines()
        fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr:"))
        program = self.folder / f"sign-{fingerprint}"
        program.write_text(
            f'#!/bin/sh\nexec gpg --homedir "{self.folder}" {" ".join(clock)} "$@"\n'
        )
        program.chmod(0o700)
        return GpgKey(self, fingerprint, program)


@contextlib.contextmanager
def gpg_home() -> Iterator[GpgHome]:
    """A short path: gpg's agent listens in it."""
    with tempfile.TemporaryDirectory(prefix="gpg-", ignore_cleanup_errors=True) as name:
        try:
            yield GpgHome(Path(name))
        finally:
            _run("gpgconf", "--homedir", name, "--kill", "all")


def signed(
    repository: Repository,
    key: SshKey | GpgKey,
    files: Mapping[str, str | bytes],
    parent: str | None = None,
) -> str:
    """A signed commit of these files; main stands at it from now on."""
    tree = f"{repository.commit(files)}^{{tree}}"
    above = ("-p", parent) if parent else ()
    commit = repository.git(*key.config, "commit-tree", "-S", tree, *above, "-m", "signed")
    repository.git("update-ref", "refs/heads/main", commit)
    return commit


def signed_for(repository: Repository, key: SshKey, namespace: str, commit: str) -> str:
    """The commit, signed for another purpose than git; main stands at it from now on."""
    payload = f"{repository.git('cat-file', 'commit', commit)}\n".encode()
    signature = subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key.file)],
        input=payload,
        capture_output=True,
        check=True,
    ).stdout.strip()
    head, _, message = payload.partition(b"\n\n")
    text = head + b"\ngpgsig " + signature.replace(b"\n", b"\n ") + b"\n\n" + message
    return stored(repository, text)


def stored(repository: Repository, text: bytes) -> str:
    """Any text as a commit; main stands at it from now on."""
    commit = repository.git("hash-object", "-t", "commit", "-w", "--stdin", given=text)
    repository.git("update-ref", "refs/heads/main", commit)
    return commit


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
