"""Bytes of a file -> documents with file and line, or why not (contract 5)."""

import time
from collections.abc import Callable

import pytest
from ruamel.yaml import cyaml

from reconciler.core.definitions import Document, Problem
from reconciler.manifests import MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES, documents


def read(text: str | bytes) -> tuple[list[Document], list[Problem]]:
    return documents("shop.yaml", "b10b", text if isinstance(text, bytes) else text.encode())


def values(text: str | bytes) -> list[object]:
    found, problems = read(text)
    assert problems == []
    return [each.value for each in found]


def told(text: str | bytes) -> list[tuple[int, str]]:
    found, problems = read(text)
    assert found == []
    return [(problem.line, problem.message) for problem in problems]


# --- what is read ---------------------------------------------------------------------------


def test_a_document_comes_with_file_blob_line_and_the_line_of_each_field() -> None:
    """Contract 5: reported with file, line and reason."""
    text = (
        "# first\n\nspec:\n  steps:\n    - name: a\n      dependsOn: [b,\n        c]\n  count: 1\n"
    )
    assert read(text)[0] == [
        Document(
            "shop.yaml",
            "b10b",
            3,
            {"spec": {"steps": [{"name": "a", "dependsOn": ["b", "c"]}], "count": 1}},
            {
                "spec": 3,
                "spec.steps": 4,
                "spec.steps[0]": 5,
                "spec.steps[0].name": 5,
                "spec.steps[0].dependsOn": 6,
                "spec.steps[0].dependsOn[0]": 6,
                "spec.steps[0].dependsOn[1]": 7,
                "spec.count": 8,
            },
            documents=1,
        )
    ]


def test_several_documents_stand_in_one_file_and_empty_ones_are_left_out() -> None:
    """Contract 5: several documents a file."""
    text = "---\n---\n# only a comment\n---\na: 1\n--- # two\nb: 2\n...\n---\n\n---\n- c\n"
    found, problems = read(text)
    assert [(each.line, each.value) for each in found] == [
        (5, {"a": 1}),
        (7, {"b": 2}),
        (12, ["c"]),
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("a: |\n  one\n   two\n\n  three\n", "one\n two\n\nthree\n", id="literal"),
        pytest.param("a: >-\n  one\n  two\n\n  three\n", "one two\nthree", id="folded"),
        pytest.param("a: one\n  two\n", "one two", id="plain-over-two-lines"),
        pytest.param("a: 'it''s yes'\n", "it's yes", id="single-quotes"),
        pytest.param('a: "tab\\t\\u00e9 \\U0001F600"\n', "tab\té 😀", id="double-quotes"),
        pytest.param("a: 'yes'\n", "yes", id="quoted-word"),
        pytest.param('a: "010"\n', "010", id="quoted-number"),
        pytest.param("a: |\n  010\n", "010\n", id="block-number"),
        pytest.param("a: x#y # comment\n", "x#y", id="comment"),
        pytest.param("a: {b: [1, {c: d}]}\n", {"b": [1, {"c": "d"}]}, id="flow"),
        pytest.param("a:\n", None, id="no-value"),
        pytest.param("a: x\r\n", "x", id="line-ends-of-windows"),
    ],
)
def test_yaml_is_read_as_it_is_everywhere(text: str, value: object) -> None:
    """Contract 5: YAML, without surprises."""
    assert values(text) == [{"a": value}]


