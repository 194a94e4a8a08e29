"""What a platform team copies for Argo CD and Flux, against the chart that it installs."""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hack import argocd
from reconciler.kube.requests import CHILDREN
from tests.chart.releases import (
    CASES,
    CHART,
    HELMS,
    Manifest,
    cron_job,
    documents,
    of_kind,
    rendered,
    template,
)
from tests.faults.workloads import CHAIN
from tests.gitops.lua import Json
from tests.gitops.statuses import stored
from tests.gitops.verdicts import CUSTOMIZATIONS, FLUX, ROOT, Judges, manifests

ARGOCD = ROOT / "gitops" / "argocd"
SHIPPED = (*sorted(ARGOCD.glob("*.yaml")), *sorted(FLUX.glob("*.yaml")))

# Argo CD's "Sync options", those of an Application.
SYNC_OPTIONS = re.compile(
    r"(CreateNamespace|ServerSideApply|RespectIgnoreDifferences|SkipDryRunOnMissingResource"
    r"|ApplyOutOfSyncOnly|PruneLast|FailOnSharedResource)=true"
)
KEEP = "Prune=false,Delete=false"


def only(name: str) -> Json:
    """The one document of a file of ours."""
    (found,) = manifests(ARGOCD / name)
    return found


def helm_release() -> Json:
    (found,) = [
        each for each in manifests(FLUX / "reconciler.yaml") if each["kind"] == "HelmRelease"
    ]
    return found


PROJECT, APPLICATION, SET = map(
    only, ("appproject.yaml", "application.yaml", "applicationset.yaml")
)
TEMPLATE = SET["spec"]["template"]
VALUES: Mapping[str, Json] = {
    "Application": APPLICATION["spec"]["source"]["helm"]["valuesObject"],
    "ApplicationSet": TEMPLATE["spec"]["source"]["helm"]["valuesObject"],
    "HelmRelease": helm_release()["spec"]["values"],
}


def installed(
    of: str,
    folder: Path,
    program: str = "helm",
    namespace: str = "reconciler",
    sets: Sequence[str] = (),
) -> tuple[Manifest, ...]:
    """What the chart makes of the values in one of the manifests, and of `sets`."""
    values = json.dumps(VALUES[of]).replace("{{ .nameNormalized }}", "eu-1")
    (folder / "values.json").write_text(values)
    told = ["--values", str(folder / "values.json")]
    told += [part for each in sets for part in ("--set", each)]
    done = template(*told, release="reconciler", namespace=namespace, program=program)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def group_and_kind(manifest: Manifest) -> tuple[str, str]:
    return manifest["apiVersion"].rpartition("/")[0], manifest["kind"]


def permitted(which: str) -> set[tuple[str, str]]:
    return {(each["group"], each["kind"]) for each in PROJECT["spec"][which]}


@pytest.mark.parametrize("file", [pytest.param(each, id=each.name) for each in SHIPPED])
def test_each_address_is_a_placeholder_or_the_clusters_own(file: Path) -> None:
    """Whoever copies them must see what is to be replaced."""
    addresses = re.findall(r"\bhttps?://([^/\s\":]+)", file.read_text())
    own = {"kubernetes.default.svc", "pushgateway.monitoring"}
    assert [
        each for each in addresses if not each.endswith(".example.com") and each not in own
    ] == []


@pytest.mark.parametrize("program", [pytest.param(each, id=each) for each in HELMS])
@pytest.mark.parametrize("of", [pytest.param(each, id=each) for each in VALUES])
def test_the_chart_takes_the_values(of: str, program: str, tmp_path: Path) -> None:
    """A typo is refused by the schema of the chart's values; both Helms render."""
    found = cron_job(installed(of, tmp_path, program))
    assert found["metadata"]["name"] == "reconciler"


@pytest.mark.parametrize(
    "of", [pytest.param(each, id=each) for each in ("Application", "ApplicationSet")]
)
def test_the_crds_are_neither_pruned_nor_deleted(of: str, tmp_path: Path) -> None:
    """With a CRD go all its objects: every workflow, and every record of what has run."""
    crds = of_kind(installed(of, tmp_path), "CustomResourceDefinition")
    assert len(crds) == 3
    for crd in crds:
        annotations = crd["metadata"]["annotations"]
        assert annotations["helm.sh/resource-policy"] == "keep"
        assert annotations["argocd.argoproj.io/sync-options"] == KEEP


