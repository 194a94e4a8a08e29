"""Names, labels, the kinds, alerts and dashboards: what of the objects others rest on."""

import json
import re
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.chart.releases import (
    CASES,
    CHART,
    NAMESPACE,
    RELEASE,
    cron_job,
    documents,
    each_case,
    helm,
    key,
    of_kind,
    release_of,
    rendered,
    template,
    text,
    values_of,
)

_LONGEST = "r" * 53  # of a release's name, by Helm
_LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}


@each_case
def test_every_object_has_the_labels_that_tools_look_for(case: str) -> None:
    """But for those that the user added whole."""
    for each in rendered(case):
        if key(each)[2] != "git-hosts":
            assert set(each["metadata"]["labels"]) >= _LABELS, key(each)


def test_labels_of_ones_own_are_on_every_object_and_overwrite_none() -> None:
    """A label that tools look for stays what it is."""
    mine = r"commonLabels.app\.kubernetes\.io/name=x"
    made = release_of("commonLabels.team=shop", mine, r"podLabels.app\.kubernetes\.io/instance=y")
    for each in made:
        assert each["metadata"]["labels"]["team"] == "shop"
        assert each["metadata"]["labels"]["app.kubernetes.io/name"] == "reconciler"
    pod = cron_job(made)["spec"]["jobTemplate"]["spec"]["template"]["metadata"]
    assert pod["labels"]["app.kubernetes.io/instance"] == RELEASE


@each_case
def test_every_object_of_a_namespace_says_which(case: str) -> None:
    """Rendered and applied by hand it lands where Helm would put it."""
    of_the_cluster = ("CustomResource", "Cluster", "ValidatingAdmission", "PriorityLevel", "Flow")
    for each in rendered(case):
        if not each["kind"].startswith(of_the_cluster) and "git-hosts" not in key(each)[2]:
            namespaced = each["metadata"].get("namespace")
            assert namespaced or each["metadata"]["name"] == "remediation-notes", key(each)


@pytest.mark.parametrize(
    "release",
    [
        pytest.param("r", id="a-short-name"),
        pytest.param("team.workflows", id="a-name-with-a-dot"),
        pytest.param(_LONGEST, id="the-longest"),
        pytest.param("r" * 40 + "-" * 10 + "abc", id="cut-where-a-dash-is"),
        pytest.param("reconciler-of-the-shop", id="a-name-with-the-charts-in-it"),
    ],
)
def test_every_name_fits(release: str) -> None:
    """52 characters of a CronJob, 63 of a label; no dash at an end."""
    more = ("apiPriority.enabled=true", "networkPolicy.enabled=true", "dashboards.enabled=true")
    made = release_of(*more, release=release)
    assert len(cron_job(made)["metadata"]["name"]) <= 52
    for each in made:
        name = each["metadata"]["name"]
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name), name
        assert len(name) <= 253
        assert all(len(value) <= 63 for value in each["metadata"]["labels"].values())


def test_long_names_that_differ_at_their_end_stay_two() -> None:
    """What is cut off is still in the hash."""
    one, two = (release_of(release=_LONGEST[:-1] + each) for each in "ab")
    assert cron_job(one)["metadata"]["name"] != cron_job(two)["metadata"]["name"]


# --- the kinds ------------------------------------------------------------------------------


def test_the_kinds_are_installed_as_they_were_generated() -> None:
    """Only labels and annotations are added: the file that ships is the file that was tested."""
    raw = [
        each
        for path in sorted((CHART / "files" / "crds").iterdir())
        for each in documents(path.read_text())
    ]
    made = of_kind(rendered("default"), "CustomResourceDefinition")
    assert len(made) == len(raw) == 3
    by_name = {each["metadata"]["name"]: each for each in made}
    for each in raw:
        there = by_name[each["metadata"]["name"]]
        assert {**there, "metadata": each["metadata"]} == each
        assert set(there["metadata"]) == {"name", "labels", "annotations"}


def test_the_kinds_stay_when_the_release_goes_unless_told_otherwise() -> None:
    """With them every workflow and every record would go."""
    for case, kept in (("default", "keep"), ("crds-go", None)):
        for each in of_kind(rendered(case), "CustomResourceDefinition"):
            annotations = each["metadata"]["annotations"]
            assert annotations.get("helm.sh/resource-policy") == kept
    [told] = {
        each["metadata"]["annotations"]["argocd.argoproj.io/sync-options"]
        for each in of_kind(rendered("crds-go"), "CustomResourceDefinition")
    }
    assert told == "ServerSideApply=true"


def test_a_release_that_installs_no_kinds_has_none() -> None:
    """The second release of a cluster."""
    assert of_kind(rendered("team"), "CustomResourceDefinition") == []


# --- what Prometheus and Grafana read -------------------------------------------------------


