"""Prometheus's own programs, as the tests call them; fetched where the machine has none."""

import contextlib
import functools
import json
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.controlplane import ROOT, eventually

RULES = ROOT / "charts" / "reconciler" / "files" / "rules.yaml"

_CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{{targets: [{target}]}}]
"""


@functools.cache
def tool(name: str) -> str:
    """The path of a program."""
    told = subprocess.run(
        [sys.executable, ROOT / "hack" / "cluster", "tool", name],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()[-1]


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    """What it has to complain about; nothing when it is content."""
    done = subprocess.run(
        [tool("promtool"), *arguments],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode else ""


@dataclass(frozen=True)
class Prometheus:
    """A server that scrapes one Pushgateway and judges by our rules."""

    url: str

    def asked(self, path: str, **query: str) -> Any:  # noqa: ANN401  # JSON is any of them
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  # ours
            return json.load(answer)["data"]

    def vector(self, expression: str) -> Mapping[frozenset[tuple[str, str]], float]:
        """Label set to value, here and now."""
        return {
            frozenset(each["metric"].items()): float(each["value"][1])
            for each in self.asked("query", query=expression)["result"]
        }

    def has(self, expression: str) -> bool:
        return bool(self.vector(expression))


@contextlib.contextmanager
def scraping(pushgateway: str, folder: Path) -> Iterator[Prometheus]:
    """A fresh one, that looks every second."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = folder / "prometheus.yaml"
    target = pushgateway.removeprefix("http://")
    configuration.write_text(_CONFIGURATION.format(rules=RULES, target=target))
    command = [
        tool("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        server = Prometheus(f"http://{address}")
        try:
            eventually(functools.partial(_scrapes, server), f"nothing is scraped by {address}")
            yield server
        finally:
            process.terminate()


def _scrapes(server: Prometheus) -> bool:
    try:
        return set(server.vector("up").values()) == {1.0}
    except OSError:
        return False
