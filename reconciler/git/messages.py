"""What git says when it fails -> what is wrong and what to do, for people (I9, contract 7).

Every text goes through one redaction, control characters are gone and its length is bounded: what
a remote answers is shown, never trusted.
"""

import re
from collections.abc import Sequence

from reconciler.errors import SourceError
from reconciler.logs import Redactor

_MAX_WORDS = 200  # characters of git's own words
_MAX_MESSAGE = 512
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]+|[\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class _Cause:
    """What is wrong, by the words that tell it, and what to do about it."""

    def __init__(self, told: str, *words: str) -> None:
        self.told = told
        self.words = re.compile("|".join(words), re.IGNORECASE)


# First match. The words of git 2.39 to 2.50, OpenSSH 9, and curl with GnuTLS or OpenSSL (LC_ALL=C).
_CAUSES = (
    _Cause(  # first: what git says of an object has words of other causes in it
        "the commit holds objects that git refuses as malformed: repair the repository",
        "fsck",
        "error in object",
    ),
    _Cause(
        "the host key of {host} is not the one in --git-known-hosts: compare its fingerprint, "
        "then add the line that `ssh-keyscan {host}` prints",
        "host key verification failed",
        "remote host identification has changed",
    ),
    _Cause(
        "ssh refuses a key that others can read: chmod 600 the file of --git-ssh-key",
        "unprotected private key",
        "bad permissions",
    ),
    _Cause(
        "the file of --git-ssh-key is no private key that ssh can use without a passphrase",
        "error in libcrypto",
        "invalid format",
        "load key .*: ",
    ),
    _Cause(
        "{host} does not accept the key: register the public half of --git-ssh-key there",
        r"permission denied \(",
        "too many authentication failures",
    ),
    _Cause(
        "ssh needs an entry for this user in /etc/passwd: run as a user of the image",
        "no user exists for uid",
        "you don't exist",
    ),
    _Cause(
        "{host} refuses the credentials, or asks for some: give a token that may read the "
        "repository with --git-token-file",
        "could not read (username|password)",
        "authentication failed",
        "invalid credentials",
        "returned error: 40[13]",
        "access denied",
    ),
    _Cause(
        "{host} answers with a redirection, which is not followed: give the final address (often "
        "the one that ends with .git) with --source-url",
        "error: 30[12378]",
        "redirect",
    ),
    _Cause(
        "the name {host} cannot be resolved: check --source-url and the DNS",
        "could not resolve",
        "name or service not known",
        "temporary failure in name resolution",
    ),
    _Cause(
        "the certificate of {host} cannot be verified: give its CA with --git-ca-file",
        "certificate",
        "ssl peer",
        "gnutls_handshake",
        "ssl connect error",
    ),
    _Cause(
        "the repository belongs to another user than the one who runs: change its owner",
        "dubious ownership",
    ),
    _Cause(
        "the commit is not there any more, or the server gives out only the heads of branches: "
        "the next run looks again",
        "not our ref",
        "unadvertised object",
        "couldn't find remote ref",
        "remote ref does not exist",
    ),
    _Cause(
        "the commit holds objects that git refuses as malformed: repair the repository",
        "index-pack failed",
        "did not receive expected object",
        "bad object",
    ),
    _Cause(
        "there is no repository at this address, or these credentials may not see it",
        "repository .*not found",
        "does not appear to be a git repository",
        "no such file",
        "not a git repository",
        "returned error: 404",
        "could not be found",
    ),
    _Cause(
        "{host} cannot be reached, or broke off: the next run tries again",
        "failed to connect",
        "couldn't connect",
        "connection (refused|timed out|reset|closed)",
        "no route",
        "unreachable",
        "too slow",
        "early eof",
        "hung up",
        "empty reply",
        "(recv|send|read|write) error",
        "http2 framing",
        r"returned error: 5\d\d",
        "operation timed out",
    ),
)


class Told:
    """Failures of one remote, told to people."""

    def __init__(self, shown: str, host: str, redact: Redactor) -> None:
        self._shown = shown
        self._host = host or "the repository"
        self._redact = redact

    def error(self, what: str) -> SourceError:
        """`what` says what is wrong and what to do."""
        return SourceError(self._clean(f"cannot read {self._shown}: {what}", _MAX_MESSAGE))

    def failed(self, command: str, stderr: str) -> SourceError:
        """A command of git that ended with an error: the cause if it is known, and its words."""
        for cause in _CAUSES:
            match = cause.words.search(stderr)
            if match:
                said = self._clean(_line_at(stderr, match.start()), _MAX_WORDS)
                return self.error(f"{cause.told.format(host=self._host)} (git: {said})")
        said = self._clean(_verdict(stderr.splitlines()), _MAX_WORDS)
        return self.error(f"git {command} failed: {said or 'without a word'}")

    def _clean(self, text: str, most: int) -> str:
        clean = _UNPRINTABLE.sub(" ", self._redact(text)).strip()
        return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def _line_at(text: str, place: int) -> str:
    start = text.rfind("\n", 0, place) + 1
    return text[start:].partition("\n")[0]


def _verdict(lines: Sequence[str]) -> str:
    """The line that says why: git's last `fatal:` or `error:`, else the last of all."""
    spoken = [line.strip() for line in lines if line.strip()]
    verdicts = [line for line in spoken if re.match(r"(fatal|error):", line)]
    return (verdicts or spoken or [""])[-1]
