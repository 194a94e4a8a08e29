"""What git holds in a play: commits with one file of documents each."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.seams import Blob, Snapshot
from tests.faults.play import SETTINGS
from tests.faults.process import Repository

SOURCE_SETTINGS = replace(
    SETTINGS, source_url="https://git.example/shop.git", source_name="default"
)

_COMMITTED = datetime(2026, 3, 1, 11, 0, 0, tzinfo=UTC)
_FORM = """\
apiVersion: workflowexecution.kubernaut.ai/v1alpha1
kind: {kind}
metadata:
  name: {name}
spec:
  {more}
  workflowDefinition:
    version: "{version}"
    steps:
      - name: a
        action: Notify
        parameters: {{custom: {{}}}}
      - name: b
        action: Notify
        parameters: {{custom: {{}}}}
        dependsOn: [a]
"""


def document(name: str, version: str, more: str = "") -> str:
    """A WorkflowDefinition of two steps; another version is another content."""
    return _FORM.format(kind="WorkflowDefinition", name=name, version=version, more=more)


def execution(name: str, more: str, version: str = "1") -> str:
    """A WorkflowExecution of two steps; `more` is one line of its spec."""
    return _FORM.format(kind="WorkflowExecution", name=name, version=version, more=more)


_SHORT = """\
apiVersion: workflowexecution.kubernaut.ai/v1alpha1
kind: WorkflowDefinition
metadata:
  name: {name}
  annotations: {{{annotations}}}
spec:
  {more}
  workflowDefinition:
    version: "{version}"
    steps: [{{name: a, action: Notify, parameters: {{custom: {{}}}}}}]
"""


def short(name: str, version: str = "1", more: str = "", annotations: str = "") -> str:
    """A WorkflowDefinition of one step: for stories of runs, not of steps."""
    return _SHORT.format(name=name, version=version, more=more, annotations=annotations)


def several(*documents: str) -> str:
    """One file of them."""
    return "---\n".join(documents)


def repository(**commits: str) -> Repository:
    """Commits by name, the ref at the first."""
    return Repository(next(iter(commits)), {name: _commit(name, commits[name]) for name in commits})


def _commit(name: str, text: str) -> Snapshot:
    blob = hashlib.sha256(text.encode()).hexdigest()[:40]
    return Snapshot(name, _COMMITTED, (Blob("shop.yaml", blob, text.encode()),))
