"""The three kinds as CustomResourceDefinitions, generated from `core/api.py` (contract 2).

What pydantic says is turned into a structural schema; what it cannot say stands here: columns,
selectable fields, and the rules that compare an object with what it was (CEL). Spec fields get no
default: the server would write it into objects, and git would not know. No Kubernetes client is
loaded. A test holds the files of the chart against what this module makes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import walk_tree

from reconciler.core.api import (
    CATEGORY,
    VERSION,
    ChildSpec,
    Kind,
    KubernetesExecution,
    Phase,
    WorkflowExecution,
    WorkflowRecord,
    WorkflowSpec,
)

Schema = dict[str, Any]

CONTROLS = ("suspend", "cancel", "approvals")  # of a workflow that has started

_GENERATED = (
    "# Generated from reconciler/core/api.py by `make generate`: edit the models instead.\n"
)
_REFERENCE = "#/$defs/"
# What both sides understand, in the order a person reads it.
_TAKEN_OVER = (
    "description", "type", "format", "enum", "pattern",
    "minLength", "maxLength", "minimum", "maximum",
    "minItems", "maxItems", "minProperties", "maxProperties",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "required",
)  # fmt: skip
# What is left out on purpose, or read below.
_REPLACED = (
    "title", "default", "const", "additionalProperties", "patternProperties", "propertyNames",
    "items", "properties",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column; `wide` ones are for `-o wide`."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def wire(self) -> Schema:
        column: Schema = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return column | ({"priority": 1} if self.wide else {})


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule; `field` is the path that the refusal names."""

    rule: str
    message: str
    field: str

    def wire(self) -> Schema:
        return {
            "rule": self.rule,
            "message": self.message,
            "reason": "FieldValueForbidden",
            "fieldPath": self.field,
        }


@dataclass(frozen=True, slots=True)
class Served:
    """What a CRD says beside its schema."""

    model: type[Kind]
    short: str
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


def crds() -> list[Schema]:
    """The CustomResourceDefinitions, always in the same order."""
    return [_crd(served) for served in _SERVED]


def crds_yaml() -> str:
    """All of them as one YAML stream, for `kubectl apply --server-side -f -`."""
    return _GENERATED + "".join(f"---\n{_yaml(crd)}" for crd in crds())


def files() -> dict[str, str]:
    """File name to text, one file a CRD."""
    return {f"{crd['spec']['names']['plural']}.yaml": _GENERATED + _yaml(crd) for crd in crds()}


