"""Bad documents harm themselves alone (contract 4, 5, 7), told with file, line and reason."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Ended, Shop, steps

pytestmark = [pytest.mark.apiserver]

GOOD = {"good.yaml": document("good", *steps("a"))}

HEAD = """\
apiVersion: workflowexecution.kubernaut.ai/v1alpha1
kind: WorkflowDefinition
metadata:
  name: bad
spec:
  workflowDefinition:
    steps:
"""  # 7 lines
CYCLE = "bad.yaml:8: {bad}: step a: the steps depend on each other in a cycle: a -> c -> b -> a"
NOTIFY = "action: Notify, parameters: {custom: {}}"


def _bad(*lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in lines)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.new(tmp_path / "repository")


def _told(run: Ended) -> list[str]:
    """What is said of the documents; nothing is said of the good one."""
    return [line for line in run.of("WARNING") if ".yaml:" in line]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        pytest.param(
            "apiVersion: [1, 2\nkind: WorkflowDefinition\n",
            ["bad.yaml:2: column 5: not YAML: "],
            id="not-yaml",
        ),
        pytest.param(
            f"{_bad(f'- {{name: a, {NOTIFY}}}')}---\n{_bad(f'- {{name: b, {NOTIFY}}}')}",
            [
                "bad.yaml:4: {bad}: the name {bad} is used twice, also in bad.yaml:10: neither",
                "bad.yaml:13: {bad}: the name {bad} is used twice, also in bad.yaml:1: neither",
            ],
            id="two-of-one-name",
        ),
        pytest.param(
            _bad("- name: a", "  action: Notify", "  parameters: {custom: {}}", "  depends: [b]"),
            ["bad.yaml:11: {bad}: steps[0].depends is no field that is known here"],
            id="an-unknown-field",
        ),
        pytest.param(
            _bad("- name: a", "  action: LaunchRocket"),
            ["bad.yaml:9: {bad}: step a: action 'LaunchRocket' is not in the catalogue"],
            id="an-unknown-action-without-custom-parameters",
        ),
        pytest.param(
            _bad("- name: a", "  action: Notify", "  parameters: {custom: {}}", "  retries: often"),
            ["bad.yaml:11: {bad}: steps[0].retries must be a whole number"],
            id="a-wrong-type",
        ),
        pytest.param(
            _bad(
                f"- {{name: a, {NOTIFY}, dependsOn: [c]}}",
                f"- {{name: b, {NOTIFY}, dependsOn: [a]}}",
                f"- {{name: c, {NOTIFY}, dependsOn: [b]}}",
                f"- {{name: downstream, {NOTIFY}, dependsOn: [c]}}",
            ),
            [CYCLE],
            id="a-cycle-with-exactly-its-steps",
        ),
        pytest.param(
            _bad(f"- {{name: a, {NOTIFY}, dependsOn: [gone]}}"),
            ["bad.yaml:8: {bad}: step a: depends on 'gone', which is no step"],
            id="a-missing-dependency",
        ),
        pytest.param(
            _bad(f"- {{name: a, {NOTIFY}, dependsOn: [a]}}"),
            ["bad.yaml:8: {bad}: step a: depends on itself: a -> a"],
            id="a-step-that-waits-for-itself",
        ),
        pytest.param(
            _bad(f"- {{name: a, {NOTIFY}}}", f"- {{name: a, {NOTIFY}}}"),
            ["bad.yaml:9: {bad}: step a: the name is used twice, first by steps[0]"],
            id="a-step-twice",
        ),
        pytest.param(
            _bad(*(f"- {{name: s{number}, {NOTIFY}}}" for number in range(1001))),
            ["bad.yaml:7: {bad}: steps must have at most 1000 items, not 1001"],
            id="a-step-too-many",
        ),
    ],
)
def test_a_bad_document_is_told_and_the_others_are_applied(
    shop: Shop, repository: Repository, bad: str, told: Sequence[str]
) -> None:
    """Contract 5, 7: file, line and reason; with --strict the run says so in its exit code."""
    repository.commit({"bad.yaml": bad, **GOOD})
    run = shop.run("--source-url", repository.url, "--strict")
    assert run.code == 1, run.log
    expected = [each.format(bad=f"{shop.namespace}/bad") for each in told]
    lines = _told(run)
    assert len(lines) == len(expected), lines
    for line, beginning in zip(lines, expected, strict=True):
        assert line.startswith(beginning), line
    assert [each["spec"]["stepName"] for each in shop.listed(shop.children)] == ["a"]
    (only,) = shop.listed(shop.workflows)
    assert only["metadata"]["name"].startswith("good-")


def test_bad_documents_leave_the_exit_code_alone(shop: Shop, repository: Repository) -> None:
    """Contract 7: it speaks of the reconciler; a user's mistake degrades no platform."""
    repository.commit({"bad.yaml": "no: [yaml", **GOOD})
    run = shop.run("--source-url", repository.url)
    assert run.code == 0, run.log
    assert len(_told(run)) == 1
    assert "1 applied, 1 invalid" in run.lines[-1]
