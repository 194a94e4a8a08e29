"""The monitor sees what it is there for: a run that does wrong is told at the very write."""

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    RECORDS,
    WORKFLOWS,
    Request,
    Target,
    Verb,
    create,
    delete,
    patch,
    update,
)
from tests.faults import reading
from tests.faults.invariants import Violation
from tests.faults.play import NAMESPACE
from tests.faults.process import Process
from tests.faults.scenario import Scenario
from tests.faults.workloads import CHAIN, HISTORY, QUEUED

Wrong = Callable[[Scenario], Request]


def of_step(scenario: Scenario, step: str, attempt: int = 0, **metadata: Any) -> Request:  # noqa: ANN401
    """The child of a step as a run would make it, but for its metadata."""
    about = scenario.workflow["metadata"]
    made = scenario.child("a")
    assert made is not None
    name = reading.name_of(about["name"], (about["uid"], step, attempt))
    kept = {key: made["metadata"][key] for key in ("labels", "annotations", "ownerReferences")}
    body = {
        "apiVersion": CHILDREN.api_version,
        "kind": CHILDREN.kind,
        "metadata": {"name": name, **kept, **metadata},
        "spec": {**made["spec"], "stepName": step, "attempt": attempt},
    }
    return create(CHILDREN, NAMESPACE, body)


def with_status(change: Callable[[dict[str, Any]], object]) -> Wrong:
    def wrong(scenario: Scenario) -> Request:
        seen = scenario.workflow
        status = {**seen["status"], "stepResults": [dict(e) for e in seen["status"]["stepResults"]]}
        change(status)
        about = {key: seen["metadata"][key] for key in ("name", "resourceVersion")}
        body = {"apiVersion": seen["apiVersion"], "kind": seen["kind"], "metadata": about}
        target = Target(WORKFLOWS, NAMESPACE, "w", "status")
        return update(target, {**body, "status": status})

    return wrong


def first_child(scenario: Scenario) -> Target:
    made = scenario.child("a")
    assert made is not None
    return Target(CHILDREN, NAMESPACE, made["metadata"]["name"])


def reserve(step: str) -> Callable[[dict[str, Any]], object]:
    def change(status: dict[str, Any]) -> None:
        ref = {"stepName": step, "status": "Pending", "attempt": 0, "executionRef": "w-x"}
        status["stepResults"].append(ref)

    return change


_WRONG: list[Any] = [
    pytest.param(lambda s: of_step(s, "a", name="w-a-again"), "I1", id="an-attempt-twice"),
    pytest.param(lambda s: of_step(s, "b"), "I2", id="a-child-without-reservation"),
    pytest.param(lambda s: of_step(s, "b", annotations={}), "I1", id="a-child-without-bound"),
    pytest.param(lambda s: of_step(s, "b", labels={"team": "x"}), "I5", id="labels-of-others"),
    pytest.param(lambda s: of_step(s, "b", ownerReferences=[]), "I5", id="a-child-of-nobody"),
    pytest.param(with_status(reserve("b")), "b/0 is reserved under", id="another-name"),
    pytest.param(
        with_status(lambda status: status["stepResults"].clear()), "I4", id="a-dropped-reservation"
    ),
    pytest.param(
        with_status(lambda status: status.update(settled=True)), "I4", id="settled-over-a-child"
    ),
    pytest.param(lambda s: delete(first_child(s)), "I8", id="a-deletion"),
    pytest.param(
        lambda s: patch(first_child(s), {"metadata": {"labels": {"team": "x"}}}),
        "I5",
        id="a-child-edited",
    ),
    pytest.param(
        lambda _: patch(Target(WORKFLOWS, NAMESPACE, "w"), {"spec": {"suspend": True}}),
        "I5",
        id="a-spec-edited",
    ),
    pytest.param(
        lambda _: create(
            CONFIG_MAPS,
            NAMESPACE,
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}},
        ),
        "I5",
        id="a-stranger-of-another-kind",
    ),
]


