"""Stage 6: one status write a workflow, with the resourceVersion that was read (contract 1).

It carries the rollup and the steps that are about to start. Of two runs that looked at the same
moment one loses here, before anything was created: this write is what keeps the cap.
"""

from reconciler.core.api import WorkflowExecution, WorkflowStatus
from reconciler.seams import World


def reserve(world: World, workflow: WorkflowExecution, status: WorkflowStatus) -> WorkflowExecution:
    """The workflow as written. Raises Conflict: somebody was faster, the next run looks again."""
    world.deadline.check()
    return world.cluster.write_status(workflow, status)
