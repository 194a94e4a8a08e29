"""What people see of a source with the real kubectl: its history, and where runs come from."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Shop, steps
from tests.controlplane import ROOT, ControlPlane

pytestmark = [pytest.mark.apiserver]

TERMINAL = 80  # columns


@pytest.fixture(scope="session")
def kubectl() -> str:
    """The path of the program."""
    tool = [sys.executable, str(ROOT / "hack" / "cluster"), "tool", "kubectl"]
    return subprocess.run(tool, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.new(tmp_path / "repository")


@pytest.fixture
def commits(shop: Shop, repository: Repository) -> tuple[str, str]:
    """Of a content that has run and of one that executes."""
    flags = ("--source-url", repository.url)
    first = repository.commit({"shop.yaml": document("restart-cart", *steps("a", "b"))})
    shop.done(*flags)
    shop.executor.completes()
    shop.done(*flags)
    second = repository.commit({"shop.yaml": document("restart-cart", *steps("a"))})
    shop.done(*flags)
    return first, second


def table(kubectl: str, shop: Shop, plane: ControlPlane, *what: str) -> list[str]:
    done = subprocess.run(
        [kubectl, "--kubeconfig", plane.kubeconfig, "-n", shop.namespace, "get", *what],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_history_of_a_document_reads_well_in_a_terminal(
    kubectl: str,
    shop: Shop,
    control_plane: ControlPlane,
    repository: Repository,
    commits: tuple[str, str],
) -> None:
    """Contract 5: `kubectl get wr` is the history; the newest content is what it shows."""
    lines = table(kubectl, shop, control_plane, "wr")
    head, row = (line.split() for line in lines)
    assert head == ["NAME", "STATE", "RUN", "PHASE", "STEPS", "AGE"]
    [current] = [
        each["metadata"]["name"]
        for each in shop.listed(shop.workflows)
        if each["status"]["phase"] == "Executing"
    ]
    assert row[:3] == ["restart-cart", "created", current]
    assert max(map(len, lines)) <= TERMINAL
    shop.executor.completes()
    shop.done("--source-url", repository.url)
    lines = table(kubectl, shop, control_plane, "wr")
    assert lines[1].split()[3:5] == ["Completed", "1/1"]
    assert max(map(len, lines)) <= TERMINAL
    wide = table(kubectl, shop, control_plane, "wr", "-o", "wide")
    assert wide[0].split()[6:] == ["COMMIT", "STARTED", "FINISHED"]
    assert commits[1] in wide[1]


def test_a_run_shows_the_commit_that_it_comes_from(
    kubectl: str, shop: Shop, control_plane: ControlPlane, commits: tuple[str, str]
) -> None:
    """Contract 5: `kubectl get we -o wide` shows the commit; without it a row fits a terminal."""
    lines = table(kubectl, shop, control_plane, "we")
    assert lines[0].split() == ["NAME", "READY", "PHASE", "STEPS", "ACTIVE", "AGE"]
    assert max(map(len, lines)) <= TERMINAL
    wide = table(kubectl, shop, control_plane, "we", "-o", "wide")
    names = ["NAME", "READY", "PHASE", "STEPS", "ACTIVE", "AGE", "REASON", "COMMIT", "STARTED"]
    assert wide[0].split() == [*names, "FINISHED"]
    at = wide[0].index("COMMIT")
    phases = {line[at : at + 40]: line.split()[2] for line in wide[1:]}
    assert phases == {commits[0]: "Completed", commits[1]: "Executing"}


def test_git_finds_who_wrote_the_file_that_a_run_was_made_from(
    shop: Shop, repository: Repository, commits: tuple[str, str]
) -> None:
    """Contract 5: `git log --find-object` of the blob that stands on the run."""
    for workflow in shop.listed(shop.workflows):
        told = workflow["metadata"]["annotations"]
        wrote = repository.git(
            "log", "--reverse", "--format=%H %an", f"--find-object={told['kubernaut.ai/blob']}"
        )
        assert wrote.splitlines()[0] == f"{told['kubernaut.ai/commit']} A Person"
    assert {
        each["metadata"]["annotations"]["kubernaut.ai/commit"]
        for each in shop.listed(shop.workflows)
    } == set(commits)
