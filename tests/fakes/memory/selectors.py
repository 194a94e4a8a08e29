"""Label and field selectors as kube-apiserver reads them; what it cannot parse is a ValueError."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

Labels = Mapping[str, str]
Matches = Callable[[Labels], bool]

_SPLIT = re.compile(r",(?![^(]*\))")
_KEY = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET = re.compile(rf"(?P<key>{_KEY})\s+(?P<word>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUALITY = re.compile(rf"(?P<key>{_KEY})\s*(?P<word>==|=|!=)\s*(?P<value>[-A-Za-z0-9_.]*)")
_EXISTS = re.compile(rf"(?P<word>!?)\s*(?P<key>{_KEY})")
_FIELD = re.compile(r"(?P<key>[\w.]+)(?P<word>==|=|!=)(?P<value>[^,=!]*)")


@lru_cache(maxsize=1024)
def labels(selector: str) -> Matches:
    """`!=` and `notin` choose what has no such label, too."""
    terms = [_label_term(part.strip()) for part in _SPLIT.split(selector) if part.strip()]
    return lambda found: all(term(found) for term in terms)


def _label_term(text: str) -> Matches:
    if matched := _SET.fullmatch(text):
        return _one_of(
            matched["key"],
            frozenset(value.strip() for value in matched["values"].split(",")),
            wanted=matched["word"] == "in",
        )
    if matched := _EQUALITY.fullmatch(text):
        return _one_of(
            matched["key"], frozenset({matched["value"]}), wanted=matched["word"] != "!="
        )
    if matched := _EXISTS.fullmatch(text):
        key, wanted = matched["key"], not matched["word"]
        return lambda found: (key in found) is wanted
    raise ValueError(f"unable to parse requirement: {text!r}")


def _one_of(key: str, values: frozenset[str], *, wanted: bool) -> Matches:
    return lambda found: (found.get(key) in values) is wanted


@lru_cache(maxsize=1024)
def fields(selector: str) -> tuple[tuple[str, bool, str], ...]:
    """(field, whether equal is wanted, value): all must hold."""
    terms = [_FIELD.fullmatch(part.strip()) for part in selector.split(",") if part.strip()]
    if not all(terms):
        raise ValueError(f"invalid selector: {selector!r}")
    return tuple((term["key"], term["word"] != "!=", term["value"]) for term in terms if term)
