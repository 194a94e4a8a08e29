"""What the values become: flags that a run takes, rights that it needs, files that it reads."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.core.rights import Right, installing, rights
from reconciler.core.shards import Shard
from reconciler.flags import RUN
from reconciler.settings import Settings, parse, settle
from reconciler.stages.push import grouping
from tests.chart.releases import (
    CASES,
    NAMESPACE,
    Manifest,
    cron_job,
    each_case,
    key,
    of_kind,
    pods,
    release_of,
    rendered,
    variables,
)

# Not asked of the API server by a run, but by the admission policy about it.
_ASKED_OF_THE_POLICY = {"approve", "approve-for-others"}

# What no value gives, and why.
_NOT_GIVEN = {
    "RECONCILER_KUBECONFIG": "in a pod it is the service account",
    "RECONCILER_CONTEXT": "in a pod it is the service account",
    "RECONCILER_STATE_NAMESPACE": "in a pod it is the pod's",
    "RECONCILER_NO_PRUNE": "source.prune says so",
}


@dataclass(frozen=True)
class Pod:
    """What a run knows of where it runs."""

    namespace: str = NAMESPACE
    in_pod: bool = True


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """Every file that some release mounts, in a folder in the place of /etc/reconciler."""
    for case in CASES:
        for pod in pods(rendered(case)):
            for file in _files(pod):
                path = tmp_path / Path(file).relative_to("/etc/reconciler")
                path.parent.mkdir(exist_ok=True)
                path.touch()
    return tmp_path


def _files(pod: Manifest) -> Iterator[str]:
    """Where the volumes of a pod put their keys."""
    folders = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    for volume in pod["volumes"]:
        items = (volume.get("secret") or volume.get("configMap") or {}).get("items", ())
        for item in items:
            yield f"{folders[volume['name']]}/{item['path']}"


def _environment(pod: Manifest, mounted: Path, index: int = 0) -> dict[str, str]:
    told = variables(pod, index)
    told.update({name: "http://a:b@gateway" for name, value in told.items() if value == "(secret)"})
    return {name: value.replace("/etc/reconciler", str(mounted)) for name, value in told.items()}


def _values(case: str, mounted: Path, index: int = 0) -> argparse.Namespace:
    run, _ = pods(rendered(case))
    return parse([], _environment(run, mounted, index))


def settings(case: str, mounted: Path, index: int = 0) -> Settings:
    return settle(_values(case, mounted, index), Pod())


def _job(case: str) -> Manifest:
    job: Manifest = cron_job(rendered(case))["spec"]["jobTemplate"]["spec"]
    return job


@each_case
def test_a_run_takes_every_flag_that_it_is_given(case: str, mounted: Path) -> None:
    """None is misspelt, none is refused, none needs another one."""
    known = {flag.variable for flag in RUN.flags} | {"HTTPS_PROXY"}
    for pod in pods(rendered(case)):
        assert set(variables(pod)) <= known
        settle(parse([], _environment(pod, mounted)), Pod())


@each_case
def test_the_test_looks_at_what_a_run_would_use(case: str) -> None:
    """`helm test`: the same account, flags, files and bounds, but for the command."""
    run, check = pods(rendered(case))
    assert run["containers"][0]["args"] == ["run"]
    assert check["containers"][0]["args"] == ["check"]
    assert variables(check) == variables(run)  # of several shards: what the first one uses
    assert _rest(check) == _rest(run)


def _rest(pod: Manifest) -> Manifest:
    """But for the flags, the command, and what bounds it: the Job's own bounds a run."""
    container = {**pod["containers"][0], "args": None, "env": None}
    return {**pod, "containers": [container], "activeDeadlineSeconds": None}


def test_each_run_of_a_job_is_another_shard(mounted: Path) -> None:
    """By its completion index: each has a Lease and gauges of its own."""
    job = _job("shards")
    assert (job["completions"], job["parallelism"], job["completionMode"]) == (3, 3, "Indexed")
    assert job["template"]["spec"]["containers"][0]["env"][-2] == {
        "name": "SHARD",
        "valueFrom": {
            "fieldRef": {
                "fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"
            }
        },
    }
    told = [settings("shards", mounted, index) for index in range(3)]
    assert [each.shard for each in told] == [Shard(index, 3) for index in range(3)]
    assert len({each.lease_name for each in told}) == 3
    assert len({grouping(each)["shard"] for each in told}) == 3


@each_case
def test_every_file_that_is_mounted_is_given_to_a_flag(case: str) -> None:
    """And every file that a flag names is mounted."""
    for pod in pods(rendered(case)):
        told = {value for value in variables(pod).values() if value.startswith("/etc/")}
        assert set(_files(pod)) == told


def test_every_flag_of_a_run_is_some_value(mounted: Path) -> None:
    """What the command line can, the chart can."""
    given = {name for case in CASES for pod in pods(rendered(case)) for name in variables(pod)}
    assert {flag.variable for flag in RUN.flags} - given == set(_NOT_GIVEN)


@each_case
def test_the_account_may_do_what_its_run_needs_and_nothing_else(case: str, mounted: Path) -> None:
    """Contract 1: by the table of rights, both ways."""
    shards = range(_job(case)["completions"])
    needed = {each for index in shards for each in rights(settings(case, mounted, index))}
    granted = set(_granted(rendered(case)))
    if case == "accounts":
        assert granted == set()  # somebody else grants them
    else:
        assert granted == needed


