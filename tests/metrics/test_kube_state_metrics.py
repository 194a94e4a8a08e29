"""The file for kube-state-metrics: each of its paths leads to a field of a type that it can tell.

What the program itself makes of the file is not run here.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.core.api import Phase, WorkflowExecution
from tests.controlplane import CRDS, ROOT

FILE = ROOT / "charts" / "reconciler" / "files" / "kube-state-metrics.yaml"
WHOLE = YAML(typ="safe").load(FILE.read_text())
[RESOURCE] = WHOLE["spec"]["resources"]
METRICS = {each["name"]: each for each in RESOURCE["metrics"]}
CRD = YAML(typ="safe").load((CRDS / "workflowexecutions.yaml").read_text())
[SERVED] = CRD["spec"]["versions"]
SCHEMA = SERVED["schema"]["openAPIV3Schema"]

METADATA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "creationTimestamp": {"type": "string", "format": "date-time"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
PARAMS = [pytest.param(each, id=name) for name, each in METRICS.items()]


def at(path: Sequence[str], schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """The schema of a field; raises KeyError where there is none."""
    found = schema or {**SCHEMA, "properties": {**SCHEMA["properties"], "metadata": METADATA}}
    for part in path:
        properties = found.get("properties", {})
        found = properties[part] if part in properties else found["additionalProperties"]
    return found


def tells_a_number(schema: dict[str, Any]) -> bool:
    """What kube-state-metrics turns into a value."""
    return schema["type"] in {"integer", "boolean"} or schema.get("format") == "date-time"


def test_it_is_about_the_kind_that_is_served() -> None:
    """Group, version, kind, and a series has namespace and name."""
    assert WHOLE["kind"] == "CustomResourceStateMetrics"
    assert RESOURCE["groupVersionKind"] == {
        "group": CRD["spec"]["group"],
        "version": SERVED["name"],
        "kind": WorkflowExecution.__name__,
    }
    for path in RESOURCE["labelsFromPath"].values():
        assert at(path)["type"] == "string"


@pytest.mark.parametrize("metric", PARAMS)
def test_a_path_leads_to_a_field_that_can_be_told(metric: dict[str, Any]) -> None:
    """A field that is not there is silent in kube-state-metrics: no series, no error."""
    assert metric["help"].endswith(".")
    told = metric["each"]
    match told["type"]:
        case "Gauge" if "valueFrom" in told["gauge"]:
            element = at(told["gauge"]["path"])["items"]
            assert set(at(told["gauge"]["valueFrom"], element)["enum"]) == {
                *("True", "False", "Unknown"),
            }
            for path in told["gauge"]["labelsFromPath"].values():
                assert at(path, element)["type"] == "string"
        case "Gauge":
            assert tells_a_number(at(told["gauge"]["path"]))
        case "StateSet":
            assert at(told["stateSet"]["path"])["type"] == "string"
        case "Info":
            for path in told["info"]["labelsFromPath"].values():
                assert at(path)["type"] == "string"
        case other:
            pytest.fail(f"kube-state-metrics knows no {other}")


def test_every_phase_is_told() -> None:
    """Zeros too; a workflow that no run has seen is in none."""
    listed = METRICS["status_phase"]["each"]["stateSet"]["list"]
    assert listed == [phase.value for phase in Phase if phase is not Phase.NEW]
