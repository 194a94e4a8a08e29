"""The kinds as they travel (contract 2): names on the wire, what is left out, what is refused."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from reconciler.core import api
from reconciler.core.actions import ACTIONS, CUSTOM_TIMEOUT
from reconciler.core.api import (
    Approval,
    ChildSpec,
    ChildStatus,
    Condition,
    Instant,
    KubernetesExecution,
    Metadata,
    Parameters,
    PatchConfigMap,
    PatchSecret,
    Phase,
    Reading,
    RecordEntry,
    RecordStatus,
    RolloutStatus,
    Slotted,
    Step,
    StepResult,
    StepStatus,
    TargetResource,
    Wire,
    WorkflowDefinition,
    WorkflowExecution,
    WorkflowExecutionRef,
    WorkflowRecord,
    WorkflowSpec,
    WorkflowStatus,
    fields,
)
from reconciler.core.names import child_name
from tests.builders import NOW, UID

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        pytest.param(
            WorkflowSpec,
            "workflowDefinition assumeCompleted maxConcurrentSteps failurePolicy timeout notBefore"
            " notAfter ttlSecondsAfterSettled suspend cancel approvals serviceAccountName",
            id="workflow-spec",
        ),
        pytest.param(WorkflowDefinition, "name version steps", id="definition"),
        pytest.param(
            Step,
            "name action parameters targetResource timeout dependsOn retries requiresApproval",
            id="step",
        ),
        pytest.param(TargetResource, "apiVersion kind namespace name", id="target"),
        pytest.param(Approval, "step by reason", id="approval"),
        pytest.param(
            WorkflowStatus,
            "phase settled message progress observedGeneration totalSteps completedSteps"
            " failedSteps activeSteps executionPlan stepResults executionStartTime"
            " executionEndTime lastTransitionTime conditions",
            id="workflow-status",
        ),
        pytest.param(
            StepResult,
            "stepName status reason attempt executionRef executionUID reservedAt healedAt"
            " executionStartTime executionEndTime lastError",
            id="step-result",
        ),
        pytest.param(
            Condition,
            "type status observedGeneration lastTransitionTime reason message",
            id="condition",
        ),
        pytest.param(
            ChildSpec,
            "workflowExecutionRef stepName attempt action actionParameters targetResource timeout"
            " serviceAccountName cancelRequested",
            id="child-spec",
        ),
        pytest.param(WorkflowExecutionRef, "name uid", id="reference-to-the-workflow"),
        pytest.param(
            ChildStatus,
            "phase executionStartTime executionEndTime lastError reason observedGeneration"
            " conditions",
            id="child-status",
        ),
        pytest.param(RecordStatus, "observedGeneration contents reading", id="record-status"),
        pytest.param(
            Reading,
            "blob line documents kind content controls concurrency history",
            id="reading",
        ),
        pytest.param(
            RecordEntry,
            "content state run uid commit blob startTime endTime phase progress",
            id="record-entry",
        ),
    ],
)
def test_the_fields_of_a_kind_are_those_of_the_contract(
    model: type[Slotted | Wire], named: str
) -> None:
    """Contract 2 and 5: other controllers read them by these names."""
    stated = {field.alias for field in fields(model).values()}
    assert stated == set(named.split())


@pytest.mark.parametrize(
    "leaf",
    [
        Condition(type="Ready", status="True", last_transition_time=NOW, reason="Completed"),
        Parameters(rollout_status=RolloutStatus()),
        RolloutStatus(),
        Step(name="a", action="A"),
        StepResult(step_name="a", status=StepStatus.PENDING),
        TargetResource(api_version="v1", kind="Pod", name="p"),
    ],
    ids=lambda leaf: type(leaf).__name__,
)
def test_what_an_object_holds_many_of_has_slots_and_nothing_else(leaf: Slotted) -> None:
    """50,000 steps are in memory at once; a `__dict__` each would be most of it."""
    assert not hasattr(leaf, "__dict__")
    assert not hasattr(leaf, "__pydantic_fields_set__")


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_has_its_member_with_the_fields_it_needs(action: str) -> None:
    """Contract 6: the catalogue and the models speak of the same parameters."""
    row = ACTIONS[action]
    by_alias = {field.alias: field for field in fields(Parameters).values()}
    member = by_alias[row.parameters].annotation
    schema = TypeAdapter(Parameters).json_schema()["$defs"][action]
    assert member == getattr(api, action) | None
    assert tuple(schema.get("required", ())) == row.required
    assert row.named_by in schema["properties"]


def test_the_description_of_an_action_names_the_whole_catalogue() -> None:
    """Contract 6: `kubectl explain` is where people look it up."""
    described = fields(Step)["action"].description or ""
    assert [name for name in ACTIONS if name not in described] == []


def test_the_timeouts_of_the_catalogue() -> None:
    """Contract 6: the column of timeouts."""
    minutes = {name: row.timeout / timedelta(minutes=1) for name, row in ACTIONS.items()}
    assert minutes == {
        "ScaleDeployment": 5,
        "RestartDeployment": 10,
        "UpdateImage": 10,
        "RolloutStatus": 1,
        "DeletePod": 2,
        "PatchConfigMap": 1,
        "PatchSecret": 1,
        "CordonNode": 0.5,
        "UncordonNode": 0.5,
        "DrainNode": 15,
    }
    assert timedelta(minutes=10) == CUSTOM_TIMEOUT


# --- fixed words ----------------------------------------------------------------------------


def test_which_phases_have_started_and_which_are_terminal() -> None:
    """Contract 2: the spec is immutable past Pending; contract 8, I4: a terminal phase stays."""
    assert {phase.value for phase in Phase} == {
        "", "Pending", "Executing", "Completed", "Failed", "Cancelled",
    }  # fmt: skip
    assert {phase for phase in Phase if not phase.started} == {Phase.NEW, Phase.PENDING}
    assert {phase for phase in Phase if phase.terminal} == {
        Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED,
    }  # fmt: skip


def test_which_results_of_a_step_are_final() -> None:
    """Contract 2: `stepResults[].status`, the last three are final."""
    assert [status.value for status in StepStatus] == [
        "Pending", "Running", "Retrying", "Completed", "Failed", "Skipped",
    ]  # fmt: skip
    assert [status for status in StepStatus if status.final] == list(StepStatus)[-3:]


# --- times ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-03-01T12:00:00Z", NOW, id="as-we-write-it"),
        pytest.param("2026-03-01T13:30:00+01:30", NOW, id="another-zone-is-turned-to-utc"),
        pytest.param("2026-03-01T12:00:00.999999999Z", NOW, id="fractions-are-cut"),
        pytest.param(
            "2999-12-31T23:59:59-23:59",
            datetime(3000, 1, 1, 23, 58, 59, tzinfo=UTC),
            id="the-last-that-can-be-stated",
        ),
    ],
)
def test_a_time_is_kept_as_the_server_keeps_it(text: str, instant: datetime) -> None:
    """Contract 2: RFC 3339, whole seconds, UTC."""
    assert INSTANT.validate_json(json.dumps(text), strict=True) == instant


@pytest.mark.parametrize(
    "stated",
    [
        pytest.param("2026-03-01T12:00:00", id="no-zone"),
        pytest.param("2026-03-01", id="a-date"),
        pytest.param("2026-03-01 12:00:00Z", id="a-blank"),
        pytest.param("2026-03-01t12:00:00z", id="lower-case"),
        pytest.param("2026-02-30T12:00:00Z", id="no-such-day"),
        pytest.param("2026-03-01T24:00:00Z", id="no-such-hour"),
        pytest.param("2026-03-01T12:00:60Z", id="a-leap-second"),
        pytest.param("2026-03-01T12:00:00+24:00", id="no-such-zone"),
        pytest.param("9999-12-31T23:59:59-23:59", id="beyond-what-a-clock-can-hold"),
        pytest.param("2026-03-01T12:00:00Z\n", id="a-line-end"),
        pytest.param("1772366400", id="a-number-in-quotes"),
        pytest.param(1772366400, id="a-number"),
        pytest.param(True, id="a-truth"),
    ],
)
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lax"])
def test_what_is_no_time_for_the_server_is_none_for_us(stated: object, strict: bool) -> None:
    """Contract 2: what the models take, the server takes; nothing depends on a local clock."""
    with pytest.raises(ValidationError):
        INSTANT.validate_json(json.dumps(stated), strict=strict)


def test_a_datetime_without_zone_is_refused() -> None:
    """Style (a) 8: instants are aware."""
    with pytest.raises(ValidationError, match="must be a time with its zone"):
        WorkflowStatus(execution_start_time=NOW.replace(tzinfo=None))


def test_a_time_is_written_in_one_spelling() -> None:
    """Contract 2: a status that did not change is byte for byte the same."""
    there = NOW.astimezone(timezone(timedelta(hours=5))) + timedelta(microseconds=7)
    written = WorkflowStatus(execution_start_time=there).wire()
    assert written["executionStartTime"] == "2026-03-01T12:00:00Z"


# --- what travels ---------------------------------------------------------------------------


def test_what_is_empty_is_left_out() -> None:
    """Contract 2: empty fields are left out, and nothing is ever null."""
    empty = StepResult(step_name="a", status=StepStatus.SKIPPED)
    assert empty.wire() == {"stepName": "a", "status": "Skipped", "attempt": 0}
    assert WorkflowStatus().wire() == {
        "settled": False,
        "observedGeneration": -1,
        "totalSteps": 0,
        "completedSteps": 0,
        "failedSteps": 0,
        "activeSteps": 0,
    }


def test_an_empty_text_that_a_user_wrote_stays() -> None:
    """Contract 6: the data of a ConfigMap is the user's."""
    assert PatchConfigMap(data={"flag": ""}).wire() == {"data": {"flag": ""}}


