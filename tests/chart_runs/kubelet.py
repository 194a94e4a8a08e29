"""A kubelet for one pod at a time: it runs the pod's container here, and says how it ended.

Given a pod that the scheduler has bound to a node and whose image is ours, it resolves what the
pod asks for through the API, as the node's kubelet would: environment, files, a token of its
service account. The container's process then runs in a box (bubblewrap.py) with nothing else.
What the pod asks for and this cannot give is an error, never left out.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any
from urllib.parse import urlsplit

from tests.chart_runs.bubblewrap import Box, Mount, started
from tests.chart_runs.dockerfile import PROGRAM, Image
from tests.chart_runs.fields import Pod, field, known
from tests.chart_runs.volumes import Volumes
from tests.controlplane import Api, eventually

_LONGEST = 90.0  # seconds until a container that hangs is a failed test
_PATIENCE = 60.0  # seconds until a pod is on a node
_CONTAINER = (
    "name image imagePullPolicy command args workingDir env envFrom resources securityContext"
    " terminationMessagePath terminationMessagePolicy volumeMounts"
)
_SECURITY = (
    "allowPrivilegeEscalation capabilities readOnlyRootFilesystem runAsGroup runAsNonRoot"
    " runAsUser seccompProfile privileged"
)
_OF_THE_POD = "fsGroup runAsGroup runAsNonRoot runAsUser seccompProfile fsGroupChangePolicy"
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_NOT_IN_A_NAME = re.compile(r"[^A-Z0-9_]")


@dataclass(frozen=True)
class Ended:
    """A container that is over: its exit code, and what it wrote."""

    code: int
    output: str
    log: str


@dataclass(frozen=True)
class Kubelet:
    """Runs pods of one image; asks the API as the node does, which may read what its pods need."""

    api: Api
    image: Image

    def run(self, namespace: str, name: str) -> Ended:
        """The container of a pod to its end, which the pod's status then tells."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        eventually(lambda: _running(self.api.get(path)[1]), f"pod {name} is on no node", _PATIENCE)
        pod = self.api.get(path)[1]
        began = _now()
        ended = self.played(pod)
        self._tell(path, pod, ended, began)
        return ended

    def played(self, pod: Pod) -> Ended:
        """The same, and nobody is told."""
        container = _container(pod)
        environment = self._environment(pod, container)
        command = [_expanded(part, environment) for part in self._command(container)]
        with tempfile.TemporaryDirectory(prefix="reconciler-pod-") as folder:
            Path(folder).chmod(0o711)
            box = self._box(pod, container, Path(folder))
            with started(box, command, environment) as process:
                try:
                    output, log = process.communicate(timeout=_LONGEST)
                except TimeoutExpired:
                    process.kill()
                    raise
        return Ended(process.returncode, output, log)

    def _command(self, container: Pod) -> Sequence[str]:
        """`command` is the image's entry point, `args` its arguments."""
        return [*container.get("command", self.image.entrypoint), *container.get("args", ())]

    # --- what it may do ---------------------------------------------------------------------

    def _box(self, pod: Pod, container: Pod, folder: Path) -> Box:
        security = known(container.get("securityContext", {}), _SECURITY)
        whole = known(pod["spec"].get("securityContext", {}), _OF_THE_POD) | security
        user = whole.get("runAsUser", self.image.user)
        if whole.get("runAsNonRoot") and not user:
            raise AssertionError("container has runAsNonRoot and image will run as root")
        volumes = Volumes(self.api, pod, folder)
        mounts = [volumes.mount(each) for each in container.get("volumeMounts", ())]
        group = whole.get("runAsGroup", self.image.group)
        mounts += [Mount(self.image.program, str(PROGRAM)), *_accounts(folder, user, group)]
        dropped = security.get("capabilities", {}).get("drop", ())
        return Box(
            mounts=mounts,
            user=user,
            group=group,
            groups=[whole["fsGroup"]] if "fsGroup" in whole else [],
            read_only=security.get("readOnlyRootFilesystem", False),
            capabilities="ALL" not in dropped,
            escalation=security.get("allowPrivilegeEscalation", True),
            workdir=container.get("workingDir", self.image.workdir),
            hostname=pod["metadata"]["name"][:63],
        )

    # --- its environment --------------------------------------------------------------------

    def _environment(self, pod: Pod, container: Pod) -> dict[str, str]:
        """The image's, the services', the pod's: later ones win."""
        made = {**self.image.environment, "HOSTNAME": pod["metadata"]["name"]}
        made |= self._services(pod)
        for source in container.get("envFrom", ()):
            made |= self._all_of(pod, source)
        for variable in container.get("env", ()):
            value = self._value(pod, variable)
            if value is not None:
                made[variable["name"]] = _expanded(value, made)
        return made

    def _services(self, pod: Pod) -> dict[str, str]:
        """Where the API server is, which no kube-proxy tells here, and links to all services."""
        server = urlsplit(self.api.server)
        made = {
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(server.port),
            "KUBERNETES_PORT": f"tcp://{server.netloc}",
        }
        if pod["spec"].get("enableServiceLinks", True):
            inside = f"/api/v1/namespaces/{pod['metadata']['namespace']}/services"
            for service in self.api.get(inside)[1]["items"]:
                made |= _link(service)
        return made

    def _all_of(self, pod: Pod, source: Pod) -> dict[str, str]:
        ((kind, reference),) = [(key, source[key]) for key in source if key != "prefix"]
        data = Volumes.data(self.api, pod, kind.removesuffix("Ref"), reference)
        return {source.get("prefix", "") + key: value.decode() for key, value in data.items()}

    def _value(self, pod: Pod, variable: Pod) -> str | None:
        if "valueFrom" not in variable:
            return str(variable.get("value", ""))
        ((kind, reference),) = variable["valueFrom"].items()
        if kind == "fieldRef":
            return field(pod, reference["fieldPath"])
        if kind not in ("secretKeyRef", "configMapKeyRef"):
            raise AssertionError(f"{variable['name']}: {kind} cannot be played here")
        data = Volumes.data(self.api, pod, kind.removesuffix("KeyRef"), reference)
        if reference["key"] in data:
            return data[reference["key"]].decode()
        if reference.get("optional"):
            return None
        raise AssertionError(f"{variable['name']}: no key {reference['key']} in {reference}")

    # --- its end ----------------------------------------------------------------------------

    def _tell(self, path: str, pod: Pod, ended: Ended, began: str) -> None:
        terminated = {
            "exitCode": ended.code,
            "reason": "Error" if ended.code else "Completed",
            "startedAt": began,
            "finishedAt": _now(),
        }
        container = _container(pod)
        status = {
            "phase": "Failed" if ended.code else "Succeeded",
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": {"terminated": terminated},
                }
            ],
        }
        code, answer = self.api.patch(f"{path}/status", {"status": status})
        assert code == 200, answer


