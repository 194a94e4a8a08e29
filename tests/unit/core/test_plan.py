"""Steps -> an order, or findings that name step and field (contract 4, Planning)."""

import graphlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.actions import ACTIONS
from reconciler.core.api import (
    CordonNode,
    DeletePod,
    DrainNode,
    Parameters,
    PatchConfigMap,
    PatchSecret,
    Phase,
    RestartDeployment,
    RolloutStatus,
    ScaleDeployment,
    SecretKey,
    Step,
    TargetResource,
    UncordonNode,
    UpdateImage,
    WorkflowExecution,
    WorkflowSpec,
    WorkflowStatus,
)
from reconciler.core.plan import Finding, duration, go_duration, plan, plan_of, step_timeout
from tests.builders import approved, step, workflow

DEPLOYMENT = TargetResource(api_version="apps/v1", kind="Deployment", name="checkout")

# One step a character pair: name, then what it depends on.
Graph = Sequence[tuple[str, str]]


def spec(graph: Graph) -> WorkflowSpec:
    return workflow(*(step(name, depends_on=tuple(after)) for name, after in graph)).spec


def chain(length: int) -> list[Step]:
    names = [f"s{number}" for number in range(length)]
    return [
        step(name, depends_on=(names[number - 1],) if number else ())
        for number, name in enumerate(names)
    ]


def only(found: Sequence[Finding]) -> Finding:
    (finding,) = found
    return finding


# --- orders ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("graph", "order"),
    [
        pytest.param([], "", id="nothing-to-do"),
        pytest.param([("a", "")], "a", id="one-step"),
        pytest.param([("a", ""), ("b", "a"), ("c", "b")], "abc", id="a-line"),
        pytest.param([("c", "b"), ("b", "a"), ("a", "")], "abc", id="a-line-written-backwards"),
        pytest.param([("c", ""), ("a", ""), ("b", "")], "cab", id="independent-as-written"),
        pytest.param([("a", ""), ("b", "a"), ("c", "a"), ("d", "bc")], "abcd", id="a-diamond"),
        pytest.param(
            [("a", ""), ("c", "a"), ("b", "a"), ("d", "bc")],
            "acbd",
            id="a-diamond-right-side-first",
        ),
        pytest.param([("d", "abc"), ("a", ""), ("b", ""), ("c", "")], "abcd", id="a-join"),
        pytest.param(
            [("a", ""), ("b", ""), ("c", ""), ("x", "abc"), ("y", "abc")],
            "abcxy",
            id="fork-and-join",
        ),
        pytest.param(
            [("a", ""), ("b", "a"), ("x", ""), ("y", "x")],
            "abxy",
            id="two-chains-one-after-another",
        ),
        pytest.param(
            [("a", ""), ("x", ""), ("b", "a"), ("y", "x")], "axby", id="two-chains-interleaved"
        ),
        pytest.param(
            [("b", "a"), ("x", ""), ("a", "")], "xab", id="a-step-that-waits-lets-a-later-one-pass"
        ),
        pytest.param([("a", ""), ("b", "aa")], "ab", id="a-dependency-stated-twice-counts-once"),
    ],
)
def test_steps_run_in_topological_order_and_else_as_written(graph: Graph, order: str) -> None:
    """Contract 4, Planning: among the ready, the order of the definition."""
    planned = plan(spec(graph))
    assert planned.valid
    assert planned.order == tuple(order)


@pytest.mark.parametrize("length", [100, 1000], ids=["a-hundred", "a-thousand"])
def test_a_long_chain_is_put_in_order_however_it_is_written(length: int) -> None:
    """Contract 2: up to 1,000 steps."""
    steps = chain(length)
    backwards_and_apart = [*steps[1::2], *reversed(steps[::2])]
    assert plan(workflow(*backwards_and_apart).spec).order == tuple(each.name for each in steps)


