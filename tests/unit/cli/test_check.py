"""`reconciler check` as a process: its streams, its exit codes, and what it never tells."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gitservers import Repository

TOKEN = "canary-of-the-cluster"  # noqa: S105  # a canary
PASSWORD = "canary-of-the-gateway"  # noqa: S105


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.fixture
def kubeconfig(tmp_path: Path, nowhere: int) -> Path:
    """Of a cluster that is down."""
    file = tmp_path / "kubeconfig"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{nowhere}"}}],
                "users": [{"name": "u", "user": {"token": TOKEN}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "c",
            }
        )
    )
    return file


def check(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", "check", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
    )


def test_a_cluster_that_is_down_is_exit_1_and_the_rest_is_looked_at(
    kubeconfig: Path, git_repository: Repository, nowhere: int
) -> None:
    """Contract 9: data on stdout; one failing check never stops the others."""
    commit = git_repository.commit({"shop.yaml": "a: 1\n"})
    gateway = f"http://me:{PASSWORD}@127.0.0.1:{nowhere}"
    flags = ("--kubeconfig", str(kubeconfig), "--source-url", git_repository.url)
    done = check(*flags, RECONCILER_PUSHGATEWAY_URL=gateway)
    assert (done.returncode, done.stderr) == (1, "")
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert " failed " in lines["api-server"]
    assert lines["lease"].endswith("needs api-server")
    assert lines["git"].endswith(f"is at {commit[:10]}")
    assert lines["pushgateway"].split()[1] == "failed"
    assert "canary" not in done.stdout


def test_json_is_one_document_on_stdout(kubeconfig: Path) -> None:
    """Contract 9: for machines, whatever the environment says of logs."""
    done = check("-o", "json", "--kubeconfig", str(kubeconfig), RECONCILER_LOG_FORMAT="json")
    told = json.loads(done.stdout)
    assert (told["kind"], told["ok"], done.returncode) == ("Check", False, 1)
    assert TOKEN not in done.stdout


def test_who_is_asked_to_stop_tells_what_is_known_so_far(
    kubeconfig: Path,
) -> None:
    """Contract 7: SIGTERM is the deadline; a server that is mute keeps nobody from a report."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        told = json.loads(kubeconfig.read_text())
        told["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        kubeconfig.write_text(json.dumps(told))
        command = [sys.executable, "-m", "reconciler", "check", "--kubeconfig", str(kubeconfig)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            connection, _ = mute.accept()  # it asks, and waits for an answer
            with connection:
                process.terminate()
                out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "no answer before the deadline, or SIGTERM came" in lines["api-server"]
    assert " ok " in lines["programs"]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        pytest.param(["--prre"], "unknown flag --prre; did you mean --pre?", id="a-typo"),
        pytest.param(["-o", "yaml"], "--output must be json", id="another-format"),
        pytest.param(["--prune"], "--prune needs --source-url", id="flags-of-a-run"),
        pytest.param(["--kubeconfig", "/no/such/file"], "--kubeconfig must be", id="no-file"),
        pytest.param([], "no kubeconfig at ", id="nowhere-to-connect-to"),
    ],
)
def test_wrong_usage_is_exit_2_and_one_line(argv: list[str], told: str) -> None:
    """Contract 7: as everywhere."""
    done = check(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("reconciler check: ")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_help_tells_what_is_looked_at_and_the_exit_codes() -> None:
    """The first thing that anybody reads of it."""
    done = check("--help")
    assert done.returncode == 0
    for word in ("--pre", "-o json", "api-server", "rights/*", "exit codes:", "--source-url"):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
