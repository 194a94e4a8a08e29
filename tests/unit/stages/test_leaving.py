"""Contract 5: history, TTL and prune, at the end of stage 3; nothing else deletes (I8)."""

import logging
from collections.abc import Callable

import pytest

from reconciler.core.api import Phase
from reconciler.core.outcome import DocumentResult, Rule
from reconciler.core.source import HeadState
from reconciler.kube.answers import Response
from reconciler.kube.requests import (
    CONFIG_MAPS,
    RECORDS,
    WORKFLOWS,
    Request,
    Target,
    Verb,
    create,
    delete,
    patch,
)
from reconciler.stages.records import Answer
from tests.builders import NAMESPACE
from tests.unit.runs import Meets, of, refusal
from tests.unit.stages.scene import HEAD, Once, Refusing, Scene, document, execution, results

EXPIRING = "  ttlSecondsAfterSettled: 600\n"
OTHERS = (document("b"), document("c"))


def history(number: int) -> str:
    return f"  runPolicy: {{history: {number}}}\n"


def deletes(scene: Scene) -> list[str]:
    return [each for each in scene.writes() if each.startswith("delete")]


def _deletes(request: Request) -> bool:
    return request.verb is Verb.DELETE


def forget(scene: Scene, target: Target) -> None:
    assert scene.server.handle(delete(target)).ok


# --- history ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        pytest.param("", 4, id="three-older-ones-without-a-word"),
        pytest.param(history(1), 2, id="as-many-as-it-says"),
        pytest.param(history(0), 1, id="none-but-the-current"),
    ],
)
def test_settled_runs_of_older_contents_beyond_the_history_go(
    scene: Scene, policy: str, left: int
) -> None:
    """Contract 5: history (0..100, default 3): settled runs of superseded contents beyond it."""
    for replicas in range(6):
        scene.ran(document(replicas=replicas, more=policy))
    scene.run().source()
    scene.clock.advance(3600)
    scene.run().source()
    assert len(scene.runs) == left
    assert set(scene.runs) == {each.run for each in scene.entries()[:left]}
    assert [each.phase for each in scene.entries()] == ["Completed"] * 6


def test_deletions_stand_between_the_applies_and_the_end(scene: Scene) -> None:
    """Contract 5: at the end of stage 3; while one may land late the head says so."""
    scene.ran(document(more=history(0)))
    scene.source.commit(document(replicas=2, more=history(0)))
    older = scene.runs[0]
    scene.writes()
    applied = scene.run().source()
    assert scene.writes() == [
        "update WorkflowRecord/status restart",
        f"update ConfigMap {HEAD}",
        f"apply WorkflowExecution {scene.newer}",
        f"delete WorkflowExecution {older}",
        f"update ConfigMap {HEAD}",
    ]
    assert applied.deleted == {Rule.HISTORY: 1}
    assert scene.whole


def test_one_delete_is_of_exactly_what_was_read(scene: Scene) -> None:
    """Contract 5: one DELETE each with uid and resourceVersion, background propagation."""
    scene.ran(document(more=history(0)))
    about = scene.workflow(scene.runs[0])["metadata"]
    scene.ran(document(replicas=2, more=history(0)))
    (request,) = [each for each in scene.server.writes() if each.verb is Verb.DELETE]
    assert f'"uid":"{about["uid"]}"' in request.body.decode()
    assert f'"resourceVersion":"{about["resourceVersion"]}"' in request.body.decode()
    assert '"propagationPolicy":"Background"' in request.body.decode()


def test_a_run_of_an_older_content_that_executes_stays(running: Scene) -> None:
    """Contract 5: settled runs alone."""
    running.source.commit(document(replicas=2, more=history(0)))
    running.run().source()
    running.clock.advance(3600)
    running.run().source()
    assert len(running.runs) == 2
    assert deletes(running) == []


def test_what_settled_in_this_run_goes_in_a_later_one(running: Scene) -> None:
    """Contract 5: the run that saw it settle tells of it. The next one, not the hourly look."""
    running.source.commit(document(replicas=2, more=history(0)))
    running.run().source()
    run = running.run()
    running.clock.advance(10)
    run.settle(running.older)
    running.clock.advance(10)
    running.source.commit(document(replicas=3, more=history(0)))
    run.source()
    assert deletes(running) == []
    running.clock.advance(1)
    running.run().source()
    assert len(deletes(running)) == 1
    assert running.whole