def test_a_keyword_of_python_is_a_field_on_the_wire() -> None:
    """Contract 6: `patchSecret.from`."""
    stated = {"from": [{"key": "a", "secretName": "s", "secretKey": "b"}]}
    assert TypeAdapter(PatchSecret).validate_python(stated).wire() == stated


def test_members_of_parameters_that_are_stated_empty_count_as_stated() -> None:
    """Contract 2: at most one member; `rolloutStatus: {}` is one."""
    assert Parameters(rollout_status=RolloutStatus()).stated == ("rolloutStatus",)
    assert Parameters(custom={}).stated == ("custom",)
    assert Parameters().stated == ()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"workflowDefinition": {"step": []}}, id="in-the-definition"),
        pytest.param({"workflowDefinition": {}, "paused": True}, id="in-the-spec"),
        pytest.param(
            {"workflowDefinition": {"steps": [{"name": "a", "action": "A", "retry": 1}]}},
            id="in-a-step",
        ),
    ],
)
def test_a_field_that_nobody_knows_is_refused(document: dict[str, Any]) -> None:
    """Contract 7, bad input: a typo is never silently dropped."""
    with pytest.raises(ValidationError) as met:
        WorkflowSpec.model_validate(document)
    (told,) = met.value.errors()
    assert told["type"] in ("extra_forbidden", "unexpected_keyword_argument")


