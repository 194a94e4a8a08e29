"""What a run stands on is not there, or says no (contract 7): exit codes, and what to do."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.apiserver.identities import kubeconfig, token_of
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Ended, Shop, ended, steps
from tests.controlplane import ROOT, Api

pytestmark = [pytest.mark.apiserver]


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port of this machine at which nobody answers, and that nobody else takes meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def _failed(run: Ended, code: int) -> str:
    """The one line that says why, of a run that failed with this exit code and no traceback."""
    assert run.code == code, run.log
    assert "Traceback" not in run.log
    (why,) = run.of("ERROR")
    return why


# --- the source: exit 3, and what runs goes on -----------------------------------------------


def _still_reconciles(shop: Shop, *flags: str) -> str:
    """The reason of exit 3, of a run that did all the rest of its work."""
    shop.workflow("here-already", *steps("a"))
    why = _failed(shop.run(*flags), 3)
    assert shop.steps("here-already") == ["a"]
    assert shop.status("here-already")["phase"] == "Executing"
    return why


def test_a_git_server_that_is_not_there_stops_no_workflow(shop: Shop, nowhere: int) -> None:
    """Contract 1, apply: a source failure skips its stages and these only."""
    why = _still_reconciles(shop, "--source-url", f"http://127.0.0.1:{nowhere}/shop.git")
    assert f"127.0.0.1:{nowhere}" in why, why


def test_a_git_server_that_never_answers_leaves_time_for_the_workflows(shop: Shop) -> None:
    """Contract 1, apply; I7: what hangs takes a part of the run's time, never all."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/shop.git"
        _still_reconciles(shop, "--source-url", url, "--deadline", "8s")


def test_a_repository_that_is_not_there_stops_no_workflow(shop: Shop, tmp_path: Path) -> None:
    """Contract 1, apply."""
    why = _still_reconciles(shop, "--source-url", (tmp_path / "no-repository").as_uri())
    assert "no-repository" in why, why


def test_a_branch_that_is_missing_stops_no_workflow(shop: Shop, tmp_path: Path) -> None:
    """Contract 1, apply; the reason names the ref."""
    repository = Repository.new(tmp_path / "repository")
    repository.commit({"shop.yaml": document("restart", *steps("a"))})
    flags = ("--source-url", repository.url, "--source-ref", "no-such-branch")
    assert "no-such-branch" in _still_reconciles(shop, *flags)


def test_an_empty_repository_stops_no_workflow(shop: Shop, tmp_path: Path) -> None:
    """Contract 1, apply; a repository without a commit is no source without documents."""
    repository = Repository.new(tmp_path / "repository")
    why = _still_reconciles(shop, "--source-url", repository.url)
    assert "main" in why, why


def test_a_source_that_comes_back_is_read(shop: Shop, tmp_path: Path) -> None:
    """Contract 1: a run keeps nothing for the next one, its failures least of all."""
    repository = Repository.new(tmp_path / "repository")
    assert shop.run("--source-url", repository.url).code == 3
    repository.commit({"shop.yaml": document("restart", *steps("a"))})
    shop.done("--source-url", repository.url)
    assert len(shop.listed(shop.children)) == 1


# --- the cluster: exit 4 ---------------------------------------------------------------------


def test_an_api_server_that_is_not_there_is_one_line(
    shop: Shop, api: Api, nowhere: int, tmp_path: Path
) -> None:
    """Contract 7: exit 4."""
    file = kubeconfig(tmp_path / "there", api, "token", server=f"https://127.0.0.1:{nowhere}")
    why = _failed(shop.run("--kubeconfig", str(file), "-n", shop.namespace), 4)
    assert f"no connection to the API server at 127.0.0.1:{nowhere}: " in why, why
    assert why.endswith("is it up, and is this its address?")


def test_an_authority_that_is_not_the_servers_is_one_line(
    shop: Shop, api: Api, tmp_path: Path
) -> None:
    """Contract 7: exit 4, and it is not tried again."""
    authority = trustme.CA().cert_pem.bytes().decode()
    file = kubeconfig(tmp_path / "there", api, "token", authority=authority)
    why = _failed(shop.run("--kubeconfig", str(file), "-n", shop.namespace), 4)
    assert "certificate-authority" in why


def test_wrong_credentials_are_told_with_what_to_look_at(
    shop: Shop, api: Api, tmp_path: Path
) -> None:
    """Contract 7: exit 4; I9: the token stands in no line."""
    file = kubeconfig(tmp_path / "there", api, "no-such-token-at-all")
    run = shop.run("--kubeconfig", str(file), "-n", shop.namespace)
    assert "the credentials are not accepted: look at the user of the kubeconfig" in _failed(run, 4)
    assert run.of("WARNING") == []
    assert "no-such-token-at-all" not in run.log


def test_a_role_that_is_missing_is_told_with_what_to_grant(
    shop: Shop, api: Api, tmp_path: Path
) -> None:
    """Contract 7: exit 4; without the Lease a run goes on, without a list it does not."""
    token = token_of(api, shop.namespace, "nobody")
    file = kubeconfig(tmp_path / "there", api, token)
    run = shop.run("--kubeconfig", str(file), "-n", shop.namespace)
    assert (
        'a role must grant "list" on "workflowexecutions" of the API group '
        '"workflowexecution.kubernaut.ai"'
    ) in _failed(run, 4)


def test_crds_that_are_not_installed_are_told_with_the_command_that_installs_them(
    tmp_path: Path,
) -> None:
    """Contract 7: exit 4. In a control plane of its own: the other tests need them."""
    command = [sys.executable, "-m", "reconciler", "run", "-n", "default"]
    process = subprocess.Popen(
        [sys.executable, ROOT / "hack" / "cluster", "run", "--", *command],
        env=os.environ | {"HOME": os.environ.get("HOME", str(tmp_path))},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    why = _failed(ended(process), 4)
    assert "reconciler crds | kubectl apply --server-side -f -" in why