def test_a_run_whose_result_stands_nowhere_is_not_deleted(running: Scene) -> None:
    """Contract 5: nothing of ours deletes a run before its result is in its record."""
    running.source.commit(document(replicas=2, more=history(0)))
    running.run().source()
    running.run().settle(running.older, crash=True)
    running.clock.advance(3600)
    running.run().source()  # the hourly look writes the result, and deletes nothing that had none
    assert deletes(running) == []
    assert running.entries()[-1].phase == "Completed"
    running.clock.advance(3600)
    running.run().source()
    assert len(deletes(running)) == 1


def test_the_current_run_is_no_history(scene: Scene) -> None:
    """Contract 5: of superseded contents."""
    scene.ran(document(more=history(0)))
    scene.clock.advance(3600)
    scene.run().source()
    assert len(scene.runs) == 1


def test_a_content_that_is_current_again_is_no_history(scene: Scene) -> None:
    """Contract 5: a revert starts nothing, and keeps the run that it names."""
    scene.ran(document(more=history(0)))
    first = scene.source.ref
    scene.clock.advance(-60)
    scene.ran(document(replicas=2, more=history(1)))
    scene.source.ref = first
    scene.clock.advance(3600)
    scene.run().source()
    assert scene.runs == [scene.older]


def test_what_history_has_deleted_never_runs_again(scene: Scene) -> None:
    """I12: whatever is deleted beside it."""
    scene.ran(document(more=history(0)))
    scene.ran(document(replicas=2, more=history(0)))
    assert len(scene.runs) == 1
    scene.source.commit(document(more=history(0)))
    assert results(scene.run().source()) == {DocumentResult.ALREADY_RAN: 1}
    assert scene.run().workflows() == {}


def test_a_bad_document_keeps_its_own_history_and_no_others(scene: Scene) -> None:
    """I11: one bad document harms itself alone."""
    scene.ran(document("a", more=history(0)), document("b", more=history(0)))
    broken = document("a").replace("replicas: 1", "replicas: many")
    scene.ran(broken, document("b", replicas=2, more=history(0)))
    scene.clock.advance(3600)
    scene.run().source()
    told = [scene.annotations(name)["kubernaut.ai/definition"] for name in scene.runs]
    assert told == ["a", "b"]


def test_a_content_that_its_record_has_forgotten_goes_as_the_oldest(scene: Scene) -> None:
    """Contract 5: a record holds 20 contents; objects of older ones are history all the same."""
    for replicas in range(23):
        scene.ran(document(replicas=replicas, more=history(100)))
    assert len(scene.runs) == 23
    scene.source.commit(document(replicas=22, more=history(21)))
    scene.run().source()
    assert len(scene.runs) == 22


# --- the time to live -------------------------------------------------------------------------


@pytest.fixture
def expiring(scene: Scene) -> Scene:
    """A run that stays for ten minutes has settled a minute ago."""
    scene.ran(document(more=EXPIRING))
    scene.run().source()
    scene.writes()
    return scene


def test_a_run_goes_once_its_time_is_over(expiring: Scene) -> None:
    """Contract 5: TTL is due in the hourly look; the content does not run again."""
    expiring.clock.advance(3600)
    applied = expiring.run().source()
    assert applied.deleted == {Rule.TTL: 1}
    assert expiring.runs == []
    expiring.clock.advance(3600)
    assert results(expiring.run().source()) == {DocumentResult.ALREADY_RAN: 1}
    assert expiring.whole


def test_a_run_stays_until_then(expiring: Scene) -> None:
    """Contract 2: seconds after it settled, by the server's time."""
    expiring.source.commit(document(more=EXPIRING), document("b"))
    expiring.run().source()
    expiring.clock.advance(500)
    expiring.source.commit(document(more=EXPIRING), document("c"))
    expiring.run().source()
    assert deletes(expiring) == []


def test_without_the_servers_time_nothing_expires(expiring: Scene) -> None:
    """Contract 1: the time is the API server's, so that no node's wrong clock does harm."""

    class Timeless:
        def before(self, request: Request) -> Response | None:
            del request
            return None

        def after(self, request: Request, response: Response) -> Response:
            del request
            return Response(response.status, response.body)

    expiring.clock.advance(3600)
    expiring.server.interceptor = Timeless()
    expiring.run().source()
    assert deletes(expiring) == []


