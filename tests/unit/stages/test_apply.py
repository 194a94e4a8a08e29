"""Contract 5: the order of a run's writes, and what each document comes to."""

import pytest

from reconciler.core.api import RecordState
from reconciler.core.outcome import DocumentResult
from reconciler.core.source import HeadState
from reconciler.errors import SourceError
from reconciler.kube.requests import (
    WORKFLOWS,
    Target,
    apply,
    create,
)
from reconciler.seams import Regarding
from reconciler.stages.records import Answer
from tests.builders import NAMESPACE
from tests.unit.stages.scene import HEAD, Refusing, Scene, document, execution, results

INTENDED, CREATED, DROPPED, RECORDED = RecordState
APPLIED, UNCHANGED, QUEUED = (
    DocumentResult.APPLIED,
    DocumentResult.UNCHANGED,
    DocumentResult.QUEUED,
)


# --- the order of writes ----------------------------------------------------------------------


def test_entry_first_then_the_fence_then_the_run_then_whole(scene: Scene) -> None:
    """Contract 5: `intended` into the records; the head: the fence; the applies; `whole`."""
    scene.source.commit(document())
    applied = scene.run().source()
    (run,) = scene.runs
    assert scene.writes() == [
        "create WorkflowRecord restart",
        f"create ConfigMap {HEAD}",
        f"apply WorkflowExecution {run}",
        f"update ConfigMap {HEAD}",
    ]
    assert results(applied) == {APPLIED: 1}
    assert (applied.whole, scene.whole) == (True, True)


def test_with_many_workers_the_order_of_effects_is_the_same(scene: Scene) -> None:
    """Contract 5: every entry before the fence, every apply after it."""
    names = [f"once-{number}" for number in range(20)]
    scene.source.commit(*(execution(name) for name in names))
    applied = scene.run().source(workers=8)
    assert [each.name for each in applied.outcomes] == names
    kinds = [each.split()[1] for each in scene.writes()]
    assert set(kinds[:20]) == {"WorkflowRecord"}
    assert kinds[20:] == ["ConfigMap", *["WorkflowExecution"] * 20, "ConfigMap"]
    assert results(applied) == {APPLIED: 20}
    assert scene.whole


def test_a_second_run_writes_nothing(scene: Scene) -> None:
    """Contract 1: nothing to do means nothing written."""
    scene.source.commit(document(), execution())
    scene.run().source()
    scene.run().workflows()
    scene.writes()
    for _ in range(2):
        scene.run().source()
        scene.run().workflows()
    assert scene.writes() == []


def test_what_is_applied_says_where_it_came_from(scene: Scene) -> None:
    """Contract 5: label and annotations of provenance; the spec as it is stated."""
    commit = scene.source.commit(document())
    scene.run().source()
    (run,) = scene.runs
    found = scene.workflow(run)
    assert found["metadata"]["labels"] == {"kubernaut.ai/source": "default"}
    told = scene.annotations(run)
    assert told["kubernaut.ai/commit"] == commit
    assert told["kubernaut.ai/path"] == "shop.yaml"
    assert told["kubernaut.ai/definition"] == "restart"
    assert told["kubernaut.ai/spec-hash"] == scene.entries()[0].content
    assert {"kubernaut.ai/blob", "kubernaut.ai/committed-at", "kubernaut.ai/controls-hash"} <= set(
        told
    )
    assert found["spec"] == {
        "workflowDefinition": {
            "steps": [
                {
                    "name": "a",
                    "action": "ScaleDeployment",
                    "parameters": {
                        "scaleDeployment": {"deploymentName": "checkout", "replicas": 1}
                    },
                }
            ]
        }
    }


@pytest.mark.parametrize(
    "same",
    [
        pytest.param({"shop.yaml": "# a comment\n" + document()}, id="a-comment"),
        pytest.param({"elsewhere.yaml": document()}, id="another-file"),
    ],
)
def test_a_commit_that_changes_no_content_sends_nothing(scene: Scene, same: dict[str, str]) -> None:
    """Contract 5: comments, order and formatting start nothing; the head names the new commit."""
    scene.source.commit(document())
    scene.run().source()
    scene.run().workflows()
    scene.writes()
    scene.source.commit(**same)
    assert results(scene.run().source()) == {UNCHANGED: 1}
    assert scene.writes() == [f"update ConfigMap {HEAD}"]
    assert scene.whole