@pytest.mark.parametrize(("wrong", "told"), _WRONG)
def test_a_run_that_does_wrong_is_told(wrong: Wrong, told: str) -> None:
    """Contract 8: at every state of the server, not at the end."""
    scenario = Scenario(CHAIN)
    scenario.run()
    run = scenario.play.start("B")
    with pytest.raises(Violation, match=f"^{told}"):
        scenario.play.act_as(run, wrong(scenario))
    run.kill()


def test_a_result_that_is_final_may_not_change() -> None:
    """I4: whoever writes it."""
    scenario = Scenario(CHAIN)
    scenario.run()
    scenario.does("finish")
    scenario.run()
    change = with_status(lambda status: status["stepResults"][0].update(status="Failed"))
    run = scenario.play.start("B")
    with pytest.raises(Violation, match=r"^I4: a was Completed and becomes Failed"):
        scenario.play.act_as(run, change(scenario))
    run.kill()


# --- of a source ------------------------------------------------------------------------------


def a_look(scenario: Scenario) -> Process:
    """A run that has read git and is about to fence."""
    scenario.passes(3601)
    return scenario.begin("B", Verb.UPDATE, CONFIG_MAPS)


@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param(["push-c1"], "its record holds", id="one-at-work"),
        pytest.param(
            ["finish", "run"], "neither prune, history nor its time", id="the-current-one"
        ),
    ],
)
def test_a_run_that_deletes_what_no_rule_asks_for_is_told(before: list[str], told: str) -> None:
    """I8: prune, history and TTL, and only what is over and has its result."""
    scenario = Scenario(HISTORY)
    scenario.run()
    for each in before:
        if each == "run":
            scenario.run()
        else:
            scenario.does(each)
    run = a_look(scenario)
    gone = delete(Target(WORKFLOWS, NAMESPACE, scenario.workflow["metadata"]["name"]))
    with pytest.raises(Violation, match=f"^I8: .*{told}"):
        scenario.play.act_as(run, gone)
    run.kill()


def test_a_run_that_asks_another_to_end_where_git_does_not_say_replace_is_told() -> None:
    """I5: Queue waits."""
    scenario = Scenario(QUEUED)
    scenario.run()
    scenario.does("push-c1")
    run = a_look(scenario)
    target = Target(WORKFLOWS, NAMESPACE, scenario.workflow["metadata"]["name"])
    with pytest.raises(Violation, match=r"^I5: .* is changed beside its status"):
        scenario.play.act_as(run, patch(target, {"spec": {"cancel": True}}))
    run.kill()


def test_a_run_that_starts_what_its_record_does_not_hold_is_told() -> None:
    """I12: while hands were not on the record since it looked."""
    scenario = Scenario(QUEUED)
    run = scenario.begin("B", Verb.UPDATE, RECORDS)
    seen = scenario.workflow
    about = {key: seen["metadata"][key] for key in ("name", "resourceVersion")}
    body = {"apiVersion": seen["apiVersion"], "kind": seen["kind"], "metadata": about}
    target = Target(WORKFLOWS, NAMESPACE, about["name"], "status")
    with pytest.raises(Violation, match=r"^I12: .* is planned, and its record holds"):
        scenario.play.act_as(run, update(target, {**body, "status": {"phase": "Pending"}}))
    run.kill()


def test_what_hands_do_is_no_violation() -> None:
    """The invariants are a promise of runs."""
    scenario = Scenario(CHAIN)
    scenario.run()
    assert scenario.play.hand(delete(first_child(scenario))).ok
    assert scenario.child("a") is None


def test_a_run_that_was_killed_sends_nothing_more() -> None:
    """SIGKILL: not even what stands in a `finally`."""
    scenario = Scenario(CHAIN)
    run: Process = scenario.play.start()
    before = scenario.play.server.snapshot()
    run.kill()
    assert run.over
    assert run.outcome is None
    assert scenario.play.server.snapshot() == before
