"""What stands around a spec: kind, metadata, run policy -> findings (contract 5).

A feature that is not there yet is refused by name, never ignored: a document that asks for it
would run differently from what it says.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from reconciler.core.api import OBJECT_NAME_PATTERN, WORKFLOW_API
from reconciler.core.plan import Finding
from reconciler.core.specs import INVALID, printable

DEFINITION: Literal["WorkflowDefinition"] = "WorkflowDefinition"
EXECUTION: Literal["WorkflowExecution"] = "WorkflowExecution"
KINDS = (DEFINITION, EXECUTION)
RERUN = "kubernaut.ai/rerun"
CLUSTERS = "kubernaut.ai/clusters"
RUN_POLICY = "runPolicy"
CONCURRENCY = ("Queue", "Replace")
DEFAULT_HISTORY = 3
MAX_HISTORY = 100

_OURS = "kubernaut.ai/"
_UNSUPPORTED = "NotSupported"
_MAX_NAME = 253
_MAX_CLUSTERS = 4_096
_CLUSTERS = re.compile(r" *[-a-z0-9.*]+( *, *[-a-z0-9.*]+)* *")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def mapping(value: object) -> Mapping[str, object]:
    """The value where it is a mapping, an empty one where it is anything else."""
    return value if isinstance(value, Mapping) else {}


def text(value: object) -> str:
    """The value where it is text, nothing where it is anything else."""
    return value if isinstance(value, str) else ""


def envelope_findings(value: object, namespace: str | None) -> tuple[Finding, ...]:
    """Everything wrong with a document but for its spec.

    `namespace` is the run's, None for all. Of a kind that is not read nothing else is told.
    """
    if not isinstance(value, Mapping):
        return (Finding("", "a document is a mapping: apiVersion, kind, metadata, spec", INVALID),)
    if value.get("kind") not in KINDS:
        return (_unknown_kind(value.get("kind")),)
    metadata = value.get("metadata")
    return (
        *_outermost(value),
        *(_metadata(metadata, namespace) if isinstance(metadata, Mapping) else ()),
        *(_run_policy(value) if value["kind"] == DEFINITION else ()),
    )


def _unknown_kind(kind: object) -> Finding:
    named = f"kind {printable(kind)} is not read here" if kind else "kind is required"
    return Finding(
        "kind",
        f"{named}: only {' and '.join(KINDS)} of {WORKFLOW_API} are; "
        "keep other files outside the source's paths",
        "UnknownKind",
    )


def _outermost(value: Mapping[str, object]) -> Iterator[Finding]:
    if value.get("apiVersion") != WORKFLOW_API:
        yield Finding("apiVersion", f"apiVersion must be {WORKFLOW_API}", "UnknownKind")
    for key in value:
        if key not in ("apiVersion", "kind", "metadata", "spec"):
            why = "is never read from git" if key == "status" else "is no field that is known here"
            yield Finding(printable(key), f"{printable(key)} {why}: leave it out", INVALID)
    for key in ("metadata", "spec"):
        if not isinstance(value.get(key), Mapping):
            yield Finding(key, f"{key} is required, a mapping", INVALID)


# --- metadata -------------------------------------------------------------------------------


def _metadata(metadata: Mapping[str, object], namespace: str | None) -> Iterator[Finding]:
    for key in metadata:
        if key not in ("name", "namespace", "labels", "annotations"):
            path = f"metadata.{printable(key)}"
            yield Finding(
                path,
                f"{path} is not taken from git: name, namespace, labels and annotations are",
                INVALID,
            )
    name = text(metadata.get("name"))
    if len(name) > _MAX_NAME or not re.fullmatch(OBJECT_NAME_PATTERN, name):
        yield Finding(
            "metadata.name",
            "metadata.name is required: a-z, 0-9, '-' and '.', beginning and ending with a letter "
            f"or a digit, at most {_MAX_NAME} characters",
            INVALID,
        )
    yield from _namespace(metadata.get("namespace"), namespace)
    yield from _labels(metadata.get("labels"))
    yield from _annotations(metadata.get("annotations"))


def _namespace(stated: object, namespace: str | None) -> Iterator[Finding]:
    path = "metadata.namespace"
    if stated is None:
        if namespace is None:
            yield Finding(
                path,
                "metadata.namespace is required in a run over all namespaces: state it, "
                "or run with --namespace",
                "NamespaceMissing",
            )
    elif not _NAMESPACE.fullmatch(text(stated)):
        yield Finding(
            path,
            "metadata.namespace must be a-z, 0-9 and '-', beginning and ending with a letter or a "
            "digit, at most 63 characters",
            INVALID,
        )
    elif namespace not in (None, stated):
        yield Finding(
            path,
            f"the document is for namespace {stated}, the run is for {namespace}: "
            "leave the namespace out, or keep the document in another source",
            "OtherNamespace",
        )


def _labels(labels: object) -> Iterator[Finding]:
    for path, key, value in _entries(labels, "metadata.labels"):
        if key is None or not _KEY.fullmatch(key):
            yield Finding(path, f"{path} must be a mapping of label names to text", INVALID)
        elif key.startswith(_OURS):
            yield Finding(path, f"{path} is set by the reconciler: leave it out", INVALID)
        elif not isinstance(value, str) or not _LABEL.fullmatch(value):
            yield Finding(
                path,
                f"{path} must be text of letters, digits, '-', '_' and '.', at most 63 characters; "
                "a number, true or false needs quotes to be text",
                INVALID,
            )


def _annotations(annotations: object) -> Iterator[Finding]:
    for path, key, value in _entries(annotations, "metadata.annotations"):
        if key is None or not _KEY.fullmatch(key):
            yield Finding(path, f"{path} must be a mapping of annotation names to text", INVALID)
        elif key.startswith(_OURS) and key not in (RERUN, CLUSTERS):
            yield Finding(
                path,
                f"{key} is not known here: of {_OURS} a document states {RERUN} "
                f"and {CLUSTERS} only",
                INVALID,
            )
        elif not isinstance(value, str):
            yield Finding(
                path,
                f"{path} must be text; a number, true or false needs quotes to be text",
                INVALID,
            )
        elif key == CLUSTERS and not _patterns(value):
            yield Finding(
                path,
                f"{path} must be names of clusters with commas between them, '*' for any text, as "
                'in "eu-1,us-*"',
                INVALID,
            )


def _entries(value: object, path: str) -> Iterator[tuple[str, str | None, object]]:
    """Path, key and value of each entry; key None where it is no mapping. Nothing is fine."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield f"{path}.{printable(key)}", key, each
    elif value is not None:
        yield path, None, value


