"""Contract 7: one call is one request on the wire, and it ends in its time."""

import gzip
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import trustme
from kubernetes.client.configuration import Configuration

from reconciler.errors import Unreachable
from reconciler.kube import codec, requests
from reconciler.kube.calls import Calls
from reconciler.kube.requests import CONFIG_MAPS, WORKFLOWS, Request, Target
from reconciler.kube.transport import CONNECTIONS, ApiTransport, TimedOut
from reconciler.retry import Transient
from reconciler.seams import Deadline
from tests.conformance.bodies import config_map
from tests.fakes.clock import FrozenClock
from tests.unit.kube import rawserver
from tests.unit.kube.rawserver import RawServer, answers

GET = requests.get(CONFIG_MAPS, "shop", "c")
CREATE = requests.create(CONFIG_MAPS, "shop", config_map("c", {}))
UPDATE = requests.update(Target(CONFIG_MAPS, "shop", "c"), config_map("c", {}))
PATCH = requests.patch(Target(CONFIG_MAPS, "shop", "c"), {})
APPLY = requests.apply(Target(WORKFLOWS, "shop", "c"), {})
DELETE = requests.delete(Target(CONFIG_MAPS, "shop", "c"))
LIST = requests.page(WORKFLOWS, "shop")
VERBS = [GET, LIST, CREATE, UPDATE, PATCH, APPLY, DELETE]


@contextmanager
def to(server: RawServer, fresh: float = 1.0, **settings: object) -> Iterator[ApiTransport]:
    configuration = Configuration()
    configuration.host = server.url
    configuration.proxy = None
    for name, value in settings.items():
        setattr(configuration, name, value)
    with closing(ApiTransport(configuration, fresh=fresh)) as transport:
        yield transport


# --- one call, one request ------------------------------------------------------------------


@pytest.mark.parametrize("request_", VERBS, ids=[each.verb for each in VERBS])
def test_a_lost_answer_is_not_asked_for_again_behind_our_back(request_: Request) -> None:
    """F04: a PUT that is sent twice would be answered 409 although its first had succeeded."""
    with RawServer(rawserver.drops) as server, to(server) as transport:
        with pytest.raises(Transient):
            transport.send(request_, 5)
        assert len(server.requests) == 1


def test_each_attempt_of_ours_is_one_request() -> None:
    """Contract 7: three attempts are three requests, and no more."""
    clock = FrozenClock()
    with RawServer(rawserver.drops) as server, to(server) as transport:
        calls = Calls(transport, clock, Deadline(clock, 50), jitter=lambda low, _: low)
        with pytest.raises(Unreachable):
            calls.make(UPDATE, codec.read)
        assert len(server.requests) == 3
        assert len(set(server.requests)) == 1
        assert calls.sent() == {("update", "error"): 3}


def test_retry_after_is_told_and_not_obeyed_underneath() -> None:
    """Contract 7: whether there is time for it is ours to know."""
    busy = answers(b"", 503, Retry_After="3600")
    with RawServer(busy) as server, to(server) as transport:
        response = transport.send(GET, 5)
        assert (response.status, response.headers["retry-after"]) == (503, "3600")
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The credentials go where the kubeconfig says, and nowhere else."""
    with RawServer(answers(b"", status, Location="/elsewhere")) as server, to(server) as transport:
        assert transport.send(GET, 5).status == status
        assert len(server.requests) == 1


# --- what is on the wire --------------------------------------------------------------------


def test_a_request_is_sent_as_it_was_built() -> None:
    """Method, path, query, body, content type; and who we are."""
    with RawServer(answers()) as server, to(server) as transport:
        transport.send(APPLY, 5)
        (sent,) = server.requests
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"PATCH {APPLY.path} HTTP/1.1"
    assert {
        "Content-Type: application/apply-patch+yaml",
        "Accept: application/json",
        "User-Agent: reconciler",
    } <= set(lines)
    assert body == APPLY.body


def test_credentials_are_those_of_the_moment() -> None:
    """A service account's token is changed under a run."""
    tokens = iter(["first", "second"])

    def refresh(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = f"Bearer {next(tokens)}"

    settings = {"api_key": {"BearerToken": "Bearer none"}, "refresh_api_key_hook": refresh}
    with RawServer(answers()) as server, to(server, fresh=0.0, **settings) as transport:
        for _ in range(2):
            transport.send(GET, 5)
        assert [b"Bearer first" in server.requests[0], b"Bearer second" in server.requests[1]] == [
            True,
            True,
        ]


def test_credentials_are_not_asked_for_again_within_a_moment() -> None:
    """The client sets itself up anew each time: a fifth of a run's own time with many writes."""
    asked: list[Configuration] = []
    settings = {"api_key": {"BearerToken": "Bearer one"}, "refresh_api_key_hook": asked.append}
    with RawServer(answers()) as server, to(server, fresh=60.0, **settings) as transport:
        for _ in range(3):
            transport.send(GET, 5)
        assert [b"Bearer one" in each for each in server.requests] == [True] * 3
    assert len(asked) == 1


def test_a_connection_carries_many_requests() -> None:
    """A handshake a request would cost more than the request."""
    with RawServer(answers()) as server, to(server) as transport:
        for _ in range(5):
            transport.send(GET, 5)
        assert server.connections == 1


def test_a_body_in_chunks_is_read_whole() -> None:
    """As kube-apiserver sends what is large."""
    with RawServer(rawserver.in_chunks) as server, to(server) as transport:
        assert [transport.send(LIST, 5).body for _ in range(2)] == [b"[1,2,3]"] * 2
        assert server.connections == 1


def test_a_large_body_is_read_whole() -> None:
    """Larger than any buffer on the way."""
    body = b"x" * (8 << 20)
    with RawServer(answers(body)) as server, to(server) as transport:
        assert transport.send(LIST, 30).body == body


@pytest.mark.parametrize("size", [3, 8 << 20])
def test_a_packed_body_is_unpacked(size: int) -> None:
    """As kube-apiserver sends what is over 128 KiB, to whom asks for it."""
    body = b"x" * size
    packed = answers(gzip.compress(body), Content_Encoding="gzip")
    with RawServer(packed) as server, to(server) as transport:
        assert [transport.send(LIST, 30).body for _ in range(2)] == [body, body]
        assert b"Accept-Encoding: gzip" in server.requests[0]


# --- no answer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "manner",
    [
        rawserver.drops,
        rawserver.breaks_off,
        rawserver.breaks_off_in_chunks,
        rawserver.speaks_no_http,
    ],
)
def test_half_an_answer_is_none(manner: rawserver.Manner) -> None:
    """F12: a body that is cut is a failed read."""
    with (
        RawServer(manner) as server,
        to(server) as transport,
        pytest.raises(Transient, match="broke off"),
    ):
        transport.send(LIST, 5)


