"""The same on a real API server: kubectl waits and patches, and an approval meets the policy."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hack import argocd
from hack.controlplane.tools import tool
from reconciler.core.api import WorkflowExecution
from tests.apiserver.identities import token_of
from tests.apiserver.objects import Body, Objects
from tests.chart.releases import key, of_kind, release_of
from tests.controlplane import Api, ControlPlane, eventually
from tests.gitops.lua import Json, Script
from tests.gitops.statuses import NAMED, wired
from tests.gitops.verdicts import CUSTOMIZATIONS, EXPECTED

pytestmark = pytest.mark.apiserver

ACCOUNT = "system:serviceaccount:argocd:argocd-server"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
POLICIES = "/apis/admissionregistration.k8s.io/v1"
GROUP = "workflowexecution.kubernaut.ai"
APPROVE = Script.of(
    CUSTOMIZATIONS / GROUP / "WorkflowExecution" / "actions" / "approve" / "action.lua"
)


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane) -> Sequence[str]:
    return str(tool("kubectl")), "--kubeconfig", str(control_plane.kubeconfig)


@pytest.fixture
def workflows(api: Api, namespace: str, crds: Sequence[str]) -> Objects:
    return Objects(api, namespace)


def held(workflows: Objects, name: str, of: WorkflowExecution) -> Body:
    """The object on the server, with the generation and the status that it has here."""
    obj = wired(of)
    spec, generation = obj["spec"], obj["metadata"]["generation"]
    workflows.made(name, spec | ({"maxConcurrentSteps": 99} if generation > 1 else {}))
    for _ in range(1, generation):
        code, answer = workflows.patch(name, {"maxConcurrentSteps": spec["maxConcurrentSteps"]})
        assert code == 200, answer
    code, stored = workflows.api.patch(f"{workflows.path}/{name}/status", {"status": obj["status"]})
    assert code == 200, stored
    assert stored["metadata"]["generation"] == generation
    return dict(stored)


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in NAMED])
def test_kubectl_wait_returns_for_what_the_table_says(
    name: str, kubectl: Sequence[str], workflows: Objects
) -> None:
    """Contract 2: `kubectl wait --for=condition=Ready` and `Stalled`, each asked once."""
    expected, made = NAMED[name]
    held(workflows, "w", made())
    returned = {
        condition: subprocess.run(
            [
                *kubectl, "wait", "-n", workflows.namespace, "we/w",
                f"--for=condition={condition}", "--timeout=0",
            ],
            capture_output=True,
            check=False,
        ).returncode == 0
        for condition in ("Ready", "Stalled")
    }  # fmt: skip
    table = EXPECTED[expected]
    assert returned == {"Ready": table.ready, "Stalled": table.stalled}


def test_the_patch_of_argocd_cm_takes_no_key_away(
    kubectl: Sequence[str], api: Api, namespace: str, tmp_path: Path
) -> None:
    """The ConfigMap is Argo CD's own: what others wrote stays."""
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    own = {"url": "https://argocd.example.com"}
    code, _ = api.post(maps, {"metadata": {"name": "argocd-cm"}, "data": own})
    assert code == 201
    file = tmp_path / "patch.yaml"
    file.write_text(
        argocd.PATCH.read_text().replace("namespace: argocd", f"namespace: {namespace}")
    )
    for _ in range(2):
        told = ["-n", namespace, "patch", "configmap", "argocd-cm", "--patch-file", str(file)]
        done = subprocess.run([*kubectl, *told], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    code, patched = api.get(f"{maps}/argocd-cm")
    assert code == 200
    added = {key for key in patched["data"] if key.startswith("resource.customizations.")}
    assert set(patched["data"]) == added | set(own)
    assert len(added) == 7


@pytest.fixture
def argo_cd(api: Api) -> Api:
    """The server as the account that Argo CD's own API server has."""
    api.post("/api/v1/namespaces", {"metadata": {"name": "argocd"}})
    accounts = "/api/v1/namespaces/argocd/serviceaccounts"
    api.delete(f"{accounts}/argocd-server")
    return api.with_token(token_of(api, "argocd", "argocd-server"))


@pytest.fixture
def policy(api: Api, namespace: str) -> Iterator[str]:
    """The chart's policy about approvals; the name of the role that grants them."""
    release = f"r{namespace.removeprefix('test-')}"
    objects = release_of("crds.install=false", release=release, namespace=namespace)
    made: list[str] = []
    for each in objects:
        kind, _, name = key(each)
        path = {
            "ValidatingAdmissionPolicy": f"{POLICIES}/validatingadmissionpolicies",
            "ValidatingAdmissionPolicyBinding": f"{POLICIES}/validatingadmissionpolicybindings",
            "ClusterRole": f"{RBAC}/clusterroles",
        }.get(kind)
        if path is not None:
            code, answer = api.post(path, each)
            assert code == 201, answer
            made.append(f"{path}/{name}")
    (role,) = [
        each["metadata"]["name"]
        for each in of_kind(objects, "ClusterRole")
        if any("approve" in rule["verbs"] for rule in each["rules"])
        and "aggregationRule" not in each
        and each["metadata"]["name"].endswith(".approve")
    ]
    yield role
    for path in made:
        api.delete(path)


def granted(api: Api, namespace: str, name: str, role: Json) -> None:
    """To Argo CD's account, in this namespace."""
    subject = {"kind": "ServiceAccount", "name": "argocd-server", "namespace": "argocd"}
    body = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    code, answer = api.post(f"{RBAC}/namespaces/{namespace}/rolebindings", body)
    assert code == 201, answer


def test_an_approval_in_argo_cd_needs_the_verb_and_is_in_the_name_of_its_account(
    api: Api, argo_cd: Api, policy: str, workflows: Objects
) -> None:
    """Contract 2: `by` is who the API server saw; who pressed the button is Argo CD's to tell."""
    namespace = workflows.namespace
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    edit = {
        "metadata": {"name": "edit-workflows"},
        "rules": [{"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "patch"]}],
    }
    api.post(f"{RBAC}/namespaces/{namespace}/roles", edit)
    granted(api, namespace, "edit", {**reference, "kind": "Role", "name": "edit-workflows"})
    _, made = NAMED["awaiting approval"]
    held(workflows, "w", made())

    def pressed(query: str = "", **parameters: str) -> tuple[int, str]:
        """What Argo CD sends: the difference that the script made, as a merge patch."""
        after = APPROVE(workflows.read("w"), parameters)
        change = {"spec": {"approvals": after["spec"]["approvals"]}}
        code, answer = argo_cd.patch(f"{workflows.path}/w{query}", change)
        return code, answer.get("message", "")

    def told(words: str, **parameters: str) -> bool:
        """Whether it is refused with these words; a policy is in force some moments later."""
        code, message = pressed("?dryRun=All", **parameters)
        return code == 403 and words in message

    eventually(lambda: told("spec.approvals is changed only by who holds the verb approve"))
    granted(api, namespace, "approve", {**reference, "name": policy})
    eventually(lambda: told(f"by must be {ACCOUNT}", by="alice@example.com"))
    code, message = pressed(reason="CHG-4711")
    assert code == 200, message
    assert workflows.read("w")["spec"]["approvals"] == [
        {"step": "a", "by": ACCOUNT, "reason": "CHG-4711"}
    ]
