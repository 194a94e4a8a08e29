"""What a control plane of hack/cluster can do: what a real cluster does, but for containers."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.controlplane import Api, Audit, eventually

pytestmark = pytest.mark.apiserver

_CONTAINER = {"name": "main", "image": "example.invalid/nothing:1"}


def _deployment(replicas: int) -> dict[str, Any]:
    labels = {"app": "shop"}
    return {
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [_CONTAINER]}},
        },
    }


def _pods(api: Api, namespace: str) -> Sequence[dict[str, Any]]:
    answer = api.get(f"/api/v1/namespaces/{namespace}/pods")[1]
    pods: Sequence[dict[str, Any]] = answer["items"]
    return pods


def _rolled_out(api: Api, namespace: str, replicas: int) -> bool:
    status = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/shop")[1]["status"]
    return bool(status.get("availableReplicas", 0) == status.get("updatedReplicas", 0) == replicas)


def test_a_deployment_rolls_out_over_both_nodes(api: Api, namespace: str) -> None:
    """Controllers, scheduler and KWOK do their part."""
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", _deployment(4))
    eventually(lambda: _rolled_out(api, namespace, 4), "it did not roll out")
    nodes = {pod["spec"]["nodeName"] for pod in _pods(api, namespace)}
    assert nodes == {"node-1", "node-2"}


def test_an_evicted_pod_goes_and_is_replaced(api: Api, namespace: str) -> None:
    """What kubectl drain does."""
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", _deployment(1))
    eventually(lambda: _rolled_out(api, namespace, 1), "it did not roll out")
    name = _pods(api, namespace)[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    status, answer = api.post(
        f"{path}/eviction",
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}},
    )
    assert status == 201, answer
    eventually(lambda: api.get(path)[0] == 404, "the pod is still there")
    eventually(lambda: _rolled_out(api, namespace, 1), "it was not replaced")


def test_the_pod_of_a_job_completes(api: Api, namespace: str) -> None:
    """Other pods run on; only those of a Job end."""
    job = {
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [_CONTAINER]}}},
    }
    api.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", job)
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/once"
    eventually(lambda: api.get(path)[1]["status"].get("succeeded") == 1, "it did not complete")
    assert [pod["status"]["phase"] for pod in _pods(api, namespace)] == ["Succeeded"]


def test_a_cronjob_makes_a_job(api: Api, namespace: str) -> None:
    """It waits for the next full minute."""
    pod = {"restartPolicy": "Never", "containers": [_CONTAINER]}
    cronjob = {
        "metadata": {"name": "each-minute"},
        "spec": {
            "schedule": "* * * * *",
            "jobTemplate": {"spec": {"template": {"spec": pod}}},
        },
    }
    status, answer = api.post(f"/apis/batch/v1/namespaces/{namespace}/cronjobs", cronjob)
    assert status == 201, answer
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    eventually(lambda: bool(api.get(jobs)[1]["items"]), "no job was made", patience=75)


def test_what_an_owner_leaves_behind_is_collected(api: Api, namespace: str) -> None:
    """The garbage collector, as for children of a deleted workflow."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    owner = api.post(path, {"metadata": {"name": "owner"}})[1]["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    api.post(path, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    time.sleep(0.2)  # the collector must have seen both
    api.delete(f"{path}/owner")
    eventually(lambda: api.get(f"{path}/owned")[0] == 404, "it was not collected")


def test_a_service_account_gets_a_token_and_may_do_what_its_role_says(
    api: Api, namespace: str
) -> None:
    """TokenRequest and RBAC."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    status, answer = api.post(f"{accounts}/default/token", {"spec": {"expirationSeconds": 600}})
    assert status == 201, answer
    account = api.with_token(answer["status"]["token"])
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert account.get(path)[0] == 403
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}
    api.post(f"{rbac}/roles", {"metadata": {"name": "reader"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    binding = {"metadata": {"name": "reader"}, "subjects": [subject], "roleRef": role}
    api.post(f"{rbac}/rolebindings", binding)
    eventually(lambda: account.get(path)[0] == 200, "the role has no effect")


def test_the_audit_log_holds_a_call_that_has_returned(
    api: Api, namespace: str, audit: Audit
) -> None:
    """Blocking mode: nobody has to wait for it."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(50):
        since = audit.mark()
        api.post(path, {"metadata": {"name": f"map-{number}"}})
        api.get(f"{path}/map-{number}")
        assert audit(since, user="admin") == [("create", path), ("get", f"{path}/map-{number}")]
