"""ObjectMeta: what people set of it, what the server sets, and when it is refused."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from tests.fakes.memory.schemas import Json, Problem

_PEOPLES = ("labels", "annotations", "finalizers", "ownerReferences", "generateName")
_SERVERS = (
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink",
)  # fmt: skip
_KNOWN = frozenset((*_PEOPLES, *_SERVERS))
_ANNOTATIONS = 256 << 10  # bytes, keys and values
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_OWNER = ("apiVersion", "kind", "name", "uid")
_MAX_NAME = 253
_MAX_LABEL = 63


def unknown(given: Json) -> list[str]:
    return [f"metadata.{key}" for key in given if key not in _KNOWN]


def peoples(given: Json) -> Json:
    """What people set; what is empty is not kept."""
    return {key: given[key] for key in _PEOPLES if given.get(key)}


def updated(held: Json, given: Json) -> Json:
    """The server's part as it is, the people's part as it was sent."""
    return {**{key: held[key] for key in _SERVERS if key in held}, **peoples(given)}


def problems(given: Json, held: Json | None) -> list[Problem]:
    """Why it may not be stored; what is there already is not judged again."""
    before = held or {}
    found: list[Problem] = []
    if held is None and not _is_name(given["name"]):
        found.append(Problem("metadata.name", "a lowercase RFC 1123 subdomain must consist of …"))
    for part, judge in _JUDGES.items():
        if part in given and given[part] != before.get(part):
            found += judge(given[part])
    if "deletionTimestamp" in before:
        new = set(given.get("finalizers", ())) - set(before.get("finalizers", ()))
        if new:
            message = f"Forbidden: no new finalizers can be added, found {sorted(new)}"
            found.append(Problem("metadata.finalizers", message, "FieldValueForbidden"))
    return found


def _labels(labels: Json) -> Iterator[Problem]:
    for key, value in labels.items():
        if not _is_key(key) or not _is_label(value):
            yield Problem(
                "metadata.labels", f"Invalid value: {key}={value}: a valid label must be …"
            )


def _annotations(annotations: Json) -> Iterator[Problem]:
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS:
        message = f"Too long: may not be more than {_ANNOTATIONS} bytes"
        yield Problem("metadata.annotations", message, "FieldValueTooLong")


def _owners(owners: list[Json]) -> Iterator[Problem]:
    for index, owner in enumerate(owners):
        for key in _OWNER:
            if not owner.get(key):
                field = f"metadata.ownerReferences[{index}].{key}"
                yield Problem(field, "Required value: must not be empty", "FieldValueRequired")
    if sum(bool(owner.get("controller")) for owner in owners) > 1:
        message = "Only one reference can have Controller set to true"
        yield Problem("metadata.ownerReferences", message)


_JUDGES: Mapping[str, Callable[[Any], Iterator[Problem]]] = {
    "labels": _labels,
    "annotations": _annotations,
    "ownerReferences": _owners,
}


@lru_cache(maxsize=4096)
def _is_name(name: str) -> bool:
    return len(name) <= _MAX_NAME and _NAME.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _is_label(value: str) -> bool:
    return len(value) <= _MAX_LABEL and _LABEL.fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _is_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None
