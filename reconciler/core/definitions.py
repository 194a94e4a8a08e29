"""Documents -> what may be applied, or why not (contract 5).

A document harms itself alone: each is read by itself, and what is wrong with it is told with file,
line and field. Nothing that a document states is ignored: a feature that is not there is refused.
The content of a document is hashed as it is stated, so comments, order and formatting start
nothing, and neither does a new release of ours.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reconciler.core.api import WorkflowSpec
from reconciler.core.envelope import (
    DEFAULT_HISTORY,
    DEFINITION,
    EXECUTION,
    KINDS,
    RERUN,
    RUN_POLICY,
    cluster_findings,
    concurrency,
    elsewhere,
    envelope_findings,
    history,
    mapping,
    text,
)
from reconciler.core.plan import Finding
from reconciler.core.specs import read_spec

CONTROLS = ("suspend", "cancel", "approvals")
DUPLICATE = "DuplicateName"  # the reason of a problem

_FORM = "v1"  # of the content; another form would start everything once more
_MAX_RUN_NAME = 63  # the name of a run is a label value too
_RUN_HASH = 10
_NAME = "metadata.name"
_MAX_FINDINGS = 20  # a document; beyond it is seldom more than the same slip again


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document. `lines` maps a field path, as `spec.steps[2].name`, to its line.

    `blob` is git's id of the file; `line` is where the document begins. `documents` is how many
    the file holds, and 0 where one of them could not be read.
    """

    path: str
    blob: str
    line: int
    value: object
    lines: Mapping[str, int]
    documents: int = 0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One document that may be applied, by all that tells whether anything is to be done about it.

    `name` is the document's and that of its WorkflowRecord; `run` names the WorkflowExecution it
    stands for. `documents` is how many its file holds, and 0 where one could not be read.
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
    documents: int = 0
    concurrency: Literal["Queue", "Replace"] = "Queue"
    history: int = DEFAULT_HISTORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition(Outline):
    """The whole of it, as parsed: only this is ever sent.

    `spec` is what is applied: as stated, without runPolicy. `labels` and `annotations` are the
    document's own, to carry over; ours are added by the apply stage.
    """

    spec: Mapping[str, object]
    model: WorkflowSpec
    annotations: Mapping[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Definitions:
    """All documents of one commit.

    `elsewhere` names those that are meant for other clusters; `recalled` are those of files that
    were not parsed, for the records tell what they say.
    """

    definitions: tuple[Definition, ...]
    problems: tuple[Problem, ...]
    elsewhere: tuple[tuple[str, str], ...] = ()
    recalled: tuple[Outline, ...] = ()

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """Every document that may be applied, parsed or not, in the order of the commit."""
        every = (*self.definitions, *self.recalled)
        return tuple(sorted(every, key=lambda each: (each.path, each.line)))

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """Namespace and name of every document that is in git, for this cluster or another."""
        here = ((each.namespace, each.name) for each in (*self.definitions, *self.recalled))
        return frozenset((*here, *self.elsewhere))


def read(
    documents: Iterable[Document],
    namespace: str | None,
    cluster: str = "",
    recalled: Iterable[Outline] = (),
) -> Definitions:
    """Every document as a definition or as problems, in the order of the documents.

    `namespace` is the run's, None for all: a document of another is refused, and one that states
    none goes there. Two of one name harm each other: neither is applied. Of a document for other
    clusters than this one nothing is looked at but its name, which harms nobody here. `recalled`
    are of files that are not parsed; they claim their names too.
    """
    names: list[tuple[str, str]] = []
    readings = (
        *(
            _read_one(document, namespace, cluster)
            for document in _here(documents, namespace, cluster, names)
        ),
        *(_recalled(each) for each in recalled),
    )
    outlines: list[Outline] = []
    problems: list[Problem] = []
    for reading, clash in zip(readings, _clashes(readings), strict=True):
        if reading.definition and not clash:
            outlines.append(reading.definition)
        else:
            problems.extend(_problem(reading, each) for each in clash)
            problems.extend(reading.problems)
    return Definitions(
        tuple(each for each in outlines if isinstance(each, Definition)),
        tuple(problems),
        tuple(names),
        tuple(each for each in outlines if not isinstance(each, Definition)),
    )


def content_of(namespace: str, spec: Mapping[str, object], rerun: str | None) -> str:
    """The hash of what one run stands for: as stated, namespace empty and rerun None where not.

    What may change under a run that exists (suspend, cancel, approvals) is no part of it.
    """
    stated: dict[str, object] = {
        "spec": {key: spec[key] for key in spec if key not in (*CONTROLS, RUN_POLICY)}
    }
    if namespace:
        stated["namespace"] = namespace
    if rerun is not None:
        stated["rerun"] = rerun
    return _hash(stated)


def controls_of(spec: Mapping[str, object]) -> str:
    """The hash of suspend, cancel and approvals as they are stated."""
    return _hash({key: spec[key] for key in CONTROLS if key in spec})


def run_of(kind: str, name: str, content: str) -> str:
    """The name of the WorkflowExecution that a document stands for."""
    return name if kind == EXECUTION else run_name(name, content)


def run_name(name: str, content: str) -> str:
    """The run of a definition's content: the name, cut so that the whole fits a label value."""
    digest = content.partition(":")[2][:_RUN_HASH]
    return f"{name[: _MAX_RUN_NAME - 1 - _RUN_HASH].rstrip('-.')}-{digest}"


def _hash(stated: Mapping[str, object]) -> str:
    text = json.dumps(stated, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{_FORM}:{hashlib.sha256(text.encode('ascii')).hexdigest()}"


# --- one document ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is kept of a document once it was read: the name it claims, and what came of it.

    Not the document itself: all that a hostile source holds would be in memory at once.
    """

    path: str
    line: int
    name_line: int
    namespace: str
    name: str
    definition: Outline | None
    problems: tuple[Problem, ...] = ()


def _here(
    documents: Iterable[Document],
    namespace: str | None,
    cluster: str,
    names: list[tuple[str, str]],
) -> Iterator[Document]:
    """The documents for this cluster; `names` gets the others. One without a name is here.

    It would be removed here and nobody could say so: it is told as bad.
    """
    for document in documents:
        value = mapping(document.value)
        metadata = mapping(value.get("metadata"))
        name = text(metadata.get("name"))
        if name and value.get("kind") in KINDS and elsewhere(value, cluster):
            names.append((text(metadata.get("namespace")) or namespace or "", name))
        else:
            yield document


def _read_one(document: Document, namespace: str | None, cluster: str) -> _Reading:
    findings = (
        *envelope_findings(document.value, namespace),
        *cluster_findings(document.value, cluster),
    )
    value = mapping(document.value)
    if value.get("kind") not in KINDS:
        return _reading(document, "", "", None, findings)
    metadata = mapping(value.get("metadata"))
    effective = text(metadata.get("namespace")) or namespace or ""
    definition = None
    if isinstance(value.get("spec"), Mapping):
        spec = mapping(value["spec"])
        if value["kind"] == DEFINITION:
            spec = {key: spec[key] for key in spec if key != RUN_POLICY}
        model, refused = read_spec(spec)
        findings = (*findings, *refused)
        if model and not findings:
            definition = _definition(document, effective, spec, model)
    return _reading(document, effective, text(metadata.get("name")), definition, findings)


def _recalled(told: Outline) -> _Reading:
    return _Reading(told.path, told.line, told.line, told.namespace, told.name, told)


def _definition(
    document: Document, namespace: str, spec: Mapping[str, object], model: WorkflowSpec
) -> Definition:
    """The definition of a document in which nothing was found."""
    value = mapping(document.value)
    policy = mapping(mapping(value["spec"]).get(RUN_POLICY))
    metadata = mapping(value["metadata"])
    annotations = _strings(metadata.get("annotations"))
    name = text(metadata["name"])
    content = content_of(text(metadata.get("namespace")), spec, annotations.get(RERUN))
    kind: Literal["WorkflowDefinition", "WorkflowExecution"] = (
        EXECUTION if value["kind"] == EXECUTION else DEFINITION
    )
    return Definition(
        kind=kind,
        namespace=namespace,
        name=name,
        run=run_of(kind, name, content),
        content=content,
        controls=controls_of(spec),
        path=document.path,
        line=document.line,
        blob=document.blob,
        documents=document.documents,
        spec=spec,
        model=model,
        annotations=annotations,
        labels=_strings(metadata.get("labels")),
        concurrency=concurrency(policy),
        history=history(policy),
    )


def _strings(value: object) -> dict[str, str]:
    return {key: text(each) for key, each in mapping(value).items()}


# --- two of one name ------------------------------------------------------------------------


def _clashes(readings: Sequence[_Reading]) -> tuple[tuple[Finding, ...], ...]:
    """For each reading, why it must not be applied beside the others.

    A document that is refused still claims its name: which of the two is meant is not ours to
    guess.
    """
    named: dict[tuple[str, str], list[_Reading]] = {}
    runs: dict[tuple[str, str], list[_Reading]] = {}
    for reading in readings:
        if reading.name:
            named.setdefault((reading.namespace, reading.name), []).append(reading)
        if reading.definition:
            runs.setdefault((reading.namespace, reading.definition.run), []).append(reading)
    return tuple(tuple(_clash(reading, named, runs)) for reading in readings)


_Claims = Mapping[tuple[str, str], Sequence[_Reading]]


def _clash(reading: _Reading, named: _Claims, runs: _Claims) -> Iterator[Finding]:
    """At most one: who shares a name is not told about the name of its run too."""
    other = _other(reading, named.get((reading.namespace, reading.name), ()))
    if other:
        yield Finding(
            _NAME,
            f"the name {reading.namespace}/{reading.name} is used twice, also in {other}: "
            "neither is applied",
            DUPLICATE,
        )
    elif reading.definition:
        run = reading.definition.run
        other = _other(reading, runs[reading.namespace, run])
        if other:
            yield Finding(
                _NAME,
                f"its run would be named {run}, as that of {other}: neither is applied; "
                "give one of them another name",
                DUPLICATE,
            )


def _other(reading: _Reading, claimants: Sequence[_Reading]) -> str:
    """Where the first other claimant stands, or nothing."""
    return next(
        (f"{each.path}:{each.line}" for each in claimants if each is not reading),
        "",
    )


# --- told -----------------------------------------------------------------------------------


def _reading(
    document: Document,
    namespace: str,
    name: str,
    definition: Definition | None,
    findings: Sequence[Finding],
) -> _Reading:
    """With its findings in the order of their lines, as a person goes through the file."""
    told = sorted(((_line(document, each.field), each) for each in findings), key=lambda it: it[0])
    if len(told) > _MAX_FINDINGS:
        more = f"and {len(told) - _MAX_FINDINGS} more like these"
        told[_MAX_FINDINGS:] = [(document.line, Finding("", more, told[-1][1].reason))]
    reading = _Reading(
        document.path,
        document.line,
        _line(document, _NAME),
        namespace,
        name,
        definition,
    )
    return replace(reading, problems=tuple(_problem(reading, each, line) for line, each in told))


def _problem(reading: _Reading, finding: Finding, line: int = 0) -> Problem:
    """`line` 0: where the name stands."""
    return Problem(
        path=reading.path,
        line=line or reading.name_line,
        message=finding.text,
        field=finding.field,
        reason=finding.reason,
        namespace=reading.namespace,
        name=reading.name,
    )


def _line(document: Document, field: str) -> int:
    """Where a field stands; one that is missing: where its nearest parent does."""
    while field and field not in document.lines:
        field = field[: max(field.rfind("."), field.rfind("["), 0)]
    return document.lines.get(field, document.line)
