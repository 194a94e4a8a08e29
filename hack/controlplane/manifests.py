"""Applies YAML files without reading YAML: kube-apiserver parses them, we only find the address.

That is enough for files that people keep tidy: documents split by `---`, `kind`, `name` and
`namespace` written plainly. It never touches what stands in them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hack.controlplane.api import Api
from hack.controlplane.trouble import Trouble

_ADDRESSES = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Node": "/api/v1/nodes",
    "Stage": "/apis/kwok.x-k8s.io/v1alpha1/stages",
}


@dataclass(frozen=True)
class Manifest:
    """One document of a file."""

    file: Path
    kind: str
    name: str
    text: str

    @property
    def address(self) -> str:
        if self.kind not in _ADDRESSES:
            raise Trouble(f"{self.file}: no address is known for kind {self.kind}")
        return f"{_ADDRESSES[self.kind]}/{self.name}"


def manifests(*files: Path) -> Iterator[Manifest]:
    """The documents of these files, in order."""
    for file in files:
        for text in re.split(r"^---[ \t]*$", file.read_text(), flags=re.MULTILINE):
            kind = re.search(r"^kind: (\S+)$", text, re.MULTILINE)
            name = re.search(r"^metadata:\n(?:  .*\n)*?  name: (\S+)$", text, re.MULTILINE)
            if kind and name:
                yield Manifest(file, kind[1], name[1], text)


def apply(api: Api, manifest: Manifest) -> None:
    """Makes it so on the server, or says why not."""
    status, answer = api.apply(manifest.address, manifest.text)
    if status not in {200, 201}:
        message = answer.get("message") if isinstance(answer, dict) else answer
        what = f"{manifest.file.name}: {manifest.kind} {manifest.name}"
        raise Trouble(f"{what} was refused ({status}): {message}")
