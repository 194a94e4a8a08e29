"""Names and labels of children (contract 3): names are locks, so they never change.

A create of a name that exists is refused by the API server; this is what makes an attempt start
at most once. Two releases must never name one attempt twice: a table of cases pins the form.
"""

import hashlib
import re

WORKFLOW_LABEL = "kubernaut.ai/workflow"
STEP_LABEL = "kubernaut.ai/step"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "reconciler"
REPLACER = "reconciler-replace"  # of the one field that git does not state: cancel, by Replace
SOURCE_LABEL = "kubernaut.ai/source"

PAUSE = "reconciler-paused"  # a ConfigMap; while it exists nothing is applied and nothing starts

NOT_AFTER = "kubernaut.ai/not-after"
# Where a run came from; copied to its children, and nothing else is.
PROVENANCE = (
    "kubernaut.ai/source",
    "kubernaut.ai/commit",
    "kubernaut.ai/committed-at",
    "kubernaut.ai/path",
    "kubernaut.ai/blob",
    "kubernaut.ai/definition",
    "kubernaut.ai/signed-by",
    "kubernaut.ai/signer-fingerprint",
)

_MAX_LABEL = 63
_WORKFLOW_PART = 26
_STEP_PART = 25
_HASH_PART = 10
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9-]")


def child_name(workflow: str, uid: str, step: str, attempt: int) -> str:
    """`W-S-H`: two readable parts and 10 hex digits over the owner's uid, the step, the attempt."""
    digest = hashlib.sha256(f"{uid}\0{step}\0{attempt}".encode()).hexdigest()
    return "-".join(
        (
            _NOT_IN_A_NAME.sub("-", workflow.lower())[:_WORKFLOW_PART],
            _NOT_IN_A_NAME.sub("-", step.lower())[:_STEP_PART],
            digest[:_HASH_PART],
        )
    )


def workflow_label(workflow: str) -> str:
    """The owner's name as a label value; over 63 characters its head and a hash."""
    if len(workflow) <= _MAX_LABEL:
        return workflow
    digest = hashlib.sha256(workflow.encode()).hexdigest()
    return f"{workflow[:52]}-{digest[:_HASH_PART]}"
