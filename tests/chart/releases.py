"""Both Helms, in exactly the pinned versions, and what they make of the chart.

What is rendered is kept for the process: a test file asks for the same releases many times.
"""

import functools
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hack.controlplane.binaries import located
from hack.controlplane.modules import HELM, HELM3
from tests.controlplane import ROOT

CHART = ROOT / "charts" / "reconciler"
CASES = tuple(sorted(path.stem.removesuffix("-values") for path in (CHART / "ci").iterdir()))
HELMS = {module.name: module for module in (HELM, HELM3)}
NEWEST, OLDEST = "1.37.2", "1.31.0"
RELEASE, NAMESPACE = "workflows", "shop"

each_case = pytest.mark.parametrize("case", [pytest.param(case, id=case) for case in CASES])
each_helm = pytest.mark.parametrize("program", [pytest.param(name, id=name) for name in HELMS])

Manifest = Mapping[str, Any]
Key = tuple[str, str, str]


def helm(*arguments: str, program: str = "helm") -> subprocess.CompletedProcess[str]:
    """One call of Helm 4, or of `helm3`."""
    path = located(HELMS[program]) / program
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False)


def template(
    *arguments: str,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    program: str = "helm",
    chart: Path = CHART,
    kubernetes: str = NEWEST,
) -> subprocess.CompletedProcess[str]:
    where = ("--namespace", namespace, "--kube-version", kubernetes)
    return helm("template", release, str(chart), *where, *arguments, program=program)


def values_of(case: str) -> Path:
    return CHART / "ci" / f"{case}-values.yaml"


@functools.cache
def text(case: str, program: str = "helm", kubernetes: str = NEWEST) -> str:
    """What a Helm makes of one file of values; fails with what it says when it makes nothing."""
    done = template("--values", str(values_of(case)), program=program, kubernetes=kubernetes)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def rendered(case: str, program: str = "helm", kubernetes: str = NEWEST) -> tuple[Manifest, ...]:
    return documents(text(case, program, kubernetes))


def release_of(
    *sets: str, release: str = RELEASE, namespace: str = NAMESPACE
) -> tuple[Manifest, ...]:
    """The objects of a release with a few values, each as `--set` takes it."""
    told = [part for each in sets for part in ("--set", each)]
    done = template(*told, release=release, namespace=namespace)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def documents(text: str) -> tuple[Manifest, ...]:
    return tuple(each for each in YAML(typ="safe", pure=False).load_all(text) if each)


def key(manifest: Manifest) -> Key:
    metadata = manifest["metadata"]
    return (manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] in kinds]


def cron_job(manifests: Sequence[Manifest]) -> Manifest:
    [found] = of_kind(manifests, "CronJob")
    return found


def pods(manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    """The specs of the run and of the test."""
    yield cron_job(manifests)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    yield from (each["spec"] for each in of_kind(manifests, "Pod"))


SHARD = "SHARD"  # no flag: the place of the pod in its Job, for a flag that follows


def variables(pod: Manifest, index: int = 0) -> dict[str, str]:
    """The flags of a container at this place in its Job; what comes from a Secret is `(secret)`."""
    told = {each["name"]: each.get("value", "(secret)") for each in pod["containers"][0]["env"]}
    if told.pop(SHARD, None):
        told["RECONCILER_SHARD"] = told["RECONCILER_SHARD"].replace(f"$({SHARD})", str(index))
    return told


def canonical(manifest: Manifest) -> str:
    return json.dumps(manifest, sort_keys=True, default=str)
