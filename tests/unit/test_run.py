"""One run, whole: the order of its effects, and what its stages may fail at (contract 1)."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from typing_extensions import override

from reconciler.core.api import Phase
from reconciler.core.outcome import DocumentResult, ExitCode
from reconciler.errors import UsageError
from reconciler.kube.answers import Response
from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    RECORDS,
    WORKFLOWS,
    Request,
    Verb,
)
from tests.builders import NAMESPACE, step
from tests.fakes.clock import FrozenClock
from tests.unit.runs import URL, Meets, Rewrites, Shop, of, refusal
from tests.unit.stages.scene import document, execution

DIAMOND = (
    step("a"),
    step("b", depends_on=("a",)),
    step("c", depends_on=("a",)),
    step("d", depends_on=("b", "c")),
)


@pytest.fixture
def shop() -> Shop:
    return Shop()


# --- the order of effects ---------------------------------------------------------------------


def test_the_nine_stages_ask_in_their_order(shop: Shop) -> None:
    """Contract 1, 5: one run of one new document and of one workflow that is there."""
    shop.workflow("here", step("a"), step("b"))
    shop.source.commit(document("restart"))
    shop.run(source_url=URL)
    assert shop.asked() == [
        "get Lease",
        "create Lease",
        "get ConfigMap",  # is it paused?
        "get ConfigMap",  # the head
        "list WorkflowExecution",  # of the source, as metadata
        "list WorkflowExecution",  # the unsettled, for the hourly look
        "list WorkflowRecord",
        "create WorkflowRecord",  # intended
        "create ConfigMap",  # the fence
        "apply WorkflowExecution",
        "update ConfigMap",  # whole
        "list WorkflowExecution",
        "list KubernetesExecution",
        "update WorkflowExecution/status",  # `here`: planned, its slots reserved
        "create KubernetesExecution",
        "create KubernetesExecution",
        "create Event",
        "create Event",
        "get WorkflowRecord",
        "update WorkflowRecord/status",  # created, with the uid
        "update WorkflowExecution/status",
        "create KubernetesExecution",
        "create Event",
        "create Event",
        "update Lease",
    ]


def test_an_unchanged_run_writes_nothing_but_the_lease(shop: Shop) -> None:
    """Contract 1: nothing to do means nothing written."""
    shop.workflow("here", step("a"))
    shop.run()
    shop.run()
    shop.asked()
    shop.run()
    assert shop.asked() == [
        "get Lease",
        "update Lease",
        "get ConfigMap",
        "list WorkflowExecution",
        "list KubernetesExecution",
        "update Lease",
    ]


def test_without_workflows_no_children_are_asked_for(shop: Shop) -> None:
    """Contract 1, observe: children are chosen by their parents."""
    shop.run(lease_name=None)
    assert shop.asked() == ["get ConfigMap", "list WorkflowExecution"]


def test_a_diamond_goes_from_git_to_its_end(shop: Shop) -> None:
    """The whole way, run after run."""
    shop.workflow("restart", *DIAMOND)
    for expected in (["a"], ["a", "b", "c"], ["a", "b", "c", "d"]):
        shop.run()
        assert shop.steps("restart") == expected
        shop.completes()
    outcome = shop.run()
    assert shop.status("restart")["phase"] == "Completed"
    assert outcome.work.phases == {Phase.COMPLETED: 1}
    assert shop.gauge("workflows", phase="Completed") == 1.0
    assert "WorkflowCompleted" in shop.events()


def test_workers_change_nothing_but_the_time(shop: Shop) -> None:
    """Contract 1: what one workflow comes to never depends on another."""
    for number in range(30):
        shop.workflow(f"w{number:02}", *DIAMOND)
    outcome = shop.run(workers=8)
    assert outcome.work.created == 30
    assert [shop.steps(f"w{number:02}") for number in range(30)] == [["a"]] * 30
    shop.run(workers=8)
    shop.wrote()
    shop.run(workers=8)
    assert shop.wrote() == []


# --- source -----------------------------------------------------------------------------------


def test_a_source_that_cannot_be_read_stops_no_workflow(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Contract 1, apply: its own stages are skipped and these only; exit 3."""
    shop.workflow("here", step("a"))
    shop.source.trouble = "the repository is not there"
    outcome = shop.run(source_url=URL)
    assert outcome.exit_code is ExitCode.SOURCE
    assert shop.steps("here") == ["a"]
    assert "the source was not read: the repository is not there" in caplog.text