def test_a_byte_order_mark_before_the_text_is_dropped() -> None:
    """Contract 5: UTF-8 only; an editor's mark at the start is no text."""
    assert values(b"\xef\xbb\xbfa: 1\n") == [{"a": 1}]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("\n \n", id="blanks"),
        pytest.param("# a comment\n", id="a-comment"),
        pytest.param("---\n...\n", id="markers"),
        pytest.param("null\n", id="null"),
    ],
)
def test_an_empty_file_holds_no_document(text: str) -> None:
    """Contract 5: nothing is not a bad document."""
    assert read(text) == ([], [])


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        pytest.param("a: &x 1\n", 1, "anchors", id="anchor"),
        pytest.param("a: 1\nb: *x\n", 2, "anchors", id="alias"),
        pytest.param("a: &a [*a]\n", 1, "anchors", id="itself"),
        pytest.param("&k a: 1\n", 1, "anchors", id="anchor-on-a-key"),
        pytest.param("a:\n  <<: {b: 1}\n", 2, "merge keys", id="merge-key"),
        pytest.param("a: !!str 1\n", 1, "tags", id="tag"),
        pytest.param("a: ! 1\n", 1, "tags", id="no-tag-tag"),
        pytest.param("a: !!python/object/apply:os.system [id]\n", 1, "tags", id="python"),
        pytest.param("--- !foo\na: 1\n", 1, "tags", id="tag-on-a-document"),
        pytest.param("a: !!binary aGk=\n", 1, "tags", id="binary"),
        pytest.param("%YAML 1.1\n---\na: yes\n", 1, "directives", id="yaml-directive"),
        pytest.param("# x\n%TAG ! !x\n---\na: 1\n", 2, "directives", id="tag-directive"),
        pytest.param("a: 1\n...\n%YAML 1.1\n---\nb: 1\n", 3, "directives", id="directive-later"),
        pytest.param("a: 1\nb: 2\na: 3\n", 3, "twice, first in line 1", id="key-twice"),
        pytest.param("x: {a: 1, 'a': 2}\n", 1, "twice, first in line 1", id="key-twice-quoted"),
        pytest.param("1: x\n", 1, "a key must be text", id="number-as-key"),
        pytest.param("true: x\n", 1, "a key must be text", id="true-as-key"),
        pytest.param("~: x\n", 1, "a key must be text", id="null-as-key"),
        pytest.param("? [a, b]\n: c\n", 1, "a key must be text", id="list-as-key"),
        pytest.param("{a: 1}: c\n", 1, "a key must be text", id="mapping-as-key"),
        pytest.param("on: push\n", 1, "kubectl reads this as true or false", id="on-as-key"),
        pytest.param("a:\n  b: no\n", 2, "kubectl reads this as true or false", id="no"),
        pytest.param("a: 010\n", 1, "octal", id="octal"),
        pytest.param("a: .inf\n", 1, "JSON has no such number", id="infinity"),
        pytest.param("a: 1\x00\n", 1, "a control character", id="nul"),
        pytest.param("a: 1\n# \x1b[2J\n", 2, "a control character", id="escape-in-a-comment"),
        pytest.param("a: \x85x\ufeff\n", 1, "byte order mark", id="byte-order-mark-within"),
        pytest.param('a: "\\0"\n', 1, "a control character is escaped", id="escaped-nul"),
        pytest.param('"\\e": 1\n', 1, "a control character is escaped", id="escaped-in-a-key"),
        pytest.param('a: "\\ud800"\n', 1, "not YAML", id="half-a-character"),
        pytest.param("a: b\n c: d\n", 2, "a ':' cannot stand here", id="colon"),
        pytest.param("a: {image: x:1}\n", 1, "needs quotes", id="colon-within-braces"),
        pytest.param("a:\n\t- b\n", 2, "with spaces, not tabs", id="tab"),
        pytest.param("a: @x\n", 1, "quote text that begins with @", id="at"),
        pytest.param("a: 'b\nc: d\n", 3, "opened and never closed", id="open-quote"),
        pytest.param("a: [b\nc: d\n", 2, "not YAML", id="open-bracket"),
        pytest.param("a:\n  b: 1\n c: 2\n", 3, "the indentation", id="indentation"),
        pytest.param("{a: 1} {b: 2}\n", 1, "not YAML", id="text-behind-a-document"),
    ],
)
def test_what_readers_would_take_differently_is_refused_with_its_line(
    text: str, line: int, rule: str
) -> None:
    """Contract 5: no anchors, aliases, tags or directives, duplicate keys refused."""
    [(at, message)] = told(text)
    assert (at, rule in message) == (line, True), message


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("a: é\n".encode("latin-1"), id="latin-1"),
        pytest.param("a: 1\n".encode("utf-16"), id="utf-16"),
        pytest.param(b"a: 1\nb: \xed\xa0\x80\n", id="surrogate"),
        pytest.param(b"a: \xc0\xaf\n", id="overlong"),
    ],
)
def test_any_other_encoding_than_utf_8_is_refused(data: bytes) -> None:
    """Contract 5: UTF-8 only."""
    [(_, message)] = told(data)
    assert message == "the file is not UTF-8: save it as UTF-8"


def test_a_broken_document_harms_itself_alone() -> None:
    """Contract 5: the others are applied, those before it and those behind it."""
    found, problems = read("a: 1\n---\nb: [1\n---\nc: 'x\n---\nd: *x\n---\ne: 5\n")
    assert [each.value for each in found] == [{"a": 1}, {"e": 5}]
    assert [problem.line for problem in problems] == [4, 6, 7]


