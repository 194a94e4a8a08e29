"""A release on the control plane: its objects, its runs as Jobs, and what the server was asked."""

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.apiserver.objects import Body
from tests.chart_runs.helm import Helm, tool
from tests.chart_runs.kubelet import Ended, Kubelet
from tests.controlplane import Api, eventually, served

_BATCH = "/apis/batch/v1/namespaces"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_PATIENCE = 60.0  # seconds until the controllers have done their part
_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "CronJob": "cronjobs",
    "CustomResourceDefinition": "customresourcedefinitions",
    "FlowSchema": "flowschemas",
    "NetworkPolicy": "networkpolicies",
    "PriorityLevelConfiguration": "prioritylevelconfigurations",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ServiceAccount": "serviceaccounts",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


@dataclass(frozen=True)
class Release:
    """What Helm installed, and the kubelet that runs its pods."""

    api: Api
    helm: Helm
    kubelet: Kubelet

    @property
    def namespace(self) -> str:
        return self.helm.namespace

    @property
    def cronjob(self) -> Body:
        code, found = self.api.get(f"{_BATCH}/{self.namespace}/cronjobs/{self.helm.release}")
        assert code == 200, found
        assert isinstance(found, dict)
        return found

    # --- runs -------------------------------------------------------------------------------

    def run_now(self, job: str) -> Ended:
        """A run at once, as the notes of the chart say; its Job completes, or fails, as it did."""
        self.start(job)
        (ended,) = self.carried_out(job)
        return ended

    def start(self, job: str) -> None:
        """A Job of the CronJob's, whose pods nobody runs yet."""
        subprocess.run(
            [
                *(tool("kubectl"), "--kubeconfig", self.helm.kubeconfig),
                *("--namespace", self.namespace, "create", "job", job),
                f"--from=cronjob/{self.helm.release}",
            ],
            check=True,
            capture_output=True,
        )

    def carried_out(self, job: str) -> list[Ended]:
        """The pods that the Job's controller makes, each to its end, and the Job to its own."""
        ended = [self.kubelet.run(self.namespace, pod) for pod in self._pods_of(job)]
        wanted = "Failed" if any(each.code for each in ended) else "Complete"
        eventually(lambda: wanted in self._conditions(job), f"job {job} is not {wanted}", _PATIENCE)
        return ended

    def jobs(self) -> list[str]:
        """Those of the namespace, the oldest first."""
        _, listed = self.api.get(f"{_BATCH}/{self.namespace}/jobs")
        made = [each["metadata"] for each in listed["items"]]
        return [each["name"] for each in sorted(made, key=lambda each: each["creationTimestamp"])]

    def tested(self) -> Ended:
        """`helm test`: Helm makes the pod, and waits for how it ends."""
        name = f"{self.helm.release}-check"
        with self.helm.test() as process:
            path = f"/api/v1/namespaces/{self.namespace}/pods/{name}"
            eventually(lambda: self.api.get(path)[0] == 200, "helm test makes no pod", _PATIENCE)
            ended = self.kubelet.run(self.namespace, name)
            output, errors = process.communicate(timeout=90)
        assert process.returncode == (1 if ended.code else 0), output + errors + ended.output
        return ended

    def _pods_of(self, job: str) -> list[str]:
        """Sorted: those of an Indexed Job by their index."""
        path = f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=job-name%3D{job}"
        _, found = self.api.get(f"{_BATCH}/{self.namespace}/jobs/{job}")

        def made() -> list[str]:
            return sorted(pod["metadata"]["name"] for pod in self.api.get(path)[1]["items"])

        wanted = found["spec"]["completions"]
        eventually(lambda: len(made()) == wanted, f"not {wanted} pods of job {job}", _PATIENCE)
        return made()

    def _conditions(self, job: str) -> set[str]:
        _, found = self.api.get(f"{_BATCH}/{self.namespace}/jobs/{job}")
        conditions = found["status"].get("conditions", [])
        return {each["type"] for each in conditions if each["status"] == "True"}

    # --- objects ----------------------------------------------------------------------------

    def missing(self, objects: list[Body]) -> Counter[str]:
        """Of these objects, how many of each kind the server does not have."""
        return Counter(each["kind"] for each in objects if self.api.get(path_of(each))[0] == 404)

    def kinds(self) -> list[str]:
        """The names of our CRDs on the server."""
        return [str(each["metadata"]["name"]) for each in self._crds()]

    def served(self) -> None:
        """Waits until the server knows our CRDs well enough to delete them."""
        for crd in self._crds():
            if "deletionTimestamp" not in crd["metadata"]:
                served(self.api, crd)

    def gone(self) -> None:
        """Whatever a test left of it, and our kinds with all of their objects."""
        self.helm.uninstall()
        self.served()
        for name in self.kinds():
            code, answer = self.api.delete(f"{_CRDS}/{name}")
            assert code in {200, 404}, answer
        eventually(lambda: not self.kinds(), "the CRDs do not go", _PATIENCE)

    def _crds(self) -> list[Body]:
        _, listed = self.api.get(_CRDS)
        return [each for each in listed["items"] if each["spec"]["group"].endswith("kubernaut.ai")]


# How a test gets one: by the Helm; nothing is installed yet.
Releases = Callable[[str], Release]


def path_of(document: Body) -> str:
    """Where an object is."""
    group, _, version = document["apiVersion"].rpartition("/")
    about = document["metadata"]
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    inside = f"/namespaces/{about['namespace']}" if "namespace" in about else ""
    return f"{root}{inside}/{_PLURALS[document['kind']]}/{about['name']}"
