"""What a real API server refuses of our kinds (contract 2): immutability rules and bounds."""

from collections.abc import Mapping, Sequence

import pytest

from tests.apiserver.objects import CHILD, REFERENCE, SPEC, STEP, Body, Objects, causes

pytestmark = [pytest.mark.apiserver, pytest.mark.usefixtures("crds")]

STARTED = "must not change once the workflow has started: only suspend, cancel and approvals may"
SETTLED = "must not change once the workflow is settled: to run it again, make a new one"
FIXED = "must not change: only cancelRequested may"

# --- refused: what may not change -----------------------------------------------------------

OPTIONAL: Mapping[str, Sequence[object]] = {
    "assumeCompleted": (["a"], []),
    "maxConcurrentSteps": (4, 5),
    "failurePolicy": ("Continue", "FailFast"),
    "timeout": ("1h", "2h"),
    "notBefore": ("2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"),
    "notAfter": ("2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"),
    "ttlSecondsAfterSettled": (1, 2),
    "serviceAccountName": ("a", "b"),
}
CONTROLS: Body = {"suspend": True, "cancel": True, "approvals": [{"step": "a"}]}
FULL = SPEC | {field: values[0] for field, values in OPTIONAL.items()}
EDITS = {
    "steps": [{**STEP, "retries": 1}],
    "name": "another",
    "version": "2",
}


@pytest.mark.parametrize("phase", ["Executing", "Completed", "Failed", "Cancelled"])
def test_the_spec_of_a_started_workflow_stays_but_for_its_controls(
    workflows: Objects, phase: str
) -> None:
    """Contract 2: no field changes, comes or goes; a refusal names the field and what may."""
    workflows.made("bare", SPEC, {"phase": phase})
    workflows.made("full", FULL, {"phase": phase})
    refusals = {
        f"{field} {how}": causes(workflows.patch(name, {field: value}))
        for field, (one, other) in OPTIONAL.items()
        for how, name, value in (
            ("comes", "bare", one),
            ("goes", "full", None),
            ("changes", "full", other),
        )
    }
    assert refusals == {
        f"{field} {how}": [(f"spec.{field}", f"Forbidden: {STARTED}")]
        for field in OPTIONAL
        for how in ("comes", "goes", "changes")
    }
    for field, value in EDITS.items():
        assert causes(workflows.patch("full", {"workflowDefinition": {field: value}})) == [
            ("spec.workflowDefinition", f"Forbidden: {STARTED}")
        ]
    for control, value in CONTROLS.items():
        assert [workflows.patch("full", {control: each})[0] for each in (value, None)] == [200, 200]


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(None, id="not-seen-yet"),
        pytest.param({"phase": ""}, id="no-phase"),
        pytest.param({"phase": "Pending", "settled": False}, id="pending"),
    ],
)
def test_the_spec_of_a_workflow_that_has_not_started_may_change(
    workflows: Objects, status: Body | None
) -> None:
    """Contract 2: immutable once the phase is past Pending, not before."""
    workflows.made("w", FULL, status)
    bare = dict.fromkeys(OPTIONAL) | CONTROLS
    code, after = workflows.patch("w", bare | {"workflowDefinition": EDITS})
    assert code == 200, after
    assert after["spec"] == CONTROLS | {"workflowDefinition": EDITS}


def test_nothing_in_the_spec_of_a_settled_workflow_changes(workflows: Objects) -> None:
    """Contract 2: its generation would outrun observedGeneration for ever."""
    workflows.made("w", FULL, {"phase": "Completed", "settled": True})
    for control, value in CONTROLS.items():
        assert causes(workflows.patch("w", {control: value})) == [("spec", f"Forbidden: {SETTLED}")]
    assert ("spec", f"Forbidden: {SETTLED}") in causes(workflows.patch("w", {"timeout": "9h"}))
    code, after = workflows.api.patch(f"{workflows.path}/w", {"metadata": {"labels": {"a": "b"}}})
    assert (code, after["metadata"]["generation"]) == (200, 1)


def test_the_status_of_a_settled_workflow_can_be_written(workflows: Objects) -> None:
    """Contract 2: the rules bind the spec; what the reconciler records is not in their way."""
    workflows.made("w", FULL, {"phase": "Failed", "settled": True})
    code, after = workflows.api.patch(f"{workflows.path}/w/status", {"status": {"message": "told"}})
    assert (code, after["status"]["message"]) == (200, "told")