def write(folder: Path) -> None:
    """The files, and no other YAML, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = files()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    for stale in folder.glob("*.yaml"):
        if stale.name not in made:
            stale.unlink()


# --- rules ----------------------------------------------------------------------------------


def _unchanged(model: type[WorkflowSpec | ChildSpec], path: str) -> Iterable[tuple[str, str]]:
    """(field, CEL that it neither came, nor went, nor changed) for each field of a spec."""
    for name, field in model.model_fields.items():
        new, old = f"self{path}.{field.alias or name}", f"oldSelf{path}.{field.alias or name}"
        same = f"{new} == {old}"
        if not field.is_required():
            same = f"(has({new}) == has({old}) && (!has({new}) || {same}))"
        yield field.alias or name, same


def _workflow_rules() -> Iterable[Rule]:
    """They stand at the root, where spec and status are both in sight."""
    waiting = ", ".join(f"'{phase}'" for phase in Phase if not phase.started)
    fresh = (
        f"!has(oldSelf.status) || !has(oldSelf.status.phase) || oldSelf.status.phase in [{waiting}]"
    )
    for field, same in _unchanged(WorkflowSpec, ".spec"):
        if field not in CONTROLS:
            yield Rule(
                f"{fresh}\n|| {same}",
                "must not change once the workflow has started: "
                f"only {', '.join(CONTROLS[:-1])} and {CONTROLS[-1]} may",
                f".spec.{field}",
            )
    yield Rule(
        "!has(oldSelf.status) || !has(oldSelf.status.settled) || !oldSelf.status.settled\n"
        "|| self.spec == oldSelf.spec",
        "must not change once the workflow is settled: to run it again, make a new one",
        ".spec",
    )


def _child_rules() -> Iterable[Rule]:
    for field, same in _unchanged(ChildSpec, ".spec"):
        if field != "cancelRequested":
            yield Rule(same, "must not change: only cancelRequested may", f".spec.{field}")


# --- the kinds ------------------------------------------------------------------------------

_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_COMMIT = Column("Commit", r".metadata.annotations['kubernaut\.ai/commit']", wide=True)

_SERVED = (
    Served(
        WorkflowExecution,
        "we",
        columns=(
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Phase", ".status.phase"),
            Column("Steps", ".status.progress"),
            Column("Active", ".status.activeSteps", "integer"),
            _AGE,
            Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', wide=True),
            _COMMIT,
            Column("Started", ".status.executionStartTime", "date", wide=True),
            Column("Finished", ".status.executionEndTime", "date", wide=True),
        ),
        selectable=(".status.phase", ".status.settled", ".spec.workflowDefinition.name"),
        rules=tuple(_workflow_rules()),
    ),
    Served(
        KubernetesExecution,
        "ke",
        columns=(
            Column("Phase", ".status.phase"),
            Column("Workflow", ".spec.workflowExecutionRef.name"),
            Column("Step", ".spec.stepName"),
            Column("Action", ".spec.action"),
            Column("Attempt", ".spec.attempt", "integer"),
            _AGE,
            Column("Reason", ".status.reason", wide=True),
            _COMMIT,
            Column("Started", ".status.executionStartTime", "date", wide=True),
            Column("Finished", ".status.executionEndTime", "date", wide=True),
        ),
        selectable=(".status.phase", ".spec.workflowExecutionRef.name", ".spec.action"),
        rules=tuple(_child_rules()),
    ),
    Served(
        WorkflowRecord,
        "wr",
        columns=(
            Column("State", ".status.contents[0].state"),
            Column("Run", ".status.contents[0].run"),
            Column("Phase", ".status.contents[0].phase"),
            Column("Steps", ".status.contents[0].progress"),
            _AGE,
            Column("Commit", ".status.contents[0].commit", wide=True),
            Column("Started", ".status.contents[0].startTime", "date", wide=True),
            Column("Finished", ".status.contents[0].endTime", "date", wide=True),
        ),
    ),
)


def _crd(served: Served) -> Schema:
    model = served.model
    group, _, _ = model.API.partition("/")
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.wire() for column in served.columns],
        "selectableFields": [{"jsonPath": path} for path in served.selectable],
        "schema": {"openAPIV3Schema": _root(served)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{model.PLURAL}.{group}"},
        "spec": {
            "group": group,
            "names": {
                "kind": model.__name__,
                "listKind": f"{model.__name__}List",
                "plural": model.PLURAL,
                "singular": model.__name__.lower(),
                "shortNames": [served.short],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [{key: value for key, value in version.items() if value != []}],
        },
    }


def _root(served: Served) -> Schema:
    """The whole object: our spec and status under the metadata that the server knows better."""
    published = served.model.model_json_schema(by_alias=True)
    spec, status = (
        structural(published["properties"][part], published["$defs"]) for part in ("spec", "status")
    )
    # Without it an object that no run has seen reads as done: kstatus compares generations.
    status = {"default": {"observedGeneration": -1}} | status
    root: Schema = {
        "description": published["description"],
        "type": "object",
        "required": [part for part in published["required"] if part != "metadata"],
        "properties": {
            "apiVersion": {"description": f"Always {served.model.API}.", "type": "string"},
            "kind": {"description": f"Always {served.model.__name__}.", "type": "string"},
            "metadata": {"type": "object"},  # the server allows no description here
            "spec": spec,
            "status": status,
        },
        "x-kubernetes-validations": [rule.wire() for rule in served.rules],
    }
    return {key: value for key, value in root.items() if value != []}


# --- pydantic's JSON Schema -> a structural schema ------------------------------------------


def structural(published: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """A schema as a CRD may hold it: inlined, no null, no default, every list with its type.

    Raises:
        ValueError: pydantic used a keyword that would be lost without anybody noticing.
    """
    whole = _inlined(published, definitions)
    if unknown := whole.keys() - {*_TAKEN_OVER, *_REPLACED}:
        raise ValueError(f"no CRD form is known for {', '.join(sorted(unknown))}")
    schema: Schema = {key: whole[key] for key in _TAKEN_OVER if key in whole}
    if "const" in whole:
        schema["enum"] = [whole["const"]]
    if whole.get("type") == "array":
        schema.setdefault("x-kubernetes-list-type", "atomic")
        schema["items"] = structural(whole["items"], definitions)
    elif "properties" in whole:
        schema["properties"] = {
            name: structural(each, definitions) for name, each in whole["properties"].items()
        }
    elif whole.get("type") == "object":
        schema |= _map(whole, definitions)
    return schema


def _inlined(published: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """References resolved, `X | None` as X: optional is absent, never null.

    What stands beside a reference speaks of this very field, so it wins.
    """
    beside = {key: value for key, value in published.items() if key not in {"$ref", "anyOf"}}
    if "$ref" in published:
        inner = definitions[published["$ref"].removeprefix(_REFERENCE)]
    elif "anyOf" in published:
        (inner,) = (each for each in published["anyOf"] if each != {"type": "null"})
    else:
        return beside
    return _inlined(inner, definitions) | beside


def _map(whole: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """A map of names that people choose. A CRD has no schema for keys: rules stand for it."""
    by_pattern = whole.get("patternProperties", {})
    (values,) = by_pattern.values() or (whole["additionalProperties"],)
    longest = whole["propertyNames"]["maxLength"]
    rules = {
        f"key != '' && key.size() <= {longest}": f"keys must have 1 to {longest} characters",
        **{f"key.matches(r'{each}')": f"keys must match {each}" for each in by_pattern},
    }
    return {
        "additionalProperties": structural(values, definitions),
        "x-kubernetes-validations": [
            {"rule": f"self.all(key, {rule})", "message": message}
            for rule, message in rules.items()
        ],
    }


def _yaml(crd: Schema) -> str:
    """Block YAML in the order of the dict; a text of several lines is written as such."""
    unshared = json.loads(json.dumps(crd))  # one object in two places would become an alias
    walk_tree(unshared)
    yaml = YAML()
    yaml.width = 4096  # one field, one line: a change shows as one
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(unshared, out)
    return out.getvalue()
