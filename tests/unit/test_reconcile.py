"""Stages 5 to 8 for one workflow: what harms it stays with it, and what was done is told (I11)."""

import logging

import pytest

from reconciler.core.api import Phase
from reconciler.core.decide import Decision, decide
from reconciler.core.facts import Facts
from reconciler.core.outcome import CreationError, ExitCode
from reconciler.core.tally import Handled
from reconciler.errors import Conflict
from reconciler.kube.answers import Response
from reconciler.kube.requests import (
    CHILDREN,
    EVENTS,
    RECORDS,
    WORKFLOWS,
    Request,
    Target,
    Verb,
    delete,
)
from reconciler.reconcile import Pass, handle, survive
from reconciler.stages.observe import Seen
from tests.builders import NAMESPACE, step
from tests.unit.runs import URL, Meets, Shop, of, refusal
from tests.unit.stages.scene import document


@pytest.fixture
def shop() -> Shop:
    return Shop()


# --- somebody was faster ------------------------------------------------------------------------


def test_who_loses_the_status_write_creates_nothing(shop: Shop) -> None:
    """Contract 1, reserve: the workflow is left to the next run, the others are done."""
    shop.workflow("one", step("a"))
    shop.workflow("two", step("a"))

    def faster() -> None:
        shop.patched(WORKFLOWS, "one", metadata={"labels": {"touched": "yes"}})

    shop.server.interceptor = Meets(of(Verb.UPDATE, WORKFLOWS, "one", "status"), faster)
    outcome = shop.run()
    assert (outcome.exit_code, outcome.work.conflicts) == (ExitCode.DONE, 1)
    assert (shop.steps("one"), shop.steps("two")) == ([], ["a"])
    assert shop.gauge("conflicts") == 1.0
    shop.server.interceptor = None
    shop.run()
    assert shop.steps("one") == ["a"]


def test_a_workflow_that_is_gone_is_nothing_to_tell(shop: Shop) -> None:
    """It was deleted after it was listed: as good as changed."""
    shop.workflow("one", step("a"))

    def deleted() -> None:
        shop.server.handle(delete(Target(WORKFLOWS, NAMESPACE, "one")))

    shop.server.interceptor = Meets(of(Verb.UPDATE, WORKFLOWS, "one", "status"), deleted)
    outcome = shop.run()
    assert (outcome.exit_code, outcome.reported) == (ExitCode.DONE, 0)
    assert shop.server.objects(CHILDREN) == ()


# --- the server does not answer, or says no -----------------------------------------------------


