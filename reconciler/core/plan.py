"""Steps -> an order, or findings that name step and field (contract 4, Planning).

The order is topological; among the ready, the order of the definition. It is a function of the
spec alone, so a lost status gets the same plan again.
"""

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from reconciler.core.actions import ACTIONS, CUSTOM_TIMEOUT
from reconciler.core.api import Parameters, Step, WorkflowExecution, WorkflowSpec

STEP_TIMEOUT_BOUNDS = (timedelta(seconds=1), timedelta(hours=24))
WORKFLOW_TIMEOUT_BOUNDS = (timedelta(seconds=1), timedelta(hours=168))

_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_TERM = re.compile(r"([0-9]+)(ms|h|m|s)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a definition is refused.

    `field` is its path in the object, as in `spec.workflowDefinition.steps[2].dependsOn[0]`.
    """

    field: str
    message: str
    reason: str = "InvalidDefinition"
    step: str = ""

    @property
    def text(self) -> str:
        """The sentence for people, with the step it speaks of."""
        return f"step {self.step}: {self.message}" if self.step else self.message


@dataclass(frozen=True, slots=True)
class Plan:
    """Step names in execution order, or why there is none."""

    order: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.findings


def plan(spec: WorkflowSpec) -> Plan:
    """The order of a spec's steps, or every finding, never both."""
    findings = tuple(_findings(spec))
    if findings:
        return Plan((), findings)
    order = _order(spec.workflow_definition.steps)
    if len(order) < len(spec.workflow_definition.steps):
        return Plan((), (_cycle(spec.workflow_definition.steps, set(order)),))
    return Plan(order)


def plan_of(workflow: WorkflowExecution) -> Plan:
    """The plan that a workflow started with; made anew until then, or where its status lost it."""
    recorded = workflow.status.execution_plan
    if workflow.status.phase.started:
        names = {step.name for step in workflow.spec.workflow_definition.steps}
        if len(recorded) == len(names) and names == set(recorded):
            return Plan(recorded)
    return plan(workflow.spec)


@lru_cache(maxsize=1024)
def duration(text: str) -> timedelta:
    """A Go duration that fits DURATION_PATTERN, as `1h30m`; 0 when it holds none.

    Cached: a handful of timeouts are asked for with each running step of each workflow.
    """
    return timedelta(
        milliseconds=sum(int(count) * _UNITS[unit] for count, unit in _TERM.findall(text))
    )


def go_duration(length: timedelta) -> str:
    """As Go writes it in whole minutes or seconds: `5m`, `90s`."""
    seconds = int(length.total_seconds())
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"


def step_timeout(step: Step) -> timedelta:
    """How long one attempt may take: stated, else the catalogue's, else 10 minutes."""
    if step.timeout:
        return duration(step.timeout)
    action = ACTIONS.get(step.action)
    return action.timeout if action else CUSTOM_TIMEOUT


def _findings(spec: WorkflowSpec) -> Iterator[Finding]:
    """Everything but cycles, which only make sense between steps that exist."""
    steps = spec.workflow_definition.steps
    names = {step.name for step in steps}
    yield from _duplicates(steps)
    for index, step in enumerate(steps):
        path = f"spec.workflowDefinition.steps[{index}]"
        yield from _dependencies(step, path, names)
        yield from _parameters(step, path)
        yield from _out_of_bounds(step.timeout, f"{path}.timeout", STEP_TIMEOUT_BOUNDS, step.name)
    yield from _out_of_bounds(spec.timeout, "spec.timeout", WORKFLOW_TIMEOUT_BOUNDS)
    yield from _named_elsewhere(spec, names)


def _duplicates(steps: Sequence[Step]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, step in enumerate(steps):
        seen = first.setdefault(step.name, index)
        if seen != index:
            yield Finding(
                f"spec.workflowDefinition.steps[{index}].name",
                f"the name is used twice, first by steps[{seen}]",
                "DuplicateStep",
                step.name,
            )


def _named_elsewhere(spec: WorkflowSpec, names: set[str]) -> Iterator[Finding]:
    """The lists that name steps; the server takes no two approvals of one step either."""
    approved = [approval.step for approval in spec.approvals]
    for index, name in enumerate(approved):
        if name in approved[:index]:
            yield Finding(
                f"spec.approvals[{index}].step",
                f"approvals name {name!r} twice",
                "DuplicateApproval",
            )
    for field, named in (("approvals", approved), ("assumeCompleted", spec.assume_completed)):
        for index, name in enumerate(named):
            if name not in names:
                yield Finding(
                    f"spec.{field}[{index}]{'.step' if field == 'approvals' else ''}",
                    f"{field} names {name!r}, which is no step",
                    "MissingStep",
                )


def _dependencies(step: Step, path: str, names: set[str]) -> Iterator[Finding]:
    for index, dependency in enumerate(step.depends_on):
        field = f"{path}.dependsOn[{index}]"
        if dependency == step.name:
            yield Finding(
                field, f"depends on itself: {step.name} -> {step.name}", "CycleDetected", step.name
            )
        elif dependency not in names:
            yield Finding(
                field,
                f"depends on {dependency!r}, which is no step",
                "MissingDependency",
                step.name,
            )


def _parameters(step: Step, path: str) -> Iterator[Finding]:
    """The action is known with the parameters it needs, or is a custom one with `custom`."""
    stated = (step.parameters or Parameters()).stated
    action = ACTIONS.get(step.action)
    wanted = action.parameters if action else "custom"
    if action is None and "custom" not in stated:
        yield Finding(
            f"{path}.action",
            f"action {step.action!r} is not in the catalogue ({', '.join(ACTIONS)}); "
            "for an executor of your own state parameters.custom",
            "UnknownAction",
            step.name,
        )
        return
    strangers = [name for name in stated if name != wanted]
    if strangers:
        yield Finding(
            f"{path}.parameters",
            f"{step.action} takes parameters.{wanted}, not {', '.join(strangers)}",
            "WrongParameters",
            step.name,
        )
    elif action and not stated and action.required:
        yield Finding(
            f"{path}.parameters",
            f"{step.action} needs parameters.{wanted} with {', '.join(action.required)}",
            "MissingParameters",
            step.name,
        )
    elif action and not _named(step, action.named_by, wanted):
        yield Finding(
            f"{path}.parameters",
            f"{step.action} needs parameters.{wanted}.{action.named_by} or targetResource.name",
            "MissingParameters",
            step.name,
        )


def _named(step: Step, named_by: str, member: str) -> bool:
    """Whether the action knows what to work on: named in its parameters or by the target."""
    if step.target_resource is not None:
        return True
    stated = step.parameters.wire().get(member, {}) if step.parameters else {}
    return bool(stated.get(named_by))


def _out_of_bounds(
    text: str | None, field: str, bounds: tuple[timedelta, timedelta], step: str = ""
) -> Iterator[Finding]:
    low, high = bounds
    if text is not None and not low <= duration(text) <= high:
        yield Finding(
            field,
            f"timeout {text} must lie between {low.total_seconds():.0f}s "
            f"and {high.total_seconds() / 3600:.0f}h",
            "TimeoutOutOfBounds",
            step,
        )


def _order(steps: Sequence[Step]) -> tuple[str, ...]:
    """Kahn's algorithm; steps on or behind a cycle are missing from what it returns."""
    place = {step.name: index for index, step in enumerate(steps)}
    waits = {step.name: len(set(step.depends_on)) for step in steps}
    followers: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for dependency in set(step.depends_on):
            followers[dependency].append(step.name)
    ready = [place[name] for name, count in waits.items() if count == 0]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        name = steps[heapq.heappop(ready)].name
        order.append(name)
        for follower in followers[name]:
            waits[follower] -= 1
            if waits[follower] == 0:
                heapq.heappush(ready, place[follower])
    return tuple(order)


def _cycle(steps: Sequence[Step], ordered: set[str]) -> Finding:
    """One cycle, exactly the steps on it, never those that are only behind it.

    A step that cannot be ordered has a dependency that cannot be ordered either: walking from
    one to the next must come to a step twice.
    """
    stuck: Mapping[str, Step] = {step.name: step for step in steps if step.name not in ordered}
    trail: list[str] = []
    name = next(iter(stuck))
    while name not in trail:
        trail.append(name)
        name = next(each for each in stuck[name].depends_on if each in stuck)
    cycle = trail[trail.index(name) :]
    place = {step.name: index for index, step in enumerate(steps)}
    start = min(range(len(cycle)), key=lambda at: place[cycle[at]])
    cycle = [*cycle[start:], *cycle[:start]]
    index = place[cycle[0]]
    return Finding(
        f"spec.workflowDefinition.steps[{index}].dependsOn",
        f"the steps depend on each other in a cycle: {' -> '.join([*cycle, cycle[0]])}",
        "CycleDetected",
        cycle[0],
    )