def _running(pod: Mapping[str, Any]) -> bool:
    return bool(pod["spec"].get("nodeName")) and pod["status"].get("phase") == "Running"


def _container(pod: Pod) -> Pod:
    """The only one: this plays no pod with more."""
    assert not pod["spec"].get("initContainers"), "init containers cannot be played here"
    (container,) = pod["spec"]["containers"]
    return known(container, _CONTAINER)


def _accounts(folder: Path, user: int, group: int) -> list[Mount]:
    """The image's own: ssh ends for a user without a name."""
    lines = {
        "passwd": f"root:x:0:0::/root:/bin/sh\nreconciler:x:{user}:{group}::/tmp:/bin/false\n",
        "group": f"root:x:0:\nreconciler:x:{group}:\n",
    }
    mounts = []
    for name, text in lines.items():
        file = folder / name
        file.write_text(text)
        file.chmod(0o644)
        mounts.append(Mount(file, f"/etc/{name}"))
    return mounts


def _link(service: Pod) -> dict[str, str]:
    """What a container learns of a service by Docker's old custom."""
    name = _NOT_IN_A_NAME.sub("_", service["metadata"]["name"].upper())
    address, port = service["spec"].get("clusterIP", "None"), service["spec"]["ports"][0]
    if address in ("", "None"):
        return {}
    url = f"{port['protocol'].lower()}://{address}:{port['port']}"
    return {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(port["port"]),
        f"{name}_PORT": url,
    }


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes reads it: an unknown one stays as it is, `$$` is a dollar."""

    def of(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else environment.get(match[1], match[0])

    return _REFERENCE.sub(of, text)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
