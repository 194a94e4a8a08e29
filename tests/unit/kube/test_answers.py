"""Contract 7: the class of every answer, and what a person is told."""

import pytest

from reconciler.core.api import Metadata
from reconciler.errors import AlreadyExists, Conflict, Gone, Refused
from reconciler.kube import answers, requests
from reconciler.kube.answers import Missing, Response
from reconciler.kube.requests import CHILDREN, CONFIG_MAPS, WORKFLOWS, Request, Target
from reconciler.retry import Transient
from tests.unit.kube.scripted import refusal

GET = requests.get(CHILDREN, "shop", "c")
LIST = requests.page(CHILDREN, "shop")
CREATE = requests.create(CHILDREN, "shop", {"metadata": {"name": "c"}})
UPDATE = requests.update(Target(CHILDREN, "shop", "c"), {})
PATCH = requests.patch(Target(CHILDREN, "shop", "c"), {})
APPLY = requests.apply(Target(WORKFLOWS, "shop", "c"), {})
DELETE = requests.delete(Target(CHILDREN, "shop", "c"))

IT = {"name": "c", "kind": "kubernetesexecutions"}
UID = [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]
TYPED = "failed to create typed patch object (shop/c; …): .spec.x: field not declared in schema"


@pytest.mark.parametrize(
    ("request_", "response", "error"),
    [
        pytest.param(GET, refusal(400, "BadRequest"), Refused, id="400"),
        pytest.param(GET, refusal(401, "Unauthorized"), Refused, id="401"),
        pytest.param(GET, refusal(403, "Forbidden"), Refused, id="403"),
        pytest.param(
            CREATE,
            refusal(404, "NotFound", name="shop", kind="namespaces"),
            Refused,
            id="404-of-a-namespace",
        ),
        pytest.param(CREATE, refusal(404, "NotFound", **IT), Refused, id="404-of-a-create"),
        pytest.param(GET, Response(404, b"404 page not found\n"), Refused, id="404-of-a-kind"),
        pytest.param(LIST, Response(404, b"404 page not found\n"), Refused, id="404-of-a-list"),
        pytest.param(
            GET,
            refusal(404, "NotFound", name="d", kind=IT["kind"]),
            Refused,
            id="404-of-another-object",
        ),
        pytest.param(
            GET, refusal(404, "NotFound", name="c", kind="pods"), Refused, id="404-of-another-kind"
        ),
        pytest.param(GET, refusal(404, "NotFound", **IT), Missing, id="404-of-the-object"),
        pytest.param(PATCH, refusal(404, "NotFound", **IT), Missing, id="404-of-what-is-written"),
        pytest.param(GET, refusal(405, "MethodNotAllowed"), Refused, id="405"),
        pytest.param(GET, refusal(408, "Timeout"), Transient, id="408"),
        pytest.param(
            CREATE, refusal(409, "AlreadyExists", **IT), AlreadyExists, id="409-of-a-name"
        ),
        pytest.param(CREATE, refusal(409, "Conflict"), Transient, id="409-of-a-quota-that-moved"),
        pytest.param(CREATE, Response(409, b"<html>"), Transient, id="409-of-a-proxy"),
        pytest.param(UPDATE, refusal(409, "Conflict", **IT), Conflict, id="409-of-an-update"),
        pytest.param(PATCH, refusal(409, "Conflict", **IT), Conflict, id="409-of-a-patch"),
        pytest.param(APPLY, refusal(409, "Conflict", **IT), Conflict, id="409-of-an-apply"),
        pytest.param(DELETE, refusal(409, "Conflict", **IT), Conflict, id="409-of-a-delete"),
        pytest.param(LIST, refusal(410, "Expired"), Gone, id="410-of-a-list"),
        pytest.param(GET, refusal(410, "Gone"), Refused, id="410-of-anything-else"),
        pytest.param(CREATE, refusal(413, "RequestEntityTooLarge"), Refused, id="413"),
        pytest.param(PATCH, refusal(415, "UnsupportedMediaType"), Refused, id="415"),
        pytest.param(CREATE, refusal(422, "Invalid"), Refused, id="422"),
        pytest.param(
            PATCH, refusal(422, "Invalid", causes=UID), Conflict, id="422-of-a-uid-in-a-patch"
        ),
        pytest.param(
            CREATE, refusal(422, "Invalid", causes=UID), Refused, id="422-of-a-uid-in-a-create"
        ),
        pytest.param(GET, refusal(429, "TooManyRequests"), Transient, id="429"),
        pytest.param(GET, refusal(500, "InternalError"), Transient, id="500"),
        pytest.param(APPLY, refusal(500, "", TYPED), Refused, id="500-of-an-unknown-field"),
        pytest.param(
            CREATE,
            refusal(500, "", "etcdserver: request is too large"),
            Refused,
            id="500-of-a-size",
        ),
        pytest.param(
            CREATE,
            refusal(500, "", "etcdserver: request timed out"),
            Transient,
            id="500-of-a-slow-etcd",
        ),
        pytest.param(GET, Response(502, b"<html>"), Transient, id="502"),
        pytest.param(GET, refusal(503, "ServiceUnavailable"), Transient, id="503"),
        pytest.param(GET, refusal(504, "Timeout"), Transient, id="504"),
        pytest.param(GET, Response(302), Refused, id="redirects-are-not-followed"),
    ],
)
def test_the_class_of_an_answer(
    request_: Request, response: Response, error: type[Exception]
) -> None:
    """Contract 7, the table."""
    assert type(answers.error(request_, response)) is error


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"kind":"Status","details":[]}'])
def test_a_body_that_says_nothing_does_not_matter(body: bytes) -> None:
    """Anything may stand between us and the server."""
    assert type(answers.error(GET, Response(503, body))) is Transient
    assert type(answers.error(GET, Response(404, body))) is Refused


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("1", 1.0),
        ("0", 0.0),
        ("3600", 3600.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("9" * 400, None),
        ("Fri, 02 Jan 2026 03:04:05 GMT", None),
    ],
)
def test_retry_after_is_whole_seconds_or_nothing(said: str, seconds: float | None) -> None:
    """Contract 7: garbage is not obeyed."""
    error = answers.error(GET, Response(429, b"", {"retry-after": said}))
    assert isinstance(error, Transient)
    assert error.retry_after == seconds