@pytest.mark.parametrize("manner", [rawserver.hangs, rawserver.drips])
def test_a_call_ends_in_its_time(manner: rawserver.Manner) -> None:
    """F14: a server that hangs, and one that sends a byte now and then."""
    with RawServer(manner) as server, to(server) as transport:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            transport.send(LIST, 0.4)
        assert time.monotonic() - began < 5  # generous: the next bound would be 30 s, or none


def test_after_a_broken_answer_the_next_one_is_whole() -> None:
    """No rest of the last answer is read as the next one."""
    with RawServer(rawserver.drips, answers(b"[1]")) as server, to(server) as transport:
        with pytest.raises(TimedOut):
            transport.send(LIST, 0.2)
        assert transport.send(LIST, 5).body == b"[1]"


def test_a_body_that_is_packed_wrongly_is_no_answer() -> None:
    """F12: of whatever came out of it nothing is used."""
    with (
        RawServer(answers(b"{}", Content_Encoding="gzip")) as server,
        to(server) as transport,
        pytest.raises(Transient),
    ):
        transport.send(LIST, 5)


def test_a_server_that_is_not_there_is_told_without_credentials() -> None:
    """I9: an address may hold a password."""
    with RawServer(answers()) as server:
        url = server.url
    configuration = Configuration()
    configuration.proxy = None
    configuration.host = url.replace("://", "://user:s3cr3t@")
    with closing(ApiTransport(configuration)) as transport:
        with pytest.raises(Transient) as raised:
            transport.send(GET, 5)
        assert "refused" in str(raised.value)
        assert "s3cr3t" not in str(raised.value)


# --- how many at once -----------------------------------------------------------------------


def test_no_more_than_sixteen_connections_are_open() -> None:
    """Contract 7: what comes on top waits for its turn, and no longer than its time."""
    with RawServer(rawserver.hangs) as server, to(server) as transport:

        def hang() -> None:
            with pytest.raises(Transient):
                transport.send(GET, 20)

        threads = [threading.Thread(target=hang) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert server.arrived.acquire(timeout=10)
        with pytest.raises(TimedOut, match="no connection was free"):
            transport.send(GET, 0.2)
        assert server.connections == CONNECTIONS
        server.closing.set()
        for thread in threads:
            thread.join()


# --- TLS ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_server_that_the_kubeconfig_trusts_is_spoken_to(
    authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    """Its certificate-authority is the only one."""
    trusted = authority.cert_pem.bytes().decode()
    with (
        RawServer(answers(b"[]"), tls=tls) as server,
        to(server, ca_cert_data=trusted) as transport,
    ):
        assert transport.send(GET, 5).body == b"[]"


def test_a_server_that_is_not_trusted_hears_nothing(tls: ssl.SSLContext) -> None:
    """Contract 9, exit 4: one line that says what to do; trying again would not help."""
    other = trustme.CA().cert_pem.bytes().decode()
    with RawServer(answers(), tls=tls) as server, to(server, ca_cert_data=other) as transport:
        with pytest.raises(Unreachable, match="certificate-authority") as raised:
            transport.send(GET, 5)
        assert not isinstance(raised.value, Transient)
        assert server.requests == []


def test_a_server_that_speaks_no_tls_is_told() -> None:
    """An address with the wrong scheme, or a proxy in between."""
    with RawServer(answers(), greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        configuration = Configuration()
        configuration.proxy = None
        configuration.host = server.url.replace("http", "https")
        with (
            closing(ApiTransport(configuration)) as transport,
            pytest.raises(Transient, match="no TLS connection to 127"),
        ):
            transport.send(GET, 5)


# --- what is loaded -------------------------------------------------------------------------


def test_no_typed_api_of_the_client_is_loaded() -> None:
    """The start of a run: each of those modules costs more than the whole of ours."""
    program = (
        "import sys\n"
        "from kubernetes.client.configuration import Configuration\n"
        "import reconciler.kube.cluster, reconciler.kube.config\n"
        "from reconciler.kube.transport import ApiTransport\n"
        "ApiTransport(Configuration()).close()\n"
        "typed = ('kubernetes.client.api.', 'kubernetes.client.models.')\n"
        "print([name for name in sys.modules if name.startswith(typed)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
