"""How long `reconciler run` takes to its first request, against `python -c pass` beside it.

A CronJob pays for its start in every run. Both are measured in turn, so that a busy machine is busy
for both, and the median of the ratios is what counts. Ends with 1 above the budget.
"""

import argparse
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trustme

BUDGET = 26.0  # times `python -c pass`
ROUNDS = 15
_PATIENCE = 60.0  # seconds; a start that hangs is no measurement


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        kubeconfig = Path(folder) / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(server.getsockname()[1]))
        _round(server, kubeconfig)  # byte code and page cache are warm, as on a node
        samples = [_round(server, kubeconfig) for _ in range(rounds)]
    plain, run, version = (statistics.median(column) for column in zip(*samples, strict=True))
    ratio = statistics.median(sample[1] / sample[0] for sample in samples)
    for what, seconds, times in (
        ("python -c pass", plain, 1.0),
        ("reconciler version", version, version / plain),
        ("reconciler run, to its first request", run, ratio),
    ):
        print(f"{what:<38} {seconds * 1000:7.1f} ms {times:6.1f} x")
    print(f"{'budget':<38} {'':7}    {BUDGET:6.1f} x  {'kept' if ratio <= BUDGET else 'MISSED'}")
    return 0 if ratio <= BUDGET else 1


def _round(server: socket.socket, kubeconfig: Path) -> tuple[float, float, float]:
    return (
        _lasts("-c", "pass"),
        _first_request(server, kubeconfig),
        _lasts("-m", "reconciler", "version"),
    )


def _lasts(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _first_request(server: socket.socket, kubeconfig: Path) -> float:
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
                return time.perf_counter() - began
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


if __name__ == "__main__":
    sys.exit(main())
