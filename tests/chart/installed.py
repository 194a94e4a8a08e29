"""A release on the real server, and the accounts around it."""

import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.controlplane.binaries import located
from hack.controlplane.modules import HELM, KUBERNETES
from reconciler.core.api import KubernetesExecution
from tests.apiserver.identities import token_of
from tests.apiserver.objects import CHILD, SPEC, Objects
from tests.chart.releases import CHART, RELEASE
from tests.controlplane import Api, ControlPlane, eventually

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
NOT_AFTER = "kubernaut.ai/not-after"
PAST, FUTURE = "2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z"


@dataclass(frozen=True)
class Person:
    """An account with rights in one namespace; `name` is what the server calls it."""

    name: str
    api: Api
    workflows: Objects
    children: Objects


@dataclass(frozen=True)
class Release:
    """The chart, installed and suspended: its policies hold, and no run disturbs."""

    api: Api
    namespace: str
    fullname: str

    def person(self, account: str, *cluster_roles: str) -> Person:
        """A new account, bound to ClusterRoles in the release's namespace."""
        token = token_of(self.api, self.namespace, account)
        for role in cluster_roles:
            self._bind(account, role)
        return self._as(account, token)

    @property
    def runs(self) -> Person:
        """The release's own account."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{self.fullname}/token"
        code, answer = self.api.post(path, {"spec": {}})
        assert code == 201, answer
        return self._as(self.fullname, answer["status"]["token"])

    def role(self, name: str) -> str:
        """Of one of the release's ClusterRoles."""
        return f"{self.fullname}.{self.namespace}.{name}"

    def gated(self, name: str, **spec: object) -> None:
        """A workflow whose steps a and b wait for approval, made by the admin."""
        step = SPEC["workflowDefinition"]["steps"][0]
        steps = [{**step, "name": each, "requiresApproval": True} for each in ("a", "b")]
        whole = {"workflowDefinition": {"steps": steps}, **spec}
        code, answer = Objects(self.api, self.namespace).create(name, spec=whole)
        assert code == 201, answer

    def _as(self, account: str, token: str) -> Person:
        api = self.api.with_token(token)
        name = f"system:serviceaccount:{self.namespace}:{account}"
        workflows = Objects(api, self.namespace)
        return Person(name, api, workflows, Objects(api, self.namespace, KubernetesExecution))

    def _bind(self, account: str, role: str) -> None:
        group = "rbac.authorization.k8s.io"
        subject = {"kind": "ServiceAccount", "name": account, "namespace": self.namespace}
        body = {
            "metadata": {"name": f"{account}-{role}"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
        code, answer = self.api.post(f"{_RBAC}/namespaces/{self.namespace}/rolebindings", body)
        assert code == 201, answer


@contextmanager
def installed(control_plane: ControlPlane, *sets: str) -> Iterator[Release]:
    """A release in a namespace of its own, once its policies are enforced."""
    api = Api.of(control_plane.kubeconfig)
    namespace = f"chart-{uuid.uuid4().hex[:10]}"
    where = ("--namespace", namespace)
    told = [part for each in ("suspend=true", *sets) for part in ("--set", each)]
    done = program(
        control_plane.kubeconfig,
        located(HELM) / "helm",
        *("install", RELEASE, str(CHART), *where, "--create-namespace"),
        *("--set", "crds.install=false", *told),
    )
    assert done.returncode == 0, done.stderr
    release = Release(api, namespace, f"{RELEASE}-reconciler")
    _until_enforced(release)
    yield release
    program(control_plane.kubeconfig, located(HELM) / "helm", "uninstall", RELEASE, *where)
    api.delete(f"/api/v1/namespaces/{namespace}")


def program(
    kubeconfig: Path, *command: str | Path, text: str | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A command on the cluster, as its admin."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def kubectl(
    control_plane: ControlPlane, *arguments: str, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    return program(control_plane.kubeconfig, located(KUBERNETES) / "kubectl", *arguments, text=text)


def child(objects: Objects, name: str, not_after: str | None) -> tuple[int, Any]:
    """A child is made, with a bound or without one."""
    annotations = {} if not_after is None else {NOT_AFTER: not_after}
    return objects.create(name, {"annotations": annotations}, spec=CHILD)


def approvals(*steps_by: tuple[str, str]) -> Mapping[str, object]:
    return {"approvals": [{"step": step, "by": by} for step, by in steps_by]}


def _until_enforced(release: Release) -> None:
    """The server takes up a policy some moment after it was made."""
    objects = Objects(release.api, release.namespace, KubernetesExecution)
    path = f"{objects.path}?dryRun=All"
    late = objects.body("late", {"annotations": {NOT_AFTER: PAST}}, spec=CHILD)
    eventually(lambda: release.api.post(path, late)[0] == 403, "no policy is enforced")
    workflows = Objects(release.api, release.namespace)
    gated = workflows.body("gated", spec={**SPEC, **approvals(("a", "nobody"))})
    path = f"{workflows.path}?dryRun=All"
    eventually(lambda: release.api.post(path, gated)[0] == 403, "no policy is enforced")