def test_the_health_of_the_cron_job_is_left_out(tmp_path: Path) -> None:
    """It flaps between Healthy and Degraded with every run that fails or begins."""
    annotations = cron_job(installed("Application", tmp_path))["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/ignore-healthcheck"] == "true"


def test_no_object_is_a_hook_of_argo_cd() -> None:
    """One such hook would make Argo CD leave out the hooks of Helm."""
    for case in CASES:
        for each in rendered(case):
            assert "argocd.argoproj.io/hook" not in each["metadata"].get("annotations", {})


def test_the_project_permits_what_the_chart_renders_and_little_else() -> None:
    """Least privilege: each kind that is permitted is rendered by some value, or named here."""
    made = {
        group_and_kind(each)
        for case in CASES
        for each in rendered(case)
        if "helm.sh/hook" not in each["metadata"].get("annotations", {})
    }
    whole, inside = permitted("clusterResourceWhitelist"), permitted("namespaceResourceWhitelist")
    group = "workflowexecution.kubernaut.ai"
    beside = {("", "Namespace"), ("batch", "Job")} | {
        (group, kind) for kind in ("WorkflowExecution", "WorkflowRecord")
    }
    assert made == (whole | inside) - beside
    assert not whole & inside


@pytest.mark.parametrize(
    "of", [pytest.param(APPLICATION, id="Application"), pytest.param(TEMPLATE, id="ApplicationSet")]
)
def test_the_project_permits_the_application(of: Json) -> None:
    """Source and destination; `*` is any cluster that Argo CD knows."""
    spec = of["spec"]
    assert spec["project"] == PROJECT["metadata"]["name"]
    assert spec["source"]["repoURL"] in PROJECT["spec"]["sourceRepos"]
    (allowed,) = PROJECT["spec"]["destinations"]
    assert allowed == {"server": "*", "namespace": spec["destination"]["namespace"]}


@pytest.mark.parametrize(
    "of", [pytest.param(APPLICATION, id="Application"), pytest.param(TEMPLATE, id="ApplicationSet")]
)
def test_what_is_patched_by_hand_stays_under_self_heal(of: Json, tmp_path: Path) -> None:
    """The suspension of the CronJob, and that alone; the options are ones that Argo CD knows."""
    policy = of["spec"]["syncPolicy"]
    assert policy["automated"] == {"prune": True, "selfHeal": True}
    assert "RespectIgnoreDifferences=true" in policy["syncOptions"]
    (ignored,) = of["spec"]["ignoreDifferences"]
    found = cron_job(installed("Application", tmp_path))
    assert (ignored["kind"], ignored["name"]) == (found["kind"], found["metadata"]["name"])
    assert ignored["jsonPointers"] == ["/spec/suspend"]
    assert [each for each in policy["syncOptions"] if not SYNC_OPTIONS.fullmatch(each)] == []


def test_each_application_of_the_set_is_the_application_told_which_cluster_it_is_for() -> None:
    """Two files that say the same, but for the cluster."""
    one, each = deepcopy(APPLICATION["spec"]), deepcopy(TEMPLATE["spec"])
    source = each["source"]["helm"]["valuesObject"]["source"]
    assert source.pop("cluster") == "{{ .nameNormalized }}"
    assert each.pop("destination") == one.pop("destination") | {"server": "{{ .server }}"}
    assert each == one
    assert SET["spec"]["syncPolicy"] == {"preserveResourcesOnDeletion": True}


def test_each_button_of_a_role_is_there() -> None:
    """A policy for an action that nobody has grants nothing, and says nothing."""
    actions = {
        match.group(1)
        for role in PROJECT["spec"]["roles"]
        for policy in role["policies"]
        if (match := re.search(r"action/(\S+),", policy))
    }
    ours = "workflowexecution.kubernaut.ai/WorkflowExecution"
    there = {
        f"{ours}/{script.parent.name}"
        for script in (CUSTOMIZATIONS / ours / "actions").glob("*/action.lua")
    }
    assert actions == there | {"batch/CronJob/create-job"}  # the last is built into Argo CD
    for role in PROJECT["spec"]["roles"]:
        subject = f"p, proj:{PROJECT['metadata']['name']}:{role['name']}, "
        assert all(policy.startswith(subject) for policy in role["policies"])


