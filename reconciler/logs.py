"""Log lines on stderr: text for people, JSON for machines, and no secret in either (I9).

Every line and traceback goes through one `Redactor`, whatever library wrote it. A line stays one
line: control characters that came in from a cluster or a repository are shown, never obeyed.
"""

import base64
import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TextIO
from urllib.parse import quote

from typing_extensions import override

HIDDEN = "[redacted]"
FIELDS = ("workflow", "namespace", "step", "commit", "stage")  # what callers may give as `extra`

_SHORTEST = 4  # characters; hiding a shorter one would shred every line and protect nothing
_SHAPES = (
    (re.compile(r"(?i)(authorization\W{1,4}(?:(?:bearer|basic)\s+)?)[^\s\"',}]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{8,}"), rf"\1{HIDDEN}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@:]*:[^/\s@]*@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(\bhttps?://)[^/\s@]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(r"(?i)([?&](?:access_|private_)?(?:token|password|secret)=)[^&\s]+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), HIDDEN),  # a JSON web token
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*-----|\Z)"), HIDDEN),
)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Redactor:
    """Hides the secrets that it was told, in the forms they travel in, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: re.Pattern[str] | None = None
        self._forms: set[str] = set()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """From now on these are hidden, also as base64 and percent-encoded."""
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                self._forms.update(_forms(secret))
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if self._forms else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for shape, shown in _SHAPES:
            text = shape.sub(shown, text)
        return text


def _forms(secret: str) -> Iterable[str]:
    data = secret.encode()
    yield secret
    yield quote(secret, safe="")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode()
        yield encode(data).decode().rstrip("=")


class _Lines(logging.Formatter):
    """What both formats share: the parts of a record, redacted."""

    def __init__(self, redact: Redactor, run_id: str) -> None:
        super().__init__()
        self._redact = redact
        self._run_id = run_id

    def parts(self, record: logging.LogRecord) -> dict[str, str]:
        """`ts`, `level`, `msg`, `run_id`, then what the caller gave, then a traceback."""
        parts = {
            "ts": _rfc3339(record.created),
            "level": record.levelname.lower(),
            "msg": _message(record),
            "run_id": self._run_id,
        }
        given: Mapping[str, object] = vars(record)
        parts |= {key: str(given[key]) for key in FIELDS if given.get(key)}
        if record.exc_info:
            parts["traceback"] = self.formatException(record.exc_info)
        return {key: self._redact(value) for key, value in parts.items()}


def _rfc3339(created: float) -> str:
    at = datetime.fromtimestamp(created, UTC)
    return at.isoformat("T", "milliseconds").removesuffix("+00:00") + "Z"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a library's format does not fit its arguments
        return str(record.msg)


class JsonLines(_Lines):
    @override
    def format(self, record: logging.LogRecord) -> str:
        # ASCII: every reader of logs can read it, and no control character is left as it is.
        return json.dumps(self.parts(record))


class TextLines(_Lines):
    @override
    def format(self, record: logging.LogRecord) -> str:
        parts = self.parts(record)
        traceback = parts.pop("traceback", "")
        head = f"{parts['ts'][:19]}Z {parts['level'].upper():<7} {parts['msg']}".replace(
            "\n", "\\n"
        )
        lines = [head, *traceback.splitlines()]
        return "\n".join(_CONTROL.sub(lambda found: ascii(found[0])[1:-1], line) for line in lines)


def configure(
    redact: Redactor,
    *,
    form: Literal["text", "json"] = "text",
    verbosity: int = 0,
    run_id: str = "",
    stream: TextIO | None = None,
) -> None:
    """One handler for everything, uncaught exceptions included.

    `-v` tells more of our own work. Libraries stay at WARNING: at DEBUG some of them write whole
    requests.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(redact, run_id) if form == "json" else TextLines(redact, run_id))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("reconciler").setLevel(logging.DEBUG if verbosity else logging.INFO)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # its report of a failed write repeats the record, unredacted
    sys.excepthook = _uncaught
    threading.excepthook = lambda lost: _uncaught(
        lost.exc_type, lost.exc_value or lost.exc_type(), lost.exc_traceback
    )


def _uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Python's own hook writes past the redaction."""
    logging.getLogger("reconciler").critical(
        "a bug in the reconciler: %s", kind.__name__, exc_info=(kind, error, traceback)
    )
