"""The CRDs against the chart's files and against what the API server asks of a schema.

What only a server can say, that it takes them and what their rules refuse, stands in
`tests/apiserver/test_kinds.py`; that they say the same as the models, in `test_crds_agree.py`.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field
from ruamel.yaml import YAML

from reconciler.core.api import (
    ChildSpec,
    Kind,
    KubernetesExecution,
    WorkflowExecution,
    WorkflowRecord,
    WorkflowSpec,
)
from reconciler.crds import CONTROLS, Schema, crds, crds_yaml, files, structural, write

CHART = Path(__file__).parents[2] / "charts" / "reconciler" / "files" / "crds"
KINDS: Mapping[str, type[Kind]] = {
    "WorkflowExecution": WorkflowExecution,
    "KubernetesExecution": KubernetesExecution,
    "WorkflowRecord": WorkflowRecord,
}
CRDS = {crd["spec"]["names"]["kind"]: crd for crd in crds()}

every_kind = pytest.mark.parametrize("kind", KINDS)


def version(kind: str) -> Schema:
    (only,) = CRDS[kind]["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def root(kind: str) -> Schema:
    schema = version(kind)["schema"]["openAPIV3Schema"]
    assert isinstance(schema, dict)
    return schema


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema within, with the path that leads there."""
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def ours(kind: str) -> Iterator[tuple[str, Schema]]:
    """Every schema but those of the metadata, which are the server's."""
    for part in ("spec", "status"):
        yield from nodes(root(kind)["properties"][part], f".{part}")


# --- the files ------------------------------------------------------------------------------


def test_the_files_of_the_chart_are_what_the_models_make() -> None:
    """Contract 2: a test fails when committed CRDs and models differ; `make generate` heals it."""
    committed = {file.name: file.read_text(encoding="utf-8") for file in CHART.iterdir()}
    assert committed == files()


def test_the_yaml_reads_back_as_the_objects() -> None:
    """Contract 9: `reconciler crds`, for `kubectl apply --server-side -f -`."""
    assert list(YAML(typ="safe", pure=True).load_all(StringIO(crds_yaml()))) == crds()


def test_the_yaml_is_written_for_people() -> None:
    """Contract 2: they are reviewed like code: no alias, no flow style, rules line by line."""
    text = crds_yaml()
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "&id" not in text
    assert "rule: |-" in text


def test_writing_them_leaves_no_file_of_a_kind_that_is_gone(tmp_path: Path) -> None:
    """Contract 2: one command makes the folder."""
    (tmp_path / "olds.yaml").write_text("kind: Old\n")
    (tmp_path / "README.md").write_text("about\n")
    write(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {*files(), "README.md"}


def test_making_them_loads_no_client() -> None:
    """Speed: `reconciler crds` never waits for the Kubernetes client or for git."""
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, reconciler.crds as c; c.crds_yaml(); print(*sys.modules)",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert {"kubernetes", "git", "urllib3", "tenacity"}.isdisjoint(loaded)


# --- what stands beside the schema ----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "group", "short"),
    [
        ("WorkflowExecution", "workflowexecution.kubernaut.ai", "we"),
        ("KubernetesExecution", "kubernetesexecution.kubernaut.ai", "ke"),
        ("WorkflowRecord", "workflowexecution.kubernaut.ai", "wr"),
    ],
)
def test_a_kind_is_served_under_its_names(kind: str, group: str, short: str) -> None:
    """Contract 2: groups, versions, kinds and short names are fixed."""
    plural = f"{kind.lower()}s"
    spec = CRDS[kind]["spec"]
    assert CRDS[kind]["metadata"] == {"name": f"{plural}.{group}"}
    assert spec["group"] == group
    assert spec["scope"] == "Namespaced"
    assert spec["names"] == {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["kubernaut"],
    }
    assert version(kind)["name"] == "v1alpha1"
    assert version(kind)["subresources"] == {"status": {}}
    assert f"{group}/v1alpha1" == KINDS[kind].API
    assert plural == KINDS[kind].PLURAL


@pytest.mark.parametrize(
    ("kind", "columns", "wide"),
    [
        (
            "WorkflowExecution",
            ["Ready", "Phase", "Steps", "Active", "Age"],
            ["Reason", "Commit", "Started", "Finished"],
        ),
        (
            "KubernetesExecution",
            ["Phase", "Workflow", "Step", "Action", "Attempt", "Age"],
            ["Reason", "Commit", "Started", "Finished"],
        ),
        (
            "WorkflowRecord",
            ["State", "Run", "Phase", "Steps", "Age"],
            ["Commit", "Started", "Finished"],
        ),
    ],
)
def test_age_is_the_last_column_and_more_stands_behind_it_when_wide(
    kind: str, columns: list[str], wide: list[str]
) -> None:
    """Contract 2, printer columns: one word each, so that a column is a field for awk."""
    printed = version(kind)["additionalPrinterColumns"]
    assert [each["name"] for each in printed if "priority" not in each] == columns
    assert [each["name"] for each in printed if each.get("priority") == 1] == wide
    assert [each["name"] for each in printed] == [*columns, *wide]


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        (
            "WorkflowExecution",
            [".status.phase", ".status.settled", ".spec.workflowDefinition.name"],
        ),
        (
            "KubernetesExecution",
            [".status.phase", ".spec.workflowExecutionRef.name", ".spec.action"],
        ),
        ("WorkflowRecord", []),
    ],
)
def test_the_fields_that_a_list_may_select_by(kind: str, paths: list[str]) -> None:
    """Contract 1.4: `status.settled!=true`; each is one text or truth that the schema has."""
    selectable = [each["jsonPath"] for each in version(kind).get("selectableFields", [])]
    assert selectable == paths
    types = dict(ours(kind))
    assert {types[path]["type"] for path in paths} <= {"string", "boolean"}


