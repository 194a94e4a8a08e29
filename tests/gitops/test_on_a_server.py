"""The same on a real API server: kubectl waits and patches, and an approval meets the policy."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hack import argocd
from hack.controlplane.tools import tool
from reconciler.core.api import WorkflowExecution
from tests.apiserver.identities import token_of
from tests.apiserver.objects import SPEC, Body, Objects
from tests.chart.releases import key, of_kind, release_of
from tests.controlplane import Api, ControlPlane, eventually
from tests.gitops.lua import Json, Script
from tests.gitops.statuses import NAMED, wired
from tests.gitops.test_manifests import installed
from tests.gitops.test_page import commands
from tests.gitops.verdicts import CUSTOMIZATIONS, EXPECTED

pytestmark = pytest.mark.apiserver

RBAC = "/apis/rbac.authorization.k8s.io/v1"
POLICIES = "/apis/admissionregistration.k8s.io/v1"
GROUP = "workflowexecution.kubernaut.ai"
APPROVE = CUSTOMIZATIONS / GROUP / "WorkflowExecution" / "actions" / "approve" / "action.lua"


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


def changed(wanted: Any, stored: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401  # JSON
    """What was sent and came back as something else; what the server adds is its own business."""
    if isinstance(wanted, dict) and isinstance(stored, dict):
        for name, each in wanted.items():
            yield from changed(each, stored.get(name), f"{path}.{name}")
    elif isinstance(wanted, list) and isinstance(stored, list) and len(wanted) == len(stored):
        for index, pair in enumerate(zip(wanted, stored, strict=True)):
            yield from changed(*pair, f"{path}[{index}]")
    elif wanted != stored:
        yield f"{path}: {wanted!r} became {stored!r}"


def test_the_server_keeps_what_is_applied_as_it_is(
    kubectl: Sequence[str], namespace: str, crds: Sequence[str], tmp_path: Path
) -> None:
    """A field that the server writes otherwise would be a difference at every look, for ever."""
    sets = ("networkPolicy.enabled=true", "apiPriority.enabled=true", "dashboards.enabled=true")
    wanted = {
        key(each): each
        for each in installed("Application", tmp_path, namespace=namespace, sets=sets)
        if "helm.sh/hook" not in each["metadata"].get("annotations", {})
    }
    whole = {"apiVersion": "v1", "kind": "List", "items": [*wanted.values()]}
    (tmp_path / "objects.json").write_text(json.dumps(whole))
    told = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-o", "json", "-f")
    done = subprocess.run(
        [*kubectl, *told, str(tmp_path / "objects.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stored = {key(each): each for each in json.loads(done.stdout)["items"]}
    assert set(stored) == set(wanted)
    assert [
        f"{name}{path}" for name, each in wanted.items() for path in changed(each, stored[name])
    ] == []


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
    names = [each["metadata"]["name"] for each in of_kind(objects, "ClusterRole")]
    (role,) = [name for name in names if name.endswith(".approve")]
    yield role
    for path in made:
        api.delete(path)


@dataclass(frozen=True)
class Button:
    """Approve, as somebody presses it in Argo CD, of a workflow `w` that awaits approval.

    Argo CD's account is one of this namespace: a test changes nothing in the real one's.
    """

    workflows: Objects
    argo_cd: Api

    @property
    def account(self) -> str:
        return f"system:serviceaccount:{self.workflows.namespace}:argocd-server"

    def pressed(self, query: str = "", **parameters: str) -> tuple[int, str]:
        """What Argo CD sends: the difference that the script made, as a merge patch."""
        script = APPROVE.read_text()
        assert "system:serviceaccount:argocd:argocd-server" in script
        own = script.replace("system:serviceaccount:argocd:argocd-server", self.account)
        after = Script(own)(self.workflows.read("w"), parameters)
        change = {"spec": {"approvals": after["spec"]["approvals"]}}
        code, answer = self.argo_cd.patch(f"{self.workflows.path}/w{query}", change)
        return code, answer.get("message", "")

    def told(self, words: str, **parameters: str) -> bool:
        """Whether it is refused with these words; a policy is in force some moments later."""
        code, message = self.pressed("?dryRun=All", **parameters)
        return code == 403 and words in message

    def granted(self, name: str, *verbs: str) -> None:
        """To Argo CD's account, of workflows in this namespace."""
        rule = {"apiGroups": [GROUP], "resources": ["workflowexecutions"], "verbs": verbs}
        self._made("roles", {"metadata": {"name": name}, "rules": [rule]})
        self.bound(name, "Role")

    def bound(self, role: str, kind: str = "ClusterRole") -> None:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
        subject = {"kind": "ServiceAccount", "name": "argocd-server"}
        subject["namespace"] = self.workflows.namespace
        body = {"metadata": {"name": role}, "roleRef": reference, "subjects": [subject]}
        self._made("rolebindings", body)

    def _made(self, kind: str, body: Json) -> None:
        path = f"{RBAC}/namespaces/{self.workflows.namespace}/{kind}"
        code, answer = self.workflows.api.post(path, body)
        assert code == 201, answer


