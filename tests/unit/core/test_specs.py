"""A spec as stated: read strictly, or refused with field and sentence (contract 2, 4 and 5)."""

import pytest

from tests.unit.core.stated import STEP, doc, one, refused


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param("  suspend: true\n  cancel: false\n", id="suspend-and-cancel"),
        pytest.param("  failurePolicy: Continue\n  timeout: 1h30m\n", id="continue-and-timeout"),
        pytest.param("  assumeCompleted: [a]\n  maxConcurrentSteps: 100\n", id="assume-completed"),
        pytest.param(
            "  notBefore: 2026-01-02T03:04:05Z\n  notAfter: '2026-01-02T03:04:05.5+02:00'\n",
            id="not-before-and-not-after",
        ),
        pytest.param("  serviceAccountName: surgeon\n  approvals: []\n", id="service-account"),
    ],
)
def test_every_other_field_of_the_spec_may_be_stated(spec: str) -> None:
    """Contract 2: the spec of a WorkflowExecution."""
    assert set(one(doc(spec=spec)).spec) > {"workflowDefinition"}


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        pytest.param(
            doc(steps=f"[{{{STEP}, depends_on: []}}]"),
            "steps[0].depends_on",
            "steps[0].depends_on is no field that is known here: did you mean dependsOn?",
            id="a-typo",
        ),
        pytest.param(
            doc(steps=f"[{{{STEP}, xyz: 1}}]"),
            "steps[0].xyz",
            "steps[0].xyz is no field that is known here; known are name, action, parameters, "
            "targetResource, timeout, dependsOn, retries, requiresApproval",
            id="an-unknown-field",
        ),
        pytest.param(
            doc(steps="[{name: a}]"), "steps[0].action", "steps[0].action is required", id="missing"
        ),
        pytest.param(
            doc(spec="  serviceAccountName: ../admin\n"),
            "spec.serviceAccountName",
            "serviceAccountName must be the name of a ServiceAccount: a-z, 0-9, '-' and '.', "
            "beginning and ending with a letter or a digit",
            id="an-identity-that-is-a-path",
        ),
        pytest.param(
            doc(steps=f"[{{{STEP}, retries: '1'}}]"),
            "steps[0].retries",
            "steps[0].retries must be a whole number, without quotes",
            id="text-as-number",
        ),
        pytest.param(
            doc(steps=f"[{{{STEP}, retries: 1.0}}]"),
            "steps[0].retries",
            "steps[0].retries must be a whole number",
            id="decimal-as-number",
        ),
        pytest.param(
            doc(steps=f"[{{{STEP}, retries: 6}}]"),
            "steps[0].retries",
            "steps[0].retries must be 5 or less",
            id="too-many",
        ),
        pytest.param(
            doc(spec="  maxConcurrentSteps: 0\n"),
            "spec.maxConcurrentSteps",
            "maxConcurrentSteps must be 1 or more",
            id="too-few",
        ),
        pytest.param(
            doc(spec="  suspend: 'true'\n"),
            "spec.suspend",
            "suspend must be true or false, without quotes",
            id="text-as-boolean",
        ),
        pytest.param(
            doc(spec="  timeout: 5\n"), "spec.timeout", "timeout must be text", id="number-as-text"
        ),
        pytest.param(
            doc(spec="  timeout: 5 minutes\n"),
            "spec.timeout",
            "timeout must be a duration of h, m, s or ms, as in 90s, 5m or 1h30m",
            id="no-duration",
        ),
        pytest.param(
            doc(spec="  timeout: 200h\n"),
            "spec.timeout",
            "timeout 200h must lie between 1s and 168h",
            id="too-long-a-duration",
        ),
        pytest.param(
            doc(spec="  failurePolicy: failfast\n"),
            "spec.failurePolicy",
            "failurePolicy must be 'FailFast' or 'Continue'",
            id="no-such-word",
        ),
        pytest.param(
            doc(spec="  notBefore: 2026-01-02\n"),
            "spec.notBefore",
            "notBefore must be a time with its zone, as in 2026-01-02T03:04:05Z",
            id="a-date-as-time",
        ),
        pytest.param(
            doc(spec="  timeout:\n"),
            "spec.timeout",
            "timeout has no value: give it one or leave it out",
            id="no-value",
        ),
        pytest.param(
            doc(steps=f"[{{{STEP}, dependsOn: [~]}}]"),
            "steps[0].dependsOn[0]",
            "steps[0].dependsOn[0] has no value",
            id="no-value-in-a-list",
        ),
        pytest.param(doc(steps="{}"), "steps", "steps must be a list", id="mapping-as-list"),
        pytest.param(doc(steps="[x]"), "steps[0]", "steps[0] must be a mapping", id="text-as-step"),
        pytest.param(
            doc(steps=f"[{{{STEP}, parameters: {{custom: {{a: 1}}}}}}]"),
            "steps[0].parameters.custom.a",
            "steps[0].parameters.custom.a must be text",
            id="number-in-custom",
        ),
        pytest.param(
            doc(spec="  workflowDefinition: {}\n".replace("workflowDefinition", "steps")),
            "spec.steps",
            "steps is no field that is known here",
            id="steps-one-level-up",
        ),
        pytest.param(
            doc(spec="  approvals: [{step: a}, {step: a}]\n"),
            "spec.approvals[1].step",
            "approvals name 'a' twice",
            id="approved-twice",
        ),
        pytest.param(
            doc(steps=f"[{{{STEP}, dependsOn: [b]}}]"),
            "steps[0].dependsOn[0]",
            "step a: depends on 'b', which is no step",
            id="missing-dependency",
        ),
        pytest.param(
            doc(steps=f"[{{{STEP}, dependsOn: [a]}}]"),
            "steps[0].dependsOn[0]",
            "step a: depends on itself: a -> a",
            id="itself",
        ),
        pytest.param(
            doc(steps=f"[{{{STEP}}}, {{{STEP}}}]"),
            "steps[1].name",
            "step a: the name is used twice, first by steps[0]",
            id="duplicate-step",
        ),
        pytest.param(
            doc(steps="[{name: a, action: Dance}]"),
            "steps[0].action",
            "step a: action 'Dance' is not in the catalogue",
            id="unknown-action",
        ),
        pytest.param(
            doc(steps=f"[{', '.join(f'{{name: s{n}, action: A}}' for n in range(1001))}]"),
            "steps",
            "steps must have at most 1000 items, not 1001",
            id="1001-steps",
        ),
    ],
)
def test_a_spec_is_refused_with_its_field_and_a_sentence(
    text: str, field: str, message: str
) -> None:
    """Contract 5: reported with file, line and reason; contract 4: with step and field."""
    [problem] = refused(text)
    assert problem.field.removeprefix("spec.workflowDefinition.") == field
    assert problem.message.startswith(message)


def test_a_cycle_is_told_with_exactly_its_steps() -> None:
    """Contract 4: never those that are only downstream of it."""
    wait = "action: RolloutStatus, parameters: {rolloutStatus: {deploymentName: x}}, dependsOn"
    steps = ", ".join(
        f"{{name: {name}, {wait}: [{other}]}}" for name, other in ("ab", "bc", "ca", "da")
    )
    [problem] = refused(doc(steps=f"[{steps}]"))
    assert problem.reason == "CycleDetected"
    assert problem.message.endswith("in a cycle: a -> b -> c -> a")
