"""The kinds that the in-memory API server serves: ours by their CRDs, three of Kubernetes by hand.

Of a ConfigMap, a Lease and an Event only those fields are known that a reconciler writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.crds import crds
from reconciler.kube.requests import CONFIG_MAPS, EVENTS, LEASES, OURS, Resource
from tests.fakes.memory.fieldsets import rooted
from tests.fakes.memory.schemas import Json, Rule, Schema, rules

_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_MICRO_TIME = {"type": "string", "format": "micro-time"}
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"


@dataclass(frozen=True, slots=True)
class Served:
    """A kind as the server keeps it. `custom`: with status subresource and generation."""

    resource: Resource
    root: Schema
    tops: Mapping[str, Schema]
    rules: tuple[Rule, ...] = ()
    selectable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    custom: bool = False
    # Whether a PUT without a resourceVersion replaces whatever there is.
    unconditional: bool = False

    @property
    def default_status(self) -> Json | None:
        status = self.root.properties.get("status")
        return status.said.get("default") if status else None


def _custom(resource: Resource, crd: Mapping[str, Any]) -> Served:
    (version,) = crd["spec"]["versions"]
    said = version["schema"]["openAPIV3Schema"]
    root = Schema(said)
    selectable = [each["jsonPath"].lstrip(".") for each in version.get("selectableFields", ())]
    return Served(
        resource,
        root,
        rooted(root),
        rules(said),
        {path: tuple(path.split(".")) for path in selectable},
        custom=True,
    )


def _core(
    resource: Resource,
    fields: Json,
    required: tuple[str, ...] = (),
    *,
    unconditional: bool = False,
) -> Served:
    root = Schema(
        {
            "type": "object",
            "required": required,
            "properties": {
                "apiVersion": _STRING,
                "kind": _STRING,
                "metadata": {"type": "object"},
                **fields,
            },
        }
    )
    return Served(resource, root, rooted(root), unconditional=unconditional)


def _served() -> dict[Resource, Served]:
    by_name = {crd["metadata"]["name"]: crd for crd in crds()}
    data = {
        "type": "object",
        "additionalProperties": _STRING,
        "propertyNames": {"pattern": _CONFIG_KEY},
    }
    lease = {
        "holderIdentity": _STRING,
        "leaseDurationSeconds": {**_INTEGER, "minimum": 1},
        "leaseTransitions": {**_INTEGER, "minimum": 0},
        "acquireTime": _MICRO_TIME,
        "renewTime": _MICRO_TIME,
    }
    event = {
        "eventTime": _MICRO_TIME,
        "reportingController": _STRING,
        "reportingInstance": {**_STRING, "maxLength": 128},
        "action": {**_STRING, "maxLength": 128},
        "reason": {**_STRING, "maxLength": 128},
        "type": {**_STRING, "enum": ["Normal", "Warning"]},
        "note": {**_STRING, "maxLength": 1024},
        "regarding": {
            "type": "object",
            "properties": dict.fromkeys(
                ("apiVersion", "kind", "namespace", "name", "uid"), _STRING
            ),
        },
    }
    required = ("eventTime", "reportingController", "reportingInstance", "action", "reason", "type")
    kinds = [_custom(resource, by_name[resource.text]) for resource in OURS]
    kinds += [
        _core(CONFIG_MAPS, {"data": data}, unconditional=True),
        _core(LEASES, {"spec": {"type": "object", "properties": lease}}),
        _core(EVENTS, event, required, unconditional=True),
    ]
    return {kind.resource: kind for kind in kinds}


SERVED = _served()