def test_what_somebody_writes_into_the_annotation_deletes_nothing(scene: Scene) -> None:
    """I8: the annotation finds candidates; the object's own spec has the last word."""
    scene.ran(document())
    name = scene.runs[0]
    about = {"metadata": {"annotations": {"kubernaut.ai/ttl-seconds": "1"}}}
    assert scene.server.handle(patch(Target(WORKFLOWS, NAMESPACE, name), about)).ok
    scene.clock.advance(3600)
    scene.run().source()
    assert scene.runs == [name]


def test_a_run_that_executes_does_not_expire(scene: Scene) -> None:
    """Contract 2: after it settled."""
    scene.source.commit(document(more="  ttlSecondsAfterSettled: 0\n"))
    scene.run().source()
    scene.run().workflows()
    scene.clock.advance(7200)
    scene.run().source()
    assert len(scene.runs) == 1


def test_an_execution_that_expired_makes_room_for_its_new_content(scene: Scene) -> None:
    """Contract 5: once that object is gone its content is new and is made."""
    scene.ran(execution(more=EXPIRING))
    scene.source.commit(execution(replicas=2))
    assert results(scene.run().source()) == {DocumentResult.SPEC_IMMUTABLE: 1}
    scene.clock.advance(3600)
    scene.run().source()
    assert scene.runs == []
    scene.clock.advance(3600)
    assert results(scene.run().source()) == {DocumentResult.APPLIED: 1}


# --- prune ------------------------------------------------------------------------------------


@pytest.fixture
def gone(scene: Scene) -> Scene:
    """Three definitions have run, and one of them has left git."""
    scene.ran(document("a"), *OTHERS)
    scene.run().source()
    scene.source.commit(*OTHERS)
    scene.writes()
    return scene


def documents_of(scene: Scene) -> list[str]:
    return [scene.annotations(name)["kubernaut.ai/definition"] for name in scene.runs]


def test_prune_is_off_by_default(gone: Scene) -> None:
    """Contract 5; I8: nothing is deleted but by prune, history and TTL."""
    gone.run().source()
    gone.clock.advance(3600)
    gone.run().source()
    assert documents_of(gone) == ["a", "b", "c"]


def test_a_settled_run_whose_document_left_git_is_deleted(gone: Scene) -> None:
    """Contract 5, prune: and its record stays, so that nothing runs again."""
    applied = gone.run(prune=True).source()
    assert applied.deleted == {Rule.PRUNE: 1}
    assert documents_of(gone) == ["b", "c"]
    assert [each.phase for each in gone.entries("a")] == ["Completed"]
    gone.source.commit(document("a"), *OTHERS)
    told = results(gone.run(prune=True).source())
    assert told == {DocumentResult.ALREADY_RAN: 1, DocumentResult.UNCHANGED: 2}


def test_prune_that_is_turned_on_acts_at_once(gone: Scene) -> None:
    """Contract 5: with other flags a commit that was whole is looked at again."""
    gone.run().source()
    assert gone.whole
    gone.run(prune=True).source()
    assert documents_of(gone) == ["b", "c"]
    gone.writes()
    gone.run(prune=True).source()
    assert gone.writes() == []


def test_one_that_still_executes_is_left_to_settle_first(scene: Scene) -> None:
    """Contract 5, prune."""
    scene.source.commit(document("a"), *OTHERS)
    scene.run().source()
    scene.run().workflows()
    scene.source.commit(*OTHERS)
    scene.run(prune=True).source()
    assert documents_of(scene) == ["a", "b", "c"]
    scene.settle_all()
    scene.clock.advance(3600)
    scene.run(prune=True).source()
    assert documents_of(scene) == ["b", "c"]


def test_one_that_never_started_counts_as_settled(scene: Scene) -> None:
    """Contract 5: dropped: no successor waits for it, and it counts as settled for prune."""
    scene.source.commit(document("a", more="  suspend: true\n"), *OTHERS)
    scene.run().source()
    scene.source.commit(*OTHERS)
    scene.run(prune=True).source()
    assert documents_of(scene) == ["b", "c"]
    assert [each.state for each in scene.entries("a")] == ["dropped"]


