"""The checks that ask the source, and the programs that it needs (contract 5).

What a run would read is read, by the same code, and thrown away.
"""

import base64
import binascii
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from reconciler.checks.ground import Ground
from reconciler.checks.result import Found, failed, ok, skipped, warning
from reconciler.seams import Source

_NO_SOURCE = "no --source-url"
_NO_VERIFY = "--verify is off"
_KEY = re.compile(r"(ssh-|sk-|ecdsa-)[a-z0-9@.-]+", re.IGNORECASE)
_OPENPGP = (b"\x98", b"\x99", b"\xc6")  # how a packet of a public key begins
_ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


def programs(ground: Ground) -> Found:
    """Git for any source, ssh for ssh://, and what checks signatures where they are asked for."""
    found = {name: ground.program(name) for name in _needed(ground)}
    missing = [name for name, version in found.items() if version is None]
    told = ", ".join(version for version in found.values() if version)
    if missing:
        return failed(
            f"{' and '.join(missing)} not found ({told})",
            "install what is missing, or correct PATH",
        )
    return ok(told)


def _needed(ground: Ground) -> Iterator[str]:
    yield "python"
    told = ground.settings
    if told.source_url is None:
        return
    yield "git"
    if told.source_url.startswith("ssh://"):
        yield "ssh"
    if told.allowed_signers:
        yield "ssh-keygen"
    if told.gpg_keyring:
        yield "gpg"


def git(ground: Ground) -> Found:
    """The ref, asked with the credentials, host key and CA of a run."""
    if ground.source is None:
        return skipped(_NO_SOURCE)
    commit = ground.source.resolve()
    if commit == ground.settings.source_ref:
        return ok(f"the ref is the commit {commit[:10]}, which is fetched below")
    return ok(f"{ground.settings.source_ref} of {ground.settings.source_url} is at {commit[:10]}")


def signers(ground: Ground) -> Found:
    """Who may sign, as far as the files tell."""
    told = ground.settings
    if not (told.allowed_signers or told.gpg_keyring):
        return skipped(_NO_VERIFY)
    keys, problems = _entries(told.allowed_signers) if told.allowed_signers else (0, [])
    keyring = told.gpg_keyring is not None and _keyring(told.gpg_keyring)
    if told.gpg_keyring and not keyring:
        problems.append("--gpg-keyring holds no public key")
    if problems:
        return failed(
            "; ".join(problems),
            "a line of --allowed-signers is a name and a public key; --gpg-keyring is what "
            "gpg --export writes",
        )
    kinds = (f"{keys} in --allowed-signers" if told.allowed_signers else "",)
    return ok(" and ".join(filter(None, (*kinds, "a keyring of gpg" if keyring else ""))))


def signature(ground: Ground) -> Found:
    """Of the commit that the ref stands at now."""
    told = ground.settings
    if ground.source is None or not (told.allowed_signers or told.gpg_keyring):
        return skipped(_NO_VERIFY if ground.source else _NO_SOURCE)
    commit = ground.source.resolve()
    ground.source.verify(commit)
    return ok(f"{commit[:10]} is signed by somebody who may")


def files(ground: Ground) -> Found:
    """That the commit and the paths are there, and within the limits."""
    if ground.source is None:
        return skipped(_NO_SOURCE)
    return _files(ground, ground.source)


def _files(ground: Ground, source: Source) -> Found:
    commit = source.resolve()
    snapshot = source.fetch(commit)
    paths = ", ".join(ground.settings.source_paths) or "the repository"
    count = len(snapshot.files)
    told = f"{count} YAML file{'' if count == 1 else 's'} under {paths} at {commit[:10]}"
    if snapshot.skipped:
        first = snapshot.skipped[0]
        return warning(f"{told}; {len(snapshot.skipped)} not read", f"{first.path}: {first.why}")
    if not snapshot.files:
        return warning(told, "look at --source-path, or commit a first workflow")
    return ok(told)


def _entries(file: Path) -> tuple[int, list[str]]:
    """How many keys, and which lines hold none; a line of its own for each key."""
    keys = 0
    problems: list[str] = []
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if _holds_a_key(line.split()):
            keys += 1
        else:
            problems.append(f"line {number} of --allowed-signers holds no public key")
    if not keys and not problems:
        problems.append("--allowed-signers names nobody")
    return keys, problems


def _holds_a_key(words: list[str]) -> bool:
    """After the name of who signs, and maybe options: the kind of a key and the key."""
    for kind, key in itertools.pairwise(words[1:]):
        if _KEY.fullmatch(kind):
            try:
                return kind.encode() in base64.b64decode(key, validate=True)[:80]
            except binascii.Error:
                return False
    return False


def _keyring(file: Path) -> bool:
    data = file.read_bytes()
    return _ARMOUR in data or data.startswith(_OPENPGP)
