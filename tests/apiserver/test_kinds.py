"""The kinds on a real API server (contract 2): what it serves, keeps and shows."""

import json

import pytest

from reconciler.core.api import (
    CHILD_API,
    WORKFLOW_API,
    KubernetesExecution,
    StepResult,
    StepStatus,
    WorkflowExecution,
    WorkflowRecord,
    WorkflowStatus,
)
from reconciler.core.names import child_name
from reconciler.crds import crds_yaml
from tests.apiserver.objects import CHILD, REFERENCE, SPEC, STEP, Body, Objects, OurKind, sent
from tests.builders import NOW, UID
from tests.controlplane import Api, eventually

pytestmark = [pytest.mark.apiserver, pytest.mark.usefixtures("crds")]

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


# --- served ---------------------------------------------------------------------------------


@pytest.mark.parametrize("document", crds_yaml().split("---\n")[1:], ids=["we", "ke", "wr"])
def test_the_server_reads_the_yaml_and_has_nothing_to_say_against_it(
    api: Api, document: str
) -> None:
    """Contract 2: structural, within the CEL cost limit, and the text as Go's parser reads it."""
    name = document.split("name: ", 1)[1].split("\n", 1)[0]
    sent(
        api,
        "PATCH",
        f"{CRDS}/{name}?fieldManager=tests&force=true&fieldValidation=Strict",
        {"Content-Type": "application/apply-patch+yaml"},
        document,
    )
    _, stored = api.get(f"{CRDS}/{name}")
    assert {each["type"]: each["status"] for each in stored["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert stored["status"]["storedVersions"] == ["v1alpha1"]


def test_people_may_say_we_ke_wr_and_kubernaut(api: Api) -> None:
    """Contract 2: short names, category, and a status of its own for each kind."""
    served = {
        resource["name"]: (resource.get("shortNames"), resource.get("categories"))
        for group in (WORKFLOW_API, CHILD_API)
        for resource in api.get(f"/apis/{group}")[1]["resources"]
    }
    assert served == {
        "workflowexecutions": (["we"], ["kubernaut"]),
        "workflowexecutions/status": (None, None),
        "kubernetesexecutions": (["ke"], ["kubernaut"]),
        "kubernetesexecutions/status": (None, None),
        "workflowrecords": (["wr"], ["kubernaut"]),
        "workflowrecords/status": (None, None),
    }


def test_kubectl_explain_knows_the_fields(api: Api) -> None:
    """Contract 2: the descriptions are published."""
    eventually(
        lambda: "Name of the step, unique in the workflow" in str(_published(api)),
        "the descriptions are not in the published OpenAPI document",
    )


def _published(api: Api) -> object:
    return api.get(f"/openapi/v3/apis/{WORKFLOW_API}")[1]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        pytest.param(WorkflowExecution, SPEC, id="we"),
        pytest.param(KubernetesExecution, CHILD, id="ke"),
        pytest.param(WorkflowRecord, {"kind": "WorkflowDefinition"}, id="wr"),
    ],
)
def test_an_object_that_no_run_has_seen_says_so(
    api: Api,
    namespace: str,
    kind: OurKind,
    spec: Body,
) -> None:
    """Contract 2: the status default is stored, the creator's status is not; the spec has none."""
    objects = Objects(api, namespace, kind)
    code, stored = objects.create("fresh", spec=spec, status={"observedGeneration": 1})
    assert code == 201, stored
    assert objects.read("fresh")["status"] == {"observedGeneration": -1}
    assert stored["spec"] == spec
    assert stored["metadata"]["generation"] == 1
    assert kind.model_validate(stored).metadata.name == "fresh"


def test_a_workflow_is_listed_until_it_is_settled(workflows: Objects) -> None:
    """Contract 1.4: `status.settled!=true` also finds what has no status field yet."""
    workflows.made("fresh", SPEC)
    workflows.made("running", SPEC, {"phase": "Executing", "settled": False})
    workflows.made("failing", SPEC, {"phase": "Failed", "settled": False})
    workflows.made("over", SPEC, {"phase": "Failed", "settled": True})
    assert workflows.names("status.settled!=true") == {"fresh", "running", "failing"}
    assert workflows.names("status.settled=true") == {"over"}
    assert workflows.names("status.phase=Failed") == {"failing", "over"}


def test_workflows_and_children_are_found_by_what_they_are_about(
    workflows: Objects, children: Objects
) -> None:
    """Contract 2: selectable fields."""
    workflows.made("one", {"workflowDefinition": {"name": "restart"}})
    workflows.made("two", {"workflowDefinition": {}})
    children.made("a", CHILD, {"phase": "Running"})
    children.made(
        "b", {**CHILD, "action": "Page", "workflowExecutionRef": {**REFERENCE, "name": "v"}}
    )
    assert workflows.names("spec.workflowDefinition.name=restart") == {"one"}
    assert children.names("status.phase=Running") == {"a"}
    assert children.names("spec.workflowExecutionRef.name=v") == {"b"}
    assert children.names("spec.action=Page") == {"b"}


