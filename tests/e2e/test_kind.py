"""The journey of tests/chart_runs once more, where containers run: the built image, on kind."""

from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.apiserver.pushgateways import scraped
from tests.apiserver.repository import document
from tests.apiserver.runs import Shop, diamond
from tests.chart_runs.helm import Helm
from tests.controlplane import Api, eventually
from tests.e2e.conftest import IMAGE, NAMESPACE

pytestmark = pytest.mark.e2e

_HERE = Path(__file__).parent
_PATIENCE = 180.0  # seconds for a run with an interval, image start included
_TOKEN = "t0ken"  # noqa: S105  # made for this test
_VALUES = {
    "image": dict(zip(("repository", "tag"), IMAGE.split(":"), strict=True)),
    "source": {"url": f"https://git.{NAMESPACE}.svc:8443/shop.git", "firstRun": "run"},
    "git": {"https": {"secretName": "git-login"}, "ca": {"configMapName": "git-ca"}},
    "pushgateway": {"url": f"http://pushgateway.{NAMESPACE}.svc:9091"},
    "interval": "5s",
    "suspend": True,
}
_GROUPING = {
    "job": "reconciler",
    "namespace": NAMESPACE,
    "source": "reconciler",
    "shard": "0-1",
}


def _prepared(cluster: Any, authority: trustme.CA, folder: Path) -> None:  # noqa: ANN401  # untyped
    """The namespace, with a git server that holds one document, and a Pushgateway."""
    pair, ca = folder / "pair.pem", folder / "ca.crt"
    authority.issue_cert(f"git.{NAMESPACE}.svc").private_key_and_cert_chain_pem.write_to_path(pair)
    authority.cert_pem.write_to_path(ca)
    definition = folder / "restart.yaml"
    definition.write_text(document("restart", *diamond()))
    login = ("--from-literal=username=git", f"--from-literal=password={_TOKEN}")
    for arguments in (
        ("create", "namespace", NAMESPACE),
        ("create", "secret", "generic", "git-login", *login),
        ("create", "secret", "generic", "certificate", f"--from-file={pair}"),
        ("create", "configmap", "git-ca", f"--from-file={ca}"),
        ("create", "configmap", "git-server", f"--from-file={_HERE / 'git_server.py'}"),
        ("create", "configmap", "documents", f"--from-file={definition}"),
        ("apply", "--filename", str(_HERE / "beside.yaml")),
        ("wait", "--for=condition=Ready", "pod/git", "pod/pushgateway", "--timeout=180s"),
    ):
        cluster.kubectl("--namespace", NAMESPACE, *arguments)


def test_a_commit_becomes_a_settled_workflow_on_kind(
    kind_cluster: Any,  # noqa: ANN401  # pytest-kind has no types
    loaded: str,
    helm: Helm,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    """Image, chart, Job, container, gauges, `helm test`: nothing here is played but the steps."""
    _prepared(kind_cluster, authority, tmp_path)
    helm.install(_VALUES)
    job = ("create", "job", "now", "--from=cronjob/reconciler")
    kind_cluster.kubectl("--namespace", NAMESPACE, *job)
    shop = Shop(Api.of(helm.kubeconfig), NAMESPACE, Path())
    eventually(lambda: _settled(shop), "the workflow does not settle", _PATIENCE)
    complete = ("wait", "--for=condition=complete", "job/now", "--timeout=120s")
    kind_cluster.kubectl("--namespace", NAMESPACE, *complete)
    with kind_cluster.port_forward("service/pushgateway", 9091, "--namespace", NAMESPACE) as port:
        seen = scraped(f"http://127.0.0.1:{port}", _GROUPING)
    assert seen["reconciler_run_exit_code", frozenset()] == 0
    with helm.test() as tested:
        output, errors = tested.communicate(timeout=120)
    assert tested.returncode == 0, output + errors


def _settled(shop: Shop) -> bool:
    """Whether the one workflow is; the steps that are at work end as they are seen."""
    if shop.api.get(shop.children.path)[0] != 200:
        return False  # a kind that was installed a moment ago is not served yet
    shop.executor.completes()
    workflows = shop.listed(shop.workflows)
    return bool(workflows) and workflows[0].get("status", {}).get("settled", False) is True
