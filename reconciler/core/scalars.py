"""Plain text of YAML -> the value that every reader of YAML takes it for, or none (contract 5).

YAML 1.2 and 1.1, which kubectl reads, disagree about some plain text (`yes`, `010`, `1_000`). Who
reviewed a document and who runs it must read one thing: such text is refused, with the way out.
"""

import math
import re
from collections.abc import Mapping

_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# YAML 1.1 -> what to say. As kubectl 1.37 reads them; a time or 1:30 is text to it, as to us.
_REFUSED_WORDS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO"),
            *("on", "On", "ON", "off", "Off", "OFF"),
        ),
        "kubectl reads this as true or false: write true or false, or quote it",
    ),
    **dict.fromkeys(
        (
            *(".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"),
            *("-.inf", "-.Inf", "-.INF"),
        ),
        "JSON has no such number: quote it if it is text",
    ),
    "<<": "merge keys are not read: write the keys out",
}
# Plain text that begins with anything else is text, to both.
_SUSPECT = frozenset("-+.0123456789~nNtTfFyYoO<")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OCTAL = re.compile(r"[-+]?0[0-9]+")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_PREFIXED = re.compile(r"[-+]?0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_BOUNDS = range(-(2**63), 2**63)  # what the API server's numbers hold
_LONGEST = 20  # characters of a whole number within them


class AmbiguousError(ValueError):
    """Plain text that has no one value; the message is the rule and never the text."""


def plain(text: str) -> str | int | float | bool | None:
    """The value of plain, unquoted text.

    Raises:
        AmbiguousError: kubectl takes it for another value, or JSON has no such value.
    """
    if text and text[0] not in _SUSPECT:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text in _REFUSED_WORDS:
        raise AmbiguousError(_REFUSED_WORDS[text])
    if _DECIMAL.fullmatch(text):
        return _number(text)
    digits = text.replace("_", "")
    if _PREFIXED.fullmatch(digits) or _DECIMAL.fullmatch(digits):
        raise AmbiguousError(
            "kubectl reads this as a number: write it in plain digits, or quote it"
        )
    return text


def _number(text: str) -> int | float:
    if _OCTAL.fullmatch(text):
        raise AmbiguousError("kubectl reads a leading 0 as octal: write it without, or quote it")
    if _WHOLE.fullmatch(text):
        if len(text) > _LONGEST or int(text) not in _BOUNDS:
            raise AmbiguousError("the number does not fit 64 bits: quote it if it is text")
        return int(text)
    if math.isinf(float(text)):
        raise AmbiguousError("the number is too large: quote it if it is text")
    return float(text)
