"""RBAC, both ways: a run is granted what it asks for, and nothing that it never asks for.

Runs with the flags and the account of a release go through everything that a run does; what the
server was asked stands beside the rules that the release has, and beside the table of rights.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from typing_extensions import override

from reconciler import settings
from reconciler.core.rights import rights
from tests.apiserver.asked import Grant, asked, denied, granted, missing, unused
from tests.apiserver.identities import kubeconfig
from tests.apiserver.objects import Body
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import RECONCILER, Ended, Shop, steps
from tests.chart_runs.releases import Release, Releases
from tests.controlplane import ROOT, Api, Audit

pytestmark = pytest.mark.apiserver

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
# Never asked by a run: the admission policy asks, when a document of git states approvals.
_OF_THE_POLICY = ("approve", "approve-for-others")


@dataclass(frozen=True)
class Home:
    """As in a pod of the release."""

    namespace: str
    in_pod: bool = True


@dataclass(frozen=True)
class Released(Shop):
    """A shop whose runs have the flags of a release, and its account."""

    flags: Mapping[str, str] = field(default_factory=dict)
    shards: int = 1

    @override
    def done(self, *flags: str) -> Ended:
        """A run of each shard, one after the other; how the last one ended."""
        return [super(Released, each).done(*flags) for each in self.each()][-1]

    def each(self) -> list["Released"]:
        """The runs of one Job."""
        told = [f"{index}/{self.shards}" for index in range(self.shards)]
        return [replace(self, flags={**self.flags, "RECONCILER_SHARD": each}) for each in told]

    @override
    def command(self, *flags: str, program: Sequence[str] = RECONCILER) -> list[str]:
        return [sys.executable, "-m", *program, "--kubeconfig", str(self.kubeconfig), *flags]

    @override
    def start(self, *flags: str, program: Sequence[str] = RECONCILER) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*flags, program=program),
            env={"PATH": os.environ["PATH"], "HOME": str(self.kubeconfig.parent), **self.flags},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _released(release: Release, folder: Path) -> Released:
    """With a token of the release's account, and the environment of its container."""
    path = f"/api/v1/namespaces/{release.namespace}/serviceaccounts/{release.helm.release}/token"
    code, answer = release.api.post(path, {"spec": {}})
    assert code == 201, answer
    file = kubeconfig(folder, release.api, answer["status"]["token"])
    template = release.cronjob["spec"]["jobTemplate"]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    flags = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    flags["RECONCILER_STATE_NAMESPACE"] = release.namespace  # in a pod: its own
    shards = release.cronjob["spec"]["jobTemplate"]["spec"]["completions"]
    return Released(release.api, release.namespace, file, flags, shards)


def _granted(release: Release) -> set[Grant]:
    """What the server grants the account by the roles that are bound to it."""
    return {
        grant
        for binding in _bindings(release)
        for grant in granted(_rules(release.api, release.namespace, binding["roleRef"]))
    }


def _bindings(release: Release) -> Iterator[Body]:
    """Those of the release's account, in its namespace and in all."""
    account = {
        "kind": "ServiceAccount",
        "name": release.helm.release,
        "namespace": release.namespace,
    }
    for path in (f"namespaces/{release.namespace}/rolebindings", "clusterrolebindings"):
        for binding in release.api.get(f"{_RBAC}/{path}")[1]["items"]:
            if account in binding.get("subjects", []):
                yield binding


def _rules(api: Api, namespace: str, role: Mapping[str, str]) -> list[Mapping[str, Sequence[str]]]:
    inside = f"namespaces/{namespace}/roles" if role["kind"] == "Role" else "clusterroles"
    code, found = api.get(f"{_RBAC}/{inside}/{role['name']}")
    assert code == 200, found
    rules: list[Mapping[str, Sequence[str]]] = found["rules"]
    return rules


# --- what a run does ----------------------------------------------------------------------------


def _with_a_source(shop: Released, repository: Repository) -> None:
    """A run's whole life: steps, a lost child, cancel, a run that is deleted, prune."""
    other = _document(shop, "other", *steps("x"))
    first, second = (_document(shop, "restart", *steps(name)) for name in "ab")
    repository.commit({"restart.yaml": first, "other.yaml": other})
    shop.done("--first-run=run")
    shop.executor.completes("x")
    _loses_a_child(shop)
    repository.commit({"restart.yaml": second})
    shop.done()
    repository.commit({"restart.yaml": _document(shop, "restart", *steps("b"), cancel=True)})
    shop.done()
    for workflow in shop.listed(shop.workflows):
        if not workflow["status"].get("settled"):
            shop.api.delete(f"{shop.workflows.path}/{workflow['metadata']['name']}")
    repository.commit({"restart.yaml": first, "other.yaml": None})
    shop.done("--prune")