def test_runs_are_shown_and_are_no_warning() -> None:
    """A run of a source belongs to no Application: with `warn` each would be one."""
    orphaned = PROJECT["spec"]["orphanedResources"]
    assert orphaned["warn"] is False
    assert {each["kind"] for each in orphaned["ignore"]} == {"ConfigMap", "Lease"}


def test_the_patch_of_argocd_cm_is_what_the_scripts_say() -> None:
    """Drift: `make generate` was run."""
    assert argocd.PATCH.read_text() == argocd.patch()
    assert argocd.generate(check=True) == []


def test_the_patch_of_argocd_cm_holds_each_script_whole() -> None:
    """Argo CD parses the value of `actions` as YAML once more."""
    (patch,) = manifests(argocd.PATCH)
    keys = dict(patch["data"])
    for folder in CUSTOMIZATIONS.glob("*/*"):
        name = f"{folder.parent.name}_{folder.name}"
        health = keys.pop(f"resource.customizations.health.{name}")
        assert health == (folder / "health.lua").read_text()
        ignored = keys.pop(f"resource.customizations.ignoreResourceUpdates.{name}")
        assert YAML(typ="safe").load(ignored) == {"jsonPointers": ["/status"]}
        if not (folder / "actions").is_dir():
            continue
        actions = YAML(typ="safe").load(keys.pop(f"resource.customizations.actions.{name}"))
        assert actions["discovery.lua"] == (folder / "actions" / "discovery.lua").read_text()
        assert {each["name"]: each["action.lua"] for each in actions["definitions"]} == {
            script.parent.name: script.read_text()
            for script in (folder / "actions").glob("*/action.lua")
        }
    assert keys == {}


def test_flux_installs_the_chart_of_its_source(tmp_path: Path) -> None:
    """Names and paths meet; what is patched by hand stays."""
    source, release = manifests(FLUX / "reconciler.yaml")
    spec = release["spec"]
    assert spec["chart"]["spec"]["sourceRef"] == {
        "kind": source["kind"], "name": source["metadata"]["name"],
    }  # fmt: skip
    assert ROOT / spec["chart"]["spec"]["chart"] == CHART
    assert set(source["spec"]["ignore"].split()) == {"/*", "!/charts"}
    assert spec["driftDetection"]["mode"] == "enabled"
    (ignored,) = spec["driftDetection"]["ignore"]
    assert ignored["paths"] == ["/spec/suspend"]
    assert len(of_kind(installed("HelmRelease", tmp_path), ignored["target"]["kind"])) == 1


def test_one_object_has_one_applier() -> None:
    """Contract 5: who lets Argo CD or Flux apply workflows runs the reconciler without a source."""
    kinds = {each["kind"] for file in SHIPPED for each in manifests(file)}
    assert "WorkflowExecution" not in kinds
    text = (FLUX / "workflows.yaml").read_text()
    assert "source.url" in text.split("apiVersion", 1)[0]


def test_flux_deletes_no_workflow_to_make_it_again() -> None:
    """Contract 5: that a content runs once is promised of our own source alone."""
    for document in manifests(FLUX / "workflows.yaml"):
        spec = document["spec"]
        assert not spec.get("prune", False)
        assert "force" not in spec


def test_no_label_or_annotation_that_tools_track_by_reaches_a_child() -> None:
    """Contract 3: a tool that tracks by label would prune running children."""
    (workflow,) = deepcopy(CHAIN.workflows[:1])
    workflow["metadata"] |= {
        "labels": {"app.kubernetes.io/instance": "x", "kustomize.toolkit.fluxcd.io/name": "x"},
        "annotations": {
            "argocd.argoproj.io/tracking-id": "shop:x", "meta.helm.sh/release-name": "shop",
        },
    }  # fmt: skip
    made = stored(replace(CHAIN, workflows=(workflow,)), CHILDREN)
    assert made
    for child in made:
        told = {**child["metadata"].get("labels", {}), **child["metadata"].get("annotations", {})}
        assert [each for each in told if not each.startswith("kubernaut.ai/")] == [
            "app.kubernetes.io/managed-by"
        ]


def test_a_workflow_that_flux_has_just_applied_is_not_current() -> None:
    """Contract 2: by the default of the CRD no expression meets an object without a status."""
    fresh = {"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}
    verdicts = Judges().verdicts(fresh)
    assert (verdicts.flux, verdicts.kstatus) == ("InProgress", "InProgress")