def test_a_bug_in_the_stages_of_the_source_stops_no_workflow(shop: Shop) -> None:
    """I11, contract 7: exit 70, the workflows done."""
    shop.workflow("here", step("a"))
    shop.source.commit(document())
    shop.source.fetch = None  # type: ignore[assignment,method-assign]  # a mistake of ours
    outcome = shop.run(source_url=URL)
    assert outcome.exit_code is ExitCode.BUG
    assert shop.steps("here") == ["a"]


def test_a_record_that_nobody_can_read_stops_no_workflow(shop: Shop) -> None:
    """I11: the source's stages end, for a content could run twice; what runs goes on."""
    shop.workflow("here", step("a"))
    shop.source.commit(document())
    shop.run(source_url=URL)
    shop.completes()
    shop.source.commit(document(replicas=2))
    shop.server.interceptor = Rewrites(RECORDS, lambda item: item["spec"].update(kind="Odd"))
    outcome = shop.run(source_url=URL)
    assert outcome.exit_code is ExitCode.CLUSTER
    assert shop.status("here")["phase"] == "Completed"
    assert len(shop.server.objects(WORKFLOWS)) == 2


def test_a_run_that_is_overtaken_at_the_fence_begins_nothing_of_the_source(shop: Shop) -> None:
    """Contract 5: what it intends is begun by who passed the fence; what is nobody's goes on."""
    shop.source.commit(document("one"))
    shop.server.interceptor = Meets(of(Verb.LIST, CHILDREN), lambda: refusal(403))
    shop.run(source_url=URL)  # it ends before its first plan
    shop.workflow("here", step("a"))
    shop.source.commit(document("one"), document("two"))
    shop.server.interceptor = Meets(of(Verb.UPDATE, CONFIG_MAPS), lambda: refusal(409))
    shop.run(source_url=URL)
    (run,) = [each for each in shop.server.objects(WORKFLOWS) if each["metadata"].get("labels")]
    name = run["metadata"]["name"]
    assert (shop.steps("here"), shop.steps(name)) == (["a"], [])
    shop.server.interceptor = None
    shop.run(source_url=URL)
    assert shop.steps(name) == ["a"]


def test_another_repository_under_the_same_name_is_wrong_usage(shop: Shop) -> None:
    """Contract 5: exit 2, and the Lease is released all the same."""
    shop.source.commit(document())
    shop.run(source_url=URL)
    with pytest.raises(UsageError, match="--source-moved"):
        shop.run(source_url="https://git.example/other.git")
    assert shop.lease().get("holderIdentity", "") == ""


def test_bad_documents_are_counted_and_told_in_the_exit_code_only_when_asked(shop: Shop) -> None:
    """Contract 5, 7: a user's mistake is no failure of the reconciler."""
    shop.source.commit("no: [yaml", good=document("good"))
    outcome = shop.run(source_url=URL)
    assert outcome.exit_code is ExitCode.DONE
    assert outcome.reported == 1
    assert replace(outcome, strict=True).exit_code is ExitCode.REPORTED
    assert outcome.documents is not None
    counted = {key: count for key, count in outcome.documents.results.items() if count}
    assert counted == {DocumentResult.APPLIED: 1, DocumentResult.INVALID: 1}


# --- observe ----------------------------------------------------------------------------------