# --- kept -----------------------------------------------------------------------------------


def test_a_forced_apply_replaces_the_steps_whole(workflows: Objects) -> None:
    """Contract 2: never a union that is in no commit."""
    steps = {name: {**STEP, "name": name} for name in "abc"}
    first = workflows.body("w", spec={"workflowDefinition": {"steps": [steps["a"], steps["b"]]}})
    second = workflows.body("w", spec={"workflowDefinition": {"steps": [steps["a"], steps["c"]]}})
    workflows.api.apply(f"{workflows.path}/w", first, manager="kubectl")
    code, stored = workflows.api.apply(f"{workflows.path}/w", second, manager="reconciler")
    assert code == 200, stored
    assert [step["name"] for step in stored["spec"]["workflowDefinition"]["steps"]] == ["a", "c"]


def test_an_apply_leaves_the_controls_that_others_set(workflows: Objects) -> None:
    """Contract 2: who applies without suspend, cancel and approvals owns none of them."""
    body = workflows.body("w", spec=SPEC | {"approvals": [{"step": "a"}]})
    workflows.api.apply(f"{workflows.path}/w", body, manager="reconciler")
    workflows.patch("w", {"suspend": True})
    by_hand = workflows.body("w", spec={"approvals": [{"step": "b", "by": "kim"}]})
    workflows.api.apply(f"{workflows.path}/w", by_hand, manager="kim")
    code, stored = workflows.api.apply(f"{workflows.path}/w", body, manager="reconciler")
    assert code == 200, stored
    assert stored["spec"]["suspend"] is True
    assert stored["spec"]["approvals"] == [{"step": "a"}, {"step": "b", "by": "kim"}]


def test_1000_steps_with_the_longest_names_are_applied_run_and_recorded(
    workflows: Objects,
) -> None:
    """Contract 2: the object stays under etcd's limit, its managed fields stay small."""
    names = [f"{number:04}{'x' * 59}" for number in range(1000)]
    steps = [
        {**STEP, "name": name, "dependsOn": [names[number - 1]] if number else []}
        for number, name in enumerate(names)
    ]
    body = workflows.body("w", spec={"workflowDefinition": {"steps": steps}})
    code, stored = workflows.api.apply(f"{workflows.path}/w", body, manager="reconciler")
    assert code == 201, stored
    assert len(json.dumps(stored["metadata"]["managedFields"])) < 1024
    results = tuple(
        StepResult(
            step_name=name,
            status=StepStatus.FAILED,
            execution_ref=child_name("w", UID, name, 5),
            execution_uid=UID,
            reserved_at=NOW,
            healed_at=NOW,
            execution_start_time=NOW,
            execution_end_time=NOW,
            last_error="x" * 256,
        )
        for name in names
    )
    status = WorkflowStatus(execution_plan=tuple(names), step_results=results).wire()
    version = stored["metadata"]["resourceVersion"]
    written = workflows.body("w", metadata={"resourceVersion": version}, status=status)
    code, stored = workflows.api.put(f"{workflows.path}/w/status", written)
    assert code == 200, stored
    assert stored["status"] == status
    assert len(stored["spec"]["workflowDefinition"]["steps"]) == 1000


# --- status and spec ------------------------------------------------------------------------


def test_a_status_is_written_by_a_body_without_spec_labels_or_annotations(
    workflows: Objects,
) -> None:
    """Contract 1.6: it carries name, version and status; the rest of the object stays."""
    kept = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    _, before = workflows.create("w", metadata=kept, spec=SPEC)
    version, uid = (before["metadata"][key] for key in ("resourceVersion", "uid"))
    status = {"phase": "Pending", "observedGeneration": 1}
    body = workflows.body("w", metadata={"resourceVersion": version, "uid": uid}, status=status)
    code, after = workflows.api.put(f"{workflows.path}/w/status", body)
    assert code == 200, after
    assert after["status"] == status
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert {key: after["metadata"].get(key) for key in kept} == kept
    again = workflows.api.put(f"{workflows.path}/w/status", body)
    assert (again[0], again[1]["reason"]) == (409, "Conflict")


def test_a_status_that_says_the_same_moves_no_version(workflows: Objects) -> None:
    """Contract 1.7: which is why a step that is healed gets its healedAt."""
    before = workflows.made("w", SPEC, {"phase": "Executing"})
    version = {"resourceVersion": before["metadata"]["resourceVersion"]}
    body = workflows.body("w", metadata=version, status={"phase": "Executing"})
    body["status"]["observedGeneration"] = -1
    code, after = workflows.api.put(f"{workflows.path}/w/status", body)
    assert code == 200, after
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        pytest.param({}, 422, "Invalid", id="no-version"),
        pytest.param({"resourceVersion": "1"}, 409, "Conflict", id="another-version"),
        pytest.param({"uid": UID}, 409, "Conflict", id="another-uid"),
    ],
)
def test_a_status_is_written_only_to_the_object_that_was_read(
    workflows: Objects, metadata: Body, code: int, reason: str
) -> None:
    """Contract 1.6: compare and swap; a namesake made later is another object."""
    stored = workflows.made("w", SPEC)
    if "uid" in metadata:
        metadata = metadata | {"resourceVersion": stored["metadata"]["resourceVersion"]}
    body = workflows.body("w", metadata=metadata, status={"phase": "Pending"})
    answer = workflows.api.put(f"{workflows.path}/w/status", body)
    assert (answer[0], answer[1]["reason"]) == (code, reason)