def test_nothing_in_the_spec_of_a_child_changes_but_the_request_to_stop(
    children: Objects,
) -> None:
    """Contract 2: an executor acts on what it read."""
    target = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    changes: Mapping[str, Sequence[object]] = {
        "workflowExecutionRef": (REFERENCE, {"uid": "another"}),
        "stepName": ("a", "b"),
        "attempt": (0, 1),
        "action": ("Notify", "Page"),
        "actionParameters": ({"custom": {}}, {"custom": {"a": "b"}}),
        "targetResource": (target, {"name": "q"}),
        "timeout": ("5m", "6m"),
        "serviceAccountName": ("a", "b"),
    }
    children.made("bare", CHILD)
    children.made("full", {field: before for field, (before, _) in changes.items()})
    optional = ("actionParameters", "targetResource", "serviceAccountName")
    refusals = {
        field: causes(children.patch("full", {field: after}))
        for field, (_, after) in changes.items()
    }
    assert refusals == {field: [(f"spec.{field}", f"Forbidden: {FIXED}")] for field in changes}
    for field in optional:
        expected = [(f"spec.{field}", f"Forbidden: {FIXED}")]
        assert causes(children.patch("full", {field: None})) == expected
        assert causes(children.patch("bare", {field: changes[field][0]})) == expected
    assert children.patch("full", {"cancelRequested": True})[0] == 200


# --- refused: what is out of bounds ---------------------------------------------------------


def with_step(**fields: object) -> Body:
    return {"workflowDefinition": {"steps": [{**STEP, **fields}]}}


STEPS = "spec.workflowDefinition.steps"


@pytest.mark.parametrize(
    ("spec", "field", "sentence"),
    [
        pytest.param(
            {"workflowDefinition": {"steps": [{**STEP, "name": f"s{n}"} for n in range(1001)]}},
            STEPS,
            "Too many: 1001: must have at most 1000 items",
            id="1001-steps",
        ),
        pytest.param(
            with_step(name="a" * 64),
            f"{STEPS}[0].name",
            "Too long: may not be more than 63 bytes",
            id="a-step-name-of-64",
        ),
        pytest.param(
            with_step(name="-a"),
            f"{STEPS}[0].name",
            "should match '^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'",
            id="a-step-name-with-a-dash-first",
        ),
        pytest.param(
            with_step(retries=6),
            f"{STEPS}[0].retries",
            "should be less than or equal to 5",
            id="six-retries",
        ),
        pytest.param(
            with_step(parameters={"rolloutStatus": {}, "custom": {}}),
            f"{STEPS}[0].parameters",
            "Too many: 2: must have at most 1 item",
            id="two-members-of-parameters",
        ),
        pytest.param(
            with_step(parameters={"custom": {"k" * 254: "v"}}),
            f"{STEPS}[0].parameters.custom",
            "keys must have 1 to 253 characters",
            id="a-key-of-254",
        ),
        pytest.param(
            with_step(parameters={"custom": {"": "v"}}),
            f"{STEPS}[0].parameters.custom",
            "keys must have 1 to 253 characters",
            id="an-empty-key",
        ),
        pytest.param(
            with_step(parameters={"patchConfigMap": {"data": {"a/b": "v"}}}),
            f"{STEPS}[0].parameters.patchConfigMap.data",
            "keys must match ^[-._a-zA-Z0-9]+$",
            id="a-key-that-is-no-key-of-a-configmap",
        ),
        pytest.param(
            with_step(dependsOn=["b"] * 101),
            f"{STEPS}[0].dependsOn",
            "Too many: 101: must have at most 100 items",
            id="101-dependencies",
        ),
        pytest.param(
            with_step(timeout="1d"), f"{STEPS}[0].timeout", "should match", id="a-timeout-in-days"
        ),
        pytest.param(
            SPEC | {"maxConcurrentSteps": 101},
            "spec.maxConcurrentSteps",
            "should be less than or equal to 100",
            id="101-slots",
        ),
        pytest.param(
            SPEC | {"failurePolicy": "Ignore"},
            "spec.failurePolicy",
            'supported values: "FailFast", "Continue"',
            id="another-policy",
        ),
        pytest.param(
            SPEC | {"notBefore": "2026-02-30T00:00:00Z"},
            "spec.notBefore",
            "must be of type date-time",
            id="a-day-that-is-not",
        ),
        pytest.param(
            SPEC | {"approvals": [{"step": "a"}, {"step": "a"}]},
            "spec.approvals[1]",
            'Duplicate value: {"step":"a"}',
            id="one-step-approved-twice",
        ),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_its_field(
    workflows: Objects, spec: Body, field: str, sentence: str
) -> None:
    """Contract 2: a bound on every list, map and text."""
    ((refused, said),) = causes(workflows.create("w", spec=spec))
    assert refused == field
    assert sentence in said


def test_a_field_that_nobody_knows_is_refused(workflows: Objects) -> None:
    """Contract 7: a strict write answers 400, a forced apply 500 with one known beginning."""
    code, answer = workflows.create("w", spec=with_step(retry=1))
    assert (code, answer["reason"]) == (400, "BadRequest")
    assert f'unknown field "{STEPS}[0].retry"' in answer["message"]
    code, answer = workflows.api.apply(
        f"{workflows.path}/w", workflows.body("w", spec=with_step(retry=1))
    )
    assert code == 500
    assert answer["message"].startswith("failed to create typed patch object")


def test_a_null_is_no_value(workflows: Objects) -> None:
    """Contract 2: the server drops it where a field is optional, as the models do."""
    stored = workflows.made("w", with_step(timeout=None) | {"timeout": None})
    assert stored["spec"] == SPEC
    assert causes(workflows.create("v", spec={"workflowDefinition": None})) != []