# --- cycles ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("graph", "cycle"),
    [
        pytest.param([("a", "b"), ("b", "a")], "a -> b -> a", id="two-steps"),
        pytest.param([("a", "c"), ("b", "a"), ("c", "b")], "a -> c -> b -> a", id="three-steps"),
        pytest.param(
            [("x", "b"), ("y", "x"), ("a", "b"), ("b", "a")],
            "a -> b -> a",
            id="what-is-only-behind-the-cycle-is-not-named",
        ),
        pytest.param(
            [("r", ""), ("a", "rb"), ("b", "a")],
            "a -> b -> a",
            id="what-the-cycle-waits-for-is-not-named",
        ),
        pytest.param(
            [("x", "a"), ("r", ""), ("a", "rc"), ("b", "ar"), ("c", "rb"), ("y", "cx"), ("z", "")],
            "a -> c -> b -> a",
            id="neither-behind-nor-before",
        ),
        pytest.param(
            [("a", "b"), ("b", "cd"), ("c", "a"), ("d", "b")],
            "a -> b -> c -> a",
            id="of-two-that-meet-one",
        ),
        pytest.param(
            [("z", "y"), ("y", "z"), ("a", "b"), ("b", "a")], "z -> y -> z", id="of-two-apart-one"
        ),
    ],
)
def test_a_cycle_names_exactly_the_steps_on_it_in_order(graph: Graph, cycle: str) -> None:
    """Contract 4, Planning: `a -> b -> a`, each step followed by one that it depends on."""
    planned = plan(spec(graph))
    finding = only(planned.findings)
    first = [name for name, _ in graph].index(finding.step)
    assert planned.order == ()
    assert finding == Finding(
        field=f"spec.workflowDefinition.steps[{first}].dependsOn",
        message=f"the steps depend on each other in a cycle: {cycle}",
        reason="CycleDetected",
        step=cycle[0],
    )


def test_a_cycle_through_every_one_of_1000_steps_is_found() -> None:
    """Contract 4, Planning: however long it is."""
    first, *rest = chain(1000)
    closed = replace(first, depends_on=("s999",))
    finding = only(plan(workflow(closed, *rest).spec).findings)
    _, _, cycle = finding.message.partition(": ")
    assert cycle.split(" -> ") == ["s0", *(f"s{number}" for number in range(999, -1, -1))]


# --- findings -------------------------------------------------------------------------------

STEPS = "spec.workflowDefinition.steps"


