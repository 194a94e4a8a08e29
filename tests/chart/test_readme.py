"""What the README of the chart says, as commands and values that are run as they stand there."""

import re
import shlex
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hack.controlplane.binaries import located
from hack.controlplane.modules import HELM, KUBERNETES
from tests.apiserver.objects import STEP, Objects
from tests.chart.installed import program
from tests.chart.releases import CHART, documents, of_kind, template
from tests.controlplane import ROOT, Api, ControlPlane

_README = (CHART / "README.md").read_text()
_HERE = "shop"  # the namespace of the README

# What is not run here, and why.
_LEFT_OUT = {
    "make": "needs Docker",
    "docker": "needs Docker",
    "curl": "needs a Pushgateway; what it deletes is compared below",
    "helm test": "no container runs here; tests of the installed chart run its command",
}


def _blocks(language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", _README, re.MULTILINE | re.DOTALL)


def _commands() -> Iterator[str]:
    for block in _blocks("console"):
        yield from (line.removeprefix("$ ") for line in block.splitlines())


@pytest.mark.parametrize("number", [pytest.param(each, id=f"block-{each}") for each in (0, 1)])
def test_values_of_the_readme_make_a_release(number: int, tmp_path: Path) -> None:
    """As they are copied."""
    blocks = list(_blocks("yaml"))
    assert len(blocks) == 2
    file = tmp_path / "values.yaml"
    file.write_text(blocks[number])
    done = template("--values", str(file))
    assert done.returncode == 0, done.stderr
    assert of_kind(documents(done.stdout), "CronJob")


def test_what_the_readme_deletes_is_what_a_release_leaves() -> None:
    """The Lease, the head and the group of the Pushgateway, by the names of that release."""
    [uninstall] = [block for block in _blocks("console") if "uninstall" in block]
    assert "lease/reconciler-workflows configmap/reconciler-source-workflows" in uninstall
    assert "/metrics/job/reconciler/namespace/shop/source/workflows/shard/0-1" in uninstall
    for path in (CHART / "files" / "crds").iterdir():
        crd = YAML(typ="safe", pure=True).load(path.read_text())
        assert crd["metadata"]["name"] in uninstall


def test_what_is_left_out_is_still_there() -> None:
    """So that the list above does not outlive the README."""
    assert all(any(each.startswith(start) for each in _commands()) for start in _LEFT_OUT)


@pytest.mark.apiserver
def test_the_commands_of_the_readme_work_in_their_order(
    control_plane: ControlPlane, api: Api, crds: Sequence[str], tmp_path: Path
) -> None:
    """From the namespace to the end of the release; the kinds stay, they are other tests' too."""
    for name in ("token.txt", "id_ed25519", "known_hosts"):
        (tmp_path / name).write_text("x\n")
    (tmp_path / "values.yaml").write_text(next(_blocks("yaml")))
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    place = Place(control_plane.kubeconfig, tmp_path, api, f"readme-{uuid.uuid4().hex[:6]}")
    for command in _commands():
        if not command.startswith(tuple(_LEFT_OUT)):
            place.run(command)
    assert len(place.ran) == len(list(_commands())) - len(_LEFT_OUT)
    api.delete(f"/api/v1/namespaces/{place.namespace}")


@dataclass
class Place:
    """Where the commands are run: a folder, and a namespace in the place of the README's."""

    kubeconfig: Path
    folder: Path
    api: Api
    namespace: str
    ran: list[str] = field(default_factory=list)

    def run(self, command: str) -> None:
        told = re.sub(rf"\b{_HERE}\b(?!/)", self.namespace, command)
        words = shlex.split(told.replace("alice@example.com", "admin"))  # who it is here
        if words[:2] == ["helm", "install"]:
            words += ["--set", "suspend=true,crds.install=false"]
        if words[:3] == ["kubectl", "delete", "crd"]:
            words += ["--dry-run=server"]
        if "patch" in words:
            self._waits_for_approval(words[words.index("we") + 1])
        if "reconciler-workflows" in command:
            self._as_a_run_left_it()
        done = program(self.kubeconfig, *self._program(words), folder=self.folder)
        assert done.returncode == 0, (command, done.stderr)
        self.ran.append(command)

    def _program(self, words: list[str]) -> list[str]:
        module = HELM if words[0] == "helm" else KUBERNETES
        return [str(located(module) / words[0]), *words[1:]]

    def _waits_for_approval(self, name: str) -> None:
        step = {**STEP, "name": "migrate", "requiresApproval": True}
        spec = {"workflowDefinition": {"steps": [step]}}
        code, answer = Objects(self.api, self.namespace).create(name, spec=spec)
        assert code == 201, answer

    def _as_a_run_left_it(self) -> None:
        for path, name in (
            (f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases", "workflows"),
            (f"/api/v1/namespaces/{self.namespace}/configmaps", "source-workflows"),
        ):
            code, answer = self.api.post(path, {"metadata": {"name": f"reconciler-{name}"}})
            assert code == 201, answer
