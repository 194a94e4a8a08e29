"""What an API server says of itself and of us (contract 9, `reconciler check`).

Version, what is served, the published schemas: every account may read these. What we may do is
asked by SelfSubjectAccessReviews, a create that leaves nothing behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic_core import from_json, to_json
from typing_extensions import override

from reconciler.core.rights import Right
from reconciler.errors import Refused
from reconciler.kube import codec
from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.requests import JSON, Request, Resource, Target, Verb
from reconciler.retry import Transient

_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"
)
_GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"


@dataclass(frozen=True, slots=True)
class _Page(Target):
    """A path that is no object's."""

    address: str = ""

    @property
    @override
    def path(self) -> str:
        return self.address

    @property
    @override
    def text(self) -> str:
        return self.address


class KubeInquiry:
    """Implements `checks.ground.Server` over the calls of a run."""

    def __init__(self, calls: Calls, host: str) -> None:
        self._calls = calls
        parts = urlsplit(host)
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def version(self) -> str:
        return str(self._page("/version").get("gitVersion", ""))

    def resources(self, api_version: str) -> frozenset[str]:
        told = self._page_or_none(f"/apis/{api_version}") or {}
        return frozenset(str(each.get("name")) for each in _dicts(told.get("resources")))

    def schema(self, api_version: str, kind: str) -> Mapping[str, Any] | None:
        told = self._page_or_none(f"/openapi/v3/apis/{api_version}") or {}
        schemas = (told.get("components") or {}).get("schemas") or {}
        for schema in _dicts(list(schemas.values())):
            for each in _dicts(schema.get(_GROUP_VERSION_KIND)):
                if (f"{each.get('group')}/{each.get('version')}", each.get("kind")) == (
                    api_version,
                    kind,
                ):
                    return schema
        return None

    def namespace(self, name: str) -> str:
        told = self._page_or_none(f"/api/v1/namespaces/{quote(name, safe='')}") or {}
        return str((told.get("status") or {}).get("phase") or "")

    def refusal(self, right: Right) -> str | None:
        status = self._calls.make(review(right), codec.read).get("status") or {}
        if status.get("allowed") is True:
            return None
        return str(status.get("reason") or status.get("evaluationError") or "")

    def _page(self, address: str) -> Mapping[str, Any]:
        target = _Page(Resource("", "", "", ""), None, address=address)
        return self._calls.make(Request(Verb.GET, target), _json)

    def _page_or_none(self, address: str) -> Mapping[str, Any] | None:
        try:
            return self._page(address)
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise


def review(right: Right) -> Request:
    """Whether we have this right; no namespace asks for all of them, no name for any."""
    attributes = {
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "verb": right.verb,
        "namespace": right.namespace or "",
        "name": right.name,
    }
    body = {
        "apiVersion": _REVIEWS.api_version,
        "kind": _REVIEWS.kind,
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    return Request(Verb.CREATE, Target(_REVIEWS, None), (), to_json(body), JSON)


def _json(request: Request, response: Response) -> Mapping[str, Any]:
    try:
        body = from_json(response.body)
    except ValueError:
        raise Transient(f"{request.text}: the answer is no JSON, or only a part of it") from None
    if not isinstance(body, dict):
        raise Transient(f"{request.text}: the answer is no JSON object")
    return body


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
