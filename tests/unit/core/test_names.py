"""Names and labels of children (contract 3): pinned, since two releases must agree on each."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.api import OBJECT_NAME_PATTERN, STEP_NAME_PATTERN
from reconciler.core.names import child_name, workflow_label

UID = "0f8fad5b-d9cb-469f-a165-70867728950e"
ANOTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"

# RFC 1123, as the server has it.
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")

workflows = st.from_regex(OBJECT_NAME_PATTERN.rstrip("$") + r"\Z").filter(lambda it: len(it) <= 253)
steps = st.from_regex(STEP_NAME_PATTERN.rstrip("$") + r"\Z").filter(lambda it: len(it) <= 63)


@pytest.mark.parametrize(
    ("attempt", "name"),
    [
        pytest.param(
            ("restart-checkout", UID, "stepA", 0),
            "restart-checkout-stepa-6e2c8bd2e4",
            id="upper-case-is-lowered",
        ),
        pytest.param(
            ("restart-checkout", UID, "stepa", 0),
            "restart-checkout-stepa-5a7695e8e3",
            id="what-was-upper-case-is-another-step",
        ),
        pytest.param(
            ("restart-checkout", UID, "stepA", 1),
            "restart-checkout-stepa-c3c8562023",
            id="another-attempt",
        ),
        pytest.param(
            ("restart-checkout", ANOTHER, "stepA", 0),
            "restart-checkout-stepa-72773bba54",
            id="made-again-it-has-another-uid",
        ),
        pytest.param(("a", UID, "b-c", 0), "a-b-c-08192e2a1e", id="a-and-b-c"),
        pytest.param(("a-b", UID, "c", 0), "a-b-c-258c1d308f", id="a-b-and-c"),
        pytest.param(("w", UID, "s", 10), "w-s-b75223f6d0", id="attempts-are-decimal"),
        pytest.param(
            ("w", UID, "roll_out.v2", 0), "w-roll-out-v2-8a11fbbe5d", id="dots-and-underscores"
        ),
        pytest.param(
            ("shop.example.com", UID, "A", 0),
            "shop-example-com-a-8cab3df20c",
            id="dots-of-a-workflow",
        ),
        pytest.param(
            ("w" * 253, UID, "S" * 63, 0),
            f"{'w' * 26}-{'s' * 25}-85a95c4736",
            id="the-longest-are-cut",
        ),
        pytest.param(
            ("w" * 25 + "-x", UID, "s" * 24 + "-.x", 10),
            f"{'w' * 25}--{'s' * 24}--09f57f91d4",
            id="cut-at-a-dash",
        ),
        pytest.param(("0", UID, "0", 0), "0-0-cb89513028", id="digits"),
    ],
)
def test_the_name_of_an_attempt_never_changes(
    attempt: tuple[str, str, str, int], name: str
) -> None:
    """Contract 3: pinned by a table of cases."""
    assert child_name(*attempt) == name


@settings(deadline=None)
@given(workflows, steps, st.integers(0, 1000))
def test_every_child_name_is_one_that_the_server_takes(
    workflow: str, step: str, attempt: int
) -> None:
    """Contract 3: a legal object name, and a legal label value, of any workflow and step."""
    assert LABEL.fullmatch(child_name(workflow, UID, step, attempt))


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_text_at_all_makes_a_name_longer_than_63_or_out_of_its_alphabet(
    workflow: str, step: str
) -> None:
    """Contract 3: every character outside `[a-z0-9-]` is turned to `-`."""
    name = child_name(workflow, UID, step, 0)
    assert len(name) <= 63
    assert re.fullmatch(r"[-a-z0-9]+", name)


@pytest.mark.parametrize(
    ("workflow", "label"),
    [
        pytest.param("w", "w", id="short-ones-stand-for-themselves"),
        pytest.param("w" * 63, "w" * 63, id="63-fit"),
        pytest.param("w" * 64, f"{'w' * 52}-54b74fa3b7", id="64-are-cut"),
        pytest.param("w" * 253, f"{'w' * 52}-508aa49c76", id="the-longest"),
        pytest.param(f"{'a' * 51}.b{'c' * 20}", f"{'a' * 51}.-a665434f2a", id="cut-behind-a-dot"),
    ],
)
def test_the_label_of_a_workflow_never_changes(workflow: str, label: str) -> None:
    """Contract 3: `kubernaut.ai/workflow`, by which children are found."""
    assert workflow_label(workflow) == label


@settings(deadline=None)
@given(workflows)
def test_every_workflow_label_is_a_label_value(workflow: str) -> None:
    """Contract 3: over 63 characters the first 52, `-`, and a hash."""
    assert LABEL_VALUE.fullmatch(workflow_label(workflow))
