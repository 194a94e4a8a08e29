"""Models and CRDs say the same: what one refuses the other refuses, any object makes the round."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from pydantic import ValidationError

from reconciler.core.api import (
    Kind,
    KubernetesExecution,
    WorkflowExecution,
    WorkflowRecord,
    rfc3339,
)
from reconciler.crds import Schema, crds

KINDS: Mapping[str, type[Kind]] = {
    "WorkflowExecution": WorkflowExecution,
    "KubernetesExecution": KubernetesExecution,
    "WorkflowRecord": WorkflowRecord,
}
ROOTS: Mapping[str, Schema] = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in crds()
}

Document = dict[str, Any]

KEYS = re.compile(r"[-._a-zA-Z0-9]{1,8}")


def accepts(schema: Schema, document: object) -> bool:
    judge = OAS30Validator(schema, format_checker=oas30_format_checker)
    return bool(judge.is_valid(document))


def takes(kind: type[Kind], document: Document) -> bool:
    """As documents are read: JSON, strictly."""
    whole = {"metadata": {"name": "w"}, **document}
    try:
        kind.model_validate_json(json.dumps(whole), strict=True)
    except ValidationError:
        return False
    return True


def we(**spec: object) -> Document:
    return {"spec": {"workflowDefinition": {}, **spec}}


def one(**step: object) -> Document:
    return {"spec": {"workflowDefinition": {"steps": [{"name": "a", "action": "A", **step}]}}}


def status(**fields: object) -> Document:
    return {**we(), "status": fields}


def with_condition(**fields: object) -> Document:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Succeeded",
        "lastTransitionTime": "2026-03-01T12:00:00Z",
    }
    return status(conditions=[ready | fields])


def ke(**spec: object) -> Document:
    dull = {
        "workflowExecutionRef": {"name": "w", "uid": "u"},
        "stepName": "a",
        "attempt": 0,
        "action": "A",
        "timeout": "5m",
    }
    return {"spec": dull | spec}


def wr(**entry: object) -> Document:
    dull = {"content": f"v1:{'0' * 64}", "state": "created"}
    return {"status": {"contents": [dull | entry]}}


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        pytest.param("WorkflowExecution", we(), id="the-least-workflow"),
        pytest.param("WorkflowExecution", we(workflowDefinition={"steps": []}), id="no-steps"),
        pytest.param(
            "WorkflowExecution",
            we(
                workflowDefinition={"name": "Restart the checkout", "version": "3"},
                assumeCompleted=["a"],
                maxConcurrentSteps=100,
                failurePolicy="Continue",
                timeout="168h",
                notBefore="2026-03-01T12:00:00Z",
                notAfter="2026-03-01T12:00:00.5+01:00",
                ttlSecondsAfterSettled=0,
                suspend=True,
                cancel=False,
                approvals=[{"step": "a", "by": "kim", "reason": "seen"}],
                serviceAccountName="",
            ),
            id="every-field-of-a-workflow",
        ),
        pytest.param(
            "WorkflowExecution",
            one(
                parameters={"scaleDeployment": {"replicas": 1000}},
                targetResource={"apiVersion": "apps/v1", "kind": "Deployment", "name": "a.b"},
                timeout="1h30m",
                dependsOn=["b"] * 100,
                retries=5,
                requiresApproval=True,
            ),
            id="every-field-of-a-step",
        ),
        pytest.param("WorkflowExecution", one(name="A" * 63), id="a-step-name-of-63"),
        pytest.param("WorkflowExecution", one(name="a_b.c-D"), id="a-step-name-with-all-signs"),
        pytest.param("WorkflowExecution", one(parameters={}), id="empty-parameters"),
        pytest.param(
            "WorkflowExecution",
            one(parameters={"custom": {f"k{number}": "v" * 4096 for number in range(64)}}),
            id="the-largest-custom",
        ),
        pytest.param("WorkflowExecution", status(phase=""), id="no-phase-yet"),
        pytest.param(
            "WorkflowExecution",
            status(stepResults=[{"stepName": "a", "status": "Skipped"}]),
            id="the-least-result",
        ),
        pytest.param("WorkflowExecution", with_condition(type="a.b/Ready"), id="a-prefixed-type"),
        pytest.param("KubernetesExecution", ke(), id="the-least-child"),
        pytest.param(
            "KubernetesExecution", ke() | {"status": {"phase": "Dreaming"}}, id="a-foreign-phase"
        ),
        pytest.param("WorkflowRecord", {}, id="an-empty-record"),
        pytest.param("WorkflowRecord", wr(), id="the-least-entry"),
    ],
)
def test_models_and_crds_take_the_same(kind: str, document: Document) -> None:
    """Contract 2: what a run can read the server can hold."""
    assert takes(KINDS[kind], document)
    assert accepts(ROOTS[kind], document)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        pytest.param("WorkflowExecution", {}, id="no-spec"),
        pytest.param("WorkflowExecution", {"spec": {}}, id="no-definition"),
        pytest.param("WorkflowExecution", {"spec": []}, id="a-spec-that-is-a-list"),
        pytest.param("WorkflowExecution", we(workflowDefinition=None), id="a-null-definition"),
        pytest.param("WorkflowExecution", we(workflowDefinition={"version": 3}), id="a-bare-3"),
        pytest.param("WorkflowExecution", we(workflowDefinition={"name": ""}), id="an-empty-name"),
        pytest.param(
            "WorkflowExecution",
            we(
                workflowDefinition={
                    "steps": [{"name": f"s{number}", "action": "A"} for number in range(1001)]
                }
            ),
            id="1001-steps",
        ),
        pytest.param(
            "WorkflowExecution", we(workflowDefinition={"steps": [{"name": "a"}]}), id="no-action"
        ),
        pytest.param("WorkflowExecution", we(serviceAccountName="../a"), id="an-account-of-a-path"),
        pytest.param("WorkflowExecution", one(name="a" * 64), id="a-step-name-of-64"),
        pytest.param("WorkflowExecution", one(name=""), id="a-step-without-name"),
        pytest.param("WorkflowExecution", one(name="-a"), id="a-step-name-with-a-dash-first"),
        pytest.param("WorkflowExecution", one(name="a."), id="a-step-name-with-a-dot-last"),
        pytest.param("WorkflowExecution", one(name="ä"), id="a-step-name-beyond-ascii"),
        pytest.param("WorkflowExecution", one(action="scale"), id="an-action-in-lower-case"),
        pytest.param("WorkflowExecution", one(action="Scale_1"), id="an-action-with-a-sign"),
        pytest.param("WorkflowExecution", one(action="A" * 64), id="an-action-of-64"),
        pytest.param("WorkflowExecution", one(retries=6), id="six-retries"),
        pytest.param("WorkflowExecution", one(retries=-1), id="retries-below-nothing"),
        pytest.param("WorkflowExecution", one(retries="1"), id="retries-in-quotes"),
        pytest.param("WorkflowExecution", one(retries=1.5), id="half-a-retry"),
        pytest.param("WorkflowExecution", one(requiresApproval="true"), id="a-truth-in-quotes"),
        pytest.param("WorkflowExecution", one(timeout="5 m"), id="a-duration-with-a-blank"),
        pytest.param("WorkflowExecution", one(timeout="1.5h"), id="a-duration-with-a-fraction"),
        pytest.param("WorkflowExecution", one(timeout="1d"), id="a-duration-in-days"),
        pytest.param("WorkflowExecution", one(timeout=300), id="a-duration-that-is-a-number"),
        pytest.param("WorkflowExecution", one(timeout=""), id="an-empty-duration"),
        pytest.param("WorkflowExecution", one(dependsOn="b"), id="a-dependency-outside-a-list"),
        pytest.param("WorkflowExecution", one(dependsOn=["b"] * 101), id="101-dependencies"),
        pytest.param("WorkflowExecution", one(dependsOn=[None]), id="a-null-dependency"),
        pytest.param(
            "WorkflowExecution", one(parameters={"scaleDeployment": {}}), id="no-replicas"
        ),
        pytest.param(
            "WorkflowExecution",
            one(parameters={"scaleDeployment": {"replicas": 1001}}),
            id="1001-replicas",
        ),
        pytest.param(
            "WorkflowExecution",
            one(parameters={"scaleDeployment": {"deploymentName": "Checkout", "replicas": 1}}),
            id="an-object-name-in-upper-case",
        ),
        pytest.param(
            "WorkflowExecution",
            one(parameters={"drainNode": {"nodeName": "n", "gracePeriodSeconds": 3601}}),
            id="a-grace-of-over-an-hour",
        ),
        pytest.param(
            "WorkflowExecution", one(parameters={"patchConfigMap": {"data": {}}}), id="empty-data"
        ),
        pytest.param(
            "WorkflowExecution",
            one(parameters={"patchConfigMap": {"data": {"a": 1}}}),
            id="data-that-is-a-number",
        ),
        pytest.param(
            "WorkflowExecution",
            one(parameters={"custom": {f"k{number}": "" for number in range(65)}}),
            id="65-custom-values",
        ),
        pytest.param(
            "WorkflowExecution",
            one(parameters={"custom": {"a": "v" * 4097}}),
            id="a-custom-value-of-4097",
        ),
        pytest.param(
            "WorkflowExecution",
            one(parameters={"patchSecret": {"from": [{"key": "a/b"}]}}),
            id="half-a-secret-key",
        ),
        pytest.param("WorkflowExecution", one(targetResource={"name": "a"}), id="half-a-target"),
        pytest.param("WorkflowExecution", we(maxConcurrentSteps=0), id="no-slot"),
        pytest.param("WorkflowExecution", we(maxConcurrentSteps=101), id="101-slots"),
        pytest.param("WorkflowExecution", we(failurePolicy="failfast"), id="another-policy"),
        pytest.param("WorkflowExecution", we(notBefore="2026-03-01"), id="a-date-for-a-time"),
        pytest.param("WorkflowExecution", we(notBefore=1772366400), id="a-number-for-a-time"),
        pytest.param(
            "WorkflowExecution", we(notAfter="2026-02-30T00:00:00Z"), id="a-day-that-is-not"
        ),
        pytest.param("WorkflowExecution", we(ttlSecondsAfterSettled=-1), id="a-ttl-below-nothing"),
        pytest.param("WorkflowExecution", we(approvals=[{"by": "kim"}]), id="approval-of-nothing"),
        pytest.param("WorkflowExecution", status(phase="Dreaming"), id="a-phase-nobody-knows"),
        pytest.param("WorkflowExecution", status(message="x" * 1025), id="a-message-of-1025"),
        pytest.param("WorkflowExecution", status(observedGeneration=-2), id="before-the-first"),
        pytest.param(
            "WorkflowExecution", status(stepResults=[{"stepName": "a"}]), id="a-result-of-none"
        ),
        pytest.param("WorkflowExecution", with_condition(reason=""), id="no-reason"),
        pytest.param("WorkflowExecution", with_condition(reason="two words"), id="two-words"),
        pytest.param("WorkflowExecution", with_condition(status="true"), id="a-status-of-true"),
        pytest.param("WorkflowExecution", with_condition(type="Not ready"), id="a-type-of-two"),
        pytest.param("KubernetesExecution", ke(attempt=-1), id="an-attempt-below-nothing"),
        pytest.param("KubernetesExecution", ke(stepName=""), id="a-child-of-no-step"),
        pytest.param("KubernetesExecution", ke(timeout=None), id="no-timeout"),
        pytest.param(
            "KubernetesExecution", ke(workflowExecutionRef={"name": "w"}), id="no-uid-of-the-owner"
        ),
        pytest.param(
            "KubernetesExecution", ke() | {"status": {"phase": "P" * 64}}, id="a-phase-of-64"
        ),
        pytest.param("WorkflowRecord", wr(state="done"), id="a-state-nobody-knows"),
        pytest.param("WorkflowRecord", wr(content="x" * 81), id="a-content-of-81"),
        pytest.param(
            "WorkflowRecord",
            {"status": {"contents": [{"content": "x", "state": "created"}] * 21}},
            id="21-contents",
        ),
        pytest.param("WorkflowRecord", {"spec": {"kind": "Deployment"}}, id="another-document"),
    ],
)
def test_models_and_crds_refuse_the_same(kind: str, document: Document) -> None:
    """Contract 2: a document that passes here is not refused there, nor the other way round."""
    assert not takes(KINDS[kind], document)
    assert not accepts(ROOTS[kind], document)


@pytest.mark.parametrize(
    ("document", "model", "crd"),
    [
        pytest.param(
            one(parameters={"rolloutStatus": {}, "custom": {}}),
            True,
            False,
            id="two-members-of-parameters-are-the-plan's-to-tell",
        ),
        pytest.param(one(retry=1), False, True, id="an-unknown-field-is-refused-by-strict-writes"),
        pytest.param(
            one(parameters={"custom": {"": "v"}}), False, True, id="a-key's-length-is-a-cel-rule"
        ),
        pytest.param(
            one(parameters={"patchConfigMap": {"data": {"a/b": "v"}}}),
            False,
            True,
            id="a-key's-pattern-is-a-cel-rule",
        ),
        pytest.param(one(timeout=None), True, False, id="a-null-is-dropped-by-the-server"),
    ],
)
def test_where_models_and_crds_differ(document: Document, model: bool, crd: bool) -> None:
    """Contract 2: the whole list of what one of them leaves to somebody else."""
    assert takes(WorkflowExecution, document) is model
    assert accepts(ROOTS["WorkflowExecution"], document) is crd


# --- any object -----------------------------------------------------------------------------


def instances(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that a CRD's schema allows, small ones."""
    made_by = {
        "boolean": lambda _: st.booleans(),
        "integer": lambda each: st.integers(each["minimum"], each["maximum"]),
        "string": texts,
        "array": lists,
        "object": objects,
    }
    return made_by[schema["type"]](schema)


