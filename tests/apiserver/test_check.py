"""`reconciler check` against a real Kubernetes, git over ssh, and a Pushgateway (contract 9)."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.rights import Right, rights
from reconciler.settings import Settings
from tests.apiserver.checks import admin, check, with_rights
from tests.apiserver.gate import Gate, Request
from tests.apiserver.objects import Body
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import LONGEST, RECONCILER, Shop, ended, steps
from tests.controlplane import Api, Audit, ControlPlane, eventually
from tests.gitservers import SshServer
from tests.signing import ssh_key

pytestmark = [pytest.mark.apiserver]


def of_a_source(shop: Shop) -> list[Right]:
    """What a run of this shop with a source needs."""
    home = shop.namespace
    return list(rights(Settings(namespace=home, state_namespace=home, source_url="file:///x")))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.new(tmp_path / "repository")


@pytest.fixture
def over_ssh(git_ssh: SshServer) -> list[str]:
    """The flags of a source over ssh, all of them right."""
    repository, _ = git_ssh.repository({"shop.yaml": document("restart", *steps("a"))})
    return [
        f"--source-url={git_ssh.url(repository)}",
        f"--git-ssh-key={git_ssh.key}",
        f"--git-known-hosts={git_ssh.known_hosts}",
    ]


def asked(audit: Audit, since: int, shop: Shop, account: str) -> list[dict[str, Any]]:
    """What that account asked of the server since the mark."""
    marker = f"/api/v1/namespaces/{shop.namespace}/configmaps/marker-{audit.mark()}"
    shop.api.get(marker)
    eventually(lambda: ("get", marker) in audit(since), "the audit log is not written")
    return audit.entries(since, f"system:serviceaccount:{shop.namespace}:{account}")


# --- all is well ----------------------------------------------------------------------------


def test_where_a_run_can_do_its_work_every_line_is_good_and_nothing_was_written(
    shop: Shop, over_ssh: list[str], pushgateway: str, audit: Audit
) -> None:
    """Contract 9: exit 0; the server's own account has reads and reviews alone."""
    mark = audit.mark()
    told = check(shop, *over_ssh, f"--pushgateway-url={pushgateway}")
    assert (told.code, told.of("failed"), told.of("warning")) == (0, [], []), told.printed
    assert told.of("skipped") == ["namespaces", "signers", "signature"]
    calls = Counter(
        (each["verb"], each["requestURI"]) for each in asked(audit, mark, shop, "reconciler")
    )
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert calls.pop(("create", reviews)) == len(of_a_source(shop)) + 1  # namespaces
    assert {verb for verb, _ in calls} == {"get"}


