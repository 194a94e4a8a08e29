"""Structural schemas as kube-apiserver reads them: types, bounds, unknown fields, CEL rules.

Driven by the CRDs themselves, so a bound that is generated wrong is wrong here too, as on a real
server. Only the CEL rules are written again, in Python; a rule that is not known here is refused
at the start. What equals the stored value is not judged again (ratcheting), which is also what
makes this fast.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Json = dict[str, Any]

ABSENT: object = object()

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_STARTED = "oldSelf.status.phase in ['', 'Pending']"
_SETTLED = "oldSelf.status.settled"
_KEYS = re.compile(r"self\.all\(key, key != '' && key\.size\(\) <= (\d+)\)")
_UNCHANGED = re.compile(r"\(?(has\(self\.spec\.(\w+)\) == .*|self\.spec\.(\w+) == .*)")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a write is refused for."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


@dataclass(slots=True)
class Found:
    """What a look at a value brought up."""

    unknown: list[str] = field(default_factory=list)
    mistyped: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule over an object and what it was, as a predicate that tells whether it holds."""

    holds: Callable[[Json, Json], bool]
    field: str
    message: str


class Schema:
    """One node of a structural schema."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = said
        self.type: str = said["type"]
        self.properties = {key: Schema(each) for key, each in said.get("properties", {}).items()}
        values = said.get("additionalProperties")
        self.values = Schema(values) if values else None
        items = said.get("items")
        self.items = Schema(items) if items else None
        self.required: tuple[str, ...] = tuple(said.get("required", ()))
        # An object that names neither fields nor values is opaque: metadata.
        self.opaque = self.type == "object" and not self.properties and self.values is None
        self.keys: tuple[str, ...] = tuple(said.get("x-kubernetes-list-map-keys", ()))
        self.is_set = said.get("x-kubernetes-list-type") == "set"
        self._bounds = tuple(_bounds(said))
        self._enum = frozenset(said["enum"]) if "enum" in said else None
        self._key, self._key_words = _keys(said)
        self._fits = _TYPES[said["type"]]
        if said.get("format") == "micro-time":
            # Of a kind of Kubernetes' own: what does not parse is no value of that type.
            self._fits = _is_micro_time
        self._look = _LOOKS[self.type]

    def child(self, key: str) -> "Schema | None":
        return self.properties.get(key, self.values)

    def look(self, value: object, path: str, found: Found, old: object = ABSENT) -> None:
        """Judges a value, unless it is what is stored already."""
        if old is not ABSENT and value == old:
            return
        if not self._fits(value):
            said = f"must be of type {self.type}: {_kind(value)!r}"
            found.mistyped.append(Problem(path, f"{path} in body {said}", "FieldValueTypeInvalid"))
            return
        if self._enum is not None and value not in self._enum:
            found.problems.append(
                Problem(path, f"Unsupported value: {value!r}", "FieldValueNotSupported")
            )
        for said, within in self._bounds:
            if not within(value):
                found.problems.append(Problem(path, f"{path} in body {said}"))
        self._look(self, value, path, found, old)

    def look_object(self, value: Json, path: str, found: Found, old: object) -> None:
        if self.opaque:
            return
        before = old if isinstance(old, dict) else {}
        for key, each in value.items():
            at = f"{path}.{key}" if path else key
            node = self.child(key)
            if node is None:
                found.unknown.append(at)
            else:
                node.look(each, at, found, before.get(key, ABSENT))
            if not self._key.fullmatch(key):
                found.problems.append(Problem(path, self._key_words))
        for key in self.required:
            if key not in value:
                at = f"{path}.{key}" if path else key
                found.problems.append(Problem(at, "Required value", "FieldValueRequired"))

    def look_array(self, value: list[Any], path: str, found: Found, old: object) -> None:
        assert self.items
        before = old if isinstance(old, list) else []
        for index, each in enumerate(value):
            was = before[index] if index < len(before) else ABSENT
            self.items.look(each, f"{path}[{index}]", found, was)
        if self.keys:
            keys = [tuple(each.get(key) for key in self.keys) for each in value]
            for index, key in enumerate(keys):
                if key in keys[:index]:
                    at = f"{path}[{index}]"
                    found.problems.append(Problem(at, "Duplicate value", "FieldValueDuplicate"))

    def look_scalar(self, value: object, path: str, found: Found, old: object) -> None:
        """Bounds are all there is."""

    def pruned(self, value: Any) -> Any:  # noqa: ANN401  # any JSON
        """Without the fields that the schema does not know."""
        if isinstance(value, dict) and self.type == "object" and not self.opaque:
            known = ((key, self.child(key), each) for key, each in value.items())
            return {key: node.pruned(each) for key, node, each in known if node}
        if isinstance(value, list) and self.items:
            return [self.items.pruned(each) for each in value]
        return value


_LOOKS: Mapping[str, Callable[[Schema, Any, str, Found, object], None]] = {
    "object": Schema.look_object,
    "array": Schema.look_array,
    "string": Schema.look_scalar,
    "integer": Schema.look_scalar,
    "boolean": Schema.look_scalar,
}

_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: isinstance(value, bool),
}


def rules(said: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules at the root of a CRD's schema."""
    return tuple(
        Rule(
            _predicate(each["rule"], each["fieldPath"]),
            each["fieldPath"].lstrip("."),
            each["message"],
        )
        for each in said.get("x-kubernetes-validations", ())
    )


