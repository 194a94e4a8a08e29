"""Whether a commit is signed by somebody who may, and by whom (contract 5); fails closed.

Git checks the signature of exactly the commit that is used, with nothing but the files that were
given: no key, agent, key server or configuration of the machine. Good is what is good now, whatever
time the commit tells. Ancestors are not checked: who protects the branch answers for them.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.signer import Signer
from reconciler.errors import SourceError, UsageError
from reconciler.git.command import Git
from reconciler.git.messages import Told

# Git asks whether a key was valid at the time that the commit tells: whoever still has an expired
# key can write any time into a commit. Without that option ssh-keygen asks about now, as gpg does.
_SSH = """\
#!/bin/sh
for each in "$@"; do
  shift
  case "$each" in -Overify-time=*) ;; *) set -- "$@" "$each" ;; esac
done
exec ssh-keygen "$@"
"""
# The keyring is imported into a home of its own, as armour or binary: gpg would write beside a file
# that it is told to use in place.
_GPG = """\
#!/bin/sh
set -- --batch --no-tty --no-options --no-autostart --disable-dirmngr --no-auto-key-retrieve \\
  --trust-model always --weak-digest SHA1 "$@"
gpg --batch --no-tty --no-options --no-autostart --disable-dirmngr --quiet \\
  --import -- "$RECONCILER_GPG_KEYRING" >/dev/null 2>&1
exec gpg "$@"
"""
_NEVER = "false"  # the program for a kind of signature that nobody's file vouches for

# Grade, name, key, fingerprint of it, fingerprint of the primary key, what the program said.
_FORMAT = "%G?%x00%GS%x00%GK%x00%GF%x00%GP%x00%GG"
_FIELDS = 6
_GOOD = "G"
_GRADES: Mapping[str, str] = {
    "U": "which is not allowed",
    "E": "which the keyring does not hold",
    "R": "which was revoked",
    "Y": "which has expired",
    "X": "and the signature has expired",
}
_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}|[0-9A-F]{16,64}")
_KIND = re.compile(rb"^gpgsig(?:-sha256)? -----BEGIN (SSH|PGP|SIGNED)[ A-Z]*-----$", re.MULTILINE)
_MAX_PRINCIPAL = 256
_MAX_ANSWER = 1 << 16


@dataclass(frozen=True, slots=True)
class Trust:
    """Who may sign: allowed signers (ssh), a keyring (gpg), or either of both.

    Raises:
        UsageError: neither is given, or a path that git would not read as it is.
    """

    allowed_signers: Path | None = None
    gpg_keyring: Path | None = None

    def __post_init__(self) -> None:
        if not (self.allowed_signers or self.gpg_keyring):
            raise UsageError("--verify commit needs --allowed-signers or --gpg-keyring")

    @property
    def flags(self) -> str:
        given = (
            ("--allowed-signers", self.allowed_signers),
            ("--gpg-keyring", self.gpg_keyring),
        )
        return " or ".join(flag for flag, file in given if file)


def configuration(folder: Path, trust: Trust) -> Mapping[str, str]:
    """What git is configured with; the programs that it names are written into the folder."""
    stated = {"gpg.program": _NEVER, "gpg.x509.program": _NEVER, "gpg.ssh.program": _NEVER}
    if trust.allowed_signers:
        stated["gpg.ssh.program"] = _program(folder / "verify-ssh", _SSH)
        stated["gpg.ssh.allowedSignersFile"] = str(trust.allowed_signers.absolute())
    if trust.gpg_keyring:
        stated["gpg.program"] = _program(folder / "verify-gpg", _GPG)
    return stated


def variables(folder: Path, trust: Trust) -> Mapping[str, str]:
    """What the programs find in their environment."""
    if not trust.gpg_keyring:
        return {}
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    return {
        "GNUPGHOME": str(home),
        "RECONCILER_GPG_KEYRING": str(trust.gpg_keyring.absolute()),
    }


def _program(file: Path, text: str) -> str:
    file.write_text(text, encoding="ascii")
    file.chmod(0o700)
    return str(file)


def signer(git: Git, commit: str, raw: bytes, trust: Trust, told: Told) -> Signer:
    """Who signed the commit; `raw` is its text, for the kind of its signature.

    Raises:
        SourceError: nobody did, or nobody who may.
    """
    head = raw.partition(b"\n\n")[0]
    kind = match[1].decode("ascii") if (match := _KIND.search(head)) else ""
    _check_kind(commit, kind, trust, told)
    answer = git.run("log", "--max-count=1", f"--format={_FORMAT}", commit, most=_MAX_ANSWER)
    fields = answer.decode("utf-8", "replace").split("\0")
    if len(fields) != _FIELDS:  # a name that holds one: whatever it means to be
        raise _refused(told, commit, "is signed in a way that git does not tell clearly", trust)
    grade, name, key, fingerprint, primary, said = fields
    fingerprint = primary or fingerprint
    principal = _bounded(name)
    if grade == _GOOD and principal and _KEY.fullmatch(fingerprint):
        return Signer(principal, fingerprint)
    seen = f"the key {fingerprint or key or 'of nobody'}"
    by = f"{principal} with {seen}" if principal else seen
    raise _refused(told, commit, _why(grade, by, said), trust)


def _check_kind(commit: str, kind: str, trust: Trust, told: Told) -> None:
    """What is refused without asking, and what cannot be asked here."""
    vouched = {"SSH": trust.allowed_signers, "PGP": trust.gpg_keyring}
    if not kind:
        raise _refused(told, commit, "is not signed", trust)
    if not vouched.get(kind):
        named = {"SSH": "an ssh key", "PGP": "a gpg key"}.get(kind, "an X.509 certificate")
        raise _refused(told, commit, f"is signed with {named}", trust)
    program = {"SSH": "ssh-keygen", "PGP": "gpg"}[kind]
    if shutil.which(program) is None:
        raise told.error(
            f"{program} was not found, so no signature can be checked and nothing new is applied: "
            "install it, or correct PATH"
        )


def _why(grade: str, by: str, said: str) -> str:
    if grade in _GRADES:
        expired = " any more: its entry has expired" if "key has expired" in said else ""
        return f"is signed by {by}, {_GRADES[grade]}{expired}"
    if "namespace" in said:
        return "is signed for something else than git, or by a key that is not allowed for git"
    return "has a signature that is not good: it was made for another content, or is broken"


def _refused(told: Told, commit: str, why: str, trust: Trust) -> SourceError:
    return told.error(
        f"the commit {commit} {why}. Nothing new is applied. Add the signer to {trust.flags}, or "
        "have somebody who is in it commit on top"
    )


def _bounded(name: str) -> str:
    shown = "".join(each if each.isprintable() else " " for each in name).strip()
    return shown if len(shown) <= _MAX_PRINCIPAL else f"{shown[: _MAX_PRINCIPAL - 1]}…"