def _document(shop: Shop, name: str, *its: Body, **spec: object) -> str:
    """Of the shop's namespace, which a run of all namespaces must be told."""
    whole = json.loads(document(name, *its))
    whole["metadata"]["namespace"] = shop.namespace
    whole["spec"].update(spec)
    return json.dumps(whole)


def _loses_a_child(shop: Shop) -> None:
    shop.executor.begins()
    shop.done()
    running = [
        child["metadata"]["name"]
        for child in shop.listed(shop.children)
        if child["status"]["phase"] == "Running"
    ]
    shop.api.delete(f"{shop.children.path}/{running[0]}")
    shop.done()


def _without_a_source(shop: Released, _: Repository) -> None:
    """Workflows that somebody else made: steps, a lost child, cancel."""
    shop.workflow("restart", *steps("a", "b"))
    shop.done()
    _loses_a_child(shop)
    shop.workflows.patch("restart", {"cancel": True})
    shop.done()


def _dry(shop: Released, repository: Repository) -> None:
    """It looks at what another one has begun, and at a commit that would begin more."""
    flags = {name: value for name, value in shop.flags.items() if name != "RECONCILER_DRY_RUN"}
    admins = kubeconfig(shop.kubeconfig.parent / "admin", shop.api, shop.api.token)
    real = replace(shop, kubeconfig=admins, flags=flags)
    old = {"old.yaml": _document(shop, "old", *steps("a"))}
    repository.commit(old)
    real.done("--first-run=run")
    shop.done()
    shop.api.delete(f"{shop.children.path}/{shop.listed(shop.children)[0]['metadata']['name']}")
    suspended = {"old.yaml": _document(shop, "old", *steps("a"), suspend=True)}
    repository.commit(suspended | {"new.yaml": _document(shop, "new", *steps("a"))})
    shop.done()


@pytest.mark.parametrize(
    ("values", "life"),
    [
        pytest.param({"source": {"name": "shop"}}, _with_a_source, id="a-source"),
        pytest.param({}, _without_a_source, id="no-source"),
        pytest.param({"lease": {"enabled": False}}, _without_a_source, id="no-lease"),
        pytest.param({"source": {"name": "shop"}, "dryRun": True}, _dry, id="a-dry-run"),
        pytest.param(
            {"source": {"name": "shop"}, "scope": {"allNamespaces": True}},
            _with_a_source,
            id="a-source-and-all-namespaces",
        ),
        pytest.param(
            {"source": {"name": "shop"}, "shards": 2}, _with_a_source, id="a-source-and-shards"
        ),
    ],
)
def test_a_release_is_granted_what_its_runs_ask_for_and_no_more(
    releases: Releases,
    audit: Audit,
    tmp_path: Path,
    values: Body,
    life: Callable[[Released, Repository], None],
) -> None:
    """No verb is missing, none is unused: by the audit log, the roles, and the table of rights."""
    repository = Repository.new(tmp_path / "repository")
    release = releases("helm")
    sourced = {"source": {**values["source"], "url": repository.url}} if "source" in values else {}
    release.helm.install({"suspend": True, **values, **sourced})
    shop = _released(release, tmp_path / "home")
    began = audit.mark()
    life(shop, repository)
    shop.calls(audit, began)  # once it returns, the log is complete
    entries = audit.entries(began, shop.user)
    runs = {each for each in _granted(release) if each.verb not in _OF_THE_POLICY}
    everywhere = [each for each in _bindings(release) if each["roleRef"]["kind"] == "ClusterRole"]

    assert denied(entries) == []
    assert missing(runs, asked(entries)) == []
    assert unused(runs, asked(entries)) == []
    assert runs == _of_the_table(shop)
    assert bool(everywhere) == ("scope" in values)


def _of_the_table(shop: Released) -> set[Grant]:
    """What `reconciler check` would ask for, with the release's flags."""
    return {
        Grant(each.group, each.what, each.verb, each.name)
        for shard in shop.each()
        for each in rights(settings.settle(settings.parse([], shard.flags), Home(shop.namespace)))
    }