def test_metadata_that_we_do_not_use_is_no_error() -> None:
    """Contract 3: objects carry what others wrote."""
    read = Metadata.model_validate({"name": "w", "finalizers": ["a/b"], "managedFields": []})
    assert read == Metadata(name="w")


@pytest.mark.parametrize(
    "kind", [WorkflowExecution, KubernetesExecution, WorkflowRecord], ids=lambda kind: kind.__name__
)
def test_a_kind_refuses_an_object_of_another(
    kind: type[WorkflowExecution | KubernetesExecution | WorkflowRecord],
) -> None:
    """Contract 2: groups, versions and kinds are fixed."""
    with pytest.raises(ValidationError, match="kind"):
        kind.model_validate({"kind": "Deployment", "metadata": {"name": "w"}, "spec": {}})


def test_with_errors_of_256_characters_the_largest_status_stays_under_768_kib() -> None:
    """Contract 2: 1,000 failed steps with the longest names and every time there is."""
    names = [f"{number:04}{'x' * 59}" for number in range(1000)]
    message = "x" * 1024
    status = WorkflowStatus(
        phase=Phase.EXECUTING,
        message=message,
        progress="0/1000",
        observed_generation=2**31,
        total_steps=1000,
        failed_steps=1000,
        execution_plan=tuple(names),
        step_results=tuple(
            StepResult(
                step_name=name,
                status=StepStatus.FAILED,
                reason="ExecutionDeleted",
                attempt=5,
                execution_ref=child_name("w" * 253, UID, name, 5),
                execution_uid=UID,
                reserved_at=NOW,
                healed_at=NOW,
                execution_start_time=NOW,
                execution_end_time=NOW,
                last_error="x" * 256,
            )
            for name in names
        ),
        execution_start_time=NOW,
        execution_end_time=NOW,
        last_transition_time=NOW,
        conditions=tuple(
            Condition(
                type=type_,
                status="Unknown",
                observed_generation=2**31,
                last_transition_time=NOW,
                reason="WorkflowTimedOut",
                message=message,
            )
            for type_ in ("Valid", "Ready", "Reconciling", "Stalled", "Succeeded")
        ),
    )
    assert len(json.dumps(status.wire(), separators=(",", ":"))) < 768 * 1024
