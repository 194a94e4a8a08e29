"""Helm 3 and Helm 4, each with a home of its own, on the control plane of the tests."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.controlplane import ROOT, ControlPlane

CHART = ROOT / "charts" / "reconciler"
Body = dict[str, Any]


@dataclass(frozen=True)
class Helm:
    """One Helm, and the namespace of one release."""

    program: Path
    kubeconfig: Path
    home: Path
    namespace: str
    release: str = "reconciler"

    def install(self, values: Mapping[str, object]) -> None:
        self._said("install", self.release, str(CHART), *self._values(values))

    def upgrade(self, values: Mapping[str, object]) -> None:
        self._said("upgrade", self.release, str(CHART), *self._values(values))

    def rollback(self, revision: int) -> None:
        self._said("rollback", self.release, str(revision))

    def uninstall(self) -> None:
        self._said("uninstall", self.release, "--ignore-not-found")

    def manifest(self) -> list[Body]:
        """The objects of the release, as Helm sent them."""
        documents = YAML(typ="safe").load_all(self._said("get", "manifest", self.release))
        return [document for document in documents if document]

    def test(self) -> subprocess.Popen[str]:
        """`helm test`, on its way: it waits for its pod."""
        return self._started("test", self.release, "--timeout", "90s")

    def _said(self, *arguments: str) -> str:
        with self._started(*arguments) as process:
            output, errors = process.communicate(timeout=90)
        assert process.returncode == 0, f"helm {' '.join(arguments)}: {errors}{output}"
        return output

    def _started(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.program, "--namespace", self.namespace, *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "KUBECONFIG": str(self.kubeconfig),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _values(self, values: Mapping[str, object]) -> tuple[str, str]:
        file = self.home / f"{self.namespace}-values.yaml"
        with file.open("w") as written:
            YAML(typ="safe").dump(dict(values), written)
        return "--values", str(file)


def tool(name: str) -> Path:
    """The path of a program that hack/cluster knows, built or fetched where there is none."""
    told = subprocess.run(
        [sys.executable, ROOT / "hack" / "cluster", "tool", name],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Path(told.stdout.splitlines()[-1])


def helm(version: str, plane: ControlPlane, home: Path, namespace: str) -> Helm:
    """`helm` is the newest, `helm3` the one before."""
    home.mkdir(parents=True, exist_ok=True)
    return Helm(tool(version), plane.kubeconfig, home, namespace)