def test_the_alerts_are_the_file_that_promtool_tests() -> None:
    """Their templates are Prometheus' own: Helm must not read them. Links alone may change."""
    file = (CHART / "files" / "rules.yaml").read_text()
    [plain] = of_kind(release_of("prometheusRule.enabled=true"), "PrometheusRule")
    assert plain["spec"] == YAML(typ="safe", pure=True).load(file)
    [rule] = of_kind(rendered("monitoring"), "PrometheusRule")
    page = "https://git.example.com/ops/reconciler/blob/main/docs/operations.md#"
    linked = file.replace("runbook_url: docs/operations.md#", f"runbook_url: {page}")
    assert rule["spec"] == YAML(typ="safe", pure=True).load(linked)
    assert rule["metadata"]["namespace"] == "monitoring"
    assert rule["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_the_links_of_the_alerts_stay_as_they_are_without_a_place() -> None:
    """The file goes out untouched."""
    [rule] = of_kind(release_of("prometheusRule.enabled=true"), "PrometheusRule")
    raw = YAML(typ="safe", pure=True).load((CHART / "files" / "rules.yaml").read_text())
    assert rule["spec"] == raw


def test_the_dashboards_are_the_files_that_ship() -> None:
    """As the sidecar of Grafana finds them."""
    made = of_kind(rendered("monitoring"), "ConfigMap")
    files = sorted((CHART / "files" / "dashboards").iterdir())
    assert files
    assert [(json.loads(text), name) for each in made for name, text in each["data"].items()] == [
        (json.loads(path.read_text()), path.name) for path in files
    ]
    for each in made:
        assert each["metadata"]["labels"]["grafana_dashboard"] == "yes"
        assert each["metadata"]["annotations"] == {"grafana_folder": "Reconciler"}


def test_the_chart_does_without_them(tmp_path: Path) -> None:
    """Who packages it without alerts and dashboards gets a chart that renders."""
    bare = tmp_path / "reconciler"
    shutil.copytree(CHART, bare, ignore=shutil.ignore_patterns("rules.yaml", "dashboards"))
    done = template("--values", str(values_of("monitoring")), chart=bare)
    assert done.returncode == 0, done.stderr
    kinds = {each["kind"] for each in documents(done.stdout)}
    assert "CronJob" in kinds
    assert "PrometheusRule" not in kinds


# --- the rest -------------------------------------------------------------------------------


def test_what_a_run_may_reach_is_what_was_stated() -> None:
    """Nobody reaches a run; without addresses the ports alone bind it."""
    [policy] = of_kind(rendered("network"), "NetworkPolicy")
    spec = policy["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec
    pod = cron_job(rendered("network"))["spec"]["jobTemplate"]["spec"]["template"]["metadata"]
    assert spec["podSelector"]["matchLabels"].items() <= pod["labels"].items()
    dns, server, git, gateway, more = spec["egress"]
    assert {each["protocol"] for each in dns["ports"]} == {"UDP", "TCP"}
    assert server["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    assert [each["ipBlock"]["cidr"] for each in git["to"]] == ["192.0.2.0/24", "2001:db8::/32"]
    assert git["ports"] == [{"port": 22, "protocol": "TCP"}]
    assert gateway["to"][0]["podSelector"] == {"matchLabels": {"app": "pushgateway"}}
    assert more["ports"] == [{"port": 3128, "protocol": "TCP"}]
    [loose] = of_kind(release_of("networkPolicy.enabled=true"), "NetworkPolicy")
    assert [set(each) for each in loose["spec"]["egress"]] == [{"ports"}, {"ports"}]


def test_the_share_of_the_api_server_is_the_accounts() -> None:
    """A FlowSchema names the level that it leads to, and who goes there."""
    made = rendered("priority")
    [schema] = of_kind(made, "FlowSchema")
    [level] = of_kind(made, "PriorityLevelConfiguration")
    [account] = of_kind(made, "ServiceAccount")
    assert schema["spec"]["priorityLevelConfiguration"]["name"] == level["metadata"]["name"]
    [subject] = schema["spec"]["rules"][0]["subjects"]
    assert subject["serviceAccount"] == {
        "name": account["metadata"]["name"],
        "namespace": NAMESPACE,
    }


def test_a_digest_names_the_image_whatever_the_tag_says() -> None:
    """And without either it is the chart's own version."""
    images = {
        case: cron_job(rendered(case))["spec"]["jobTemplate"]["spec"]["template"]["spec"][
            "containers"
        ][0]["image"]
        for case in ("default", "pod")
    }
    chart = YAML(typ="safe", pure=True).load((CHART / "Chart.yaml").read_text())
    assert images["default"] == f"reconciler:{chart['appVersion']}"
    assert images["pod"].startswith("registry.example.com/team/reconciler@sha256:")


def test_the_charts_version_is_the_programs() -> None:
    """One release of both: appVersion is what pyproject.toml says."""
    chart = YAML(typ="safe", pure=True).load((CHART / "Chart.yaml").read_text())
    project = (CHART.parents[1] / "pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project


@pytest.mark.parametrize("case", [pytest.param(each, id=each) for each in ("default", "dry-run")])
def test_the_notes_say_what_to_do_next(case: str) -> None:
    """Three things, each a command with the names of this very release. Helm 3 asks a cluster."""
    told = ("install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--dry-run=client")
    done = helm(*told, "--values", str(values_of(case)))
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert re.findall(r"^(\d)\.", notes, re.MULTILINE) == ["1", "2", "3"]
    name = cron_job(rendered(case))["metadata"]["name"]
    assert f"kubectl create job --namespace {NAMESPACE} --from=cronjob/{name} {name}-now" in notes
    assert f"helm test {RELEASE} --namespace {NAMESPACE} --logs" in notes
    assert f"kubectl get we,ke,wr --namespace {NAMESPACE}" in notes
    assert "is in no registry" in notes
    assert "<no value>" not in notes + "".join(text(each) for each in CASES)