def test_a_run_that_waits_for_nothing_but_its_uid_is_not_pruned(scene: Scene) -> None:
    """Contract 5: what stands as intended may start any moment."""
    scene.source.commit(document("a"), *OTHERS)
    scene.run().source()
    scene.run().admit(scene.runs[0])
    scene.source.commit(*OTHERS)
    scene.run(prune=True).source()
    assert documents_of(scene) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("commit", "why"),
    [
        pytest.param((*OTHERS, "kind: ["), "could not be read", id="a-document-is-bad"),
        pytest.param((document("c"),), "more than half", id="more-than-half-would-go"),
        pytest.param(("# nothing\n",), "no document for this cluster", id="it-is-empty"),
    ],
)
def test_a_source_that_looks_broken_prunes_nothing_and_says_so(
    gone: Scene, caplog: pytest.LogCaptureFixture, commit: tuple[str, ...], why: str
) -> None:
    """Contract 5: bad, empty, or more than half of the source's objects."""
    gone.source.commit(*commit)
    with caplog.at_level(logging.WARNING):
        gone.run(prune=True).source()
    assert documents_of(gone) == ["a", "b", "c"]
    assert [each for each in caplog.messages if "nothing is pruned" in each and why in each]


def test_a_source_that_cannot_be_read_prunes_nothing(gone: Scene) -> None:
    """Contract 5, prune: stages 2 and 3 are skipped whole."""
    gone.source.trouble = "no answer"
    with pytest.raises(Exception, match="no answer"):
        gone.run(prune=True).source()
    assert documents_of(gone) == ["a", "b", "c"]


def test_a_source_that_has_moved_prunes_nothing_in_that_run(gone: Scene) -> None:
    """Contract 5: a wrong URL is found out before anything goes."""
    gone.run(prune=True, moved=True, url="https://git.example/other.git").source()
    assert documents_of(gone) == ["a", "b", "c"]


def test_without_a_head_nothing_is_pruned(gone: Scene) -> None:
    """Contract 5: whose URL it was nobody can say then; an hour later it is known."""
    forget(gone, Target(CONFIG_MAPS, NAMESPACE, HEAD))
    gone.run(prune=True).source()
    assert documents_of(gone) == ["a", "b", "c"]
    gone.clock.advance(3600)
    gone.run(prune=True).source()
    assert documents_of(gone) == ["b", "c"]


def test_a_run_whose_record_is_lost_is_not_pruned(gone: Scene) -> None:
    """Contract 5: nothing of ours deletes a run before its result is in its record."""
    forget(gone, Target(RECORDS, NAMESPACE, "a"))
    gone.run(prune=True).source()
    assert documents_of(gone) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "labels", [{}, {"kubernaut.ai/source": "other"}], ids=["none", "of-another"]
)
def test_an_object_without_this_sources_label_is_never_touched(
    gone: Scene, labels: dict[str, str]
) -> None:
    """Contract 5: the label; prune looks at nothing else. I5."""
    body = {
        "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {
            "name": "theirs",
            "namespace": NAMESPACE,
            "labels": labels,
            "annotations": {"kubernaut.ai/definition": "a"},
        },
        "spec": {"workflowDefinition": {"steps": []}},
    }
    assert gone.server.handle(create(WORKFLOWS, NAMESPACE, body)).ok
    before = gone.workflow("theirs")
    gone.run(prune=True).source()
    assert gone.workflow("theirs") == before


def test_a_label_that_was_taken_away_meanwhile_saves_the_run(gone: Scene) -> None:
    """Contract 5: the object is looked at whole before it goes."""
    name = gone.runs[0]

    def unlabelled() -> Response | None:
        about = {"metadata": {"labels": {"kubernaut.ai/source": None}}}
        assert gone.server.handle(patch(Target(WORKFLOWS, NAMESPACE, name), about)).ok
        return None

    gone.server.interceptor = Once(
        lambda it: it.verb is Verb.GET and it.target.name == name, unlabelled
    )
    gone.run(prune=True).source()
    assert name in gone.runs


# --- what they have in common -----------------------------------------------------------------


