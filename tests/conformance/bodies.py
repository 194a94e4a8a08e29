"""Objects as they are sent, each as dull as it can be."""

from typing import Any

from reconciler.core.api import CHILD_API, WORKFLOW_API
from reconciler.core.names import MANAGED_BY_LABEL, MANAGER, WORKFLOW_LABEL

Json = dict[str, Any]


def step(name: str = "a", **fields: Any) -> Json:  # noqa: ANN401  # any JSON
    return {"name": name, "action": "Custom", "parameters": {"custom": {}}, **fields}


def workflow(name: str, meta: Json | None = None, **spec: Any) -> Json:  # noqa: ANN401
    """One step named `a`; `spec` is laid over that."""
    return {
        "apiVersion": WORKFLOW_API,
        "kind": "WorkflowExecution",
        "metadata": {"name": name, **(meta or {})},
        "spec": {"workflowDefinition": {"steps": [step()]}, **spec},
    }


def steps(*each: Json) -> Json:
    """As the `workflowDefinition` of a spec."""
    return {"steps": list(each)}


def child(name: str, owner: str = "", **spec: Any) -> Json:  # noqa: ANN401
    """With the labels of a child of workflow `one`; owned by a uid when one is given."""
    reference = {
        "apiVersion": WORKFLOW_API,
        "kind": "WorkflowExecution",
        "name": "one",
        "uid": owner,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    return {
        "apiVersion": CHILD_API,
        "kind": "KubernetesExecution",
        "metadata": {
            "name": name,
            "labels": {WORKFLOW_LABEL: "one", MANAGED_BY_LABEL: MANAGER},
            **({"ownerReferences": [reference]} if owner else {}),
        },
        "spec": {
            "workflowExecutionRef": {"name": "one", "uid": owner or "1"},
            "stepName": "a",
            "attempt": 0,
            "action": "Custom",
            "timeout": "10m",
            **spec,
        },
    }


def record(name: str) -> Json:
    return {
        "apiVersion": WORKFLOW_API,
        "kind": "WorkflowRecord",
        "metadata": {"name": name},
        "spec": {"kind": "WorkflowDefinition"},
    }


def lease(name: str, meta: Json | None = None, **spec: Any) -> Json:  # noqa: ANN401
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, **(meta or {})},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 10, **spec},
    }


def config_map(name: str, data: Json, meta: Json | None = None) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **(meta or {})},
        "data": data,
    }


def event(namespace: str, **fields: Any) -> Json:  # noqa: ANN401
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "one-", "namespace": namespace},
        "eventTime": "2026-01-02T03:04:05.000000Z",
        "reportingController": "reconciler.kubernaut.ai",
        "reportingInstance": "one",
        "action": "Reconcile",
        "reason": "StepStarted",
        "type": "Normal",
        "note": "a",
        "regarding": {
            "apiVersion": WORKFLOW_API,
            "kind": "WorkflowExecution",
            "name": "one",
            "namespace": namespace,
        },
        **fields,
    }
    return {key: value for key, value in body.items() if value is not None}
