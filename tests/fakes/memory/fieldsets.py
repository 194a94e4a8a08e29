"""Who set which field: server-side apply and its managedFields, as structured-merge-diff does it.

A field set is a frozenset of paths, a path a tuple of FieldsV1 words: `f:name` of an object,
`k:{…}` of a map list, `v:…` of a set. Atomic lists and scalars are one field. Nothing here changes
a value that it was given.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tests.fakes.memory.schemas import ABSENT, Json, Schema

Path = tuple[str, ...]
Fields = frozenset[Path]

Parts = dict[str, tuple[Schema | None, Any]]

NONE: Fields = frozenset()

_METADATA = Schema(
    {
        "type": "object",
        "properties": {
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            "finalizers": {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "string"},
            },
            "ownerReferences": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["uid"],
                "items": {
                    "type": "object",
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "name": {"type": "string"},
                        "uid": {"type": "string"},
                        "controller": {"type": "boolean"},
                        "blockOwnerDeletion": {"type": "boolean"},
                    },
                },
            },
        },
    }
)


def rooted(root: Schema) -> dict[str, Schema]:
    """The top fields that have owners: what of metadata people set, and everything beside it."""
    named = {key: node for key, node in root.properties.items() if key not in _UNOWNED}
    return {"metadata": _METADATA, **named}


_UNOWNED = ("apiVersion", "kind", "metadata")


# --- sets -----------------------------------------------------------------------------------


def stated(tops: Mapping[str, Schema], body: Json) -> Fields:
    """What an apply states: every leaf, and every item of a map list."""
    return frozenset(
        path
        for key, node in tops.items()
        if key in body
        for path in _stated(node, _owned(key, body[key]), (f"f:{key}",))
        if len(path) > 1 or key != "metadata"
    )


def changes(tops: Mapping[str, Schema], old: Json, new: Json) -> tuple[Fields, Fields]:
    """(set or changed, removed) between two states of an object."""
    found = _Changes()
    for key, node in tops.items():
        before, after = _owned(key, old.get(key, ABSENT)), _owned(key, new.get(key, ABSENT))
        if before != after:
            found.compare(node, before, after, (f"f:{key}",))
    return frozenset(found.altered) - {("f:metadata",)}, frozenset(found.removed)


@dataclass(slots=True)
class _Changes:
    """What came is altered with all that is in it, and so is its container; so is what went."""

    altered: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    def compare(self, node: Schema | None, old: Any, new: Any, path: Path) -> None:  # noqa: ANN401
        before, after = _parts(node, old), _parts(node, new)
        if before is None or after is None:
            (self.removed if new is ABSENT else self.altered).add(path)
        before, after = before or {}, after or {}
        for word in before.keys() | after.keys():
            child, was = before.get(word, (None, ABSENT))
            child, now = after.get(word, (child, ABSENT))
            if was != now:
                self.compare(child, was, now, (*path, word))


def _owned(key: str, value: Any) -> Any:  # noqa: ANN401  # any JSON
    if key != "metadata" or value is ABSENT:
        return value
    return {name: each for name, each in value.items() if name in _METADATA.properties}


def _stated(node: Schema, value: Any, path: Path) -> Iterator[Path]:  # noqa: ANN401
    parts = _parts(node, value)
    if not parts:
        yield path
        return
    for word, (child, each) in parts.items():
        if word.startswith("k:"):
            yield (*path, word)
        yield from _stated(child, each, (*path, word)) if child else ((*path, word),)


def _parts(node: Schema | None, value: Any) -> Parts | None:  # noqa: ANN401
    """The parts of a value that have owners of their own; None when it is one field, or absent."""
    if node is None:
        return None
    if isinstance(value, dict) and node.type == "object" and not node.opaque:
        return {f"f:{key}": (node.child(key), each) for key, each in value.items()}
    if isinstance(value, list) and node.keys:
        return {_item(node, each): (node.items, each) for each in value}
    if isinstance(value, list) and node.is_set:
        return {f"v:{json.dumps(each)}": (None, each) for each in value}
    return None


def _item(node: Schema, value: Json) -> str:
    key = {name: value.get(name) for name in node.keys}
    return f"k:{json.dumps(key, separators=(',', ':'), sort_keys=True)}"


# --- values ---------------------------------------------------------------------------------


def merged(tops: Mapping[str, Schema], live: Json, body: Json) -> Json:
    """The live object with what an apply states laid over it."""
    over = {
        key: _merged(tops[key], live.get(key, ABSENT), each)
        for key, each in body.items()
        if key in tops
    }
    if "metadata" in body:
        over["metadata"] = {
            **live["metadata"],
            **_merged(_METADATA, live["metadata"], _owned("metadata", body["metadata"])),
        }
    return {**live, **over}


def _merged(node: Schema, live: Any, over: Any) -> Any:  # noqa: ANN401
    if live is ABSENT or type(live) is not type(over):
        return over
    if isinstance(over, dict) and not node.opaque:
        return {
            **live,
            **{
                key: _merged(child, live.get(key, ABSENT), each) if child else each
                for key, each, child in ((key, each, node.child(key)) for key, each in over.items())
            },
        }
    if isinstance(over, list) and (node.keys or node.is_set):
        return _merged_items(node, live, over)
    return over


def _merged_items(node: Schema, live: list[Any], over: list[Any]) -> list[Any]:
    before, after = _parts(node, live) or {}, _parts(node, over) or {}
    both = {word: each for word, (_, each) in before.items()}
    for word, (child, each) in after.items():
        known = word in both and child is not None
        both[word] = _merged(child, both[word], each) if known and child else each
    return list(both.values())


def without(tops: Mapping[str, Schema], value: Json, gone: Fields) -> Json:
    """The object without fields that nobody states any more."""
    for path in sorted(gone, key=len):  # an item before its parts: they go with it
        key = path[0].removeprefix("f:")
        if key in value and len(path) > 1:
            value = {**value, key: _without(tops[key], value[key], path[1:])}
        elif len(path) == 1 and key != "metadata":
            value = {name: each for name, each in value.items() if name != key}
    return value


def _without(node: Schema | None, value: Any, path: Path) -> Any:  # noqa: ANN401
    word, rest = path[0], path[1:]
    if isinstance(value, dict) and node:
        key = word.removeprefix("f:")
        if key not in value:
            return value
        if rest:
            return {**value, key: _without(node.child(key), value[key], rest)}
        return {name: each for name, each in value.items() if name != key}
    if isinstance(value, list) and node and (node.keys or node.is_set):
        parts = _parts(node, value) or {}
        if rest and word in parts:
            child, each = parts[word]
            parts = {**parts, word: (child, _without(child, each, rest))}
        return [each for at, (_, each) in parts.items() if rest or at != word]
    return value


# --- the wire -------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def fields_v1(fields: Fields) -> Json:
    """As managedFields hold it: nested, `.` for a container that is owned itself."""
    containers = {path[:depth] for path in fields for depth in range(len(path))}
    tree: Json = {}
    for path in sorted(fields):
        node = tree
        for word in path:
            node = node.setdefault(word, {})
        if path in containers:
            node["."] = {}
    return tree
