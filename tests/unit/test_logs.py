"""Log lines: their form, and the secrets that are not in them."""

import base64
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

import pytest

from reconciler.logs import HIDDEN, Redactor, configure

SECRET = "s3cr3t/with+odd=chars"  # noqa: S105  # a canary
LOG = logging.getLogger("reconciler.test")


@pytest.fixture(autouse=True)
def _untouched_logging() -> Iterator[None]:
    """Logging is the process's: put back what was there."""
    root, ours = logging.getLogger(), logging.getLogger("reconciler")
    kept = (root.handlers[:], root.level, ours.level, sys.excepthook, threading.excepthook)
    raises = logging.raiseExceptions
    yield
    root.handlers[:], level, our_level, sys.excepthook, threading.excepthook = kept
    root.setLevel(level)
    ours.setLevel(our_level)
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = raises


def configured(
    form: Literal["text", "json"] = "text", verbosity: int = 0, redact: Redactor | None = None
) -> io.StringIO:
    stream = io.StringIO()
    configure(
        redact or Redactor([SECRET]), form=form, verbosity=verbosity, run_id="r1", stream=stream
    )
    return stream


def fail(message: str) -> None:
    raise RuntimeError(message)


# --- form -----------------------------------------------------------------------------------


def test_a_json_line_has_stable_keys() -> None:
    """Contract 1, report: machines read these."""
    stream = configured("json")
    LOG.info("started %d", 3, extra={"workflow": "w", "namespace": "shop", "step": "a"})
    line = json.loads(stream.getvalue())
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info",
        "msg": "started 3",
        "run_id": "r1",
        "workflow": "w",
        "namespace": "shop",
        "step": "a",
    }


def test_a_json_traceback_stays_in_its_line() -> None:
    """Contract 7: a bug of ours leaves a traceback in the log."""
    stream = configured("json")
    try:
        fail("boom")
    except RuntimeError:
        LOG.exception("a bug")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["traceback"].endswith("RuntimeError: boom")


def test_a_text_line_is_for_people() -> None:
    """Time, level, sentence."""
    stream = configured()
    LOG.warning("a sentence")
    _, level, sentence = stream.getvalue().split(maxsplit=2)
    assert (level, sentence) == ("WARNING", "a sentence\n")


@pytest.mark.parametrize("form", [pytest.param("text", id="text"), pytest.param("json", id="json")])
def test_what_came_from_outside_can_neither_forge_a_line_nor_steer_a_terminal(
    form: Literal["text", "json"],
) -> None:
    """Messages hold what a repository or a cluster said."""
    stream = configured(form)
    LOG.info("name: %s", "x\n2026-01-01T00:00:00Z ERROR forged\x1b[2J\r\u2028")
    told = stream.getvalue()
    assert told.count("\n") == 1
    assert not {"\x1b", "\r", "\u2028"} & set(told)


@pytest.mark.parametrize(
    ("verbosity", "told"),
    [pytest.param(0, ["info"], id="quiet"), pytest.param(1, ["debug", "info"], id="verbose")],
)
def test_more_is_told_of_our_own_work_alone(verbosity: int, told: list[str]) -> None:
    """At DEBUG a library may write whole requests, with their credentials."""
    stream = configured("json", verbosity)
    for log in (LOG, logging.getLogger("urllib3"), logging.getLogger("kubernetes")):
        log.debug("detail")
        log.info("news")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == told


def test_a_format_that_does_not_fit_its_arguments_is_still_told() -> None:
    """A mistake in a log line must not cost the line, nor print it unredacted."""
    stream = configured()
    LOG.info(*("%d steps of %s", SECRET))
    assert "%d steps of %s" in stream.getvalue()
    assert SECRET not in stream.getvalue()


