"""Who calls the API server in a test: service accounts, what they may do, and kubeconfigs."""

import json
import ssl
from pathlib import Path

from reconciler.core.rights import rights
from reconciler.settings import Settings
from tests.controlplane import Api

ACCOUNT = "reconciler"

_ROLES = "/apis/rbac.authorization.k8s.io/v1"


def reconcilers_token(api: Api, namespace: str) -> str:
    """A token of the account that runs are made with; its role takes effect some moment later."""
    meta = {"metadata": {"name": ACCOUNT}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
    inside = f"{_ROLES}/namespaces/{namespace}"
    for path, body in (
        (f"{inside}/roles", {**meta, "rules": rules(namespace)}),
        (f"{inside}/rolebindings", {**meta, "roleRef": reference, "subjects": [subject]}),
    ):
        code, answer = api.post(path, body)
        assert code == 201, answer
    return token_of(api, namespace, ACCOUNT)


def rules(namespace: str) -> list[dict[str, list[str]]]:
    """What a run with a source is granted, as the chart has it; a call beyond it fails the test."""
    told = Settings(namespace=namespace, state_namespace=namespace, source_url="file:///any")
    return [
        {"apiGroups": [right.group], "resources": [right.what], "verbs": [right.verb]}
        | ({"resourceNames": [right.name]} if right.name else {})
        for right in rights(told)
    ]


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