@pytest.mark.parametrize(
    ("refused", "finding"),
    [
        pytest.param(
            workflow(step("a"), step("b"), step("a")),
            Finding(
                f"{STEPS}[2].name",
                "the name is used twice, first by steps[0]",
                "DuplicateStep",
                "a",
            ),
            id="a-name-used-twice",
        ),
        pytest.param(
            workflow(step("a"), step("b", depends_on=("a", "c"))),
            Finding(
                f"{STEPS}[1].dependsOn[1]",
                "depends on 'c', which is no step",
                "MissingDependency",
                "b",
            ),
            id="a-dependency-that-is-no-step",
        ),
        pytest.param(
            workflow(step("A"), step("b", depends_on=("a",))),
            Finding(
                f"{STEPS}[1].dependsOn[0]",
                "depends on 'a', which is no step",
                "MissingDependency",
                "b",
            ),
            id="names-are-case-sensitive",
        ),
        pytest.param(
            workflow(step("a", depends_on=("a",)), step("b", depends_on=("a",))),
            Finding(f"{STEPS}[0].dependsOn[0]", "depends on itself: a -> a", "CycleDetected", "a"),
            id="a-step-that-depends-on-itself",
        ),
        pytest.param(
            workflow(step("a"), approvals=approved("a", "b")),
            Finding(
                "spec.approvals[1].step", "approvals names 'b', which is no step", "MissingStep"
            ),
            id="an-approval-of-no-step",
        ),
        pytest.param(
            workflow(step("a"), approvals=approved("a", "a")),
            Finding("spec.approvals[1].step", "approvals name 'a' twice", "DuplicateApproval"),
            id="an-approval-given-twice",
        ),
        pytest.param(
            workflow(step("a"), assume_completed=("b",)),
            Finding(
                "spec.assumeCompleted[0]",
                "assumeCompleted names 'b', which is no step",
                "MissingStep",
            ),
            id="no-step-is-assumed",
        ),
        pytest.param(
            workflow(step("a", action="Reboot", parameters=None)),
            Finding(
                f"{STEPS}[0].action",
                "action 'Reboot' is not in the catalogue (ScaleDeployment, RestartDeployment, "
                "UpdateImage, RolloutStatus, DeletePod, PatchConfigMap, PatchSecret, CordonNode, "
                "UncordonNode, DrainNode); for an executor of your own state parameters.custom",
                "UnknownAction",
                "a",
            ),
            id="an-action-nobody-knows",
        ),
        pytest.param(
            workflow(
                step("a", action="Reboot", parameters=Parameters(rollout_status=RolloutStatus()))
            ),
            Finding(
                f"{STEPS}[0].action",
                "action 'Reboot' is not in the catalogue (ScaleDeployment, RestartDeployment, "
                "UpdateImage, RolloutStatus, DeletePod, PatchConfigMap, PatchSecret, CordonNode, "
                "UncordonNode, DrainNode); for an executor of your own state parameters.custom",
                "UnknownAction",
                "a",
            ),
            id="an-action-nobody-knows-with-parameters-of-another",
        ),
        pytest.param(
            workflow(
                step(
                    "a",
                    action="Reboot",
                    parameters=Parameters(custom={}, rollout_status=RolloutStatus()),
                )
            ),
            Finding(
                f"{STEPS}[0].parameters",
                "Reboot takes parameters.custom, not rolloutStatus",
                "WrongParameters",
                "a",
            ),
            id="custom-beside-another-member",
        ),
        pytest.param(
            workflow(
                step(
                    "a",
                    action="CordonNode",
                    parameters=Parameters(
                        cordon_node=CordonNode(node_name="n"), drain_node=DrainNode(node_name="n")
                    ),
                )
            ),
            Finding(
                f"{STEPS}[0].parameters",
                "CordonNode takes parameters.cordonNode, not drainNode",
                "WrongParameters",
                "a",
            ),
            id="two-members",
        ),
        pytest.param(
            workflow(step("a", action="CordonNode", parameters=Parameters(custom={"node": "n"}))),
            Finding(
                f"{STEPS}[0].parameters",
                "CordonNode takes parameters.cordonNode, not custom",
                "WrongParameters",
                "a",
            ),
            id="custom-for-an-action-of-the-catalogue",
        ),
        pytest.param(
            workflow(
                step("a", action="ScaleDeployment", parameters=None, target_resource=DEPLOYMENT)
            ),
            Finding(
                f"{STEPS}[0].parameters",
                "ScaleDeployment needs parameters.scaleDeployment with replicas",
                "MissingParameters",
                "a",
            ),
            id="parameters-that-no-default-fills",
        ),
        pytest.param(
            workflow(step("a", action="UpdateImage", parameters=Parameters())),
            Finding(
                f"{STEPS}[0].parameters",
                "UpdateImage needs parameters.updateImage with containerName, image",
                "MissingParameters",
                "a",
            ),
            id="empty-parameters",
        ),
        pytest.param(
            workflow(step("a", action="DeletePod", parameters=Parameters(delete_pod=DeletePod()))),
            Finding(
                f"{STEPS}[0].parameters",
                "DeletePod needs parameters.deletePod.podName or targetResource.name",
                "MissingParameters",
                "a",
            ),
            id="nothing-says-what-to-work-on",
        ),
        pytest.param(
            workflow(step("a", timeout="999ms")),
            Finding(
                f"{STEPS}[0].timeout",
                "timeout 999ms must lie between 1s and 24h",
                "TimeoutOutOfBounds",
                "a",
            ),
            id="a-step-timeout-under-a-second",
        ),
        pytest.param(
            workflow(step("a", timeout="24h1ms")),
            Finding(
                f"{STEPS}[0].timeout",
                "timeout 24h1ms must lie between 1s and 24h",
                "TimeoutOutOfBounds",
                "a",
            ),
            id="a-step-timeout-over-a-day",
        ),
        pytest.param(
            workflow(step("a"), timeout="169h"),
            Finding(
                "spec.timeout", "timeout 169h must lie between 1s and 168h", "TimeoutOutOfBounds"
            ),
            id="a-workflow-timeout-over-a-week",
        ),
    ],
)
def test_what_is_refused_is_named_with_step_and_field(
    refused: WorkflowExecution, finding: Finding
) -> None:
    """Contract 4, Planning: what valid means, one refusal each."""
    assert plan(refused.spec).findings == (finding,)


