"""The push against a server on loopback: one POST, and what a failure says and does not say."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typing_extensions import override

from reconciler.pushgateway import PushGateway
from reconciler.seams import Gateway, GatewayError, Gauge
from tests.fakes.gateway import MemoryGateway

GROUPING = {"job": "reconciler", "namespace": "_all", "source": "shop/eu", "shard": "0-1"}
GAUGES = (
    Gauge("reconciler_paused", "1: paused.", {(): 1.0}),
    Gauge(
        "reconciler_workflows",
        "By phase.",
        {("Failed",): 2.0, ('Odd"\n\\',): 0.5},
        ("phase",),
    ),
)


@dataclass
class Answering:
    """A server that keeps what it was asked, and answers as it is told."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    silent: threading.Event | None = None
    drips: bool = False
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def served(answering: Answering) -> Iterator[Answering]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"] or 0)
            asked = (self.command, self.path, dict(self.headers), self.rfile.read(length))
            answering.asked.append(asked)
            if answering.silent:
                self.never(answering.silent)
                return
            self.send_response(answering.status)
            for name, value in answering.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answering.body)

        def never(self, over: threading.Event) -> None:
            """No answer, or one that takes for ever, each byte of it in time."""
            with suppress(OSError):
                while not over.wait(0.05):
                    self.wfile.write(b"H" if answering.drips else b"")

        do_GET = do_POST  # noqa: N815  # a redirect that was followed would come as a GET

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        answering.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield answering
        finally:
            if answering.silent:
                answering.silent.set()
            server.shutdown()
            thread.join()


def failure(gateway: Gateway) -> str:
    with pytest.raises(GatewayError) as failed:
        gateway.push(GAUGES, GROUPING)
    return str(failed.value)


def test_the_gauges_go_out_in_one_post_to_their_group() -> None:
    """Contract 10: POST, never PUT; the grouping key stands in the path."""
    with served(Answering()) as server:
        PushGateway(f"{server.url}/prefix/").push(GAUGES, GROUPING)
    [(method, path, headers, body)] = server.asked
    source = base64.urlsafe_b64encode(b"shop/eu").decode()
    assert method == "POST"
    assert path == (
        f"/prefix/metrics/job/reconciler/namespace/_all/shard/0-1/source@base64/{source}"
    )
    assert headers["Content-Type"].startswith("text/plain")
    assert body.decode().splitlines() == [
        "# HELP reconciler_paused 1: paused.",
        "# TYPE reconciler_paused gauge",
        "reconciler_paused 1.0",
        "# HELP reconciler_workflows By phase.",
        "# TYPE reconciler_workflows gauge",
        'reconciler_workflows{phase="Failed"} 2.0',
        'reconciler_workflows{phase="Odd\\"\\n\\\\"} 0.5',
    ]


def test_user_and_password_of_the_url_go_out_as_basic_authentication() -> None:
    """They are no part of the request line."""
    with served(Answering()) as server:
        PushGateway(server.url.replace("//", "//me:p%40ss@")).push(GAUGES, GROUPING)
    [(_, path, headers, _)] = server.asked
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    assert "me" not in path.split("/")


def test_a_refusal_is_told_with_what_the_server_said() -> None:
    """A push that failed is a warning that somebody must be able to act on."""
    with served(Answering(status=400, body=b"pushed metrics are invalid\n" + b"x" * 999)) as server:
        message = failure(PushGateway(server.url))
    assert message.startswith(
        f"the Pushgateway at {server.url} answered 400 pushed metrics are invalid"
    )
    assert len(message) < 300


def test_a_redirect_is_not_followed() -> None:
    """It would become a GET, which pushes nothing and is answered 200."""
    with served(Answering(status=302, headers={"Location": "/elsewhere"})) as server:
        message = failure(PushGateway(server.url))
    assert message == f"the Pushgateway at {server.url} answered 302"
    assert len(server.asked) == 1


def test_a_gateway_that_is_down_is_told_in_a_line() -> None:
    """Contract 1: a warning, never more."""
    with served(Answering()) as server:
        pass
    assert failure(PushGateway(server.url)) == (
        f"the Pushgateway at {server.url} cannot be reached: Connection refused"
    )


@pytest.mark.timeout(10)  # that it returns is what is tested
@pytest.mark.parametrize(
    "drips", [pytest.param(False, id="silent"), pytest.param(True, id="byte-by-byte")]
)
def test_a_gateway_that_never_answers_costs_a_bounded_time(drips: bool) -> None:
    """Contract 7: a run has 5 seconds after its deadline, and this is a part of them."""
    with served(Answering(silent=threading.Event(), drips=drips)) as server:
        message = failure(PushGateway(server.url, timeout=0.3))
    assert message.startswith(f"the Pushgateway at {server.url} ")


@pytest.mark.parametrize(
    "status", [pytest.param(401, id="refused"), pytest.param(0, id="not-reached")]
)
def test_no_failure_tells_the_password(status: int) -> None:
    """Invariant I9."""
    with served(Answering(status=401)) as server:
        url = server.url.replace("//", "//me:hunter2@")
        message = failure(PushGateway(url)) if status else ""
    message = message or failure(PushGateway(url))
    assert server.url in message
    assert "hunter2" not in message
    assert "me:" not in message


def test_each_push_knows_its_own_gauges_alone() -> None:
    """A registry of our own: nothing of this process, nothing of the push before."""
    with served(Answering()) as server:
        gateway = PushGateway(server.url)
        gateway.push(GAUGES, GROUPING)
        gateway.push(GAUGES[:1], GROUPING)
    assert b"reconciler_workflows" not in server.asked[1][3]
    assert b"python_info" not in server.asked[0][3]


def test_the_fake_fails_as_the_real_one_does() -> None:
    """The seam: GatewayError and nothing else."""
    gateway = MemoryGateway()
    gateway.fail("down")
    assert failure(gateway) == "down"


# --- whether it is ready --------------------------------------------------------------------


def unready(gateway: PushGateway) -> str:
    with pytest.raises(GatewayError) as failed:
        gateway.ready()
    return str(failed.value)


def test_a_gateway_is_asked_whether_it_is_ready_and_nothing_is_pushed() -> None:
    """Contract 9, check: it writes nothing; a prefix and a password belong to the question."""
    with served(Answering()) as server:
        PushGateway(f"{server.url}/prefix/".replace("//127", "//me:pass@127")).ready()
    [(method, path, headers, body)] = server.asked
    assert (method, path, body) == ("GET", "/prefix/-/ready", b"")
    assert headers["Authorization"].startswith("Basic ")


def test_a_gateway_that_is_not_ready_says_why() -> None:
    """And one that is not there, as for a push."""
    with served(Answering(status=503, body=b"starting")) as server:
        assert unready(PushGateway(server.url)).endswith("answered 503 starting")
    assert "cannot be reached" in unready(PushGateway(server.url))


def test_a_gateway_that_never_answers_is_not_waited_for() -> None:
    """The time of a push bounds the question too."""
    with served(Answering(silent=threading.Event())) as server:
        message = unready(PushGateway(server.url, timeout=0.2))
    assert message.endswith("gave no answer within 0.2 s") or "timed out" in message
