"""Whatever a repository holds: a document is read or refused, never a crash (contract 5, I11)."""

import json
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.core.definitions import Definitions, Document, content_of, read
from reconciler.core.envelope import KINDS
from reconciler.manifests import documents

API = "workflowexecution.kubernaut.ai/v1alpha1"

PIECES = st.sampled_from(
    (
        *("a", "b", "yes", "010", "1_0", "1", "0.5", "~", "null", "true", "<<", "2026-01-02"),
        *(": ", ":\n  ", "- ", "-\n", "? ", "|\n  x\n", ">-\n  x\n", "'", '"', "\\", "\\n", "\\0"),
        *("{", "}", "[", "]", ", ", "#", " ", "\n", "\n  ", "\n    ", "\t", "\r\n", "\n---\n"),
        *("\n...\n", "%YAML 1.1\n", "&a ", "*a", "!x ", "!!str ", "@", "`", "é", "\u2028", "\x85"),
        *("\ufeff", "\x00", "kind: WorkflowDefinition\n", "spec:\n  x: 1\n"),
    )
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)
WORDS = st.sampled_from(
    (
        *("name", "action", "steps", "spec", "metadata", "kind", "dependsOn", "retries", "custom"),
        *("parameters", "workflowDefinition", "runPolicy", "approvals", "step", "timeout", "5m"),
        *("a", "b", "Scale", "kubernaut.ai/rerun", "labels", "annotations", "namespace", "x y"),
    )
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | WORDS | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
STEPS = st.lists(
    st.fixed_dictionaries(
        {"name": WORDS, "action": WORDS},
        optional={"dependsOn": VALUES, "parameters": VALUES, "retries": VALUES, "timeout": VALUES},
    ),
    max_size=4,
)
GOOD = st.builds(
    lambda name, kind, names: {
        "apiVersion": API,
        "kind": kind,
        "metadata": {"name": name, "labels": {"team": "shop", "tier": "one"}},
        "spec": {
            "timeout": "5m",
            "workflowDefinition": {
                "steps": [
                    {
                        "name": each,
                        "action": "Scale",
                        "parameters": {"custom": {"a": "b", "c": "d"}},
                    }
                    for each in names
                ]
            },
        },
    },
    st.sampled_from(("a", "b", "c")),
    st.sampled_from(KINDS),
    st.lists(st.sampled_from("abcd"), unique=True),
)
DOCUMENTS = (
    GOOD
    | VALUES
    | st.fixed_dictionaries(
        {
            "apiVersion": st.just(API),
            "kind": st.sampled_from(KINDS),
            "metadata": st.fixed_dictionaries(
                {"name": WORDS},
                optional={"namespace": VALUES, "labels": VALUES, "annotations": VALUES},
            ),
            "spec": st.fixed_dictionaries(
                {"workflowDefinition": st.fixed_dictionaries({"steps": STEPS}) | VALUES},
                optional={
                    "runPolicy": VALUES,
                    "approvals": VALUES,
                    "timeout": VALUES,
                    "cancel": VALUES,
                },
            ),
        }
    )
)


@given(st.binary(max_size=200) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"\xff")
@example(b"? - [\n")
def test_any_file_is_read_or_refused_with_a_line_within_it(data: bytes) -> None:
    """Contract 5: bad input is reported with file and line; nothing else comes of it."""
    found, problems = documents("a.yaml", "b10b", data)
    last = data.count(b"\n") + data.count(b"\r") + data.count("\u2028".encode()) + 2
    last += data.count("\x85".encode()) + data.count("\u2029".encode())
    lines = [*(each.line for each in found), *(each.line for each in problems)]
    assert all(1 <= line <= last for line in lines)
    for problem in problems:
        assert (problem.path, bool(problem.message)) == ("a.yaml", True)
    for document in found:
        json.dumps(document.value, allow_nan=False).encode("ascii")


@given(st.lists(DOCUMENTS, max_size=3), st.none() | st.just("shop"))
def test_any_values_are_definitions_or_problems_and_none_is_lost(
    values: list[object], namespace: str | None
) -> None:
    """Contract 5: one bad document harms itself alone, and is told."""
    told = _read(values, namespace)
    lines = {each.line for each in told.definitions} | {each.line for each in told.problems}
    assert lines == {number + 1 for number in range(len(values))}
    for definition in told.definitions:
        assert definition.namespace
        assert len(definition.run) <= 253


@given(st.lists(DOCUMENTS, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_documents_and_keys_changes_no_content(
    values: list[object], random: Random
) -> None:
    """Contract 5: order starts nothing."""
    shuffled = [_shuffled(value, random) for value in values]
    random.shuffle(shuffled)
    one, other = _read(values, "shop"), _read(shuffled, "shop")
    assert _contents(one) == _contents(other)


@given(st.dictionaries(WORDS, VALUES, max_size=4), st.text(max_size=3), st.none() | st.text())
def test_a_content_is_of_one_form(
    spec: dict[str, object], namespace: str, rerun: str | None
) -> None:
    """Contract 5: `v1:` and 64 hex digits; what is under our control is no part of it."""
    content = content_of(namespace, spec, rerun)
    assert content.startswith("v1:")
    assert len(bytes.fromhex(content[3:])) == 32
    assert content == content_of(namespace, {**spec, "suspend": True, "cancel": True}, rerun)


def _read(values: list[object], namespace: str | None) -> Definitions:
    """Each value as a document in a line of its own."""
    return read((Document("a.yaml", "b", n + 1, v, {}) for n, v in enumerate(values)), namespace)


def _shuffled(value: object, random: Random) -> object:
    """The same value with its keys in another order; lists stay as they are."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: _shuffled(value[key], random) for key in keys}
    return [_shuffled(each, random) for each in value] if isinstance(value, list) else value


def _contents(told: Definitions) -> list[tuple[str, str, str]]:
    return sorted((each.name, each.content, each.run) for each in told.definitions)
