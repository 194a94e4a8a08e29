"""Plain text of YAML: one value to every reader, or refused (contract 5)."""

import json
from pathlib import Path

import pytest

from reconciler.core.scalars import AmbiguousError, plain

READ = json.loads((Path(__file__).parent / "kubectl_reads.json").read_text())
KUBECTL: dict[str, object] = dict(READ["json"])


@pytest.mark.parametrize("text", [pytest.param(text, id=repr(text)) for text in KUBECTL])
def test_plain_text_is_read_as_kubectl_reads_it_or_not_at_all(text: str) -> None:
    """Contract 5: what was reviewed is what runs. The table was made with kubectl's own parser."""
    try:
        value = plain(text)
    except AmbiguousError:
        return
    assert (_kind(value), value) == (_kind(KUBECTL[text]), KUBECTL[text])


def _kind(value: object) -> str:
    """Of JSON, where 1.0 and 1 are one number."""
    return "number" if isinstance(value, float) else type(value).__name__.replace("int", "number")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("checkout", "checkout", id="a-word"),
        pytest.param("shop/checkout:1.8.2", "shop/checkout:1.8.2", id="an-image"),
        pytest.param("1.2.3", "1.2.3", id="a-version"),
        pytest.param("5m", "5m", id="a-duration"),
        pytest.param("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", id="a-time"),
        pytest.param("2026-01-02", "2026-01-02", id="a-date"),
        pytest.param("1:30", "1:30", id="no-sexagesimal"),
        pytest.param("deadbeef", "deadbeef", id="a-hash"),
        pytest.param("-", "-", id="a-dash"),
        pytest.param("...", "...", id="dots"),
        pytest.param("３", "３", id="a-digit-of-another-script"),  # noqa: RUF001 - meant
        pytest.param("3", 3, id="a-number"),
        pytest.param("-7", -7, id="a-negative-number"),
        pytest.param("+7", 7, id="a-number-with-a-plus"),
        pytest.param("0", 0, id="zero"),
        pytest.param(str(2**63 - 1), 2**63 - 1, id="the-largest"),
        pytest.param(str(-(2**63)), -(2**63), id="the-smallest"),
        pytest.param("1.50", 1.5, id="a-decimal"),
        pytest.param("1e3", 1000.0, id="an-exponent"),
        pytest.param("true", True, id="true"),
        pytest.param("FALSE", False, id="false"),
        pytest.param("null", None, id="null"),
        pytest.param("~", None, id="tilde"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_plain_text_that_is_one_thing_to_all_is_read(text: str, value: object) -> None:
    """Contract 5: YAML 1.2, where 1.1 agrees."""
    assert (type(plain(text)), plain(text)) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param("yes", "true or false", id="yes"),
        pytest.param("No", "true or false", id="the-country-of-oslo"),
        pytest.param("on", "true or false", id="on"),
        pytest.param("y", "true or false", id="a-letter"),
        pytest.param("010", "octal", id="octal"),
        pytest.param("-007", "octal", id="negative-octal"),
        pytest.param("08", "octal", id="no-octal-at-all"),
        pytest.param("0x1F", "a number", id="hexadecimal"),
        pytest.param("0o17", "a number", id="octal-of-1.2"),
        pytest.param("0b11", "a number", id="binary"),
        pytest.param("1_000", "a number", id="underscores"),
        pytest.param("0x_1F", "a number", id="underscores-in-hexadecimal"),
        pytest.param("1_0.5", "a number", id="underscores-in-a-decimal"),
        pytest.param(".nan", "JSON has no such number", id="not-a-number"),
        pytest.param("-.Inf", "JSON has no such number", id="infinity"),
        pytest.param("1e999", "too large", id="beyond-any-float"),
        pytest.param(str(2**63), "64 bits", id="beyond-64-bits"),
        pytest.param("9" * 5000, "64 bits", id="5000-digits"),
        pytest.param("<<", "merge", id="merge-key"),
    ],
)
def test_plain_text_that_is_two_things_is_refused_by_its_rule(text: str, rule: str) -> None:
    """Contract 5, 8 (I9): the message says what to write and never repeats the text."""
    with pytest.raises(AmbiguousError, match=rule) as refused:
        plain(text)
    assert not str(refused.value).startswith(text)
    assert "quote it" in str(refused.value) or "write" in str(refused.value)