def test_every_finding_is_told_at_once() -> None:
    """Contract 4, Planning: who repairs a definition wants to know all of it."""
    broken = workflow(
        step("a", depends_on=("x",)),
        step("a", timeout="0s"),
        step("b", depends_on=("b", "y")),
        timeout="1ms",
        assume_completed=("z",),
    ).spec
    assert [finding.reason for finding in plan(broken).findings] == [
        "DuplicateStep",
        "MissingDependency",
        "TimeoutOutOfBounds",
        "CycleDetected",
        "MissingDependency",
        "TimeoutOutOfBounds",
        "MissingStep",
    ]


def test_the_sentence_of_a_finding_begins_with_its_step() -> None:
    """Contract 4, Planning: the message names the step."""
    of_a_step = only(plan(spec([("a", "b")])).findings)
    of_the_workflow = only(plan(workflow(timeout="1ms").spec).findings)
    assert of_a_step.text == "step a: depends on 'b', which is no step"
    assert of_the_workflow.text == "timeout 1ms must lie between 1s and 168h"


# --- what is valid --------------------------------------------------------------------------

SECRET = SecretKey(key="a", secret_name="rotated", secret_key="b")  # noqa: S106  # names
COMPLETE: Mapping[str, Parameters] = {
    "ScaleDeployment": Parameters(
        scale_deployment=ScaleDeployment(deployment_name="checkout", replicas=0)
    ),
    "RestartDeployment": Parameters(
        restart_deployment=RestartDeployment(deployment_name="checkout")
    ),
    "UpdateImage": Parameters(
        update_image=UpdateImage(deployment_name="checkout", container_name="app", image="app:2")
    ),
    "RolloutStatus": Parameters(rollout_status=RolloutStatus(deployment_name="checkout")),
    "DeletePod": Parameters(delete_pod=DeletePod(pod_name="checkout-0")),
    "PatchConfigMap": Parameters(patch_config_map=PatchConfigMap(name="flags", data={"a": ""})),
    "PatchSecret": Parameters(patch_secret=PatchSecret(name="login", from_=(SECRET,))),
    "CordonNode": Parameters(cordon_node=CordonNode(node_name="node-1")),
    "UncordonNode": Parameters(uncordon_node=UncordonNode(node_name="node-1")),
    "DrainNode": Parameters(drain_node=DrainNode(node_name="node-1")),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_of_the_catalogue_is_valid_with_its_parameters(action: str) -> None:
    """Contract 6: every row of the table."""
    assert plan(workflow(step(action=action, parameters=COMPLETE[action])).spec).valid


@pytest.mark.parametrize("action", [name for name, row in ACTIONS.items() if not row.required])
def test_a_target_stands_for_parameters_that_only_name_it(action: str) -> None:
    """Contract 6: names default to targetResource.name."""
    aimed = step(action=action, parameters=None, target_resource=DEPLOYMENT)
    assert plan(workflow(aimed).spec).valid


def test_an_action_of_the_users_own_is_valid_with_custom_parameters() -> None:
    """Contract 6: accepted with parameters.custom, empty or not."""
    assert plan(workflow(step(action="Reboot", parameters=Parameters(custom={}))).spec).valid


@pytest.mark.parametrize("timeout", ["1s", "1000ms", "24h", "23h59m60s", "1h30m"])
def test_a_step_timeout_within_its_bounds_is_valid(timeout: str) -> None:
    """Contract 2: 1s to 24h, both included."""
    assert plan(workflow(step(timeout=timeout)).spec).valid


@pytest.mark.parametrize("timeout", ["1s", "168h"])
def test_a_workflow_timeout_within_its_bounds_is_valid(timeout: str) -> None:
    """Contract 2: 1s to 168h, both included."""
    assert plan(workflow(step(), timeout=timeout).spec).valid


# --- durations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        pytest.param("0s", timedelta(0), id="nothing"),
        pytest.param("250ms", timedelta(milliseconds=250), id="ms-is-not-m-and-s"),
        pytest.param("5m", timedelta(minutes=5), id="minutes"),
        pytest.param("1h30m", timedelta(minutes=90), id="two-units"),
        pytest.param("1h1m1s1ms", timedelta(seconds=3661, milliseconds=1), id="all-units"),
        pytest.param("1m1m", timedelta(minutes=2), id="a-unit-twice-adds-up"),
        pytest.param("99999h", timedelta(hours=99_999), id="the-longest"),
    ],
)
def test_a_duration_is_what_go_reads(text: str, length: timedelta) -> None:
    """Contract 2: Go durations, in h, m, s and ms."""
    assert duration(text) == length