def test_a_dry_run_tells_who_would_go_and_deletes_nothing(
    gone: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Contract 5: --dry-run shows first."""
    with caplog.at_level(logging.INFO):
        applied = gone.run(prune=True).source(dry_run=True)
    assert [each for each in caplog.messages if "would be deleted (prune)" in each]
    assert applied.deleted == {}
    assert documents_of(gone) == ["a", "b", "c"]
    assert deletes(gone) == []


def test_while_paused_nothing_is_deleted(gone: Scene) -> None:
    """Contract 1: while reconciler-paused exists nothing moves but what runs."""
    gone.run(prune=True).source(paused=True)
    assert gone.writes() == []


def test_a_run_that_loses_the_fence_deletes_nothing(gone: Scene) -> None:
    """Contract 5: lost (409): nothing is applied or deleted."""

    def faster() -> Response | None:
        gone.run().source()
        return None

    gone.server.interceptor = Once(
        lambda it: it.verb is Verb.UPDATE and it.target.resource is CONFIG_MAPS, faster
    )
    applied = gone.run(prune=True).source()
    assert (applied.lost, applied.deleted) == (True, {})
    assert documents_of(gone) == ["a", "b", "c"]


def test_a_delete_that_is_refused_is_told_and_the_rest_goes_on(
    gone: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """I11: a role that may not delete; the commit is whole all the same."""
    gone.server.interceptor = Refusing(403, gone.runs[0])
    with caplog.at_level(logging.WARNING):
        applied = gone.run(prune=True).source()
    assert applied.deleted == {}
    assert [each for each in caplog.messages if "could not be deleted" in each]
    assert gone.whole


def test_a_delete_without_an_answer_is_looked_at_again_by_the_next_run(gone: Scene) -> None:
    """Contract 5: it may still land, and the head says so."""
    gone.server.interceptor = Refusing(503, gone.runs[0])
    assert gone.run(prune=True).source().deleted == {}
    assert gone.head.state is HeadState.APPLYING
    gone.server.interceptor = None
    assert gone.run(prune=True).source().deleted == {Rule.PRUNE: 1}
    assert gone.whole


def test_a_look_without_an_answer_is_taken_again_by_the_next_run(gone: Scene) -> None:
    """I6: not by the one that looks in an hour."""
    unread = of(Verb.GET, WORKFLOWS)
    gone.server.interceptor = Meets(unread, lambda: refusal(503))
    assert gone.run(prune=True).source().deleted == {}
    assert not gone.whole
    gone.server.interceptor = None
    assert gone.run(prune=True).source().deleted == {Rule.PRUNE: 1}
    assert gone.whole


def test_a_look_that_is_refused_is_told_and_the_rest_goes_on(
    gone: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """I11: a role that may not read; the commit is whole all the same."""
    gone.server.interceptor = Meets(of(Verb.GET, WORKFLOWS), lambda: refusal(403))
    with caplog.at_level(logging.WARNING):
        assert gone.run(prune=True).source().deleted == {}
    assert [each for each in caplog.messages if "could not be looked at" in each]
    assert gone.whole


def test_a_run_that_was_touched_since_it_was_read_stays(gone: Scene) -> None:
    """Contract 5: with uid and resourceVersion; the next run looks at it again."""
    name = gone.runs[0]

    def touched() -> Response | None:
        about = {"metadata": {"annotations": {"a": "b"}}}
        assert gone.server.handle(patch(Target(WORKFLOWS, NAMESPACE, name), about)).ok
        return None

    gone.server.interceptor = Once(_deletes, touched)
    gone.run(prune=True).source()
    assert name in gone.runs
    gone.run(prune=True).source()
    assert name not in gone.runs


def test_a_dropped_run_that_is_wanted_again_is_not_deleted_late(scene: Scene) -> None:
    """Fault 7: A sleeps before its DELETE, git takes the document back, B moves the object."""
    suspended = document("a", more="  suspend: true\n")
    scene.source.commit(suspended, *OTHERS)
    scene.run().source()
    scene.source.commit(*OTHERS)

    def taken_back() -> Response | None:
        scene.source.commit(document("a"), *OTHERS)
        run = scene.run(prune=True)
        run.source()
        assert run.workflows()[name] is Answer.MAY_PLAN
        return None

    name = next(each for each in scene.runs if each.startswith("a-"))
    scene.server.interceptor = Once(_deletes, taken_back)
    scene.run(prune=True).source()
    assert name in scene.runs
    assert scene.workflow(name)["status"]["phase"] == Phase.EXECUTING


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda scene: scene.run(prune=True).source(), id="by-the-source"),
        pytest.param(lambda scene: scene.run(prune=True).workflows(), id="by-the-workflows"),
    ],
)
def test_nothing_comes_back_after_it_was_pruned(
    gone: Scene, look: Callable[[Scene], object]
) -> None:
    """I12; contract 1: nothing to do means nothing written."""
    gone.run(prune=True).source()
    gone.writes()
    look(gone)
    assert gone.writes() == []
    assert documents_of(gone) == ["b", "c"]