def test_a_list_that_is_refused_ends_the_run_with_nothing_written(shop: Shop) -> None:
    """Contract 7: exit 4; four gauges at most, and the Lease is released."""
    shop.workflow("here", step("a"))
    shop.server.interceptor = Meets(of(Verb.LIST, CHILDREN), lambda: refusal(403))
    assert shop.run().exit_code is ExitCode.CLUSTER
    assert shop.wrote() == []
    assert shop.gauge("run_exit_code") == 4.0
    assert shop.gauge("workflows", phase="Executing") is None
    assert shop.lease().get("holderIdentity", "") == ""


def test_a_workflow_that_cannot_be_read_is_told_and_stops_no_other(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """I11: a later release, or a hand, wrote it; it is never touched."""
    shop.workflow("here", step("a"))
    shop.workflow("odd", step("a"))

    def spoil(item: dict[str, dict[str, object]]) -> None:
        if item["metadata"]["name"] == "odd":
            item["status"]["phase"] = "Hibernating"

    shop.server.interceptor = Rewrites(WORKFLOWS, spoil)
    outcome = shop.run()
    assert (outcome.exit_code, outcome.reported) == (ExitCode.DONE, 1)
    assert f"{NAMESPACE}/odd: status.phase: " in caplog.text
    assert (shop.steps("here"), shop.steps("odd")) == (["a"], [])


def test_a_server_that_tells_no_time_times_nothing_out(shop: Shop) -> None:
    """Contract 1, decide: the node's clock may be wrong by hours."""
    shop.workflow("here", step("a"), timeout="1m")
    shop.run()
    shop.clock.advance(3600)

    class Dateless:
        def before(self, request: Request) -> Response | None:
            del request
            return None

        def after(self, request: Request, response: Response) -> Response:
            del request
            return replace(response, headers={})

    shop.server.interceptor = Dateless()
    shop.run()
    assert shop.status("here")["phase"] == "Executing"
    shop.server.interceptor = None
    shop.run()
    assert shop.status("here")["phase"] == "Failed"


# --- pause ------------------------------------------------------------------------------------


def test_while_paused_nothing_is_applied_and_nothing_starts(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Contract 1: rollup goes on, and why is told."""
    shop.workflow("here", *DIAMOND)
    shop.run()
    shop.completes()
    shop.workflow("new", step("a"))
    shop.source.commit(document())
    shop.config_map("reconciler-paused", why="the database moves house")
    outcome = shop.run(source_url=URL)
    assert outcome.paused is True
    assert "paused: the database moves house" in caplog.text
    assert shop.status("here")["progress"] == "1/4"
    assert (shop.steps("here"), shop.steps("new")) == (["a"], [])
    assert len(shop.server.objects(WORKFLOWS)) == 2


def test_a_pause_that_cannot_be_read_is_none(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """A role that does not know of it yet stops no run; it is told in each."""
    shop.workflow("here", step("a"))
    wanted = of(Verb.GET, CONFIG_MAPS, "reconciler-paused")
    shop.server.interceptor = Meets(wanted, lambda: refusal(403))
    assert shop.run().paused is False
    assert shop.steps("here") == ["a"]
    assert "whether the reconciler is paused could not be read" in caplog.text


# --- the deadline -----------------------------------------------------------------------------


def test_after_the_deadline_no_call_starts_but_the_release_of_the_lease(shop: Shop) -> None:
    """Contract 7: the time is asked for before each call; what is left is the next run's."""
    for name in ("one", "two", "three"):
        shop.workflow(name, step("a"), step("b"))

    def slow() -> None:
        shop.clock.advance(30)

    shop.server.interceptor = Meets(of(Verb.CREATE, CHILDREN), slow)
    outcome = shop.run(deadline=50.0)
    assert (outcome.exit_code, outcome.truncated) == (ExitCode.DONE, True)
    assert shop.asked()[-4:] == [
        "update WorkflowExecution/status",
        "create KubernetesExecution",
        "create KubernetesExecution",
        "update Lease",
    ]
    assert shop.gauge("run_truncated") == 1.0
    shop.server.interceptor = None
    shop.run()
    assert [shop.steps(name) for name in ("one", "three", "two")] == [["a", "b"]] * 3


def test_sigterm_is_the_deadline(shop: Shop) -> None:
    """Contract 7: at the first status write; its children are the next run's."""
    shop.workflow("one", step("a"))
    shop.workflow("two", step("a"))

    def sigterm() -> None:
        shop.deadline.stop()

    shop.server.interceptor = Meets(of(Verb.UPDATE, WORKFLOWS, sub="status"), sigterm)
    outcome = shop.run()
    assert (outcome.exit_code, outcome.truncated) == (ExitCode.DONE, True)
    assert shop.wrote() == ["update WorkflowExecution/status"]
    shop.server.interceptor = None
    shop.run()
    assert (shop.steps("one"), shop.steps("two")) == (["a"], ["a"])


def test_children_say_until_when_they_may_be_acted_on(shop: Shop) -> None:
    """Contract 1, create: the deadline, in the server's time."""
    shop.workflow("here", step("a"))
    shop.run(deadline=50.0)
    (child,) = shop.server.objects(CHILDREN)
    ends = shop.clock.now() + timedelta(seconds=50)
    told = child["metadata"]["annotations"]["kubernaut.ai/not-after"]
    assert told == ends.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- several passes ---------------------------------------------------------------------------


class Busy(FrozenClock):
    """While a run waits for its next pass, something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.happens: Callable[[], object] = lambda: None

    @override
    def sleep(self, seconds: float) -> None:
        self.happens()
        super().sleep(seconds)


def test_with_an_interval_a_run_looks_again_until_its_deadline() -> None:
    """Contract 1: a step that finished is seen by the next pass, under one Lease."""
    clock = Busy()
    shop = Shop(clock)
    clock.happens = shop.completes
    shop.workflow("restart", *DIAMOND)
    shop.run(interval=15.0, deadline=50.0)
    assert clock.slept == [15.0, 15.0, 15.0]
    assert shop.status("restart")["phase"] == "Completed"
    assert shop.asked().count("update Lease") == 1


def test_what_went_wrong_in_one_pass_stays_wrong_in_the_next() -> None:
    """Contract 7: the exit code speaks of the whole run."""
    clock = Busy()
    shop = Shop(clock)
    shop.source.trouble = "the repository is not there"
    shop.source.commit(execution())
    clock.happens = lambda: setattr(shop.source, "trouble", "")
    outcome = shop.run(interval=15.0, deadline=20.0, source_url=URL)
    assert outcome.exit_code is ExitCode.SOURCE
    assert len(shop.server.objects(WORKFLOWS)) == 1


# --- dry run ----------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing_and_says_what_it_would_do(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Contract 9: stages 2 to 5, no Lease, no push; the applies are the server's dry run."""
    caplog.set_level(logging.INFO)
    shop.workflow("here", step("a"), step("b"))
    shop.source.commit(document())
    before = shop.server.snapshot()
    outcome = shop.run(dry_run=True, lease_name=None, source_url=URL)
    assert shop.server.snapshot() == before
    assert shop.wrote() == ["apply WorkflowExecution"]
    assert shop.gateway.groups == frozenset()
    assert f"{NAMESPACE}/here: would start a, b: " in caplog.text
    assert outcome.exit_code is ExitCode.DONE


# --- push -------------------------------------------------------------------------------------


def test_a_push_that_fails_is_a_warning(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Contract 1, push: it changes neither the exit code nor any state."""
    shop.workflow("here", step("a"))
    shop.gateway.fail("nobody is there")
    assert shop.run().exit_code is ExitCode.DONE
    assert shop.steps("here") == ["a"]
    assert "no gauges were pushed: nobody is there" in caplog.text
