"""Stage 8: tell the world, after it is true (contract 1, 10).

Events for transitions and one log line a workflow that changed. A failed Event changes nothing
else; a crash may lose one, never invent or repeat one.
"""

import logging
from collections.abc import Sequence

from reconciler.core.api import StepResult, WorkflowExecution
from reconciler.core.transitions import transitions
from reconciler.errors import ClusterError, DeadlinePassed
from reconciler.seams import Event, Regarding, World

_log = logging.getLogger(__name__)


def report(
    world: World,
    before: WorkflowExecution,
    written: WorkflowExecution,
    created: Sequence[StepResult],
) -> None:
    """What changed between the status that was read and the one that was written."""
    meta, status = written.metadata, written.status
    _log.info(
        "%s/%s is %s: %s",
        meta.namespace,
        meta.name,
        status.phase.value,
        status.message,
        extra={"workflow": meta.name, "namespace": meta.namespace},
    )
    regarding = Regarding(written.api_version, written.kind, meta.namespace, meta.name, meta.uid)
    for each in transitions(before, status, created):
        announce(world, Event(regarding, each.reason, each.note, each.warning))


def announce(world: World, event: Event) -> None:
    """One Event, best effort."""
    try:
        world.deadline.check()
        world.cluster.announce(event)
    except (ClusterError, DeadlinePassed) as error:
        _log.debug("the Event %s was not written: %s", event.reason, error)