def _predicate(rule: str, path: str) -> Callable[[Json, Json], bool]:
    """Raises ValueError for a rule of a form that nobody has written in Python yet."""
    name = path.removeprefix(".spec").lstrip(".")

    def same(new: Json, old: Json) -> bool:
        if not name:
            return bool(new.get("spec") == old.get("spec"))
        return bool(new["spec"].get(name, ABSENT) == old["spec"].get(name, ABSENT))

    if _STARTED in rule:
        return lambda new, old: (
            old.get("status", {}).get("phase", "") in ("", "Pending") or same(new, old)
        )
    if _SETTLED in rule:
        return lambda new, old: not old.get("status", {}).get("settled", False) or same(new, old)
    if _UNCHANGED.fullmatch(rule):
        return same
    raise ValueError(f"no predicate is written for the rule {rule!r}")


def _keys(said: Mapping[str, Any]) -> tuple[re.Pattern[str], str]:
    """What a key must look like, and the words when it does not."""
    for each in said.get("x-kubernetes-validations", ()):
        if matched := _KEYS.fullmatch(each["rule"]):
            return re.compile(f"(?s:.{{1,{matched.group(1)}}})"), each["message"]
    keys = said.get("propertyNames", {"pattern": "(?s:.*)"})["pattern"]
    return re.compile(keys), f"keys must match '{keys}'"


def _bounds(said: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    for keyword, (words, within) in _KEYWORDS.items():
        if keyword in said:
            yield words.format(said[keyword]), within(said[keyword])


def _matches(pattern: str) -> Callable[[str], bool]:
    searched = re.compile(pattern)
    return lru_cache(maxsize=4096)(
        lambda value: bool(searched.search(value)) and value[-1:] != "\n"
    )


def _is_micro_time(value: object) -> bool:
    return isinstance(value, str) and _MICRO_TIME.fullmatch(value) is not None


_FORMATS: Mapping[str, Callable[[Any], bool]] = {
    "date-time": lambda value: _DATE_TIME.fullmatch(value) is not None,
    "micro-time": _is_micro_time,
}

_KEYWORDS: Mapping[str, tuple[str, Callable[[Any], Callable[[Any], bool]]]] = {
    "minimum": ("should be greater than or equal to {}", lambda low: lambda value: value >= low),
    "maximum": ("should be less than or equal to {}", lambda top: lambda value: value <= top),
    "minLength": ("should be at least {} chars long", lambda low: lambda value: len(value) >= low),
    "maxLength": ("should be at most {} chars long", lambda top: lambda value: len(value) <= top),
    "minItems": ("should have at least {} items", lambda low: lambda value: len(value) >= low),
    "maxItems": ("should have at most {} items", lambda top: lambda value: len(value) <= top),
    "minProperties": ("should have at least {} properties", lambda low: lambda v: len(v) >= low),
    "maxProperties": ("should have at most {} properties", lambda top: lambda v: len(v) <= top),
    "pattern": ("should match '{}'", _matches),
    "format": ("must be of type {}", lambda named: _FORMATS[named]),
}


def _kind(value: object) -> str:
    return {dict: "object", list: "array", str: "string", int: "integer", float: "number"}.get(
        type(value), "null" if value is None else "boolean"
    )