# --- an execution: one name for all its contents ----------------------------------------------


def test_an_execution_that_has_not_started_gets_the_new_content(scene: Scene) -> None:
    """Contract 5: Pending: applied, the entry's content replaced, same uid."""
    scene.source.commit(execution(more="  suspend: true\n"))
    scene.run().source()
    scene.run().workflows()
    uid = scene.workflow("once")["metadata"]["uid"]
    first = scene.entries("once")[0]
    scene.source.commit(execution(replicas=2))
    assert results(scene.run().source()) == {APPLIED: 1}
    assert scene.run().workflows() == {"once": Answer.MAY_PLAN}
    (second,) = scene.entries("once")
    assert (first.uid, second.uid, first.content == second.content) == (uid, uid, False)
    assert "suspend" not in scene.workflow("once")["spec"]
    assert scene.whole


@pytest.fixture
def started(scene: Scene) -> Scene:
    """An execution is at work, and git has changed its content."""
    scene.source.commit(execution())
    scene.run().source()
    scene.run().workflows()
    scene.source.commit(execution(replicas=2))
    scene.writes()
    return scene


def test_an_execution_that_has_started_stays_as_it_is(started: Scene) -> None:
    """Contract 5: SpecImmutable, told without a request, and the run goes on as it was."""
    before = started.workflow("once")
    applied = started.run().source()
    assert results(applied) == {DocumentResult.SPEC_IMMUTABLE: 1}
    assert started.workflow("once") == before
    assert started.states("once") == [CREATED]
    assert started.writes() == [f"update ConfigMap {HEAD}"]
    assert started.whole


def test_once_a_started_execution_is_gone_its_new_content_runs(started: Scene) -> None:
    """Contract 5: once that object is gone its content is new and is made."""
    started.run().source()
    started.run().settle("once")
    started.delete("once")
    started.clock.advance(3600)
    assert results(started.run().source()) == {APPLIED: 1}
    assert started.run().workflows() == {"once": Answer.MAY_PLAN}
    assert [(each.state, each.phase) for each in started.entries("once")] == [
        (CREATED, ""),
        (CREATED, "Completed"),
    ]


# --- suspend, cancel, approvals ---------------------------------------------------------------


def test_a_suspension_in_git_reaches_the_run_that_exists(scene: Scene) -> None:
    """Contract 5: an approval, a suspension or a cancel in git reaches the run that exists."""
    scene.source.commit(document())
    scene.run().source()
    scene.run().workflows()
    (name,) = scene.runs
    spec = scene.workflow(name)["spec"]
    scene.source.commit(document(more="  suspend: true\n  approvals: [{step: a}]\n"))
    assert results(scene.run().source()) == {APPLIED: 1}
    assert scene.workflow(name)["spec"] == {**spec, "suspend": True, "approvals": [{"step": "a"}]}
    assert scene.annotations(name)["kubernaut.ai/commit"] == scene.source.ref
    assert (scene.runs, scene.whole) == ([name], True)


def test_what_git_states_no_more_is_what_others_set(scene: Scene) -> None:
    """Contract 5: absent in git: left out, so that what others set stays."""
    scene.source.commit(document(more="  suspend: true\n"))
    scene.run().source()
    (name,) = scene.runs
    scene.started_by_hand(name)
    scene.edited(name, cancel=True)
    scene.source.commit(document())
    assert results(scene.run().source()) == {APPLIED: 1}
    spec = scene.workflow(name)["spec"]
    assert "suspend" not in spec
    assert spec["cancel"] is True


def test_a_control_that_git_never_stated_is_left_to_others(scene: Scene) -> None:
    """Contract 2: so that kubectl patch can set them without the next run taking it back."""
    scene.source.commit(document())
    scene.run().source()
    scene.run().workflows()
    (name,) = scene.runs
    scene.edited(name, suspend=True)
    scene.clock.advance(3600)
    assert results(scene.run().source()) == {UNCHANGED: 1}
    assert scene.workflow(name)["spec"]["suspend"] is True


def test_controls_of_a_settled_run_are_nobodys_affair(over: Scene) -> None:
    """Contract 2: once settled the spec is immutable whole."""
    over.source.commit(document(more="  cancel: true\n"))
    assert results(over.run().source()) == {UNCHANGED: 1}
    assert over.writes() == [f"update ConfigMap {HEAD}"]