# --- secrets --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SECRET, id="as-it-is"),
        pytest.param(base64.b64encode(SECRET.encode()).decode(), id="as-base64"),
        pytest.param(base64.urlsafe_b64encode(SECRET.encode()).decode(), id="as-url-safe-base64"),
        pytest.param(quote(SECRET, safe=""), id="percent-encoded"),
        pytest.param(f"https://x:{SECRET}@git.example.com/", id="in-an-url"),
    ],
)
def test_a_secret_that_is_known_is_hidden_in_each_form_that_it_travels_in(text: str) -> None:
    """Invariant I9."""
    shown = Redactor([SECRET])(f"before {text} after")
    assert text not in shown
    assert HIDDEN in shown
    assert (shown.startswith("before "), shown.endswith(" after")) == (True, True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(
            "https://user:hunter2@git.example.com/x",
            f"https://{HIDDEN}@git.example.com/x",
            id="user-and-password",
        ),
        pytest.param(
            "https://ghp_hunter2@git.example.com/x",
            f"https://{HIDDEN}@git.example.com/x",
            id="a-token-as-user",
        ),
        pytest.param(
            "ssh://git@git.example.com/x",
            "ssh://git@git.example.com/x",
            id="the-user-of-ssh-is-none",
        ),
        pytest.param(
            "{'Authorization': 'Bearer hunter2'}",
            f"{{'Authorization': 'Bearer {HIDDEN}'}}",
            id="a-header",
        ),
        pytest.param(
            "authorization: Basic aHVudGVyMg==", f"authorization: Basic {HIDDEN}", id="basic"
        ),
        pytest.param("sent Bearer hunter2hunter2", f"sent Bearer {HIDDEN}", id="a-bearer-token"),
        pytest.param("GET /x?token=hunter2&y=1", f"GET /x?token={HIDDEN}&y=1", id="in-a-query"),
        pytest.param(
            "got eyJhbGciOiJSUzI1.eyJzdWIiOiJzeXN0.c2lnbmF0dXJl here",
            f"got {HIDDEN} here",
            id="a-json-web-token",
        ),
        pytest.param(
            "k -----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY----- k",
            f"k {HIDDEN} k",
            id="a-private-key",
        ),
        pytest.param(
            "basic steps and bearer bonds", "basic steps and bearer bonds", id="plain-words-stay"
        ),
    ],
)
def test_what_looks_like_a_secret_is_hidden_though_nobody_named_it(text: str, shown: str) -> None:
    """Invariant I9."""
    assert Redactor()(text) == shown


def test_a_very_short_secret_does_not_shred_the_log() -> None:
    """Hiding every `a` would hide nothing and everything."""
    assert Redactor(["", "a"])("a plain sentence") == "a plain sentence"


@pytest.mark.parametrize("form", [pytest.param("text", id="text"), pytest.param("json", id="json")])
def test_no_record_or_traceback_holds_a_secret(form: Literal["text", "json"]) -> None:
    """Invariant I9: whoever wrote it, wherever in it."""
    odd = 'hunter"two\\canary\nsparrow'
    stream = configured(form, redact=Redactor([SECRET, odd]))
    try:
        fail(f"{SECRET} {odd}")
    except RuntimeError:
        LOG.exception("failed with %s and %s", SECRET, odd, extra={"workflow": SECRET})
        logging.getLogger("urllib3").warning("retrying %s", SECRET)
    told = stream.getvalue()
    assert SECRET not in told
    for piece in ("hunter", "canary", "sparrow"):
        assert piece not in told


def test_an_uncaught_exception_is_logged_and_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own hook writes past the log."""
    stream = configured()
    try:
        fail(SECRET)
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert f"RuntimeError: {HIDDEN}" in stream.getvalue()
    assert SECRET not in stream.getvalue() + capsys.readouterr().err


def test_so_is_one_of_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    """Threads have a hook of their own."""
    stream = configured()
    thread = threading.Thread(target=fail, args=(SECRET,))
    thread.start()
    thread.join()
    assert f"RuntimeError: {HIDDEN}" in stream.getvalue()
    assert SECRET not in stream.getvalue() + capsys.readouterr().err
