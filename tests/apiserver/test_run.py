"""One run on a real server, by the server's own account (contract 1, 4; `reconciler run`)."""

from collections import Counter

import pytest

from tests.apiserver.runs import Shop, diamond, steps
from tests.controlplane import Audit

pytestmark = [pytest.mark.apiserver]

# Taken and released: what a run writes though nothing changed.
THE_LEASE = Counter({"update leases": 2})


# --- how much a run asks and writes ---------------------------------------------------------


def test_an_unchanged_cluster_is_written_nothing_but_the_lease(shop: Shop, audit: Audit) -> None:
    """Contract 1: nothing to do means nothing written; and contract 7 in reads: as few lists."""
    for name in ("one", "two", "three"):
        shop.workflow(name, *diamond())
    shop.done()
    shop.executor.begins()
    shop.done()
    mark = audit.mark()
    shop.done()
    assert [call.text for call in shop.calls(audit, mark)] == [
        "get leases",
        "update leases",
        "get configmaps",
        "list workflowexecutions",
        "list kubernetesexecutions",
        "update leases",
    ]


def test_what_is_settled_is_not_even_read(shop: Shop, audit: Audit) -> None:
    """Contract 1, observe: history costs nothing."""
    shop.workflow("over", *steps("a"))
    shop.done()
    shop.executor.completes()
    shop.done()
    assert shop.status("over")["settled"] is True
    mark = audit.mark()
    shop.done()
    assert "list kubernetesexecutions" not in [call.text for call in shop.calls(audit, mark)]
    assert shop.writes(audit, mark) == THE_LEASE


def test_c_steps_of_w_workflows_cost_c_creations_and_w_status_writes(
    shop: Shop, audit: Audit
) -> None:
    """Contract 1, 10: and one Event for each workflow and reason, nothing else."""
    for name in ("one", "two", "three", "four"):
        shop.workflow(name, *diamond())
    mark = audit.mark()
    shop.done()
    first = Counter({"create leases": 1, "update leases": 1})
    assert shop.writes(audit, mark) == first + Counter(
        {
            "update workflowexecutions/status": 4,
            "create kubernetesexecutions": 4,
            "create events": 8,  # WorkflowValidated and StepStarted of each
        }
    )
    shop.executor.begins()
    shop.done()
    shop.executor.completes(workflow="one")
    shop.executor.completes(workflow="three")
    mark = audit.mark()
    shop.done()
    assert shop.writes(audit, mark) == THE_LEASE + Counter(
        {
            "update workflowexecutions/status": 2,
            "create kubernetesexecutions": 4,
            "create events": 2,  # StepStarted: both steps of a workflow stand in one
        }
    )
