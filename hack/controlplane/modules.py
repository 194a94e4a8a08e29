"""The Go modules of this folder: what each builds, in which version, and the key of its build.

Versions stand in the go.mod files alone; go.sum pins every byte that goes in.
"""

import hashlib
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from hack.controlplane.places import PACKAGE, cache


@dataclass(frozen=True)
class Module:
    """One folder with a go.mod, and the programs that one build of it yields."""

    name: str  # of the folder, and of the file that is built
    main: str  # the package to build
    pin: str  # the module whose version is "the" version
    programs: tuple[str, ...]  # links to the file; a file looks at the name it is called by
    gigabytes: float  # of disk that a first build takes, caches included
    stamps: tuple[str, ...] = ()  # variables that hold the version; a release sets them as well

    @property
    def folder(self) -> Path:
        return PACKAGE / self.name

    @property
    def version(self) -> str:
        return self.version_of(self.pin)

    def version_of(self, path: str) -> str:
        """The version of one required module, as go.mod states it."""
        text = (self.folder / "go.mod").read_text()
        found = re.search(rf"^(?:require)?\s*{re.escape(path)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise LookupError(f"{path} is not required by {self.folder / 'go.mod'}")
        return found[1]

    @property
    def needs_go(self) -> tuple[int, int]:
        """The oldest Go that builds it, as go.mod states it."""
        text = (self.folder / "go.mod").read_text()
        found = re.search(r"^go (\d+)\.(\d+)", text, re.MULTILINE)
        if found is None:
            raise LookupError(f"no go line in {self.folder / 'go.mod'}")
        return int(found[1]), int(found[2])

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of `go build` that change what comes out."""
        major, minor, _ = self.version.removeprefix("v").split(".")
        known = {"version": self.version, "major": major, "minor": minor}
        if any("{client}" in stamp for stamp in self.stamps):
            known["client"] = self.version_of("k8s.io/client-go").split(".")[1]
        stamps = "".join(f" -X {stamp.format(**known)}" for stamp in self.stamps)
        return "-trimpath", "-ldflags", f"-s -w{stamps}"

    @property
    def key(self) -> str:
        """Changes with everything that goes into the build."""
        digest = hashlib.sha256(repr((self.flags, sys.platform, platform.machine())).encode())
        for file in sorted(self.folder.iterdir()):
            if file.name in {"go.mod", "go.sum"} or file.suffix == ".go":
                digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    @property
    def home(self) -> Path:
        """The folder in the cache where its programs are, or will be."""
        return cache() / "programs" / f"{self.name}-{self.version}-{self.key}"


KUBERNETES = Module(
    name="kubernetes",
    main=".",
    pin="k8s.io/kubernetes",
    programs=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
    gigabytes=5,
    # Unstamped it calls itself v0.0.0, which neither Helm nor kubectl understands.
    stamps=(
        "k8s.io/component-base/version.gitVersion={version}",
        "k8s.io/component-base/version.gitMajor={major}",
        "k8s.io/component-base/version.gitMinor={minor}",
        "k8s.io/component-base/version.gitTreeState=clean",
    ),
)
KWOK = Module(
    name="kwok",
    main="sigs.k8s.io/kwok/cmd/kwok",
    pin="sigs.k8s.io/kwok",
    programs=("kwok",),
    gigabytes=1.5,
)
HELM = Module(
    name="helm",
    main="helm.sh/helm/v4/cmd/helm",
    pin="helm.sh/helm/v4",
    programs=("helm",),
    gigabytes=2,
    stamps=("helm.sh/helm/v4/internal/version.version={version}",),
)
HELM3 = Module(  # the chart is for both: Helm 3 is what many clusters are still installed with
    name="helm3",
    main="helm.sh/helm/v3/cmd/helm",
    pin="helm.sh/helm/v3",
    programs=("helm3",),
    gigabytes=2,
    stamps=(
        "helm.sh/helm/v3/internal/version.version={version}",
        # Unstamped it takes every cluster that it does not ask for one of Kubernetes 1.20.
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor={client}",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor={client}",
    ),
)