def test_a_marker_within_quotes_ends_the_document_all_the_same() -> None:
    """Contract 5: as YAML has it, so no text can hide a document from a reader."""
    found, problems = read('a: "text\n---\nb: 2\n')
    assert ([each.value for each in found], len(problems)) == ([{"b": 2}], 1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("password: hunter2\npassword: hunter2\n", id="twice"),
        pytest.param("hunter2: [\n", id="open"),
        pytest.param("a: &hunter2 x\n", id="anchor"),
        pytest.param("a: !hunter2 x\n", id="tag"),
        pytest.param("%hunter2\n---\n", id="directive"),
        pytest.param('a: "\\hunter2"\n', id="escape"),
        pytest.param("a: @hunter2\n", id="syntax"),
        pytest.param("a: 0x1F\nb: hunter2: x\n", id="scalar"),
    ],
)
def test_a_message_never_repeats_the_text_that_it_is_about(text: str) -> None:
    """Contract 8, I9: it may be a secret."""
    assert all("hunter2" not in message and "0x1F" not in message for _, message in told(text))


# --- bounds ---------------------------------------------------------------------------------


def test_documents_nest_to_a_bound() -> None:
    """Contract 5: a bound on what a document may cost."""
    assert values("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    [(_, message)] = told("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert message.endswith(f"nested deeper than {MAX_DEPTH} levels")


def test_a_file_holds_documents_to_a_bound() -> None:
    """Contract 5: a bound on what a file may cost."""
    assert len(values("a: 1\n---\n" * MAX_DOCUMENTS)) == MAX_DOCUMENTS
    assert told("a: 1\n---\n" * (MAX_DOCUMENTS + 1)) == [
        (1, f"the file has more than {MAX_DOCUMENTS} documents: split it")
    ]


def test_a_file_holds_nodes_to_a_bound_over_all_its_documents() -> None:
    """Contract 5: a bound on what a file may cost."""
    assert values("- 1\n" * (MAX_NODES - 1))
    assert told("- 1\n" * (MAX_NODES // 2) + "---\n" + "- 1\n" * (MAX_NODES // 2)) == [
        (1, "the file has more than 20,000 keys and values: split it")
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: &a [x, x]\n" + "b: &b [*a, *a]\n" * 30, id="aliases"),
        pytest.param("a: &a {b: 1}\n" + "c: &c {<<: [*a, *a]}\n" * 30, id="merge-keys"),
        pytest.param("[" * 100_000, id="flow-lists"),
        pytest.param("{a: " * 60_000, id="flow-mappings"),
        pytest.param("- " * 100_000, id="block-lists"),
        pytest.param("? " * 100_000, id="keys-of-keys"),
        pytest.param("[" + "a," * 120_000 + "]", id="a-long-list"),
        pytest.param("---\n#\n" * 40_000, id="empty-documents"),
        pytest.param("a: '" + "\n" * 250_000 + "'\n", id="line-breaks"),
        pytest.param("a: " + "x" * 260_000 + "\n", id="one-long-text"),
        pytest.param("x" * 260_000 + ": 1\n", id="one-long-key"),
        pytest.param("a: " + "9" * 260_000 + "\n", id="one-long-number"),
        pytest.param("a: " + "1_" * 130_000 + "\n", id="one-long-almost-number"),
        pytest.param("#" + "-" * 260_000 + "\n", id="one-long-comment"),
        pytest.param("%" * 260_000, id="directives"),
    ],
)
def test_no_file_within_the_size_limit_costs_more_than_a_moment(text: str) -> None:
    """Contract 5: bombs are refused before anything is built from them.

    The bound is wide: it tells a second from the minutes that such files can take.
    """
    before = time.process_time()
    documents("bomb.yaml", "b10b", text.encode()[: 256 * 1024])
    assert time.process_time() - before < 5


# --- speed ----------------------------------------------------------------------------------


def test_the_parser_in_use_is_the_one_in_c() -> None:
    """Ten times as fast as the other, which a plain installation uses without a word."""
    assert cyaml.CSafeLoader.__mro__[1].__module__ == "ruamel.yaml.clib._ruamel_yaml"


def _seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def test_a_file_costs_about_what_the_c_loader_costs() -> None:
    """Values, lines and checks come out of one pass: at most twice the time of values alone."""
    steps = "".join(
        f"      - name: step-{number}\n        action: ScaleDeployment\n        timeout: 5m\n"
        f"        parameters: {{scaleDeployment: {{deploymentName: d{number}, replicas: 3}}}}\n"
        f"        dependsOn: [step-{number - 1}]\n"
        for number in range(1, 21)
    )
    data = f"spec:\n  workflowDefinition:\n    steps:\n{steps}".encode()
    ours = min(_seconds(lambda: documents("a.yaml", "b", data)) for _ in range(15))
    theirs = min(_seconds(lambda: cyaml.CSafeLoader(data).get_single_data()) for _ in range(15))
    assert ours < 2 * theirs
