"""How long `reconciler run` takes to its first request, beside `python -c pass`.

A CronJob pays for its start in every run. The API server is a socket that never answers.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import trustme

from bench.measure import Spent, interleaved, spend
from bench.options import Options
from bench.result import Beside, Ratio

NAME = "start"
_BUDGET = 21.0  # times `python -c pass`
# What a run imports before its first request and is not ours, as it does: without the collector.
# Pydantic fetches its parts only when they are named.
_LIBRARIES = """
import gc
gc.disable()
import kubernetes.client.configuration, tenacity, urllib3
from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass
"""
_PATIENCE = 60.0  # seconds; a start that hangs is no measurement


def play(options: Options) -> Iterator[Ratio]:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        kubeconfig = Path(folder) / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(server.getsockname()[1]))
        sides: dict[str, Callable[[], Spent]] = {
            "pass": partial(spend, [sys.executable, "-c", "pass"]),
            "run": lambda: _first_request(server, kubeconfig),
            "libraries": partial(spend, [sys.executable, "-c", _LIBRARIES]),
            "version": partial(spend, [sys.executable, "-m", "reconciler", "version"]),
        }
        taken = interleaved(sides, options.rounds)
    run = Beside(NAME, taken["run"], taken["pass"])
    yield run.ratio("process", "to the first request / python -c pass", _BUDGET)
    libraries = Beside(NAME, taken["libraries"], taken["pass"])
    yield libraries.ratio("process", "the libraries of a run alone / python -c pass")
    version = Beside(NAME, taken["version"], taken["pass"])
    yield version.ratio("process", "reconciler version / python -c pass")
    yield version.ratio("process CPU", "reconciler version / python -c pass")


def _first_request(server: socket.socket, kubeconfig: Path) -> Spent:
    """From the start of the process to the first bytes at the API server, which never answers."""
    command = [sys.executable, "-m", "reconciler", "run", "--kubeconfig", str(kubeconfig)]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")
    }
    server.settimeout(_PATIENCE)
    began = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(_PATIENCE)
                connection.recv(1)
                return Spent(time.perf_counter() - began, 0.0, 0)
        finally:
            process.kill()


def _kubeconfig(port: int) -> str:
    """As kubectl has it: TLS, the authority's certificate inside, a token."""
    authority = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bench", "cluster": cluster}],
            "users": [{"name": "bench", "user": {"token": "bench"}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "current-context": "bench",
        }
    )