def _granted(manifests: tuple[Manifest, ...]) -> Iterator[Right]:
    """What the release grants to its own account."""
    roles = {key(each): each for each in of_kind(manifests, "Role", "ClusterRole")}
    for binding in of_kind(manifests, "RoleBinding", "ClusterRoleBinding"):
        reference, namespace = binding["roleRef"], binding["metadata"].get("namespace")
        [subject] = binding["subjects"]
        assert (
            subject["name"]
            == cron_job(manifests)["spec"]["jobTemplate"]["spec"]["template"]["spec"][
                "serviceAccountName"
            ]
        )
        for rule in roles[reference["kind"], namespace or "", reference["name"]]["rules"]:
            yield from _of_rule(rule, namespace)


def _of_rule(rule: Manifest, namespace: str | None) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            plural, _, subresource = resource.partition("/")
            for name in rule.get("resourceNames", [""]):
                for verb in set(rule["verbs"]) - _ASKED_OF_THE_POLICY:
                    yield Right(group, plural, verb, namespace, name, subresource)


@each_case
def test_who_may_install_is_asked_of_all_that_is_installed(case: str, mounted: Path) -> None:
    """`reconciler check --pre` misses no kind that the chart makes when nobody asks for more."""
    asked = {f"{right.group}/{right.resource}" for right in installing(settings(case, mounted))}
    optional = {"NetworkPolicy", "PrometheusRule", "FlowSchema", "PriorityLevelConfiguration"}
    for each in rendered(case):
        group = each["apiVersion"].rpartition("/")[0]
        plural = each["kind"].lower().removesuffix("y") + (
            "ies" if each["kind"][-1] == "y" else "s"
        )
        if each["kind"] not in {*optional, "ConfigMap", "Pod"}:
            assert f"{group}/{plural}" in asked


def test_the_defaults_are_those_of_a_careful_cron_job(mounted: Path) -> None:
    """Every minute, one at a time, bounded from outside as well; the next run is the retry."""
    told = cron_job(rendered("default"))["spec"]
    job = told["jobTemplate"]["spec"]
    assert told["schedule"] == "* * * * *"
    assert told["timeZone"] == "Etc/UTC"
    assert told["concurrencyPolicy"] == "Forbid"
    assert 10 <= told["startingDeadlineSeconds"] < 100 * 60  # a CronJob counts 100 missed runs
    assert (told["successfulJobsHistoryLimit"], told["failedJobsHistoryLimit"]) == (3, 5)
    assert (job["backoffLimit"], job["completions"], job["parallelism"]) == (0, 1, 1)
    assert job["activeDeadlineSeconds"] > settings("default", mounted).deadline + 60
    assert (settings("default", mounted).deadline, settings("default", mounted).interval) == (50, 0)


def test_a_source_that_is_new_is_recorded_and_not_run(mounted: Path) -> None:
    """Contract 5: the chart's default is not the command line's."""
    assert settings("https", mounted).first_run == "record"


@pytest.mark.parametrize(
    "deadline", [pytest.param(each, id=each) for each in ("30s", "1m30s", "1h")]
)
def test_a_run_that_hangs_is_ended_130_seconds_after_its_deadline(deadline: str) -> None:
    """Whatever the deadline is: the pull of an image comes first."""
    [run, _] = pods(release_of(f"deadline={deadline}"))
    job = cron_job(release_of(f"deadline={deadline}"))["spec"]["jobTemplate"]["spec"]
    told = settle(parse([], variables(run)), Pod())
    assert job["activeDeadlineSeconds"] == told.deadline + 130


def test_argo_cd_leaves_the_health_of_the_cron_job_out() -> None:
    """It flaps with every run; one value brings it back."""
    annotation = {"argocd.argoproj.io/ignore-healthcheck": "true"}
    assert cron_job(rendered("default"))["metadata"]["annotations"] == annotation
    assert "annotations" not in cron_job(rendered("suspended"))["metadata"]


def test_releases_in_one_namespace_share_no_object_lease_head_or_group() -> None:
    """Each has its own source by default, and what is the cluster's is installed by the first."""
    url = "source.url=https://git.example.com/x.git"
    one = release_of(url, release="a")
    two = release_of(url, "crds.install=false", release="b")
    assert not {key(each) for each in one} & {key(each) for each in two}
    [first, second] = [settle(parse([], variables(next(pods(each)))), Pod()) for each in (one, two)]
    assert first.lease_name != second.lease_name
    assert first.source_name != second.source_name
    assert grouping(first) != grouping(second)
    assert rights(first) != rights(second)


def test_releases_of_one_name_in_two_namespaces_share_no_object() -> None:
    """ClusterRoles and policies carry the namespace in their names."""
    more = ("scope.allNamespaces=true", "crds.install=false", "apiPriority.enabled=true")
    one, two = (release_of(*more, namespace=each) for each in ("shop", "stage"))
    assert not {key(each) for each in one} & {key(each) for each in two}


def test_a_team_installs_nothing_that_is_the_clusters() -> None:
    """Who has rights in one namespace alone can install that."""
    assert all(each["metadata"].get("namespace") == NAMESPACE for each in rendered("team"))