@pytest.mark.parametrize(
    ("given_step", "length"),
    [
        pytest.param(step(timeout="90s", action="DrainNode"), "90s", id="what-is-stated-wins"),
        pytest.param(step(action="DrainNode"), "15m", id="else-the-catalogue"),
        pytest.param(step(action="CordonNode"), "30s", id="seconds-stay-seconds"),
        pytest.param(step(action="Reboot"), "10m", id="else-ten-minutes"),
    ],
)
def test_a_step_without_a_timeout_takes_that_of_its_action(given_step: Step, length: str) -> None:
    """Contract 6: the column of timeouts; 10m for custom ones."""
    assert go_duration(step_timeout(given_step)) == length


# --- against oracles ------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to eight steps with any dependencies between them, cycles and self-loops included."""
    names = draw(st.permutations("abcdefgh"[: draw(st.integers(0, 8))]))
    return [(name, "".join(draw(st.lists(st.sampled_from(names), max_size=3)))) for name in names]


def acyclic(graph: Graph) -> bool:
    try:
        graphlib.TopologicalSorter({name: set(after) for name, after in graph}).prepare()
    except graphlib.CycleError:
        return False
    return True


def first_ready_first(graph: Graph) -> tuple[str, ...]:
    """The order in the plainest words: again and again the first step that may run."""
    done: list[str] = []
    while len(done) < len(graph):
        done.append(
            next(name for name, after in graph if name not in done and set(after) <= set(done))
        )
    return tuple(done)


@settings(deadline=None)
@given(graphs())
def test_there_is_a_plan_exactly_where_graphlib_finds_no_cycle(graph: Graph) -> None:
    """Contract 4, Planning: no cycle, no finding; a cycle, no order."""
    planned = plan(spec(graph))
    assert planned.valid is acyclic(graph)
    assert planned.order == (first_ready_first(graph) if planned.valid else ())


@settings(deadline=None)
@given(graphs())
def test_every_cycle_told_is_one(graph: Graph) -> None:
    """Contract 4, Planning: each step is once on it and depends on the next."""
    after = dict(graph)
    for finding in plan(spec(graph)).findings:
        *names, last = finding.message.rpartition(": ")[2].split(" -> ")
        assert names[0] == last == finding.step
        assert len(set(names)) == len(names)
        assert all(
            following in after[name]
            for name, following in zip(names, [*names[1:], last], strict=True)
        )


# --- the plan that stands -----------------------------------------------------------------------


def planned(phase: Phase, *order: str) -> WorkflowExecution:
    """Steps a and b, and what a status says of their order."""
    status = WorkflowStatus(phase=phase, execution_plan=order)
    return workflow(step("a"), step("b")).model_copy(update={"status": status})


@pytest.mark.parametrize(
    ("phase", "recorded", "order"),
    [
        pytest.param(Phase.EXECUTING, "ba", "ba", id="as-it-was-when-it-started"),
        pytest.param(Phase.PENDING, "ba", "ab", id="made-anew-until-it-starts"),
        pytest.param(Phase.EXECUTING, "", "ab", id="made-anew-when-it-was-lost"),
        pytest.param(Phase.EXECUTING, "a", "ab", id="made-anew-when-a-step-was-lost"),
        pytest.param(Phase.EXECUTING, "aa", "ab", id="made-anew-when-a-step-stands-in-it-twice"),
        pytest.param(Phase.EXECUTING, "ac", "ab", id="made-anew-when-it-is-another-ones"),
    ],
)
def test_a_workflow_keeps_the_plan_that_it_started_with(
    phase: Phase, recorded: str, order: str
) -> None:
    """Contract 4: no step of the spec is ever missing from it."""
    assert plan_of(planned(phase, *recorded)).order == tuple(order)
