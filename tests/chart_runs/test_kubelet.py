"""The instrument: a pod's process sees what the pod says, and nothing else of this machine."""

import json
import os
from typing import Any

import pytest

from tests.chart_runs.kubelet import Kubelet
from tests.controlplane import Api

pytestmark = pytest.mark.apiserver

Body = dict[str, Any]

_ROOT = os.geteuid() == 0  # anybody else has one user and no groups to give (bubblewrap.py)

_LOOK = """
import json, os, socket, ssl, urllib.request
from pathlib import Path

def written(path):
    try:
        Path(path).write_text("x")
    except OSError as error:
        return error.strerror
    return "written"

home = Path("/var/run/secrets/kubernetes.io/serviceaccount")
server = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
who = urllib.request.Request(
    server + "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    data=b'{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}',
    headers={"Authorization": "Bearer " + (home / "token").read_text(),
             "Content-Type": "application/json"})
trusted = ssl.create_default_context(cafile=str(home / "ca.crt"))
said = json.load(urllib.request.urlopen(who, context=trusted))["status"]["userInfo"]
print(json.dumps({
    "process": os.getpid(), "user": os.getuid(), "groups": sorted(os.getgroups()),
    "host": socket.gethostname(), "as": said["username"], "pod": said["extra"],
    "root": written("/x"), "opt": written("/opt/reconciler/x"), "secret": written("/etc/keys/key"),
    "scratch": written("/tmp/x"), "namespace": (home / "namespace").read_text(),
    "key": Path("/etc/keys/key").read_text(), "mode": oct(os.stat("/etc/keys/key").st_mode & 0o777),
    "capabilities": [line for line in Path("/proc/self/status").read_text().splitlines()
                     if line.startswith(("CapEff", "CapBnd", "NoNewPrivs"))],
    "homes": sorted(str(each) for each in Path("/home").glob("*")),
    "variables": {key: value for key, value in os.environ.items() if key.startswith("TOLD_")},
    "linked": "LINKED_SERVICE_HOST" in os.environ,
}))
"""


def _pod(*, name: str = "looks", **spec: object) -> Body:
    """A pod that looks around, secured as the restricted standard asks for."""
    container: Body = {
        "name": "only",
        "image": "reconciler",
        "command": ["python", "-c", _LOOK],
        "env": [
            {"name": "TOLD_PLAIN", "value": "plain"},
            {"name": "TOLD_AGAIN", "value": "$(TOLD_PLAIN) $$(TOLD_PLAIN) $(UNKNOWN)"},
            {"name": "TOLD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {
                "name": "TOLD_SECRET",
                "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}},
            },
            {
                "name": "TOLD_NOTHING",
                "valueFrom": {"configMapKeyRef": {"name": "none", "key": "none", "optional": True}},
            },
        ],
        "securityContext": {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "keys", "mountPath": "/etc/keys", "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108  # the pod's
        ],
    }
    whole = {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 4711},
        "containers": [container],
        "volumes": [
            {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}},
        ],
    }
    return {"metadata": {"name": name}, "spec": {**whole, **spec}}


def _made(api: Api, namespace: str, pod: Body) -> str:
    inside = f"/api/v1/namespaces/{namespace}"
    secret = {"metadata": {"name": "keys"}, "stringData": {"key": "s3cret"}}
    service = {"metadata": {"name": "linked"}, "spec": {"ports": [{"port": 80}]}}
    for path, body in (("secrets", secret), ("services", service), ("pods", pod)):
        code, answer = api.post(f"{inside}/{path}", body)
        assert code == 201, answer
    return str(pod["metadata"]["name"])


def test_a_process_sees_what_its_pod_says_and_nothing_else(
    kubelet: Kubelet, api: Api, namespace: str
) -> None:
    """User, files, modes, environment, identity: as in a container, without one."""
    ended = kubelet.run(namespace, _made(api, namespace, _pod()))
    assert ended.code == 0, ended.log
    seen = json.loads(ended.output)
    assert seen.pop("pod")["authentication.kubernetes.io/pod-name"] == ["looks"]
    assert seen.pop("capabilities")[0] == "CapEff:\t0000000000000000"
    assert seen == {
        "process": 1,
        "user": 65532,
        "groups": [4711, 65532] if _ROOT else [],
        "host": "looks",
        "as": f"system:serviceaccount:{namespace}:default",
        "root": "Read-only file system",
        "opt": "Read-only file system",
        "secret": "Read-only file system",
        "scratch": "written",
        "namespace": namespace,
        "key": "s3cret",
        "mode": "0o440" if _ROOT else "0o400",
        "homes": [],
        "variables": {
            "TOLD_PLAIN": "plain",
            "TOLD_AGAIN": "plain $(TOLD_PLAIN) $(UNKNOWN)",
            "TOLD_NAME": "looks",
            "TOLD_SECRET": "s3cret",
        },
        "linked": False,
    }
    _, pod = api.get(f"/api/v1/namespaces/{namespace}/pods/looks")
    assert pod["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        pytest.param(
            {
                "volumes": [
                    {"name": name, "hostPath": {"path": "/"}} for name in ("keys", "scratch")
                ]
            },
            "hostPath",
            id="a-folder-of-the-node",
        ),
        pytest.param(
            {"initContainers": [{"name": "first", "image": "reconciler"}]},
            "init containers",
            id="a-container-before-it",
        ),
        pytest.param(
            {"securityContext": {"runAsUser": 0, "runAsNonRoot": True}},
            "runAsNonRoot",
            id="root-where-nobody-may-be-root",
        ),
    ],
)
def test_what_cannot_be_played_is_refused(
    kubelet: Kubelet, api: Api, namespace: str, spec: Body, why: str
) -> None:
    """A pod that would run otherwise than it says proves nothing."""
    _made(api, namespace, _pod(**spec))
    code, pod = api.get(f"/api/v1/namespaces/{namespace}/pods/looks")
    assert code == 200
    with pytest.raises(AssertionError, match=why):
        kubelet.played(pod)
