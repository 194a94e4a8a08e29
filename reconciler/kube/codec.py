"""JSON from the API server -> our values, and back (contract 7).

A body that is cut, empty, a proxy's page or of another kind is a failed read, Transient: it never
reads as "nothing there". Inside a good body, one object that does not fit harms itself alone.
Children are read leniently, since any executor writes their status, and at once into small values:
50,000 are held.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from reconciler.core.api import MAX_MESSAGE, Kind, Metadata, WorkflowExecution, whole_seconds
from reconciler.core.facts import Child
from reconciler.core.names import MANAGED_BY_LABEL, MANAGER
from reconciler.errors import Unreachable
from reconciler.kube.answers import Response
from reconciler.kube.requests import EVENTS, LEASES, METADATA_ONLY, Request
from reconciler.retry import Transient
from reconciler.seams import ConfigMap, Event, Lease, Unreadable

K = TypeVar("K", bound=Kind)

Json = Mapping[str, Any]

_LONGEST_WORD = 64  # characters of a phase or reason that we keep
_LONGEST_WHY = 300
_LONGEST_NOTE = 1024  # bytes of an Event's note
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


# --- bodies ---------------------------------------------------------------------------------


def read(request: Request, response: Response) -> Json:
    """The object in the body, of the kind that was asked for."""
    resource = request.target.resource
    return _body(request, response, (resource.api_version, resource.kind))


def nothing(request: Request, response: Response) -> None:
    """Of an answer whose code says it all."""
    del request, response


def read_page(request: Request, response: Response) -> tuple[list[Json], str]:
    """The items of a page, and the token of the next one, empty on the last."""
    kind = (
        ("meta.k8s.io/v1", "PartialObjectMetadataList")
        if request.accept == METADATA_ONLY
        else (request.target.resource.api_version, f"{request.target.resource.kind}List")
    )
    body = _body(request, response, kind)
    items, metadata = body.get("items"), body.get("metadata")
    if items is None and "items" in body and request.accept == METADATA_ONLY:
        items = []  # how kube-apiserver 1.37 writes an empty list of metadata, and no other
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Transient(f"{request.text}: the answer holds no list of objects")
    if not isinstance(metadata, dict):
        raise Transient(f"{request.text}: the answer is no whole list")
    return items, str(metadata.get("continue") or "")


def _body(request: Request, response: Response, expected: tuple[str, str]) -> Json:
    try:
        body = from_json(response.body)
    except ValueError:
        raise Transient(f"{request.text}: the answer is no JSON, or only a part of it") from None
    if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != expected:
        raise Transient(f"{request.text}: the answer is no {expected[1]}")
    return body


# --- the kinds ------------------------------------------------------------------------------


def parse(model: type[K], item: Json) -> K:
    """Raises ValidationError. A field that we do not know is a later release's, and ignored."""
    return model.model_validate(item, extra="ignore")


def parse_metadata(item: Json) -> Metadata:
    """Of a list that is used whole or not at all: nothing of it can be left out."""
    try:
        return Metadata.model_validate(item.get("metadata"))
    except ValidationError as error:
        raise Unreachable(f"an object without whole metadata: {why(error)}") from error


def parse_workflow(item: Json) -> WorkflowExecution | Unreadable:
    try:
        return parse(WorkflowExecution, item)
    except ValidationError as error:
        metadata = _map(item.get("metadata"))
        return Unreadable(_text(metadata, "namespace"), _text(metadata, "name"), why(error))


def why(error: ValidationError) -> str:
    """Where and what, without the value: it may be a secret."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    words = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found[:3])
    return words if len(words) <= _LONGEST_WHY else f"{words[:_LONGEST_WHY]}…"


def child(item: Json) -> Child:
    """Never fails: what makes no sense is left out, and then the child is not ours, or active."""
    metadata, spec = _map(item.get("metadata")), _map(item.get("spec"))
    status = _map(item.get("status"))
    attempt = spec.get("attempt")
    return Child(
        namespace=sys.intern(_text(metadata, "namespace")),
        name=_text(metadata, "name"),
        uid=_text(metadata, "uid"),
        owner=sys.intern(_controller(metadata)),
        step=sys.intern(_text(spec, "stepName")),
        attempt=attempt if type(attempt) is int else -1,
        phase=sys.intern(_text(status, "phase")[:_LONGEST_WORD]),
        created=_instant(metadata.get("creationTimestamp")) or _NEVER,
        started=_instant(status.get("executionStartTime")),
        ended=_instant(status.get("executionEndTime")),
        reason=sys.intern(_text(status, "reason")[:_LONGEST_WORD]),
        last_error=_text(status, "lastError")[:MAX_MESSAGE],
        cancel_requested=spec.get("cancelRequested") is True,
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def uid(item: Json) -> str:
    return _text(_map(item.get("metadata")), "uid")


def active_steps(item: Json) -> int:
    """What a workflow's status says; 0 for what is no count."""
    told = _map(item.get("status")).get("activeSteps")
    return max(0, told) if type(told) is int else 0


