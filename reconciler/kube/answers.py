"""What an answer means (contract 7): one table from status and reason to the error of its class.

The messages are for people: what was asked, what the server said, what to do. Of a body that is no
Status of Kubernetes nothing is told: a proxy's page may hold anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from pydantic_core import from_json

from reconciler.errors import AlreadyExists, ClusterError, Conflict, Gone, Refused
from reconciler.kube.requests import OURS, Request, Verb
from reconciler.retry import Transient

_LONGEST = 300  # characters of the server's own words
_LONGEST_WAIT = 9  # digits of a Retry-After; more is garbage
# kube-apiserver's answers to an unknown field in server-side apply and to an object over etcd's
# limit: each a 500 that never goes away.
_LASTING = ("failed to create typed patch object", "etcdserver: request is too large")


# Who came without credentials; no role should grant it anything.
_ANONYMOUS = '"system:anonymous"'


class Missing(Conflict):
    """404 of the very object that was asked for: it is not there, or not any more."""

    def __init__(self, message: str, *, at: datetime | None) -> None:
        super().__init__(message)
        self.at = at  # the server's time


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whole. Header names are lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def at(self) -> datetime | None:
        """The server's time, by the `Date` header: the only clock that times anything out."""
        try:
            at = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        return at.astimezone(UTC) if at.tzinfo else None


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer that is not ok; the words are those of the Status in its body, or empty."""

    request: Request
    status: int
    reason: str = ""
    message: str = ""
    name: str = ""
    kind: str = ""
    fields: frozenset[str] = frozenset()
    retry_after: float | None = None
    at: datetime | None = None

    @property
    def text(self) -> str:
        words = " ".join(self.message.split())
        if len(words) > _LONGEST:
            words = f"{words[:_LONGEST]}…"
        said = f"{self.status} {words}" if words else f"answered {self.status}"
        return f"{self.request.text}: {said}"

    @property
    def lasting_500(self) -> bool:
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.message.startswith(_LASTING)

    @property
    def of_the_moment(self) -> bool:
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status in (
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.TOO_MANY_REQUESTS,
        )

    @property
    def collision(self) -> bool:
        """By reason: a create meets other 409s too, a quota that moved for one."""
        return self.status == HTTPStatus.CONFLICT and self.reason == "AlreadyExists"

    @property
    def not_what_was_read(self) -> bool:
        """A 409; and 422 is what a patch with another uid is answered, it is no bad request."""
        return self.request.verb in (Verb.UPDATE, Verb.PATCH, Verb.APPLY, Verb.DELETE) and (
            self.status == HTTPStatus.CONFLICT or "metadata.uid" in self.fields
        )

    @property
    def names_the_object(self) -> bool:
        """A 404 of a kind or a namespace that is not there says nothing of the object."""
        target = self.request.target
        return (
            self.request.verb is not Verb.CREATE
            and self.reason == "NotFound"
            and (self.kind, self.name) == (target.resource.plural, target.name)
        )


def _transient(refusal: _Refusal) -> Transient:
    return Transient(refusal.text, retry_after=refusal.retry_after)


def _refused(refusal: _Refusal) -> Refused:
    hint = _hint(refusal)
    text = f"{refusal.text}; {hint}" if hint else refusal.text
    return Refused(text, status=refusal.status, reason=refusal.reason)


# The first row that fits; what fits none is permanent.
_TABLE: tuple[tuple[Callable[[_Refusal], bool], Callable[[_Refusal], ClusterError]], ...] = (
    (lambda it: it.lasting_500, _refused),
    (lambda it: it.of_the_moment, _transient),
    (lambda it: it.collision, lambda it: AlreadyExists(it.text)),
    (lambda it: it.not_what_was_read, lambda it: Conflict(it.text)),
    (lambda it: it.status == HTTPStatus.CONFLICT, _transient),
    (
        lambda it: it.status == HTTPStatus.GONE and it.request.verb is Verb.LIST,
        lambda it: Gone(it.text),
    ),
    (
        lambda it: it.status == HTTPStatus.NOT_FOUND and it.names_the_object,
        lambda it: Missing(it.text, at=it.at),
    ),
)


def error(request: Request, response: Response) -> ClusterError:
    """The error of a response that is not ok."""
    refusal = _refusal(request, response)
    return next((make(refusal) for fits, make in _TABLE if fits(refusal)), _refused(refusal))


def _hint(refusal: _Refusal) -> str:
    """What to do, where that is known."""
    target, verb = refusal.request.target, refusal.request.verb.rbac
    resource = target.resource
    if refusal.status == HTTPStatus.UNAUTHORIZED or _ANONYMOUS in refusal.message:
        return (
            "the credentials are not accepted: look at the user of the kubeconfig, "
            "or at the token of the service account"
        )
    if refusal.status == HTTPStatus.FORBIDDEN and f"cannot {verb}" in refusal.message:
        what = "/".join(part for part in (resource.plural, target.subresource) if part)
        return f'a role must grant "{verb}" on "{what}" of the API group "{resource.group}"'
    if refusal.status == HTTPStatus.NOT_FOUND and resource in OURS and not refusal.name:
        return "is the CRD installed? reconciler crds | kubectl apply --server-side -f -"
    if refusal.status == HTTPStatus.NOT_FOUND and refusal.kind == "namespaces":
        return f"kubectl create namespace {refusal.name}"
    return ""


def _refusal(request: Request, response: Response) -> _Refusal:
    told = _status_in(response.body)
    details: Any = told.get("details")
    details = details if isinstance(details, dict) else {}
    return _Refusal(
        request,
        response.status,
        reason=str(told.get("reason") or ""),
        message=str(told.get("message") or ""),
        name=str(details.get("name") or ""),
        kind=str(details.get("kind") or ""),
        fields=_fields(details.get("causes")),
        retry_after=_retry_after(response),
        at=response.at,
    )


def _fields(causes: object) -> frozenset[str]:
    """What the server found fault with."""
    found = causes if isinstance(causes, list) else ()
    return frozenset(str(each.get("field")) for each in found if isinstance(each, dict))


def _status_in(body: bytes) -> Mapping[str, Any]:
    try:
        told = from_json(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) and told.get("kind") == "Status" else {}


def _retry_after(response: Response) -> float | None:
    """Whole seconds; a date or garbage counts as not said."""
    text = response.headers.get("retry-after", "")
    said = text.isascii() and text.isdigit() and len(text) <= _LONGEST_WAIT
    return float(text) if said else None
