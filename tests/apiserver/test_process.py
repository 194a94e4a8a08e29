"""A run as a process: it stops when it is asked to, and ends whatever hangs."""

import base64
import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.apiserver.runs import Shop, ended, steps
from tests.controlplane import Api, eventually

pytestmark = pytest.mark.apiserver

_PATIENCE = 30.0  # seconds until a process must have begun


def test_sigterm_between_two_passes_ends_the_run_at_once(shop: Shop) -> None:
    """Contract 7: SIGTERM is the deadline; the Lease is released, and what was done stays."""
    shop.workflow("one", *steps("a"))
    process = shop.start("--interval", "1h", "--deadline", "2h")
    eventually(lambda: shop.steps("one") == ["a"], "the first pass started nothing")
    eventually(lambda: _holder(shop) != "", "the Lease is not taken")
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    run = ended(process)
    assert run.code == 0, run.log
    assert time.monotonic() - asked < 5
    assert _holder(shop) == ""


def test_a_server_that_never_answers_holds_no_run_beyond_sigterm(tmp_path: Path) -> None:
    """Invariant I7: five seconds after SIGTERM a run is gone, whatever it waits for."""
    with _mute(tmp_path) as (server, shop):
        process = shop.start("--deadline", "1h", "--request-timeout", "5m")
        connection, _ = server.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGTERM)
            asked = time.monotonic()
            run = ended(process)
    assert run.code == 0, run.log
    assert time.monotonic() - asked < 7
    assert run.of("ERROR")[0].startswith("the run did not end in time and is abandoned")


def test_a_server_that_never_answers_holds_no_run_beyond_its_deadline(tmp_path: Path) -> None:
    """Invariant I7, by the timeouts of the calls."""
    with _mute(tmp_path) as (server, shop):
        began = time.monotonic()
        process = shop.start("--deadline", "2s")
        with server.accept()[0]:
            run = ended(process)
    assert run.code in (0, 4), run.log
    assert time.monotonic() - began < 2 + 5
    assert "abandoned" not in run.log


def _holder(shop: Shop) -> str:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{shop.namespace}/leases/reconciler-default"
    code, lease = shop.api.get(path)
    return str(lease["spec"].get("holderIdentity") or "") if code == 200 else ""


@contextmanager
def _mute(folder: Path) -> Iterator[tuple[socket.socket, Shop]]:
    """A server that takes connections and says nothing, and who is to reconcile it."""
    authority = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_PATIENCE)
        address = f"https://127.0.0.1:{server.getsockname()[1]}"
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(address, authority))
        yield server, Shop(Api(address, ssl.create_default_context()), "default", kubeconfig)


def _kubeconfig(server: str, authority: str) -> str:
    cluster = {"server": server, "certificate-authority-data": authority}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "mute", "cluster": cluster}],
            "users": [{"name": "mute", "user": {"token": "mute"}}],
            "contexts": [{"name": "mute", "context": {"cluster": "mute", "user": "mute"}}],
            "current-context": "mute",
        }
    )