def label(item: Json, key: str) -> str:
    """The value of a label, empty when there is none."""
    return _text(_map(_map(item.get("metadata")).get("labels")), key)


def _controller(metadata: Json) -> str:
    references = metadata.get("ownerReferences")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, dict) and reference.get("controller") is True:
            return _text(reference, "uid")
    return ""


def _map(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: Json, key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""


def _instant(value: object) -> datetime | None:
    """UTC, whole seconds; None for what is no RFC 3339 time."""
    return _parsed(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> datetime | None:
    """Cached: children are made in bursts, and equal times are one object in memory."""
    try:
        instant = datetime.fromisoformat(text)
        return whole_seconds(instant) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


# --- the state namespace --------------------------------------------------------------------


def config_map(item: Json) -> ConfigMap:
    metadata, data = _map(item.get("metadata")), _map(item.get("data"))
    return ConfigMap(
        name=_text(metadata, "name"),
        data={key: value for key, value in data.items() if isinstance(value, str)},
        uid=_text(metadata, "uid"),
        version=_text(metadata, "resourceVersion"),
    )


def config_map_body(namespace: str, value: ConfigMap) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": value.name,
            "namespace": namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER},
            **_known(uid=value.uid, resourceVersion=value.version),
        },
        "data": dict(value.data),
    }


def lease(item: Json) -> Lease:
    metadata, spec = _map(item.get("metadata")), _map(item.get("spec"))
    return Lease(
        name=_text(metadata, "name"),
        holder=_text(spec, "holderIdentity"),
        duration=timedelta(seconds=spec.get("leaseDurationSeconds") or 0),
        acquired=_moment(spec.get("acquireTime")),
        renewed=_moment(spec.get("renewTime")),
        transitions=spec.get("leaseTransitions") or 0,
        version=_text(metadata, "resourceVersion"),
    )


def lease_body(namespace: str, value: Lease) -> Json:
    """Without a holder when it is released: the server takes no empty duration, but no holder."""
    spec: dict[str, Any] = {
        "leaseDurationSeconds": max(1, round(value.duration.total_seconds())),
        "leaseTransitions": value.transitions,
    }
    if value.holder:
        spec["holderIdentity"] = value.holder
    if value.acquired:
        spec["acquireTime"] = micro_time(value.acquired)
    if value.renewed:
        spec["renewTime"] = micro_time(value.renewed)
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {
            "name": value.name,
            "namespace": namespace,
            **_known(resourceVersion=value.version),
        },
        "spec": spec,
    }


def event_body(event: Event, at: datetime, instance: str) -> Json:
    regarding = event.regarding
    namespace = regarding.namespace or "default"
    note = event.note.encode()[:_LONGEST_NOTE].decode(errors="ignore")
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        # The server appends five letters and cuts what is before them to 58 characters.
        "metadata": {
            "namespace": namespace,
            "generateName": f"{regarding.name[:50].rstrip('.-')}-",
        },
        "eventTime": micro_time(at),
        "reportingController": "reconciler.kubernaut.ai",
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": event.reason,
        "type": "Warning" if event.warning else "Normal",
        "note": note,
        "regarding": {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "namespace": namespace,
            "name": regarding.name,
            "uid": regarding.uid,
        },
    }


def micro_time(instant: datetime) -> str:
    """metav1.MicroTime: exactly six digits, or the server refuses it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(value: object) -> datetime | None:
    """As `_instant`, microseconds kept."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant and instant.tzinfo else None


def _known(**values: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}
