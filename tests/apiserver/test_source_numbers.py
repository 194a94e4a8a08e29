"""What a source costs, counted by the server and by git itself.

`RECONCILER_TEST_DOCUMENTS=1000` counts a thousand new documents; without it there are fifty.
"""

import os
import shlex
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import LONGEST, Ended, Shop, steps
from tests.controlplane import ROOT, Audit
from tests.signing import ssh_key

pytestmark = [pytest.mark.apiserver]

MANY = int(os.environ.get("RECONCILER_TEST_DOCUMENTS", "50"))
LONG_AGO = "2020-01-01T00:00:00Z"
LEASE = {"update leases": 2}
_HEAD = "configmaps/reconciler-source-default"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.new(tmp_path / "repository")


@dataclass(frozen=True)
class Counted:
    """Runs whose every git command is written down."""

    shop: Shop
    folder: Path

    def done(self, *flags: str) -> list[str]:
        """The git commands of one run, in their order, but for the question which git it is."""
        log = self.folder / "log"
        log.write_text("")
        script = self.folder / "git"
        real = shutil.which("git")
        assert real is not None
        script.write_text(
            f'#!/bin/sh\necho "$*" >> {shlex.quote(str(log))}\nexec {shlex.quote(real)} "$@"\n'
        )
        script.chmod(0o700)
        run = subprocess.run(
            self.shop.command(*flags),
            env={
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "HOME": str(self.shop.kubeconfig.parent),
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert Ended(run.returncode, run.stderr).code == 0, run.stderr
        asked = [_command(line.split()) for line in log.read_text().splitlines()]
        return [each for each in asked if each != "version"]


def _command(words: list[str]) -> str:
    """The first word that is no option of git's own, nor the value of one."""
    while words[0].startswith("-"):
        words = words[2:] if words[0] in ("-c", "-C") else words[1:]
    return words[0]


@pytest.fixture
def counted(shop: Shop, tmp_path: Path) -> Counted:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Counted(shop, folder)


def done(shop: Shop, *flags: str) -> None:
    """A run that may take its time."""
    with shop.start(*flags) as run:
        _, log = run.communicate(timeout=LONGEST + MANY)
    assert run.returncode == 0, log


def an_hour_passes(shop: Shop) -> None:
    path = f"/api/v1/namespaces/{shop.namespace}/{_HEAD}"
    code, answer = shop.api.patch(path, {"data": {"checked": LONG_AGO}})
    assert code == 200, answer


def test_new_documents_cost_two_writes_each_and_their_runs_one_for_the_uid_and_one_for_the_result(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """Contract 5: record and run, twice the head; then a write a run for its uid, its result."""
    flags = ("--source-url", repository.url, "--deadline", "10m")
    repository.commit({f"{n}.yaml": document(f"d-{n}", *steps("a")) for n in range(MANY)})
    mark = audit.mark()
    done(shop, *flags)
    assert shop.writes(audit, mark) == {
        "create leases": 1,
        "update leases": 1,
        "create workflowrecords": MANY,
        "patch workflowexecutions": MANY,
        "create configmaps": 1,
        "update configmaps": 1,
        "update workflowrecords/status": MANY,  # the uid
        "update workflowexecutions/status": MANY,
        "create kubernetesexecutions": MANY,
        "create events": 2 * MANY,
    }
    shop.executor.completes()
    mark = audit.mark()
    done(shop, *flags)
    assert shop.writes(audit, mark) == {
        **LEASE,
        "update workflowexecutions/status": MANY,
        "create events": MANY,
        "update workflowrecords/status": MANY,  # the result
    }
    mark = audit.mark()
    done(shop, *flags)
    assert shop.writes(audit, mark) == LEASE


def test_a_run_whose_ref_has_not_moved_asks_git_one_thing_and_writes_nothing(
    counted: Counted, repository: Repository, audit: Audit
) -> None:
    """Contract 5: one ls-remote, no blob is read, so none is parsed; and no list of the source."""
    flags = ("--source-url", repository.url)
    repository.commit({"shop.yaml": document("shop", *steps("a"))})
    first = counted.done(*flags)
    assert {"ls-remote", "fetch", "cat-file"} < set(first)
    mark = audit.mark()
    assert counted.done(*flags) == ["ls-remote"]
    calls = counted.shop.calls(audit, mark)
    lists = [call.text for call in calls if call.verb == "list"]
    assert lists == ["list workflowexecutions", "list kubernetesexecutions"]  # those of observe
    writes = Counter(call.text for call in calls if call.verb not in ("get", "list"))
    assert writes == {**LEASE, "update workflowexecutions/status": 1}  # the child's uid


def test_with_verify_the_commit_of_a_ref_that_stands_is_fetched_and_checked_again(
    counted: Counted, repository: Repository, tmp_path: Path, audit: Audit
) -> None:
    """Contract 5: with --verify after that one commit is fetched and checked; no blob is read."""
    key = ssh_key(tmp_path, "key")
    signers = tmp_path / "signers"
    signers.write_text(key.allowed("dev@example.org"))
    repository.commit({"shop.yaml": document("shop", *steps("a"))})
    repository.git(*key.config, "commit", "--quiet", "--amend", "--no-edit", "-S")
    source = ("--source-url", repository.url, "--verify", "commit")
    flags = (*source, "--allowed-signers", str(signers))
    counted.done(*flags)
    counted.done(*flags)
    mark = audit.mark()
    asked = counted.done(*flags)
    assert (asked.count("ls-remote"), asked.count("fetch")) == (1, 1)
    assert not {"ls-tree", "clone"} & set(asked)
    assert counted.shop.writes(audit, mark) == LEASE


def test_once_an_hour_a_source_that_stands_costs_its_lists_and_one_write_of_its_head(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """Contract 5: objects as metadata, records and the unsettled; the head and nothing else."""
    flags = ("--source-url", repository.url)
    repository.commit({f"{n}.yaml": document(f"d-{n}", *steps("a")) for n in range(3)})
    shop.done(*flags)
    shop.executor.completes()
    shop.done(*flags)
    an_hour_passes(shop)
    mark = audit.mark()
    shop.done(*flags)
    calls = shop.calls(audit, mark)
    writes = Counter(call.text for call in calls if call.verb not in ("get", "list"))
    assert writes == {**LEASE, "update configmaps": 1}
    lists = Counter(call.text for call in calls if call.verb == "list")
    # Of executions: the objects of the source, its unsettled ones, and those of observe.
    assert lists == {"list workflowexecutions": 3, "list workflowrecords": 1}