def test_a_role_made_of_the_table_of_rights_is_enough_for_check_and_run(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """The table is whole: no call of these runs is refused, and no line fails."""
    least = with_rights(shop, "least", of_a_source(shop))
    flags = ("--source-url", repository.url, "--prune")
    assert check(least, *flags).of("failed") == ["git"]  # no commit yet
    mark = audit.mark()
    more: Body = {"runPolicy": {"concurrency": "Replace", "history": 0}}
    others = {f"{name}.yaml": document(name, *steps("a")) for name in ("one", "two", "three")}
    repository.commit({**others, "shop.yaml": document("restart", *steps("a"), **more)})
    least.done(*flags)
    repository.commit({"shop.yaml": document("restart", *steps("b"), **more)})
    least.done(*flags)  # asks the run before to end
    for _ in range(4):
        least.executor.completes()
        least.done(*flags)
    repository.commit({"shop.yaml": None})
    time.sleep(1.1)  # what settled in the second in which a run began counts as its own
    least.done(*flags)
    names = {each["metadata"]["name"].rpartition("-")[0] for each in shop.listed(shop.workflows)}
    assert names == {"one", "two", "three"}
    calls = asked(audit, mark, shop, "least")
    assert [each["requestURI"] for each in calls if each["responseStatus"]["code"] == 403] == []
    assert {"create", "delete", "get", "list", "patch", "update"} <= {
        each["verb"] for each in calls
    }
    told = check(least, *flags)
    assert (told.code, told.of("warning")) == (0, []), told.printed


# --- rights ---------------------------------------------------------------------------------


def test_who_may_nothing_is_told_each_rule_that_a_role_must_have(shop: Shop, api: Api) -> None:
    """Contract 9; and the version and the kinds, which every account may read."""
    told = check(with_rights(shop, "nobody", ()), "--source-url=file:///no-such-repository")
    failed = told.of("failed")
    assert {name for name in told.lines if name.startswith("rights/")} < set(failed)
    assert {"pause", "lease", "head", "git"} < set(failed)
    assert {"api-server", *(name for name in told.lines if name.startswith("crd/"))} <= set(
        told.of("ok")
    )
    assert told.lines["rights/kubernetesexecutions"]["advice"] == (
        'a role must grant "get", "list", "create", "patch" on "kubernetesexecutions" of the '
        'API group "kubernetesexecution.kubernaut.ai"'
    )
    assert told.code == 1


def test_one_verb_that_is_missing_is_one_line(shop: Shop) -> None:
    """The right to prune."""
    less = [each for each in of_a_source(shop) if each.verb != "delete"]
    told = check(with_rights(shop, "keeper", less), "--source-url=file:///no-such-repository")
    assert told.of("failed") == ["rights/workflowexecutions", "git"]
    assert "may not delete in" in told.lines["rights/workflowexecutions"]["found"]


def test_rights_in_one_namespace_are_none_in_all(shop: Shop) -> None:
    """Contract 9: -A needs a ClusterRole; what is in the state namespace needs none."""
    told = check(shop, "-A", f"--state-namespace={shop.namespace}")
    assert {name.partition("/")[2] for name in told.of("failed")} == {
        *("workflowexecutions", "workflowexecutions/status", "kubernetesexecutions", "events"),
    }
    assert told.lines["rights/kubernetesexecutions"]["found"].startswith(
        "may not get, list, create, patch in all namespaces"
    )


def test_a_namespace_that_is_not_there_is_told_to_who_may_read_them(
    shop: Shop, control_plane: ControlPlane
) -> None:
    """An admin has every right in it, and yet nothing can be made in it."""
    mine = admin(shop.api, "no-such-namespace", control_plane.kubeconfig)
    told = check(mine)
    assert told.of("failed") == ["namespaces"]
    assert told.lines["namespaces"]["found"] == "there is no namespace no-such-namespace"


def test_before_the_installation_an_admin_may_and_a_run_may_not(
    shop: Shop, control_plane: ControlPlane, over_ssh: list[str]
) -> None:
    """`--pre`: who installs the chart needs other rights than a run."""
    mine = admin(shop.api, shop.namespace, control_plane.kubeconfig)
    told = check(mine, "--pre", *over_ssh)
    assert (told.code, told.of("failed")) == (0, []), told.printed
    told = check(shop, "--pre", *over_ssh)
    failed = told.of("failed")
    assert told.code == 1
    assert set(failed) == {name for name in told.lines if name.startswith("install/")} - {
        "install/grant"  # it has what a run needs; to bind it is another question
    }


# --- the API server -------------------------------------------------------------------------


def test_a_server_that_never_answers_is_told_within_the_deadline(
    shop: Shop, gated: Gate, over_ssh: list[str]
) -> None:
    """Contract 9: bounded; git is looked at all the same."""
    over = threading.Event()

    def waits(_: Request) -> None:
        over.wait(LONGEST)

    gated.before = waits
    flags = ("--request-timeout=1s", "--deadline=6s")
    told = check(shop.through(gated), *flags, *over_ssh)
    over.set()
    assert told.lines["api-server"]["status"] == "failed"
    assert told.lines["lease"]["found"] == "needs api-server"
    assert told.lines["files"]["status"] == "ok"


# --- git ------------------------------------------------------------------------------------


def test_a_host_key_that_is_not_the_servers_is_told_with_the_way_to_mend_it(
    shop: Shop, over_ssh: list[str], git_ssh: SshServer, tmp_path: Path
) -> None:
    """Contract 5: an unknown host is never trusted."""
    kind, known, *_ = (git_ssh.folder / "stranger.pub").read_text().split()
    wrong = tmp_path / "known_hosts"
    wrong.write_text(f"[127.0.0.1]:{git_ssh.port} {kind} {known}\n")
    told = check(shop, *over_ssh, f"--git-known-hosts={wrong}")
    assert told.of("failed") == ["git"]
    assert (
        "the host key of 127.0.0.1 is not the one in --git-known-hosts"
        in (told.lines["git"]["found"])
    )
    assert told.lines["files"]["found"] == "needs git"


def test_a_key_that_the_server_does_not_know_is_told(
    shop: Shop, over_ssh: list[str], git_ssh: SshServer
) -> None:
    """Contract 5."""
    told = check(shop, *over_ssh, f"--git-ssh-key={git_ssh.stranger}")
    assert told.of("failed") == ["git"]
    assert "does not accept the key" in told.lines["git"]["found"]


def test_a_ref_that_is_not_there_is_told_with_those_that_are(
    shop: Shop, over_ssh: list[str]
) -> None:
    """Contract 1, stage 2."""
    told = check(shop, *over_ssh, "--source-ref=no-such-branch")
    assert told.of("failed") == ["git"]
    assert told.lines["git"]["found"].endswith("there are the branches main")


def test_a_folder_that_is_not_in_the_commit_is_told(shop: Shop, over_ssh: list[str]) -> None:
    """Contract 5: what a run would read is read."""
    told = check(shop, *over_ssh, "--source-path=no-such-folder")
    assert (told.of("failed"), told.lines["git"]["status"]) == (["files"], "ok")
    assert "correct --source-path" in told.lines["files"]["found"]


def test_a_commit_is_signed_by_who_may_or_the_line_says_by_whom(
    shop: Shop, repository: Repository, tmp_path: Path
) -> None:
    """Contract 5: fails closed, which nobody wants to learn from a run."""
    dana, eve = ssh_key(tmp_path, "dana"), ssh_key(tmp_path, "eve")
    repository.commit({"shop.yaml": document("restart", *steps("a"))})
    repository.git(*dana.config, "commit", "--allow-empty", "-q", "-S", "-m", "signed")
    flags = ["--source-url", repository.url, "--verify", "commit"]
    for key, status in ((dana, "ok"), (eve, "failed")):
        allowed = tmp_path / "allowed"
        allowed.write_text(key.allowed("someone@example.org"))
        told = check(shop, *flags, "--allowed-signers", str(allowed))
        assert told.lines["signature"]["status"] == status, told.printed
        assert told.lines["signers"]["status"] == "ok"


# --- the Pushgateway, and what runs left ----------------------------------------------------


def test_a_pushgateway_that_is_down_is_told_and_stops_nothing(
    shop: Shop, pushgateway: str, over_ssh: list[str]
) -> None:
    """Contract 1: a push that fails changes nothing; but nobody sees the gauges."""
    port = pushgateway.rpartition(":")[2]
    wrong = pushgateway.replace(port, "1")
    told = check(shop, *over_ssh, f"--pushgateway-url={wrong}")
    assert told.of("failed") == ["pushgateway"]
    assert "cannot be reached" in told.lines["pushgateway"]["found"]


def test_what_the_runs_before_left_is_told(
    shop: Shop, repository: Repository, tmp_path: Path
) -> None:
    """Contract 1, 5: the commit in work, the pause, and another source under this name."""
    commit = repository.commit({"shop.yaml": document("restart", *steps("a"))})
    flags = ("--source-url", repository.url)
    assert "new to this cluster" in check(shop, *flags).lines["head"]["found"]
    shop.done(*flags)
    assert check(shop, *flags).lines["head"]["found"].startswith(f"{commit[:10]} is whole")
    shop.config_map("reconciler-paused", why="the database moves house")
    told = check(shop, *flags)
    assert (told.code, told.of("warning")) == (0, ["pause"])
    assert "the database moves house" in told.lines["pause"]["found"]
    moved = shutil.copytree(repository.folder, tmp_path / "moved")
    told = check(shop, "--source-url", moved.as_uri())
    assert told.of("failed") == ["head"]
    assert shop.run("--source-url", moved.as_uri()).code == 2  # as the line says


@pytest.fixture
def at_work(shop: Shop, gated: Gate) -> Iterator[Shop]:
    """A run that holds the Lease for as long as the test lasts."""
    run = shop.start("--interval=1s", "--deadline=60s", program=RECONCILER)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{shop.namespace}/leases/reconciler-default"
    eventually(lambda: shop.api.get(lease)[0] == 200, "the run took no Lease")
    yield shop
    run.terminate()
    assert ended(run).code == 0


def test_who_holds_the_lease_is_told(at_work: Shop) -> None:
    """Contract 1: a run at work is no failure."""
    told = check(at_work)
    assert told.code == 0, told.printed
    assert " is held by " in told.lines["lease"]["found"]
