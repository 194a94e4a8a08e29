"""The real Pushgateway, for the tests that push."""

import contextlib
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.controlplane import ROOT, eventually
from tests.fakes.gateway import Sample

_ITS_OWN = ("push_time_seconds", "push_failure_time_seconds")  # added by it to every group


def program() -> str:
    """The one of this machine, fetched where there is none."""
    told = subprocess.run(
        [sys.executable, ROOT / "hack" / "cluster", "tool", "pushgateway"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()[-1]


@contextlib.contextmanager
def serving(program: str) -> Iterator[str]:
    """Its URL, on a free port of loopback; it knows nothing yet."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    address = url.removeprefix("http://")
    command = [program, f"--web.listen-address={address}", "--log.level=error"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _answers(f"{url}/-/ready"), f"nothing serves {url}")
            yield url
        finally:
            process.terminate()


def scraped(url: str, grouping: Mapping[str, str]) -> Mapping[Sample, float]:
    """What a scrape sees of a group: name and own labels to value."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310  # ours
        text = answer.read().decode()
    return {
        (sample.name, _own_labels(sample.labels, grouping)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name not in _ITS_OWN and grouping.items() <= sample.labels.items()
    }


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  # ours
    except OSError:
        return False
    return True


def _own_labels(
    labels: Mapping[str, str], grouping: Mapping[str, str]
) -> frozenset[tuple[str, str]]:
    return frozenset(
        (name, value)
        for name, value in labels.items()
        if name not in grouping and name != "instance"
    )
