"""hack/cluster run: a control plane for one command, of which nothing is left, however it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.controlplane import ROOT, Api, eventually

pytestmark = pytest.mark.apiserver

_CLUSTER = (sys.executable, str(ROOT / "hack" / "cluster"))
_TELL = 'printf "%s\\n" "$KUBECONFIG" "$$"'
_SLEEP = f"{_TELL}; exec sleep 600"


@dataclass(frozen=True)
class Run:
    """A `run` that is up: its process, and what would be left of it."""

    process: subprocess.Popen[str]
    directory: Path
    command: int
    keeper: int
    daemons: dict[str, int]

    @property
    def left(self) -> list[str]:
        """What is still there of it."""
        pids = self.daemons | {"keeper": self.keeper, "command": self.command}
        found = [name for name, pid in pids.items() if _alive(pid)]
        return found + ([str(self.directory)] if self.directory.exists() else [])


@contextmanager
def _running(script: str = _SLEEP, wrapper: tuple[str, ...] = ()) -> Iterator[Run]:
    command = [*wrapper, *_CLUSTER, "run", "--", "sh", "-c", script]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout
            kubeconfig, pid = (process.stdout.readline().strip() for _ in range(2))
            directory = Path(kubeconfig).parent
            state = json.loads((directory / "state.json").read_text())
            yield Run(process, directory, int(pid), state["keeper"], state["pids"])
        finally:
            process.kill()


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_the_exit_code_is_the_commands_and_nothing_is_left() -> None:
    """Also the code of a command that a signal ended, as a shell tells it."""
    with _running(f"{_TELL}; exit 7") as run:
        assert run.process.wait(30) == 7
        assert run.left == []
    with _running(f"{_TELL}; kill -KILL $$") as run:
        assert run.process.wait(30) == 128 + signal.SIGKILL
        assert run.left == []


def test_a_command_that_is_not_there_is_told_as_by_a_shell() -> None:
    """One line, and the exit code 127."""
    answer = subprocess.run(
        [*_CLUSTER, "run", "--", "no-such-program"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 127
    assert answer.stderr == "hack/cluster: no-such-program: No such file or directory\n"


def test_the_command_finds_the_cluster_its_audit_log_and_kubectl(tmp_path: Path) -> None:
    """KUBECONFIG, RECONCILER_AUDIT_LOG, and a kubectl at the end of PATH."""
    for name in ("sh", "cat"):  # a machine without kubectl
        (tmp_path / name).symlink_to(f"/bin/{name}")
    answer = subprocess.run(
        [
            *(*_CLUSTER, "run", "--"),
            *("sh", "-c", 'kubectl get nodes -o name; cat "$RECONCILER_AUDIT_LOG"'),
        ],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PATH": str(tmp_path)},
    )
    nodes, log = answer.stdout.split("{", 1)
    assert nodes.split() == ["node/node-1", "node/node-2"]
    assert '"requestURI":"/api/v1/nodes?limit=500"' in log


def test_nothing_is_left_when_it_returns_after_sigterm() -> None:
    """The command gets the signal, and ends first."""
    with _running() as run:
        run.process.terminate()
        assert run.process.wait(30) == 128 + signal.SIGTERM
        assert run.left == []


def test_nothing_is_left_when_it_returns_after_ctrl_c() -> None:
    """A terminal sends it to the whole process group."""
    with _running() as run:
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.process.wait(30) == 128 + signal.SIGINT
        assert run.left == []


def test_nothing_is_left_after_sigkill() -> None:
    """Nobody is there to tidy up but the keeper, which sees its stdin close."""
    with _running() as run:
        run.process.kill()
        eventually(lambda: run.left == [], f"left: {run.left}")


def test_nothing_is_left_after_sigkill_of_the_caller() -> None:
    """A killed make or CI job takes its control plane with it."""
    with _running(wrapper=("sh", "-c", '"$@"; true', "sh")) as run:
        run.process.kill()
        eventually(lambda: run.left == [], f"left: {run.left}")


def test_no_daemon_outlives_a_keeper_that_was_killed() -> None:
    """The kernel ends the daemons; the files go when the command ends."""
    with _running() as run:
        os.kill(run.keeper, signal.SIGKILL)
        eventually(lambda: not any(map(_alive, run.daemons.values())), "daemons are left")
        assert _alive(run.command)
        run.process.terminate()
        assert run.process.wait(30) == 128 + signal.SIGTERM
        assert run.left == []


def test_a_daemon_that_dies_ends_the_control_plane_and_is_named() -> None:
    """Half a cluster is worse than none; the command hears it from its connections."""
    with _running() as run:
        os.kill(run.daemons["kwok"], signal.SIGKILL)
        eventually(lambda: run.left == ["command"], f"left: {run.left}")
        run.process.terminate()
        assert run.process.stderr
        told = run.process.stderr.read()
    assert told.startswith("The control plane ended early: kwok ended (-9)")


def test_a_run_that_was_killed_with_its_keeper_is_swept_away_by_the_next() -> None:
    """Files alone are left in that one case, and not for long."""
    with _running() as run:
        os.kill(run.keeper, signal.SIGSTOP)  # so that it cannot tidy up in between
        run.process.kill()
        os.kill(run.keeper, signal.SIGKILL)
        eventually(lambda: run.left == [str(run.directory)], f"left: {run.left}")
        subprocess.run([*_CLUSTER, "run", "--", "true"], check=True)
        assert run.left == []


def test_two_runs_side_by_side_have_nothing_in_common() -> None:
    """Ports and directories of their own."""
    with _running() as one, _running() as other:
        for run in (one, other):
            name = f"only-in-{run.process.pid}"
            api = Api.of(run.directory / "kubeconfig")
            assert api.post("/api/v1/namespaces", {"metadata": {"name": name}})[0] == 201
            names = {each["metadata"]["name"] for each in api.get("/api/v1/namespaces")[1]["items"]}
            assert {each for each in names if each.startswith("only-in-")} == {name}


def test_a_signal_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    """There is no moment at which it would be a bad idea to press Ctrl-C."""
    with subprocess.Popen(
        [*_CLUSTER, "run", "--", "true"], env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as process:
        eventually(lambda: any(tmp_path.glob("*/run-*/etcd")), "it did not begin to start")
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    assert not any(tmp_path.glob("*/run-*"))
