"""What tools make of an object: Argo CD, kstatus, `kubectl wait` and Flux, each by its own rules.

kstatus (Flux, Helm 4), `kubectl wait` and Flux's order of health expressions are ported from their
sources; Argo CD's health is the script that ships. `EXPECTED` is the table of contract 2 in the
words of each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import cel
from ruamel.yaml import YAML

from tests.gitops.lua import Json, Script

ROOT = Path(__file__).resolve().parents[2]
CUSTOMIZATIONS = ROOT / "gitops" / "argocd" / "resource_customizations"
FLUX = ROOT / "gitops" / "flux"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """`ready` and `stalled`: whether `kubectl wait --for=condition=…` returns."""

    argocd: str
    kstatus: str
    ready: bool
    stalled: bool
    flux: str


class Row(Enum):
    """Rows of contract 2, and what comes before and after them."""

    UNSEEN = auto()  # no run has seen the object yet
    RUNNING = auto()
    WAITING = auto()
    COMPLETED = auto()
    FAILED = auto()
    STALE = auto()  # the spec was changed since the last run


EXPECTED: Mapping[Row, Verdicts] = {
    Row.UNSEEN: Verdicts("Progressing", "InProgress", False, False, "InProgress"),
    Row.RUNNING: Verdicts("Progressing", "InProgress", False, False, "InProgress"),
    Row.WAITING: Verdicts("Suspended", "InProgress", False, False, "InProgress"),
    Row.COMPLETED: Verdicts("Healthy", "Current", True, False, "Current"),
    Row.FAILED: Verdicts("Degraded", "Failed", False, True, "Failed"),
    Row.STALE: Verdicts("Progressing", "InProgress", False, False, "InProgress"),
}


def row(obj: Json) -> Row:
    """The row by phase and reason, which are for people; the tools read the conditions."""
    status = obj["status"]
    if status["observedGeneration"] == -1:
        return Row.UNSEEN
    if status["observedGeneration"] != obj["metadata"]["generation"]:
        return Row.STALE
    if status["phase"] == "Completed":
        return Row.COMPLETED
    if status["phase"] in ("Failed", "Cancelled"):
        return Row.FAILED
    waits = _condition(obj, "Ready").get("reason") in ("Suspended", "AwaitingApproval")
    return Row.WAITING if waits else Row.RUNNING


def kstatus(obj: Json) -> str:
    """cli-utils, pkg/kstatus/status: the generic properties, then Ready; a kind of its own."""
    meta, status = obj["metadata"], obj.get("status", {})
    if meta.get("deletionTimestamp"):
        return "Terminating"
    observed = status.get("observedGeneration")
    if "generation" in meta and observed is not None and observed != meta["generation"]:
        return "InProgress"
    for each in status.get("conditions", []):
        if each["type"] == "Reconciling" and each["status"] == "True":
            return "InProgress"
        if each["type"] == "Stalled" and each["status"] == "True":
            return "Failed"
    ready = _condition(obj, "Ready").get("status")
    return "InProgress" if ready in ("False", "Unknown") else "Current"


def waited(obj: Json, name: str) -> bool:
    """kubectl, pkg/cmd/wait: `--for=condition=NAME`, of a condition that is not stale."""
    found = _condition(obj, name)
    if not found:
        return False
    observed = found.get("observedGeneration", obj["status"].get("observedGeneration"))
    if observed is not None and observed < obj["metadata"]["generation"]:
        return False
    return bool(found["status"] == "True")


class Flux:
    """fluxcd/pkg/runtime/cel: the generation, then inProgress, failed and current, in that order.

    The top-level fields of the object are the variables; one that is missing is an error.
    """

    def __init__(self, expressions: Mapping[str, str]) -> None:
        self._asked = [
            (cel.compile(expressions[field]), verdict)
            for field, verdict in (
                ("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current"),
            )
            if field in expressions
        ]  # fmt: skip

    def __call__(self, obj: Json) -> str:
        observed = obj.get("status", {}).get("observedGeneration")
        generation = obj["metadata"].get("generation")
        if None not in (observed, generation) and observed != generation:
            return "InProgress"
        for program, verdict in self._asked:
            if program.execute(obj) is True:
                return verdict
        return "InProgress"


class Judges:
    """All of them, for WorkflowExecutions."""

    def __init__(self) -> None:
        kind = CUSTOMIZATIONS / "workflowexecution.kubernaut.ai" / "WorkflowExecution"
        self.argocd = Script.of(kind / "health.lua")
        self.flux = Flux(health_expressions())

    def verdicts(self, obj: Json) -> Verdicts:
        return Verdicts(
            argocd=self.argocd(obj)["status"],
            kstatus=kstatus(obj),
            ready=waited(obj, "Ready"),
            stalled=waited(obj, "Stalled"),
            flux=self.flux(obj),
        )


def manifests(file: Path) -> list[Json]:
    """The documents of a file of YAML."""
    return list(YAML(typ="safe", pure=True).load_all(file.read_text()))


def health_expressions() -> Mapping[str, str]:
    """Of WorkflowExecution, in the Kustomization that ships."""
    (found,) = [
        expression
        for document in manifests(FLUX / "workflows.yaml")
        for expression in document["spec"].get("healthCheckExprs", [])
    ]
    assert found["kind"] == "WorkflowExecution"
    return {key: str(each) for key, each in found.items()}


def _condition(obj: Json, name: str) -> Mapping[str, Any]:
    conditions = obj.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == name), {})
