"""In which order workflows have their turn, so that a deadline cuts fairly.

The one that has waited longest comes first, and namespaces take turns: a thousand workflows of one
team hold up no other team's one. What was not reached has waited longer by the next run. Nothing is
remembered for it: how long a workflow has waited stands in its status.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from reconciler.core.api import WorkflowExecution

T = TypeVar("T")

_EVER = datetime.min.replace(tzinfo=UTC)


def in_turn(items: Iterable[T], workflow_of: Callable[[T], WorkflowExecution]) -> Iterator[T]:
    """Round after round one of each namespace, in the order of their longest waiting."""
    waiting = sorted(items, key=lambda item: _since(workflow_of(item)))
    queues: defaultdict[str, deque[T]] = defaultdict(deque)
    for item in waiting:
        queues[workflow_of(item).metadata.namespace].append(item)
    while queues:
        for namespace in list(queues):
            yield queues[namespace].popleft()
            if not queues[namespace]:
                del queues[namespace]


def _since(workflow: WorkflowExecution) -> tuple[datetime, bool, tuple[str, str]]:
    """When a run last did something about it, by the server's clock.

    Of two at the same second who has started comes first: the other may wait for its end.
    """
    status = workflow.status
    times = [workflow.metadata.creation_timestamp, status.last_transition_time]
    for result in status.step_results:
        times += (result.reserved_at, result.healed_at)
    since = max((each for each in times if each is not None), default=_EVER)
    return since, not status.phase.started, workflow.key