def test_neither_door_moves_what_is_behind_the_other(workflows: Objects) -> None:
    """Contract 2: spec from git, status from the reconciler."""
    before = workflows.made("w", SPEC, {"phase": "Pending"})
    changed = before | {
        "spec": {"workflowDefinition": {"version": "2"}},
        "status": {"phase": "Completed", "observedGeneration": 1},
    }
    _, by_spec = workflows.api.put(f"{workflows.path}/w", changed)
    assert (by_spec["spec"], by_spec["status"]) == (changed["spec"], before["status"])
    changed["metadata"] = by_spec["metadata"]
    changed["spec"] = SPEC
    _, by_status = workflows.api.put(f"{workflows.path}/w/status", changed)
    assert (by_status["spec"], by_status["status"]) == (by_spec["spec"], changed["status"])


# --- shown ----------------------------------------------------------------------------------


def condition(type_: str, status: str, reason: str) -> Body:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "lastTransitionTime": "2026-03-01T12:00:00Z",
    }


def test_a_table_of_workflows_reads_from_left_to_right(workflows: Objects) -> None:
    """Contract 2, printer columns: fresh, executing, completed."""
    annotation = {"annotations": {"kubernaut.ai/commit": "4d6f1c0"}}
    workflows.create("a-fresh", spec=SPEC)
    workflows.create("b-executing", metadata=annotation, spec=SPEC)
    workflows.create("c-completed", metadata=annotation, spec=SPEC)
    executing = {
        "phase": "Executing",
        "progress": "3/7",
        "activeSteps": 2,
        "executionStartTime": "2026-03-01T12:00:00Z",
        "conditions": [
            condition("Valid", "True", "Valid"),
            condition("Ready", "Unknown", "Executing"),
        ],
    }
    completed = executing | {
        "phase": "Completed",
        "progress": "7/7",
        "activeSteps": 0,
        "executionEndTime": "2026-03-01T12:00:00Z",
        "conditions": [condition("Ready", "True", "Succeeded")],
    }
    for name, status in (("b-executing", executing), ("c-completed", completed)):
        workflows.api.patch(f"{workflows.path}/{name}/status", {"status": status})
    rows = workflows.table()
    assert [_without_times(row) for row in rows] == [
        {
            "Name": "a-fresh", "Ready": None, "Phase": None, "Steps": None, "Active": None,
            "Reason": None, "Commit": None,
        },
        {
            "Name": "b-executing", "Ready": "Unknown", "Phase": "Executing", "Steps": "3/7",
            "Active": 2, "Reason": "Executing", "Commit": "4d6f1c0",
        },
        {
            "Name": "c-completed", "Ready": "True", "Phase": "Completed", "Steps": "7/7",
            "Active": 0, "Reason": "Succeeded", "Commit": "4d6f1c0",
        },
    ]  # fmt: skip
    times = [[bool(row[title]) for title in ("Age", "Started", "Finished")] for row in rows]
    assert times == [[True, False, False], [True, True, False], [True, True, True]]


def test_a_table_of_children_says_which_step_of_which_workflow(children: Objects) -> None:
    """Contract 2, printer columns of a KubernetesExecution."""
    children.made("c", CHILD | {"attempt": 2}, {"phase": "Failed", "reason": "Late"})
    (row,) = children.table()
    assert _without_times(row) == {
        "Name": "c", "Phase": "Failed", "Workflow": "w", "Step": "a", "Action": "Notify",
        "Attempt": 2, "Reason": "Late", "Commit": None,
    }  # fmt: skip


def test_a_table_of_records_shows_the_latest_content(records: Objects) -> None:
    """Contract 5: `kubectl get wr` is the history."""
    old = {"content": "v1:0", "state": "dropped", "run": "restart-0", "phase": "Failed"}
    new = {
        "content": "v1:1",
        "state": "created",
        "run": "restart-1",
        "phase": "Completed",
        "progress": "7/7",
        "commit": "4d6f1c0",
        "startTime": "2026-03-01T12:00:00Z",
        "endTime": "2026-03-01T12:00:00Z",
    }
    records.made("restart", {}, {"contents": [new, old]})
    records.made("unwritten", {})
    restart, unwritten = records.table()
    assert _without_times(restart) == {
        "Name": "restart", "State": "created", "Run": "restart-1", "Phase": "Completed",
        "Steps": "7/7", "Commit": "4d6f1c0",
    }  # fmt: skip
    assert {*_without_times(unwritten).values()} == {"unwritten", None}


def _without_times(row: Body) -> Body:
    """Relative to now, so no test can know them."""
    return {
        title: cell for title, cell in row.items() if title not in {"Age", "Started", "Finished"}
    }