@every_kind
def test_an_object_that_no_run_has_seen_does_not_read_as_done(kind: str) -> None:
    """Contract 2: the default of the status, and no other default anywhere."""
    defaults = {path: node["default"] for path, node in ours(kind) if "default" in node}
    assert defaults == {".status": {"observedGeneration": -1}}


@pytest.mark.parametrize(
    ("kind", "model", "free"),
    [
        ("WorkflowExecution", WorkflowSpec, CONTROLS),
        ("KubernetesExecution", ChildSpec, ("cancelRequested",)),
    ],
)
def test_a_rule_guards_every_field_of_the_spec_but_its_controls(
    kind: str, model: type[BaseModel], free: tuple[str, ...]
) -> None:
    """Contract 2: a field that is added later is guarded from its first day."""
    guarded = [rule["fieldPath"] for rule in root(kind)["x-kubernetes-validations"]]
    fields = [field.alias for field in model.model_fields.values()]
    assert [path for path in guarded if path != ".spec"] == [
        f".spec.{field}" for field in fields if field not in free
    ]


# --- what a server asks of a schema ---------------------------------------------------------

KEYWORDS = {
    "description", "type", "format", "enum", "pattern", "default", "required",
    "properties", "items", "additionalProperties", "x-kubernetes-validations",
    "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties",
    "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
}  # fmt: skip


@every_kind
def test_the_schema_is_structural(kind: str) -> None:
    """Contract 2: no reference, no union, no null, no title; every node has its type."""
    strange = {
        path: sorted(node.keys() - KEYWORDS)
        for path, node in nodes(root(kind))
        if node.keys() - KEYWORDS
    }
    assert strange == {}
    assert [path for path, node in nodes(root(kind)) if "type" not in node] == []


@every_kind
def test_every_field_is_described(kind: str) -> None:
    """Contract 2: `kubectl explain` is the reference that most people read."""
    silent = [
        path
        for path, node in nodes(root(kind))
        if not path.endswith(("[]", "{}", ".metadata")) and not node.get("description")
    ]
    assert silent == []


@every_kind
def test_descriptions_are_sentences(kind: str) -> None:
    """Contract 2: a description ends where a sentence does."""
    cut = [
        path for path, node in nodes(root(kind)) if not node.get("description", ".").endswith(".")
    ]
    assert cut == []


@every_kind
def test_everything_is_bounded(kind: str) -> None:
    """Contract 2: a bound on every list, map, text and number; CEL's cost rests on them."""
    assert [path for path, node in ours(kind) if not bounded(node)] == []


def bounded(node: Schema) -> bool:
    match node["type"]:
        case "array":
            return "maxItems" in node
        case "string":
            return "maxLength" in node or "enum" in node
        case "integer":
            return "minimum" in node and "maximum" in node
        case "object":
            return "properties" in node or "maxProperties" in node
        case kind:
            return bool(kind == "boolean")


@every_kind
def test_every_list_says_how_it_is_merged(kind: str) -> None:
    """Contract 2: atomic, but for conditions by type and approvals by step."""
    merged = {
        path: node["x-kubernetes-list-map-keys"]
        for path, node in ours(kind)
        if node.get("x-kubernetes-list-type") == "map"
    }
    atomic = [path for path, node in ours(kind) if node.get("x-kubernetes-list-type") == "atomic"]
    lists = [path for path, node in ours(kind) if node["type"] == "array"]
    assert sorted([*merged, *atomic]) == sorted(lists)
    assert merged == {
        "WorkflowExecution": {".spec.approvals": ["step"], ".status.conditions": ["type"]},
        "KubernetesExecution": {".status.conditions": ["type"]},
        "WorkflowRecord": {},
    }.get(kind)


def test_steps_and_their_results_are_atomic() -> None:
    """Contract 2: a forced apply over a map list leaves a union that is in no commit."""
    types = {path: node.get("x-kubernetes-list-type") for path, node in ours("WorkflowExecution")}
    assert types[".spec.workflowDefinition.steps"] == "atomic"
    assert types[".status.stepResults"] == "atomic"


@pytest.mark.parametrize(
    "annotation",
    [
        pytest.param(int | str, id="a-union"),
        pytest.param(tuple[int, str], id="a-pair"),
        pytest.param(set[str], id="a-set"),
    ],
)
def test_what_a_crd_cannot_say_is_refused_and_never_lost(annotation: Any) -> None:  # noqa: ANN401  # a type form
    """Contract 2: whoever adds such a field learns it from this module, not from a user."""

    class Model(BaseModel):
        field: annotation = Field(description="Strange.")

    with pytest.raises(ValueError, match=r"no CRD form is known|unpack"):
        structural(Model.model_json_schema(), {})
