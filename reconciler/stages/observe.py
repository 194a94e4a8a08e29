"""Stage 4: the unsettled workflows, then their children (contract 1).

Workflows first, children after: a child list older than the status would invent deletions.
Children are chosen by their parent's liveness, never by their own phase: who lists only the
unfinished ones creates the finished ones again. A list that was not read to its end is not used.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.api import WorkflowExecution
from reconciler.core.facts import Child, Children, unlisted
from reconciler.core.names import workflow_label
from reconciler.core.turns import in_turn
from reconciler.seams import Cluster, Scope, Unreadable, World


@dataclass(frozen=True, slots=True)
class Seen:
    """One workflow, and the children that a list showed for it, ours or not."""

    workflow: WorkflowExecution
    listed: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that is not settled, at one moment.

    `now` is the server's time and `timed` whether it told one. `not_after` is the run's deadline
    in that time: no executor acts on a child created later. `elsewhere` counts the active
    steps of the workflows of other shards, by what their status says. Who has waited longest comes
    first.
    """

    seen: tuple[Seen, ...]
    unreadable: tuple[Unreadable, ...]
    now: datetime
    timed: bool
    not_after: datetime
    elsewhere: int = 0


def observe(world: World, scope: Scope) -> Observed:
    """The shard's unsettled workflows with their children; raises what the lists raise."""
    world.deadline.check()
    workflows = world.cluster.workflows(scope)
    now = workflows.at or world.clock.now()
    not_after = now + timedelta(seconds=world.deadline.remaining)
    labels = sorted({workflow_label(each.metadata.name) for each in workflows.items})
    children = world.cluster.children(scope.namespace, labels) if labels else ()
    return Observed(
        seen=tuple(in_turn(_sorted(workflows.items, children), lambda each: each.workflow)),
        unreadable=workflows.unreadable,
        now=now,
        timed=workflows.at is not None,
        not_after=not_after,
        elsewhere=workflows.elsewhere,
    )


def look_up(cluster: Cluster, seen: Seen, *, settling: bool = False) -> Children:
    """The children that are ours; a recorded one that no list shows is read once by name."""
    workflow = seen.workflow
    children = Children.of(workflow, seen.listed)
    names = unlisted(workflow, children, settling=settling)
    if not names:
        return children
    found = [cluster.child(workflow.metadata.namespace, name) for name in names]
    return Children.of(workflow, [*seen.listed, *(child for child in found if child is not None)])


def _sorted(workflows: Iterable[WorkflowExecution], children: Iterable[Child]) -> Iterable[Seen]:
    """Candidates by the uid of their owner, and by the uids that a status records."""
    by_owner: defaultdict[str, list[Child]] = defaultdict(list)
    by_uid: dict[str, Child] = {}
    for child in children:
        by_owner[child.owner].append(child)
        by_uid[child.uid] = child
    for workflow in workflows:
        recorded = (
            by_uid[result.execution_uid]
            for result in workflow.status.step_results
            if result.execution_uid in by_uid
            and by_uid[result.execution_uid].owner != workflow.metadata.uid
        )
        yield Seen(workflow, (*by_owner[workflow.metadata.uid], *recorded))
