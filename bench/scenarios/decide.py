"""The decision about 1,000 active workflows of 20 steps, beside a plain graphlib pass over them.

graphlib puts the same DAGs in order and knows nothing of results, slots, gates or conditions: less
no scheduler can do. The workflows stand at any point of their way, each with the status that runs
before left and with its children as a list shows them; about one in two has news. The sides take
turns workflow by workflow, in processor time.
"""

import gc
import graphlib
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bench.options import Options
from bench.result import Ratio, divided
from reconciler.core.api import (
    Metadata,
    Parameters,
    Step,
    WorkflowDefinition,
    WorkflowExecution,
    WorkflowSpec,
)
from reconciler.core.decide import decide
from reconciler.core.facts import Child, Children, Facts
from reconciler.core.plan import plan

NAME = "decide"
_BUDGET = 10.0  # times graphlib
_STEPS = 20
_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_PASS = timedelta(seconds=60)


def play(options: Options) -> Iterator[Ratio]:
    moments = [_moment(number) for number in range(options.decided)]
    _round(moments)  # caches are warm
    samples = [_round(moments) for _ in range(options.rounds)]
    order, decision, whole = (
        [each * 1e3 for each in column] for column in zip(*samples, strict=True)
    )
    size = f"{len(moments):,} workflows"
    yield divided((NAME, f"{size} / graphlib", "ms CPU"), decision, order, _BUDGET)
    yield divided((NAME, f"{size}, the facts too / graphlib", "ms CPU"), whole, order)


def _round(moments: list[Facts]) -> tuple[float, float, float]:
    """Seconds that each side took for all of them."""
    spent = [0.0, 0.0, 0.0]
    gc.collect()
    gc.disable()  # a collection would be whoever's turn it was
    try:
        for facts in moments:
            steps = facts.workflow.spec.workflow_definition.steps
            graph = {step.name: step.depends_on for step in steps}
            began = time.thread_time()
            tuple(graphlib.TopologicalSorter(graph).static_order())
            ordered = time.thread_time()
            decide(facts)
            decided = time.thread_time()
            decide(_gathered(facts))
            for side, seconds in enumerate(
                (ordered - began, decided - ordered, time.thread_time() - decided)
            ):
                spent[side] += seconds
    finally:
        gc.enable()
    return spent[0], spent[1], spent[2]


def _gathered(facts: Facts) -> Facts:
    """The facts once more, from what was listed."""
    workflow = facts.workflow
    children = Children.of(workflow, facts.children.every)
    return Facts(workflow=workflow, plan=plan(workflow.spec), children=children, now=facts.now)


# --- workflows on their way ------------------------------------------------------------------


def _moment(number: int) -> Facts:
    """One workflow after some passes, with or without news since the last."""
    dice = random.Random(number)  # noqa: S311  # the same workflows every time
    children: dict[str, Child] = {}
    facts = _facts(_workflow(number, dice), children, _NOW)
    for _ in range(dice.randint(1, 5)):
        facts = _passed(facts, children)
        for child in children.values():
            if not child.terminal and dice.choice((True, True, False)):
                children[child.name] = _moved(child, facts.now)
        facts = _facts(facts.workflow, children, facts.now + _PASS)
    if dice.choice((True, False)):  # nothing happened since: create, record, rest
        facts = _passed(_passed(facts, children), children)
    return facts


def _moved(child: Child, now: datetime) -> Child:
    """One state further."""
    if child.phase == "Running":
        return replace(child, phase="Completed", ended=now)
    return replace(child, phase="Running", started=now)


def _passed(facts: Facts, children: dict[str, Child]) -> Facts:
    """A pass later: what it decided was written, and created."""
    meta = facts.workflow.metadata
    decision = decide(facts)
    for creation in decision.create:
        result = creation.result
        children[result.execution_ref] = Child(
            namespace=meta.namespace,
            name=result.execution_ref,
            uid=f"{meta.uid}/{result.step_name}",
            owner=meta.uid,
            step=result.step_name,
            attempt=result.attempt,
            phase="",
            created=facts.now,
        )
    return _facts(facts.workflow.with_status(decision.status), children, facts.now)


def _facts(workflow: WorkflowExecution, children: dict[str, Child], now: datetime) -> Facts:
    found = Children.of(workflow, children.values())
    return Facts(workflow=workflow, plan=plan(workflow.spec), children=found, now=now)


def _workflow(number: int, dice: random.Random) -> WorkflowExecution:
    """A DAG of named steps; each waits for up to three of those before it."""
    names = [f"step-{index:02}" for index in range(_STEPS)]
    steps = tuple(
        Step(
            name=name,
            action="Notify",
            parameters=Parameters(custom={}),
            depends_on=tuple(dice.sample(names[:index], min(index, dice.randint(0, 3)))),
        )
        for index, name in enumerate(names)
    )
    return WorkflowExecution(
        metadata=Metadata(
            name=f"workflow-{number}",
            namespace="bench",
            uid=f"00000000-0000-4000-8000-{number:012}",
            resource_version="1",
            generation=1,
            creation_timestamp=_NOW,
        ),
        spec=WorkflowSpec(workflow_definition=WorkflowDefinition(steps=steps)),
    )