def texts(schema: Schema) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "date-time":
        instants = st.datetimes(
            datetime(1000, 1, 1),  # noqa: DTZ001  # hypothesis wants bounds without zone
            datetime(2999, 12, 31),  # noqa: DTZ001  # the same
            timezones=st.just(UTC),
        )
        return instants.map(rfc3339)
    shortest, longest = schema.get("minLength", 0), schema["maxLength"]
    if "pattern" in schema:
        return st.from_regex(re.compile(schema["pattern"]), fullmatch=True).filter(
            lambda text: shortest <= len(text) <= longest
        )
    return st.text(min_size=shortest, max_size=min(longest, shortest + 8))


def lists(schema: Schema) -> st.SearchStrategy[list[Any]]:
    shortest = schema.get("minItems", 0)
    keys = schema.get("x-kubernetes-list-map-keys")
    return st.lists(
        instances(schema["items"]),
        min_size=shortest,
        max_size=shortest + 2,
        unique_by=(lambda item: tuple(item[key] for key in keys)) if keys else None,
    )


def objects(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "additionalProperties" in schema:
        shortest = schema.get("minProperties", 0)
        return st.dictionaries(
            st.from_regex(KEYS, fullmatch=True),
            instances(schema["additionalProperties"]),
            min_size=shortest,
            max_size=shortest + 2,
        )
    fields = {name: instances(each) for name, each in schema["properties"].items()}
    if schema.get("maxProperties") == 1:
        members = [st.fixed_dictionaries({name: each}) for name, each in fields.items()]
        return st.one_of(st.just({}), *members)
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: each for name, each in fields.items() if name not in required},
    )


PARTS = {
    kind: st.fixed_dictionaries(
        {part: instances(ROOTS[kind]["properties"][part]) for part in ("spec", "status")}
    )
    for kind in KINDS
}


@pytest.mark.parametrize("kind", KINDS)
@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_every_object_that_the_server_holds_is_read_and_written_whole(
    kind: str, data: st.DataObject
) -> None:
    """Contract 2: no stored object is unreadable, and none loses anything on its way through us."""
    stored = {"metadata": {"name": "w"}, **data.draw(PARTS[kind])}
    read = KINDS[kind].model_validate_json(json.dumps(stored))
    written = read.wire()
    assert accepts(ROOTS[kind], stored)
    assert accepts(ROOTS[kind], written)
    assert KINDS[kind].model_validate(written) == read