# --- which clusters -------------------------------------------------------------------------


def elsewhere(value: object, cluster: str) -> bool:
    """Whether a document states for which clusters it is, and this one is none of them."""
    patterns = _stated_clusters(value)
    return bool(patterns and cluster) and not any(_matches(each, cluster) for each in patterns)


def cluster_findings(value: object, cluster: str) -> tuple[Finding, ...]:
    """A run that does not say where it runs reads no document that is for certain clusters."""
    if cluster or not _stated_clusters(value):
        return ()
    return (
        Finding(
            f"metadata.annotations.{CLUSTERS}",
            f"the document is for certain clusters ({CLUSTERS}), and the run does not say which "
            "one this is: run with --cluster",
            "ClusterUnknown",
        ),
    )


def _stated_clusters(value: object) -> tuple[str, ...]:
    metadata = mapping(mapping(value).get("metadata"))
    return _patterns(mapping(metadata.get("annotations")).get(CLUSTERS))


def _patterns(stated: object) -> tuple[str, ...]:
    """The names that an annotation lists; none where it is not one."""
    listed = text(stated)
    if len(listed) > _MAX_CLUSTERS or not _CLUSTERS.fullmatch(listed):
        return ()
    return tuple(each.strip() for each in listed.split(","))


def _matches(pattern: str, name: str) -> bool:
    """Part after part from the left, each where it is first found: never slow, whatever it is."""
    first, *parts = pattern.split("*")
    if not parts:
        return pattern == name
    *between, last = parts
    if not name.startswith(first):
        return False
    at = len(first)
    for part in between:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) - at >= len(last) and name.endswith(last)


# --- the run policy -------------------------------------------------------------------------


def _run_policy(value: Mapping[str, object]) -> Iterator[Finding]:
    """How the runs of a definition follow each other, and how many of them stay."""
    spec = mapping(value.get("spec"))
    if RUN_POLICY not in spec:
        return
    path = f"spec.{RUN_POLICY}"
    if not isinstance(spec[RUN_POLICY], Mapping):
        yield Finding(path, f"{RUN_POLICY} must be a mapping", INVALID)
    for key, stated in mapping(spec[RUN_POLICY]).items():
        where = f"{path}.{printable(key)}"
        if key == "concurrency":
            if stated not in CONCURRENCY:
                yield Finding(where, "runPolicy.concurrency must be Queue or Replace", INVALID)
        elif key == "history":
            if type(stated) is not int or not 0 <= stated <= MAX_HISTORY:
                yield Finding(
                    where,
                    f"runPolicy.history must be a whole number from 0 to {MAX_HISTORY}: how many "
                    "settled runs of older contents stay",
                    INVALID,
                )
        else:
            yield Finding(
                where,
                f"runPolicy.{printable(key)} is no field that is known here; known are "
                "concurrency and history",
                INVALID,
            )


def concurrency(policy: Mapping[str, object]) -> Literal["Queue", "Replace"]:
    """Of a policy in which nothing was found."""
    return "Replace" if policy.get("concurrency") == "Replace" else "Queue"


def history(policy: Mapping[str, object]) -> int:
    """Of a policy in which nothing was found."""
    stated = policy.get("history", DEFAULT_HISTORY)
    return stated if isinstance(stated, int) else DEFAULT_HISTORY
