"""Who calls the API server in a test: service accounts, what they may do, and kubeconfigs."""

import json
import ssl
from pathlib import Path

from reconciler.core.api import KubernetesExecution, WorkflowExecution
from tests.controlplane import Api

ACCOUNT = "reconciler"

# What a run is granted, and nothing else: a call beyond it fails the test.
_WORKFLOWS, _CHILDREN = WorkflowExecution.API.split("/")[0], KubernetesExecution.API.split("/")[0]
_RULES = (
    (_WORKFLOWS, ("workflowexecutions",), ("get", "list", "create", "patch", "delete")),
    (_WORKFLOWS, ("workflowrecords",), ("get", "list", "create")),
    (_WORKFLOWS, ("workflowexecutions/status", "workflowrecords/status"), ("update",)),
    (_CHILDREN, ("kubernetesexecutions",), ("get", "list", "create", "patch")),
    ("coordination.k8s.io", ("leases",), ("get", "create", "update")),
    ("", ("configmaps",), ("get", "create", "update")),
    ("events.k8s.io", ("events",), ("create",)),
)
_ROLES = "/apis/rbac.authorization.k8s.io/v1"


def reconcilers_token(api: Api, namespace: str) -> str:
    """A token of the account that runs are made with; its role takes effect some moment later."""
    rules = [
        {"apiGroups": [group], "resources": resources, "verbs": verbs}
        for group, resources, verbs in _RULES
    ]
    meta = {"metadata": {"name": ACCOUNT}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
    inside = f"{_ROLES}/namespaces/{namespace}"
    for path, body in (
        (f"{inside}/roles", {**meta, "rules": rules}),
        (f"{inside}/rolebindings", {**meta, "roleRef": reference, "subjects": [subject]}),
    ):
        code, answer = api.post(path, body)
        assert code == 201, answer
    return token_of(api, namespace, ACCOUNT)


def token_of(api: Api, namespace: str, account: str) -> str:
    """A token of a new service account, to which nothing is granted here."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    code, answer = api.post(path, {"metadata": {"name": account}})
    assert code == 201, answer
    code, answer = api.post(f"{path}/{account}/token", {"spec": {}})
    assert code == 201, answer
    token: str = answer["status"]["token"]
    return token


def kubeconfig(folder: Path, api: Api, token: str, server: str = "", authority: str = "") -> Path:
    """A kubeconfig of one bearer; who stands before the server has an authority of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, file = folder / "ca.pem", folder / "kubeconfig"
    known = api.context.get_ca_certs(binary_form=True)
    ca.write_text(authority or "".join(map(ssl.DER_cert_to_PEM_cert, known)))
    cluster = {"server": server or api.server, "certificate-authority": str(ca)}
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(whole))
    return file