@pytest.fixture
def button(api: Api, workflows: Objects) -> Button:
    _, made = NAMED["awaiting approval"]
    held(workflows, "w", made())
    token = token_of(api, workflows.namespace, "argocd-server")
    found = Button(workflows, api.with_token(token))
    found.granted("edit", "get", "patch")
    return found


def test_an_approval_in_argo_cd_needs_the_verb_and_is_in_the_name_of_its_account(
    button: Button, policy: str
) -> None:
    """Contract 2: `by` is who the API server saw; who pressed the button is Argo CD's to tell."""
    eventually(lambda: button.told("spec.approvals is changed only by who holds the verb approve"))
    button.bound(policy)
    eventually(lambda: button.told(f"by must be {button.account}", by="alice@example.com"))
    code, message = button.pressed(reason="CHG-4711")
    assert code == 200, message
    assert button.workflows.read("w")["spec"]["approvals"] == [
        {"step": "a", "by": button.account, "reason": "CHG-4711"}
    ]


def test_who_approves_for_others_is_believed_whatever_name_is_typed(
    button: Button, policy: str
) -> None:
    """Why Argo CD's account must not hold that verb."""
    alice = {"by": "alice@example.com"}
    button.bound(policy)
    eventually(lambda: button.told(f"by must be {button.account}", **alice))
    button.granted("others", "approve-for-others")
    eventually(lambda: button.pressed("?dryRun=All", **alice)[0] == 200)


def test_what_git_does_not_state_stays_under_server_side_apply(workflows: Objects) -> None:
    """Of a workflow that Argo CD or Flux applies: the next sync undoes no `kubectl patch`."""
    stated = workflows.body("w", spec=SPEC)
    for _ in range(2):
        code, answer = workflows.api.apply(f"{workflows.path}/w", stated, "argocd-controller")
        assert code in {200, 201}, answer
        assert workflows.patch("w", {"suspend": True})[0] == 200
    assert workflows.read("w")["spec"]["suspend"] is True


def test_the_commands_of_the_page_run(
    kubectl: Sequence[str], api: Api, namespace: str, tmp_path: Path
) -> None:
    """What is copied from docs/gitops.md and asks for nothing but a cluster, under another name."""
    (tmp_path / "token.txt").write_text("not-a-secret")
    told = [line for line in commands() if re.match(r"kubectl .*create ", line)]
    assert len(told) == 3
    name = f"{namespace}-page"
    try:
        for line in told:
            here = re.sub(r"(-n|namespace) reconciler\b", rf"\1 {name}", line)
            assert name in here
            done = subprocess.run(
                [*kubectl, *here.split()[1:]],
                cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    finally:
        api.delete(f"/api/v1/namespaces/{name}")