def test_a_workflow_whose_write_gets_no_answer_stops_no_other(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """I11, contract 7: three attempts, told on that workflow."""
    for name in ("one", "two", "three"):
        shop.workflow(name, step("a"))
    wanted = of(Verb.UPDATE, WORKFLOWS, "two", "status")
    shop.server.interceptor = Meets(wanted, lambda: refusal(503))
    outcome = shop.run()
    assert (outcome.exit_code, outcome.reported) == (ExitCode.DONE, 1)
    assert [shop.steps(name) for name in ("one", "two", "three")] == [["a"], [], ["a"]]
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{NAMESPACE}/two: ")


def test_one_workflows_403_is_its_own(shop: Shop) -> None:
    """Contract 7: one workflow's refusal ends no run."""
    shop.workflow("one", step("a"))
    shop.workflow("two", step("a"))
    wanted = of(Verb.UPDATE, WORKFLOWS, "one", "status")
    shop.server.interceptor = Meets(wanted, lambda: refusal(403))
    outcome = shop.run()
    assert (outcome.exit_code, outcome.reported) == (ExitCode.DONE, 1)
    assert (shop.steps("one"), shop.steps("two")) == ([], ["a"])


def test_a_creation_that_is_refused_for_good_fails_its_step_in_a_second_write(shop: Shop) -> None:
    """Contract 4: the one case of two status writes in a pass; the error is kept."""
    shop.workflow("one", step("a"))
    wanted = of(Verb.CREATE, CHILDREN)
    shop.server.interceptor = Meets(wanted, lambda: refusal(422, "no such action", "Invalid"))
    outcome = shop.run()
    assert [each for each in shop.wrote() if "Event" not in each] == [
        "update WorkflowExecution/status",
        "create KubernetesExecution",
        "update WorkflowExecution/status",
    ]
    result = shop.result("one")
    assert (result["status"], result["reason"]) == ("Failed", "CreationRefused")
    assert "no such action" in result["lastError"]
    assert outcome.work.creation_errors == {CreationError.REFUSED: 1}
    assert shop.gauge("step_creation_errors", reason="CreationRefused") == 1.0


def test_a_creation_that_a_role_forbids_stays_reserved_and_is_tried_again_later(
    shop: Shop,
) -> None:
    """Contract 4: 401, 403, 404, after 30 s, though nothing else changed."""
    shop.workflow("one", step("a"))
    shop.server.interceptor = Meets(of(Verb.CREATE, CHILDREN), lambda: refusal(403, "no role"))
    shop.run()
    assert shop.result("one")["status"] == "Pending"
    assert "no role" in shop.result("one")["lastError"]
    shop.server.interceptor = None
    shop.run()
    assert shop.steps("one") == []
    shop.clock.advance(30)
    shop.run()
    assert shop.steps("one") == ["a"]


def test_a_server_that_does_not_answer_a_creation_is_asked_for_no_sibling(shop: Shop) -> None:
    """Contract 1, create: what is reserved the next run creates, under the same names."""
    shop.workflow("one", step("a"), step("b"), step("c"))
    wanted = of(Verb.CREATE, CHILDREN)
    shop.server.interceptor = Meets(wanted, lambda: refusal(503))
    outcome = shop.run()
    assert shop.wrote().count("create KubernetesExecution") == 3  # attempts at the first
    assert outcome.work.creation_errors == {CreationError.UNREACHABLE: 3}
    names = [each["executionRef"] for each in shop.status("one")["stepResults"]]
    shop.server.interceptor = None
    shop.run()
    assert sorted(names) == [each["metadata"]["name"] for each in shop.server.objects(CHILDREN)]


class LosesAnswers:
    """An interceptor: what was created is there, and the client never hears of it."""

    def before(self, request: Request) -> Response | None:
        del request
        return None

    def after(self, request: Request, response: Response) -> Response:
        created = request.verb is Verb.CREATE and request.target.resource == CHILDREN
        return refusal(504) if created and response.ok else response


def test_a_creation_whose_answer_was_lost_is_found_to_be_ours(shop: Shop) -> None:
    """Contract 3: the second attempt meets its own child; nothing is made twice (I1)."""
    shop.workflow("one", step("a"), step("b"))
    shop.server.interceptor = LosesAnswers()
    outcome = shop.run()
    assert shop.steps("one") == ["a", "b"]
    assert outcome.work.creation_errors == {}
    shop.server.interceptor = None
    shop.run()
    assert [each["status"] for each in shop.status("one")["stepResults"]] == ["Pending"] * 2


# --- what happens after the status was written --------------------------------------------------


def test_an_event_that_is_refused_changes_nothing_else(shop: Shop) -> None:
    """Contract 10: one attempt, and the run goes on."""
    shop.workflow("one", step("a"))
    shop.server.interceptor = Meets(of(Verb.CREATE, EVENTS), lambda: refusal(503))
    outcome = shop.run()
    assert (outcome.exit_code, outcome.reported) == (ExitCode.DONE, 0)
    assert shop.steps("one") == ["a"]
    assert shop.wrote().count("create Event") == 2


def test_what_was_written_counts_though_a_later_call_failed(shop: Shop) -> None:
    """I10: gauges equal what the server holds, though the record did not take the result."""
    shop.source.commit(document())
    shop.run(source_url=URL)
    shop.completes()
    wanted = of(Verb.UPDATE, RECORDS, "restart", "status")
    shop.server.interceptor = Meets(wanted, lambda: refusal(403))
    outcome = shop.run(source_url=URL)
    assert outcome.work.phases == {Phase.COMPLETED: 1}
    assert outcome.reported == 1


def test_what_was_created_counts_though_the_refusal_of_another_was_not_written(shop: Shop) -> None:
    """I10; the first child is there, the second was refused, and then somebody was faster."""
    shop.workflow("one", step("a"), step("b"))
    refused: list[str] = []

    def no() -> Response | None:
        if len(shop.server.objects(CHILDREN)) == 0:
            return None
        refused.append("b")
        shop.patched(WORKFLOWS, "one", metadata={"labels": {"touched": "yes"}})
        return refusal(422, "no", "Invalid")

    shop.server.interceptor = Meets(of(Verb.CREATE, CHILDREN), no)
    outcome = shop.run()
    assert refused == ["b"]
    assert (outcome.work.created, outcome.work.conflicts) == (1, 1)
    assert outcome.work.phases == {Phase.EXECUTING: 1}


def test_children_are_asked_to_stop_once_the_cancellation_is_recorded(shop: Shop) -> None:
    """Contract 4, cancel: nothing else starts, and the phase does not wait for them."""
    shop.workflow("one", step("a"), step("b", depends_on=("a",)))
    shop.run()
    shop.patched(WORKFLOWS, "one", spec={"cancel": True})
    shop.wrote()
    shop.run()
    assert [each for each in shop.wrote() if "Event" not in each] == [
        "update WorkflowExecution/status",
        "patch KubernetesExecution",
    ]
    (child,) = shop.server.objects(CHILDREN)
    assert child["spec"]["cancelRequested"] is True
    assert (shop.status("one")["phase"], shop.status("one")["settled"]) == ("Cancelled", False)
    shop.run()  # the message says what is waited for
    shop.wrote()
    shop.run()
    assert shop.wrote() == []


# --- recorded children that no list shows ------------------------------------------------------


def test_a_recorded_child_whose_label_was_edited_away_is_read_by_name(shop: Shop) -> None:
    """Contract 4: not gone until it was read once; nothing is made in its place."""
    shop.workflow("one", step("a"), step("b"))
    shop.run()
    shop.run()
    name = shop.result("one", "a")["executionRef"]
    shop.patched(CHILDREN, name, metadata={"labels": {"kubernaut.ai/workflow": None}})
    shop.asked()
    shop.run()
    assert shop.asked().count("get KubernetesExecution") == 1
    assert [each["status"] for each in shop.status("one")["stepResults"]] == ["Pending"] * 2


def test_a_workflow_does_not_settle_over_a_child_that_is_still_being_deleted(shop: Shop) -> None:
    """Contract 4: before `settled` is written each recorded child that no list shows is read."""
    shop.workflow("one", step("a"), step("b"))
    shop.run()
    shop.completes("a")
    shop.run()
    name = shop.result("one", "a")["executionRef"]
    held = {"finalizers": ["example.com/hold"], "labels": {"kubernaut.ai/workflow": None}}
    shop.patched(CHILDREN, name, metadata=held)
    shop.server.handle(delete(Target(CHILDREN, NAMESPACE, name)))
    shop.completes("b")
    shop.run()
    assert (shop.status("one")["phase"], shop.status("one")["settled"]) == ("Completed", False)
    shop.patched(CHILDREN, name, metadata={"finalizers": None})
    shop.run()
    assert shop.status("one")["settled"] is True


def test_what_is_done_and_cleaned_up_is_asked_for_once_at_the_end(shop: Shop) -> None:
    """A run over a workflow whose finished children somebody deletes reads none of them."""
    shop.workflow("one", step("a"), step("b"))
    shop.run()
    shop.completes("a")
    shop.run()
    shop.server.handle(delete(Target(CHILDREN, NAMESPACE, shop.result("one", "a")["executionRef"])))
    shop.asked()
    shop.run()
    assert shop.asked().count("get KubernetesExecution") == 0
    shop.completes("b")
    shop.run()
    assert shop.asked().count("get KubernetesExecution") == 1
    assert shop.status("one")["settled"] is True


def test_a_recorded_child_that_cannot_be_read_leaves_the_workflow_to_the_next_run(
    shop: Shop,
) -> None:
    """Contract 4: an error is no absence."""
    shop.workflow("one", step("a"))
    shop.run()
    shop.run()
    (child,) = shop.server.objects(CHILDREN)
    shop.server.handle(delete(Target(CHILDREN, NAMESPACE, child["metadata"]["name"])))
    shop.server.interceptor = Meets(of(Verb.GET, CHILDREN), lambda: refusal(503))
    shop.wrote()
    assert shop.run().reported == 1
    assert shop.wrote() == []
    shop.server.interceptor = None
    shop.run()
    result = shop.result("one")
    assert (result["status"], result["reason"]) == ("Failed", "ExecutionDeleted")


# --- workflows of a source ----------------------------------------------------------------------


def test_a_workflow_that_no_record_holds_ends_with_one_write(shop: Shop) -> None:
    """I12: a late apply, or a restore from a backup; nothing of it runs."""
    shop.source.commit(document())
    shop.run(source_url=URL, deadline=50.0)
    (made,) = shop.server.objects(WORKFLOWS)
    name = made["metadata"]["name"]
    late = {
        "apiVersion": made["apiVersion"],
        "kind": made["kind"],
        "metadata": {
            key: each
            for key, each in made["metadata"].items()
            if key in ("labels", "annotations", "namespace")
        }
        | {"name": f"{name}-late"},
        "spec": made["spec"],
    }
    shop.created(WORKFLOWS, late)
    shop.wrote()
    shop.run(source_url=URL)
    assert "update WorkflowExecution/status" in shop.wrote()
    status = shop.status(f"{name}-late")
    assert (status["phase"], status["settled"]) == ("Failed", True)
    assert shop.steps(f"{name}-late") == []


# --- bugs ---------------------------------------------------------------------------------------


def test_a_bug_is_told_with_its_traceback_and_answered_with_what_stands_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """I11, contract 7."""

    def wrong() -> str:
        raise TypeError("a mistake of ours")

    assert survive("shop/one", wrong, lambda: "instead") == "instead"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert "met at shop/one" in record.getMessage()


def test_an_error_of_the_tree_is_no_bug() -> None:
    """Contract 7: it is sorted by who knows what to do about it."""

    def faster() -> str:
        raise Conflict("somebody was faster")

    with pytest.raises(Conflict):
        survive("shop/one", faster, lambda: "instead")


def test_a_bug_that_one_workflow_meets_stops_no_other(shop: Shop) -> None:
    """I11: exit 70 and the others done."""
    shop.workflow("one", step("a"))
    shop.workflow("two", step("a"))

    def wrong() -> Response:
        raise TypeError("a mistake of ours")

    shop.server.interceptor = Meets(of(Verb.UPDATE, WORKFLOWS, "one", "status"), wrong)
    outcome = shop.run()
    assert outcome.exit_code is ExitCode.BUG
    assert (shop.steps("one"), shop.steps("two")) == ([], ["a"])
    assert shop.lease().get("holderIdentity", "") == ""


# --- without news -------------------------------------------------------------------------------


def test_only_a_workflow_with_news_is_seen_to(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract 1: what stays as it is costs no thread; the gauges count it like the others."""
    for name in ("one", "two", "three"):
        shop.workflow(name, step("a"), step("b"))
    shop.run()
    for child in shop.server.objects(CHILDREN):
        status = {"phase": "Running", "executionStartTime": "2026-03-01T12:00:00Z"}
        shop.patched(CHILDREN, child["metadata"]["name"], "status", status=status)
    shop.run()
    seen: list[str] = []

    def noted(this: Pass, it: Seen) -> Handled:
        seen.append(it.workflow.metadata.name)
        return handle(this, it)

    monkeypatch.setattr("reconciler.run.handle", noted)
    assert shop.run().work.slots_used == 6
    assert seen == []
    (name, *_) = [
        each["metadata"]["name"]
        for each in shop.server.objects(CHILDREN)
        if each["spec"]["workflowExecutionRef"]["name"] == "two"
    ]
    shop.patched(CHILDREN, name, "status", status={"phase": "Completed"})
    assert shop.run().work.slots_used == 5
    assert seen == ["two"]


def test_a_bug_in_one_decision_stops_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """I11; exit 70, also where the workflow would have stayed as it is."""
    for name in ("one", "two", "three"):
        shop.workflow(name, step("a"), step("b", depends_on=("a",)))
    shop.run()
    shop.completes()

    def broken(facts: Facts) -> Decision:
        if facts.workflow.metadata.name == "two":
            raise KeyError("two")
        return decide(facts)

    monkeypatch.setattr("reconciler.reconcile.decide", broken)
    assert shop.run().exit_code is ExitCode.BUG
    assert [shop.steps(name) for name in ("one", "two", "three")] == [["a", "b"], ["a"], ["a", "b"]]
