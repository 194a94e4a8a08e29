"""Two schemas of one kind, ours and the one that a server publishes, compared (contract 2).

Pure. Descriptions do not count, nor what a server adds: its metadata and the name of the kind.
Every account may read the published schema, so a run needs no right to read CRDs.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_KIND = "x-kubernetes-group-version-kind"
_SELECTABLE = "x-kubernetes-selectable-fields"
_DIGITS = 12
_INNER = ("properties", "items", "additionalProperties")  # not told: people know fields


@dataclass(frozen=True, slots=True)
class Difference:
    """Paths of what is not as ours is (`lacking`), and of what ours does not have (`beyond`)."""

    lacking: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()


def of_crd(crd: Schema) -> Schema:
    """The schema of a CRD that has one version, as a server would publish it."""
    version = crd["spec"]["versions"][0]
    selectable = [each["jsonPath"] for each in version.get("selectableFields", ())]
    return _shape(version["schema"]["openAPIV3Schema"], selectable)


def of_server(published: Schema) -> Schema:
    """The same of a published schema, so that the two compare."""
    told = published.get(_SELECTABLE)
    fields = [each.get("fieldPath", "") for each in told] if isinstance(told, list) else []
    return _shape(published, [f".{each.removeprefix('.')}" for each in fields])


def digest(shape: Schema) -> str:
    """The same for the same schema, whatever the order of its keys."""
    text = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def compare(ours: Schema, served: Schema) -> Difference:
    found = list(_differences(ours, served, ()))
    return Difference(
        tuple(path for path, beyond in found if not beyond),
        tuple(path for path, beyond in found if beyond),
    )


def _shape(schema: Schema, selectable: list[str]) -> Schema:
    kept = {key: value for key, value in schema.items() if key not in (_KIND, _SELECTABLE)}
    inner = schema.get("properties", {})
    kept["properties"] = {key: value for key, value in inner.items() if key != "metadata"}
    shape: dict[str, Any] = _plain(kept)
    return shape | {"selectableFields": sorted(selectable)}


def _plain(value: Any) -> Any:  # noqa: ANN401  # JSON is any of them
    """Without descriptions; a field that is called so is a mapping and stays."""
    if isinstance(value, dict):
        return {
            key: _plain(each)
            for key, each in value.items()
            if not (key == "description" and isinstance(each, str))
        }
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _differences(
    ours: Any,  # noqa: ANN401
    served: Any,  # noqa: ANN401
    path: tuple[str, ...],
) -> Iterator[tuple[str, bool]]:
    if not (isinstance(ours, dict) and isinstance(served, dict)):
        if ours != served:
            yield _told(path), False
        return
    for key in sorted(ours.keys() | served.keys()):
        if key not in ours:
            yield _told((*path, key)), True
        elif key not in served:
            yield _told((*path, key)), False
        else:
            yield from _differences(ours[key], served[key], (*path, key))


def _told(path: tuple[str, ...]) -> str:
    """`spec.timeout.maxLength`: without the words of a schema between the fields."""
    return ".".join(part for part in path if part not in _INNER) or "the whole schema"