def test_a_message_says_what_was_asked_and_what_was_answered() -> None:
    """Errors speak to people."""
    error = answers.error(UPDATE, refusal(409, "Conflict", "the object\nhas been modified", **IT))
    assert str(error) == (
        "update kubernetesexecutions.kubernetesexecution.kubernaut.ai shop/c: "
        "409 the object has been modified"
    )


def test_the_servers_words_are_cut() -> None:
    """Some of them repeat the whole object."""
    error = answers.error(CREATE, refusal(422, "Invalid", "x" * 5000))
    assert len(str(error)) < 450


def test_a_body_that_is_no_status_is_not_repeated() -> None:
    """I9: a proxy's page may hold anything."""
    error = answers.error(GET, Response(502, b"<html>token=abc</html>"))
    assert str(error).endswith("shop/c: answered 502")


@pytest.mark.parametrize(
    ("request_", "response", "remedy"),
    [
        pytest.param(
            GET, refusal(401, "Unauthorized"), "the credentials are not accepted", id="401"
        ),
        pytest.param(
            requests.status(WORKFLOWS, Metadata(name="c", namespace="shop"), {}),
            refusal(403, "Forbidden", 'User "x" cannot update resource'),
            'must grant "update" on "workflowexecutions/status" of the API group '
            '"workflowexecution.kubernaut.ai"',
            id="403-of-a-subresource",
        ),
        pytest.param(
            APPLY,
            refusal(403, "Forbidden", 'User "x" cannot patch resource'),
            'must grant "patch" on "workflowexecutions"',
            id="403-of-an-apply",
        ),
        pytest.param(
            LIST,
            refusal(403, "Forbidden", 'User "system:anonymous" cannot list resource'),
            "the credentials are not accepted",
            id="403-of-nobody",
        ),
        pytest.param(
            LIST,
            Response(404, b"404 page not found\n"),
            "reconciler crds | kubectl apply --server-side -f -",
            id="404-of-a-crd",
        ),
        pytest.param(
            CREATE,
            refusal(404, "NotFound", name="shop", kind="namespaces"),
            "kubectl create namespace shop",
            id="404-of-a-namespace",
        ),
    ],
)
def test_a_refusal_says_what_to_do(request_: Request, response: Response, remedy: str) -> None:
    """Contract 9, exit 4: one line that says what to do."""
    assert remedy in str(answers.error(request_, response))


def test_a_forbidden_for_another_reason_blames_no_role() -> None:
    """A namespace that is going, a webhook, a quota: RBAC has granted it."""
    error = answers.error(CREATE, refusal(403, "Forbidden", "exceeded quota"))
    assert "role" not in str(error)


def test_a_kind_of_kubernetes_itself_needs_no_crd() -> None:
    """The hint is for ours alone."""
    error = answers.error(requests.get(CONFIG_MAPS, "shop", "c"), Response(404, b""))
    assert "crds" not in str(error)


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("Fri, 02 Jan 2026 03:04:05 GMT", "2026-01-02T03:04:05+00:00"),
        ("Fri, 02 Jan 2026 04:04:05 +0100", "2026-01-02T03:04:05+00:00"),
        ("", None),
        ("yesterday", None),
        ("Fri, 02 Jan 2026 03:04:05 -0000", None),
    ],
)
def test_the_servers_time_is_aware_or_none(date: str, told: str | None) -> None:
    """Contract 1, decide: without it nothing times out."""
    at = Response(200, b"", {"date": date}).at
    assert (at.isoformat() if at else None) == told
