"""What the in-memory API server holds: objects, versions, managed fields, deletions.

Stored objects are never changed, only replaced. Every commit takes the next resourceVersion, of
all kinds together, and is told to the observers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic_core import to_json

from reconciler.kube.requests import Resource, Target
from reconciler.seams import Clock
from tests.fakes.memory import fieldsets
from tests.fakes.memory.fieldsets import Fields
from tests.fakes.memory.refusals import Refusal
from tests.fakes.memory.schemas import Json
from tests.fakes.memory.served import SERVED, Served

_LARGEST_OBJECT = 3 << 19  # bytes, etcd's limit
_FIRST_VERSION = 100

Key = tuple[str, str]  # namespace, name


class Manager(NamedTuple):
    """Whose fields an entry of managedFields holds."""

    name: str
    operation: str
    subresource: str = ""


Managers = Mapping[Manager, Fields]


@dataclass(frozen=True, slots=True)
class Stored:
    """One object, as it is and as it is sent."""

    body: Json
    raw: bytes
    managers: Managers
    # Of an object as it was created the server holds no defaults yet: its first update writes
    # them, even when it changes nothing else.
    defaulted: bool

    @property
    def meta(self) -> Json:
        return self.body["metadata"]  # type: ignore[no-any-return]  # JSON


@dataclass(frozen=True, slots=True)
class Draft:
    """What a write wants to store."""

    body: Json
    managers: Managers
    defaulted: bool = True
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change: None before a creation, None after a deletion."""

    resource: Resource
    before: Json | None
    after: Json | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything stored at one moment."""

    objects: Mapping[Resource, Mapping[Key, Stored]]
    namespaces: frozenset[str]
    version: int
    made: int


class Storage:
    """Not safe for threads: the server locks."""

    def __init__(self, clock: Clock, namespaces: Iterable[str]) -> None:
        self._clock = clock
        self._objects: dict[Resource, dict[Key, Stored]] = {kind: {} for kind in SERVED}
        self._made = 0
        self.version = _FIRST_VERSION
        self.namespaces = set(namespaces)
        self.observers: list[Callable[[Change], None]] = []

    # --- reads ------------------------------------------------------------------------------

    def all(self, resource: Resource) -> list[Stored]:
        """By namespace and name."""
        return [stored for _, stored in sorted(self._objects[resource].items(), key=_key)]

    def find(self, resource: Resource, namespace: str, name: str) -> Stored | None:
        return self._objects[resource].get((namespace, name))

    def existing(self, target: Target) -> Stored:
        stored = self.find(target.resource, target.namespace or "", target.name)
        if stored is None:
            raise Refusal.not_found(target)
        return stored

    def snapshot(self) -> Snapshot:
        objects = {kind: dict(stored) for kind, stored in self._objects.items()}
        return Snapshot(objects, frozenset(self.namespaces), self.version, self._made)

    def restore(self, snapshot: Snapshot) -> None:
        self._objects = {kind: dict(stored) for kind, stored in snapshot.objects.items()}
        self.namespaces = set(snapshot.namespaces)
        self.version, self._made = snapshot.version, snapshot.made

    # --- writes -----------------------------------------------------------------------------

    def next_suffix(self) -> str:
        """What the server appends to a generateName."""
        return f"{self._made + 1:05x}"

    def create(self, served: Served, draft: Draft) -> Stored:
        made = self._made + 1
        about = {
            **draft.body["metadata"],
            "uid": f"{made:08x}-0000-4000-8000-000000000000",
            "creationTimestamp": self._now(),
            **({"generation": 1} if served.custom else {}),
        }
        stored = self._stamped(served, replace(draft, body={**draft.body, "metadata": about}))
        if not draft.dry:
            self._made = made
            self._keep(served.resource, None, stored)
        return stored

    def replace(self, served: Served, old: Stored, draft: Draft) -> Stored:
        """Unless it is what is there already."""
        if old.defaulted and old.body == draft.body and old.managers == draft.managers:
            return old
        body = draft.body
        if served.custom and _spec_of(old.body) != _spec_of(body):
            body = _bumped(body)
        stored = self._stamped(served, replace(draft, body=body))
        if not draft.dry:
            self._keep(served.resource, old, stored)
        return stored

    def delete(self, served: Served, old: Stored) -> Stored | None:
        """What is left of it while it waits for its finalizers."""
        if "deletionTimestamp" in old.meta:
            return old
        about = {
            **old.meta,
            "deletionTimestamp": self._now(),
            "deletionGracePeriodSeconds": 0,
        }
        body = {**old.body, "metadata": about}
        body = _bumped(body) if served.custom else body
        stored = self._stamped(served, Draft(body, old.managers, old.defaulted))
        self._keep(served.resource, old, stored)
        return stored if about.get("finalizers") else None

    def collect(self) -> bool:
        """One sweep over what has owners and none of them left; False when there was nothing."""
        alive = {each.meta["uid"] for kind in SERVED for each in self.all(kind)}
        orphans = [
            (served, stored)
            for kind, served in SERVED.items()
            for stored in self.all(kind)
            if "deletionTimestamp" not in stored.meta
            and (owners := stored.meta.get("ownerReferences"))
            and not any(owner["uid"] in alive for owner in owners)
        ]
        for served, stored in orphans:
            self.delete(served, stored)
        return bool(orphans)

    def _keep(self, resource: Resource, old: Stored | None, stored: Stored) -> None:
        about = stored.meta
        key = (about["namespace"], about["name"])
        self.version += 1
        gone = "deletionTimestamp" in about and not about.get("finalizers")
        if gone:
            del self._objects[resource][key]
        else:
            self._objects[resource][key] = stored
        change = Change(resource, old.body if old else None, None if gone else stored.body)
        for observe in self.observers:
            observe(change)

    def _stamped(self, served: Served, draft: Draft) -> Stored:
        """Raises Refusal for what etcd would not take."""
        about = {
            **draft.body["metadata"],
            "resourceVersion": str(self.version + (not draft.dry)),
            "managedFields": self._managed(served, draft.managers),
        }
        body = {
            "apiVersion": served.resource.api_version,
            "kind": served.resource.kind,
            **draft.body,
            "metadata": about,
        }
        raw = to_json(body)
        if len(raw) > _LARGEST_OBJECT:
            raise Refusal(500, "", "etcdserver: request is too large")
        return Stored(body, raw, draft.managers, draft.defaulted)

    def _managed(self, served: Served, managers: Managers) -> list[Json]:
        return [
            {
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": served.resource.api_version,
                "time": self._now(),
                "fieldsType": "FieldsV1",
                "fieldsV1": fieldsets.fields_v1(fields),
                **({"subresource": manager.subresource} if manager.subresource else {}),
            }
            for manager, fields in managers.items()
        ]

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _key(item: tuple[Key, Stored]) -> Key:
    return item[0]


def _spec_of(body: Json) -> Json:
    return {key: value for key, value in body.items() if key not in ("metadata", "status")}


def _bumped(body: Json) -> Json:
    about = body["metadata"]
    return {**body, "metadata": {**about, "generation": about["generation"] + 1}}
