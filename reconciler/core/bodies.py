"""What is sent when a workflow is applied: the body, and nothing that we do not own (contract 5).

Of an object that has started only suspend, cancel and approvals may move: its body is what we own
of it, with those of the document in place of its own. A body without the rest would delete it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.api import WORKFLOW_API, rfc3339
from reconciler.core.definitions import CONTROLS, Definition
from reconciler.core.envelope import mapping
from reconciler.core.names import MANAGER, SOURCE_LABEL
from reconciler.core.records import CONTROLS_HASH, DEFINITION, SPEC_HASH
from reconciler.core.signer import SIGNED_BY, SIGNER_FINGERPRINT, Signer

COMMIT = "kubernaut.ai/commit"
FENCE = "kubernaut.ai/fence"
TTL = "kubernaut.ai/ttl-seconds"  # of the spec, so that metadata alone says whose end to look at

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document was read; told on every object."""

    source: str
    commit: str
    committed_at: datetime | None
    signer: Signer | None = None

    @property
    def annotations(self) -> dict[str, str]:
        told = {"kubernaut.ai/source": self.source, COMMIT: self.commit}
        if self.committed_at is not None:
            told["kubernaut.ai/committed-at"] = rfc3339(self.committed_at)
        return {**told, **self.signer.annotations} if self.signer else told


def whole(definition: Definition, origin: Origin) -> Json:
    """The whole document, for an object that is new or has not started."""
    return {
        "apiVersion": WORKFLOW_API,
        "kind": "WorkflowExecution",
        "metadata": {
            "name": definition.run,
            "namespace": definition.namespace,
            "labels": {**definition.labels, SOURCE_LABEL: origin.source},
            "annotations": {**definition.annotations, **_annotations(definition, origin)},
        },
        "spec": dict(definition.spec),
    }


def adopting(definition: Definition, origin: Origin, *, settled: bool) -> Json:
    """The whole document over a run that states the same; of a settled one nothing may change."""
    body = whole(definition, origin)
    if not settled:
        return body
    spec = {key: each for key, each in definition.spec.items() if key not in CONTROLS}
    return {**body, "spec": spec}


def steering(raw: Mapping[str, object], definition: Definition, origin: Origin) -> Json:
    """What we own of a started object, with the controls as the document states them.

    A control that the document does not state is left out: what others set then stays.
    """
    body = _owned_body(raw, _annotations(definition, origin))
    kept = {key: value for key, value in mapping(body["spec"]).items() if key not in CONTROLS}
    stated = {key: definition.spec[key] for key in CONTROLS if key in definition.spec}
    return {**body, "spec": {**kept, **stated}}


def touching(raw: Mapping[str, object], origin: Origin, fence: str) -> Json | None:
    """What we own of an object, and the new commit; None where nothing of its spec is ours.

    It changes nothing but the resourceVersion: an apply that a sleeping run still holds fails.
    An object that has this commit already, from before git went back to it, is given the fence's
    number: an apply that changes nothing would not move it.
    """
    body = _owned_body(raw, origin.annotations)
    metadata = mapping(body["metadata"])
    stated = mapping(mapping(raw.get("metadata")).get("annotations"))
    if stated.get(COMMIT) == origin.commit:
        annotations = {**mapping(metadata.get("annotations")), FENCE: fence}
        body = {**body, "metadata": {**metadata, "annotations": annotations}}
    return body if body["spec"] else None


def _annotations(definition: Definition, origin: Origin) -> dict[str, str]:
    ttl = definition.model.ttl_seconds_after_settled
    return {
        **origin.annotations,
        **({TTL: str(ttl)} if ttl is not None else {}),
        "kubernaut.ai/path": definition.path,
        "kubernaut.ai/blob": definition.blob,
        DEFINITION: definition.name,
        SPEC_HASH: definition.content,
        CONTROLS_HASH: definition.controls,
    }


def _owned_body(raw: Mapping[str, object], annotations: Mapping[str, str]) -> Json:
    metadata = mapping(raw.get("metadata"))
    ours = owned(raw)
    meta = mapping(ours.get("metadata"))
    # Who signed an older commit has not signed this one.
    kept = {
        key: value
        for key, value in mapping(meta.get("annotations")).items()
        if key not in (SIGNED_BY, SIGNER_FINGERPRINT)
    }
    return {
        "apiVersion": raw.get("apiVersion", WORKFLOW_API),
        "kind": raw.get("kind", "WorkflowExecution"),
        "metadata": {
            "name": metadata.get("name"),
            "namespace": metadata.get("namespace"),
            "labels": dict(mapping(meta.get("labels"))),
            "annotations": {**kept, **annotations},
        },
        "spec": dict(mapping(ours.get("spec"))),
    }


def owned(raw: Mapping[str, object], manager: str = MANAGER) -> Json:
    """The part of an object that a manager owns by its applies, by managedFields."""
    managed = mapping(raw.get("metadata")).get("managedFields")
    for each in managed if isinstance(managed, list) else ():
        told = mapping(each)
        if (told.get("manager"), told.get("operation")) == (manager, "Apply") and not told.get(
            "subresource"
        ):
            return _picked(raw, mapping(told.get("fieldsV1")))
    return {}


def _picked(value: Mapping[str, object], fields: Mapping[str, object]) -> Json:
    """The members that a set of fields names; the whole of one that it does not look into."""
    picked: Json = {}
    for key, inner in fields.items():
        name = key.removeprefix("f:")
        if name != key and name in value:
            picked[name] = _member(value[name], mapping(inner))
    return picked


def _member(value: object, fields: Mapping[str, object]) -> object:
    if isinstance(value, Mapping) and any(key.startswith("f:") for key in fields):
        return _picked(value, fields)
    items = {key.removeprefix("k:"): each for key, each in fields.items() if key.startswith("k:")}
    if isinstance(value, list) and items:
        # A list that managers share, as approvals are: only the items that are ours.
        return [
            _picked(item, mapping(inner))
            for key, inner in items.items()
            for item in value
            if json.loads(key).items() <= item.items()
        ]
    return value
