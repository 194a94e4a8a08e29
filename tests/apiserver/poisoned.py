"""`python -m tests.apiserver.poisoned`: a run with a bug that one workflow meets.

All of it is the real thing but for one method: the status write of the workflow `poisoned`
ends in a TypeError, as a mistake of ours would.
"""

import sys
from argparse import Namespace
from dataclasses import replace
from typing import Any, cast

from reconciler import logs, settings
from reconciler.app import RealClock, execute
from reconciler.core.api import WorkflowExecution, WorkflowStatus
from reconciler.logs import Redactor
from reconciler.seams import Cluster, Deadline, World
from reconciler.settings import Settings
from reconciler.wiring import Process, real_world


class _Poisoned:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the cluster has
        return getattr(self._cluster, name)

    def write_status(
        self, workflow: WorkflowExecution, status: WorkflowStatus
    ) -> WorkflowExecution:
        if workflow.metadata.name == "poisoned":
            raise TypeError("a mistake of ours")
        return self._cluster.write_status(workflow, status)


def _world(values: Namespace, process: Process) -> tuple[World, Settings]:
    world, told = real_world(values, process)
    return replace(world, cluster=cast(Cluster, _Poisoned(world.cluster))), told


def main() -> int:
    values, redact, clock = settings.parse(sys.argv[1:]), Redactor(), RealClock()
    logs.configure(redact)
    process = Process(clock, Deadline(clock, values.deadline), "poisoned", redact)
    return execute(values, process, _world)


if __name__ == "__main__":
    sys.exit(main())