def test_controls_of_a_queued_run_are_applied_while_it_waits(running: Scene) -> None:
    """Contract 5: Pending: the whole document, and it waits its turn all the same."""
    running.run().source()
    running.source.commit(document(replicas=2, more="  suspend: true\n"))
    assert results(running.run().source()) == {QUEUED: 1}
    assert running.workflow(running.newer)["spec"]["suspend"] is True
    assert running.states() == [INTENDED, CREATED]


# --- names that are taken ---------------------------------------------------------------------


@pytest.fixture
def taken(scene: Scene) -> Scene:
    """Somebody's workflow has the name that a document wants."""
    scene.source.commit(execution())
    body = {
        "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {"name": "once", "namespace": NAMESPACE},
        "spec": {"workflowDefinition": {"steps": []}},
    }
    assert scene.server.handle(create(WORKFLOWS, NAMESPACE, body)).ok
    return scene


def test_an_object_that_is_not_of_the_source_is_never_touched(taken: Scene) -> None:
    """Contract 5: NameTaken; I5: byte for byte the same before and after."""
    before = taken.workflow("once")
    applied = taken.run().source()
    assert results(applied) == {DocumentResult.NAME_TAKEN: 1}
    assert taken.workflow("once") == before
    assert not taken.whole


def test_a_name_that_stays_taken_costs_no_write(taken: Scene) -> None:
    """Contract 1: nothing to do means nothing written."""
    taken.run().source()
    taken.writes()
    assert results(taken.run().source()) == {DocumentResult.NAME_TAKEN: 1}
    assert taken.writes() == []


def test_a_name_that_becomes_free_is_used(taken: Scene) -> None:
    """Contract 5: the commit is not whole while one is NameTaken."""
    taken.run().source()
    taken.delete("once")
    assert results(taken.run().source()) == {APPLIED: 1}
    assert taken.run().workflows() == {"once": Answer.MAY_PLAN}
    assert taken.whole


def test_a_document_whose_record_is_of_another_source_is_not_applied(scene: Scene) -> None:
    """Contract 5: one record a document; two sources never share one."""
    scene.source.commit(execution())
    scene.run(name="other", url="https://git.example/other.git").source()
    scene.delete("once")
    scene.writes()
    for _ in range(2):
        assert results(scene.run().source()) == {DocumentResult.NAME_TAKEN: 1}
    assert (scene.runs, scene.whole) == ([], False)
    scene.writes()
    scene.run().source()
    assert scene.writes() == []


# --- refusals, and a server that does not answer ----------------------------------------------


def test_a_refusal_of_one_document_is_told_and_the_others_go_on(scene: Scene) -> None:
    """I11; contract 5: not whole while one was refused by the server."""
    scene.source.commit(execution("bad"), execution("good"))
    scene.server.interceptor = Refusing(422, "bad")
    applied = scene.run().source()
    assert results(applied) == {APPLIED: 1, DocumentResult.REFUSED: 1}
    assert scene.runs == ["good"]
    assert ["no, says the webhook" in each.text for each in applied.problems] == [True]
    assert scene.head.state is HeadState.REACHED
    scene.server.interceptor = None
    assert results(scene.run().source()) == {APPLIED: 1, UNCHANGED: 1}
    assert scene.whole


def test_a_namespace_that_is_not_there_refuses_its_own_documents_alone(scene: Scene) -> None:
    """I11: one namespace's trouble is its own."""
    elsewhere = execution("far").replace("name: far", "name: far\n  namespace: nowhere")
    scene.source.commit(execution(), elsewhere)
    applied = scene.run(namespace=None).source()
    # Without a namespace of the run, a document that states none is refused too.
    assert results(applied) == {DocumentResult.INVALID: 1, DocumentResult.REFUSED: 1}
    assert "kubectl create namespace nowhere" in applied.problems[1].message


def test_an_apply_without_an_answer_leaves_the_fence_unfinished(scene: Scene) -> None:
    """Contract 5: it may still land, so the next run sends again what has not settled."""
    scene.source.commit(execution("lost"), execution("good"))
    scene.server.interceptor = Refusing(503, "lost")
    applied = scene.run().source()
    assert results(applied) == {APPLIED: 1, DocumentResult.NOT_REACHED: 1}
    assert applied.problems == ()
    assert scene.head.state is HeadState.APPLYING
    scene.server.interceptor = None
    version = scene.workflow("good")["metadata"]["resourceVersion"]
    assert results(scene.run().source()) == {APPLIED: 1, UNCHANGED: 1}
    assert scene.workflow("good")["metadata"]["resourceVersion"] != version
    assert scene.whole


