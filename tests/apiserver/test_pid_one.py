"""A run as the first process of a container, where the kernel drops a signal without a handler."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.apiserver.gate import Gate, Request
from tests.apiserver.runs import Shop, ended, steps
from tests.controlplane import ROOT, eventually

pytestmark = pytest.mark.apiserver

_REQUEST_TIMEOUT = 4.0  # seconds: as long as the call in flight may last
_SLACK = 4.0  # seconds that a busy machine takes to end a process


@pytest.fixture(scope="module")
def first_process() -> list[str]:
    """A command before a command: it runs as process 1 of a namespace of its own."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *user, "--pid", "--fork", "--mount-proc", "--kill-child"]
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare (util-linux) is missing: no PID namespace for a test")
    if tried.returncode:
        pytest.skip(f"this machine makes no PID namespace for a test: {tried.stderr.strip()}")
    return command


def _started(command: list[str], home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _number_inside(pid: int) -> str:
    """How the process is called in its own namespace."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (numbers,) = [line.split() for line in lines if line.startswith("NSpid")]
    return numbers[-1]


def _child(process: subprocess.Popen[str]) -> int:
    """The one child of a process, once it is there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    eventually(lambda: len(children.read_text().split()) == 1, "no first process")
    return int(children.read_text())


class Mute:
    """A server that takes status writes and never says what became of them."""

    def __init__(self, gate: Gate) -> None:
        self.asked, self.over = threading.Event(), threading.Event()
        gate.before = self._meet

    def _meet(self, request: Request) -> None:
        if request.of("PUT", "workflowexecutions/status"):
            self.asked.set()
            self.over.wait(60)


def test_as_process_1_sigterm_ends_a_run_within_the_call_in_flight_and_nothing_is_written_after(
    shop: Shop, gated: Gate, first_process: list[str]
) -> None:
    """Contract 7: SIGTERM is the deadline, also where a signal without a handler is lost."""
    for number in range(40):
        shop.workflow(f"w{number}", *steps("a"))
    mute = Mute(gated)
    flags = ("--no-lease", "--deadline", "10m", "--request-timeout", f"{_REQUEST_TIMEOUT:.0f}s")
    through = shop.through(gated)
    process = _started([*first_process, *through.command(*flags)], through.kubeconfig.parent)
    try:
        assert mute.asked.wait(30), "the run comes to no status write"
        first = _child(process)
        assert _number_inside(first) == "1"
        time.sleep(0.5)  # as many calls are in flight as there are going to be
        os.kill(first, signal.SIGTERM)
        asked = time.monotonic()
        run = ended(process)
        lasted = time.monotonic() - asked
    finally:
        mute.over.set()
    assert run.code == 0, run.log
    assert lasted < _REQUEST_TIMEOUT + _SLACK
    assert "abandoned" not in run.log
    assert "cut short" in run.lines[-1]
    assert [each.path for each in gated.seen if each.write and each.at > asked] == []
    assert shop.listed(shop.children) == []
