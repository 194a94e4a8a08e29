"""What the demo shows of a cluster: workflows, steps at work, and why the others wait.

Reads with kubectl and asks the reconciler's own core for the reasons, so the board says what the
next run will do. Plain text without a terminal, never a line that is cut.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.core.api import Phase, StepStatus, WorkflowExecution
from reconciler.core.facts import Children, Facts
from reconciler.core.plan import plan
from reconciler.core.ready import waiting
from reconciler.kube import codec

COMMIT = "kubernaut.ai/commit"

_COLOURS = {
    "Completed": "32",
    "Failed": "31",
    "Executing": "33",
    "Pending": "36",
    "Cancelled": "35",
}


@dataclass(frozen=True)
class Kubectl:
    """One kubectl, one kubeconfig, one namespace."""

    program: str
    kubeconfig: str
    namespace: str

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """What it printed. Raises CalledProcessError, with its words on stderr."""
        return subprocess.run(
            [self.program, f"--kubeconfig={self.kubeconfig}", f"-n={self.namespace}", *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def items(self, kinds: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self("get", kinds, "-o", "json"))["items"]
        return found


@dataclass(frozen=True)
class Row:
    """One workflow on the board."""

    name: str
    phase: str
    progress: str
    running: str
    waiting: str
    settled: bool


def rows(kubectl: Kubectl) -> list[Row]:
    """Every workflow of the namespace, the oldest first."""
    children = [codec.child(item) for item in kubectl.items("kubernetesexecutions")]
    workflows = [
        WorkflowExecution.model_validate(item) for item in kubectl.items("workflowexecutions")
    ]
    workflows.sort(key=lambda each: (str(each.metadata.creation_timestamp), each.metadata.name))
    return [_row(each, Children.of(each, children)) for each in workflows]


def busy(board: Sequence[Row]) -> bool:
    """Whether another pass would find something to do without a person."""
    return any(not row.settled and "approval" not in row.waiting for row in board) or any(
        row.running for row in board
    )


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Columns as kubectl prints them; a phase is coloured on a terminal."""
    body = [list(line) for line in lines]
    widths = [max(map(len, column)) for column in zip(headings, *body, strict=True)]
    return "\n".join(_line(each, widths) for each in [list(headings), *body])


def heading(text: str) -> None:
    print(f"\n{paint(text, '1')}", flush=True)


def paint(text: str, colour: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if sys.stdout.isatty() else text


def show(board: Sequence[Row]) -> None:
    print(
        table(
            ("WORKFLOW", "PHASE", "STEPS", "RUNNING", "WAITING, AND WHY"),
            [(r.name, r.phase, r.progress, r.running, r.waiting) for r in board],
        ),
        flush=True,
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        paint(cell.ljust(width), _COLOURS[cell]) if cell in _COLOURS else cell.ljust(width)
        for cell, width in zip(cells, widths, strict=True)
    ]
    return "  " + "   ".join(padded).rstrip()


def _row(workflow: WorkflowExecution, children: Children) -> Row:
    status = workflow.status
    results = {result.step_name: result for result in status.step_results}
    at_work = [
        name
        for name, result in results.items()
        if result.status in (StepStatus.PENDING, StepStatus.RUNNING)
    ]
    return Row(
        name=workflow.metadata.name,
        phase=status.phase.value or "(new)",
        progress=status.progress or "-",
        running=", ".join(at_work),
        waiting=_waiting(workflow, children),
        settled=status.settled,
    )


def _waiting(workflow: WorkflowExecution, children: Children) -> str:
    """Steps by what holds them back; nothing of it is stored, all of it is derived."""
    status = workflow.status
    if status.phase.terminal:
        return "" if status.phase is Phase.COMPLETED else status.message
    facts = Facts(workflow, plan(workflow.spec), children, datetime.now(UTC))
    results = {result.step_name: result for result in status.step_results}
    groups: dict[str, list[str]] = {}
    for step, obstacle in waiting(facts, results).items():
        groups.setdefault(obstacle.text, []).append(step)
    return "; ".join(f"{', '.join(steps)}: {text}" for text, steps in groups.items())


def events(kubectl: Kubectl) -> str:
    """Events of our workflows, the oldest first."""
    found = [
        item
        for item in kubectl.items("events.events.k8s.io")
        if item.get("regarding", {}).get("kind") in ("WorkflowExecution", "ConfigMap")
    ]
    found.sort(key=lambda item: str(item.get("eventTime")))
    return table(
        ("TYPE", "REASON", "OBJECT", "NOTE"),
        [(e["type"], e["reason"], e["regarding"]["name"], e.get("note", "")) for e in found],
    )


def versions(kubectl: Kubectl) -> Mapping[str, str]:
    """Everything a run could have written, by its resourceVersion: equal means nothing was."""
    kinds = "workflowexecutions,kubernetesexecutions,workflowrecords,configmaps"
    kept = {
        item["metadata"]["uid"]: item["metadata"]["resourceVersion"]
        for item in kubectl.items(kinds)
    }
    return kept | {
        item["metadata"]["uid"]: "event" for item in kubectl.items("events.events.k8s.io")
    }