def test_a_document_that_is_never_answered_keeps_no_other_from_its_run(scene: Scene) -> None:
    """I11: a webhook that fails for one; what may still land is planned by none but its own."""
    scene.source.commit(document("bad"), document("good"))
    bad = next(each.run for each in scene.run().view().definitions.definitions if "bad" in each.run)
    scene.server.interceptor = Refusing(500, bad)
    for _ in range(2):
        run = scene.run()
        run.source()
        run.workflows()
        assert run.unanswered == {(NAMESPACE, bad)}
    [good] = scene.runs
    assert scene.workflow(good)["status"]["phase"] == "Executing"


def test_a_head_that_may_not_be_written_applies_nothing(scene: Scene) -> None:
    """Contract 5: without the fence there is no apply."""
    scene.source.commit(document())
    scene.server.interceptor = Refusing(403, HEAD)
    with pytest.raises(SourceError, match=HEAD):
        scene.run().source()
    assert (scene.runs, scene.states()) == ([], [INTENDED])


# --- paused, dry run --------------------------------------------------------------------------


def test_while_paused_nothing_is_applied_and_the_documents_are_still_judged(scene: Scene) -> None:
    """Contract 1: while reconciler-paused exists nothing is applied."""
    scene.source.commit(document(), "kind: [")
    applied = scene.run().source(paused=True)
    assert results(applied) == {DocumentResult.NOT_REACHED: 1, DocumentResult.INVALID: 1}
    assert scene.writes() == []
    assert results(scene.run().source()) == {APPLIED: 1, DocumentResult.INVALID: 1}


def test_a_dry_run_asks_the_server_and_changes_nothing(scene: Scene) -> None:
    """Contract 9: server-side dry run of the applies."""
    scene.source.commit(execution("bad"), execution("good"))
    scene.server.interceptor = Refusing(422, "bad")
    applied = scene.run().source(dry_run=True)
    assert results(applied) == {APPLIED: 1, DocumentResult.REFUSED: 1}
    assert applied.events == ()
    assert [dict(each.query).get("dryRun") for each in scene.server.writes()] == ["All", "All"]
    assert scene.runs == []


# --- Events -----------------------------------------------------------------------------------


def test_the_run_that_first_names_a_commit_tells_its_events_and_no_other(started: Scene) -> None:
    """Contract 10: regarding the head, only in the run whose head write first names the commit."""
    (event,) = started.run().source().events
    assert (event.reason, event.warning) == ("SpecImmutable", True)
    assert event.regarding == Regarding("v1", "ConfigMap", NAMESPACE, HEAD, started.head.uid)
    assert event.note.startswith("shop.yaml:1: shop/once: ")
    started.clock.advance(3600)
    assert started.run().source().events == ()


def test_many_documents_make_one_event_of_a_reason(scene: Scene) -> None:
    """Contract 10: as many as fit 1,024 bytes, then `and n more`."""
    names = [f"{'x' * 60}-{number}" for number in range(12)]
    scene.source.commit(*(execution(name) for name in names))
    run = scene.run()
    run.source()
    run.workflows()
    for name in names:
        run.settle(name)
        scene.delete(name)
    scene.source.commit(*(execution(name) for name in names), document())
    (event,) = scene.run().source().events
    assert event.reason == "AlreadyRan"
    assert len(event.note.encode()) <= 1024
    assert event.note.endswith("more")
    assert results(scene.run().source()) == {}


def test_somebody_elses_apply_of_our_object_is_overruled_by_the_next_content(scene: Scene) -> None:
    """Contract 5: server-side apply, force: git wins when it changes."""
    scene.source.commit(execution(more="  maxConcurrentSteps: 2\n"))
    scene.run().source()
    body = {
        "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {"name": "once", "namespace": NAMESPACE},
        "spec": {"maxConcurrentSteps": 9},
    }
    target = Target(WORKFLOWS, NAMESPACE, "once")
    assert scene.server.handle(apply(target, body, manager="somebody")).ok
    scene.source.commit(execution(more="  maxConcurrentSteps: 3\n"))
    assert results(scene.run().source()) == {APPLIED: 1}
    assert scene.workflow("once")["spec"]["maxConcurrentSteps"] == 3
