"""Documents -> what may be applied, or why not (contract 5).

A document harms itself alone: each is read by itself, and what is wrong with it is told with file,
line and field. Nothing that a document states is ignored: a feature that is not there is refused.
The content of a document is hashed as it is stated, so comments, order and formatting start
nothing, and neither does a new release of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reconciler.core.api import WorkflowSpec


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document. `lines` maps a field path, as `spec.steps[2].name`, to its line.

    `blob` is git's id of the file; `line` is where the document begins.
    """

    path: str
    blob: str
    line: int
    value: object
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Problem:
    """One document or file that is refused, told with file and line."""

    path: str
    line: int
    message: str
    field: str = ""
    reason: str = "InvalidDocument"
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """One document that may be applied.

    `name` is the document's and that of its WorkflowRecord; `run` names the WorkflowExecution it
    stands for. `spec` is what is applied: as stated, without runPolicy. `labels` and `annotations`
    are the document's own, to carry over; ours are added by the apply stage.
    """

    kind: Literal["WorkflowDefinition", "WorkflowExecution"]
    namespace: str
    name: str
    run: str
    content: str
    controls: str
    path: str
    line: int
    blob: str
    spec: Mapping[str, object]
    model: WorkflowSpec
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    concurrency: Literal["Queue"] = "Queue"


@dataclass(frozen=True, slots=True)
class Definitions:
    """All documents of one commit. `elsewhere` counts those meant for other clusters."""

    definitions: tuple[Definition, ...]
    problems: tuple[Problem, ...]
    elsewhere: int = 0
