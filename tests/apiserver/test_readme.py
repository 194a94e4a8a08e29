"""The README of the project: what it tells to type is typed, on a real server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hack.controlplane.binaries import located
from hack.controlplane.modules import KUBERNETES
from tests.apiserver.repository import Repository
from tests.apiserver.runs import Shop
from tests.controlplane import ROOT, ControlPlane

_README = (ROOT / "README.md").read_text()
_URL, _PUSHGATEWAY = "https://git.example.com/shop/workflows.git", "http://pushgateway:9091"

# What is not typed here, and why.
_LEFT_OUT = {
    "make demo": "a control plane of its own; it has its own tests",
    "pip install": "the environment of the tests is installed the same way",
    "kubectl create namespace": "as in the README of the chart, whose commands are all run",
    "kubectl create secret": "the same",
    "helm": "the same",
}


def _commands() -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```$", _README, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def _workflow() -> str:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", _README, re.MULTILINE | re.DOTALL)
    return str(block)


def _inline(start: str) -> str:
    """A command in the running text."""
    (found,) = re.findall(rf"`({re.escape(start)}[^`]*)`", _README)
    return str(found)


def test_what_is_left_out_is_still_there() -> None:
    """So that the list above does not outlive the README."""
    assert all(any(each.startswith(start) for each in _commands()) for start in _LEFT_OUT)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """To a file of this repository, or out of it."""
    links = re.findall(r"\]\(((?!https?://|#)[^)#]+)", _README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.apiserver
def test_the_first_workflow_runs_as_the_readme_says(
    shop: Shop, control_plane: ControlPlane, pushgateway: str, tmp_path: Path
) -> None:
    """Committed, checked, run: one step starts, and the rest can be seen to wait."""
    repository = Repository.new(tmp_path / "workflows")
    repository.commit({"production/checkout-restart.yaml": _workflow()})
    typed = [each for each in _commands() if not each.startswith(tuple(_LEFT_OUT))]
    told = [
        _typed(
            each.replace(_URL, repository.url).replace(_PUSHGATEWAY, pushgateway),
            shop,
            control_plane,
        )
        for each in typed
    ]
    assert len(typed) == 4
    name = YAML(typ="safe", pure=True).load(_workflow())["metadata"]["name"]
    (workflow,) = shop.listed(shop.workflows)
    assert workflow["metadata"]["name"].startswith(f"{name}-")
    assert shop.steps(workflow["metadata"]["name"]) == ["scale-up"]
    assert all(
        kind in told[-1] for kind in ("workflowexecution", "kubernetesexecution", "workflowrecord")
    )
    stop = _inline("kubectl patch we NAME").replace("NAME", workflow["metadata"]["name"])
    _typed(stop, shop, control_plane)
    _typed(
        typed[2].replace(_URL, repository.url).replace(_PUSHGATEWAY, pushgateway),
        shop,
        control_plane,
    )
    assert shop.status(workflow["metadata"]["name"])["phase"] == "Cancelled"
    _typed(_inline("kubectl create configmap reconciler-paused"), shop, control_plane)


def _typed(command: str, shop: Shop, control_plane: ControlPlane) -> str:
    """In a shell, in the shop's namespace, by who may install the kinds."""
    told = re.sub(r"\b(kubectl|reconciler (?:run|check))\b", rf"\1 -n {shop.namespace}", command)
    programs = (str(Path(sys.executable).parent), str(located(KUBERNETES)), os.environ["PATH"])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", told],
        env={
            "PATH": ":".join(programs),
            "KUBECONFIG": str(control_plane.kubeconfig),
            "HOME": "/nowhere",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout
