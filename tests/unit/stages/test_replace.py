"""Contract 5, Replace: the older runs are asked to end, and then it is as Queue."""

import pytest

from reconciler.core.api import Phase
from reconciler.core.outcome import DocumentResult
from reconciler.core.source import HeadState
from reconciler.kube.answers import Response
from reconciler.kube.requests import WORKFLOWS, Request, Verb
from reconciler.stages.records import Answer
from tests.unit.stages.scene import HEAD, Once, Refusing, Scene, document, results

REPLACE = "  runPolicy: {concurrency: Replace}\n"
QUEUED, UNCHANGED = DocumentResult.QUEUED, DocumentResult.UNCHANGED


@pytest.fixture
def replacing(scene: Scene) -> Scene:
    """The first content executes, and git holds a second that replaces it."""
    scene.source.commit(document(more=REPLACE))
    scene.run().source()
    scene.run().workflows()
    scene.source.commit(document(replicas=2, more=REPLACE))
    scene.writes()
    return scene


def cancelled(scene: Scene, name: str) -> bool:
    return scene.workflow(name)["spec"].get("cancel") is True


def test_the_older_run_is_asked_to_end_once_its_successor_is_there(replacing: Scene) -> None:
    """Contract 5: cancel true by merge patch; after the fence, after the apply, before the end."""
    assert results(replacing.run().source()) == {QUEUED: 1}
    assert replacing.writes() == [
        "update WorkflowRecord/status restart",
        f"update ConfigMap {HEAD}",
        f"apply WorkflowExecution {replacing.newer}",
        f"patch WorkflowExecution {replacing.older}",
        f"update ConfigMap {HEAD}",
    ]
    assert (cancelled(replacing, replacing.older), cancelled(replacing, replacing.newer)) == (
        True,
        False,
    )


def test_it_still_waits_until_the_older_run_has_settled(replacing: Scene) -> None:
    """Contract 5: then as Queue; whoever carries actions out may need its time to end."""
    replacing.run().source()
    assert replacing.run().workflows()[replacing.newer] is Answer.WAITS
    replacing.run().settle(replacing.older, Phase.CANCELLED)
    assert replacing.run().workflows() == {replacing.newer: Answer.MAY_PLAN}
    assert [each.phase for each in replacing.entries()] == ["", "Cancelled"]
    replacing.run().source()
    assert replacing.whole


def test_an_older_run_is_asked_once(replacing: Scene) -> None:
    """Contract 1: nothing to do means nothing written, though the successor waits."""
    replacing.run().source()
    replacing.writes()
    assert results(replacing.run().source()) == {QUEUED: 1}
    assert replacing.writes() == []


def test_a_policy_that_changes_to_replace_asks_the_run_that_blocks(running: Scene) -> None:
    """Contract 5: runPolicy is no part of the content; what git says now holds."""
    running.run().source()
    running.source.commit(document(replicas=2, more=REPLACE))
    running.run().source()
    assert cancelled(running, running.older)
    assert len(running.entries()) == 2


def test_queue_asks_nobody(running: Scene) -> None:
    """Contract 5, Queue: waits until every older run is settled."""
    running.run().source()
    assert not cancelled(running, running.older)


def test_a_successor_that_the_server_refuses_replaces_nothing(replacing: Scene) -> None:
    """Contract 5: the older run makes way for a run, not for a document."""
    replacing.server.interceptor = Refusing(422, _name_of_the_second(replacing))
    assert results(replacing.run().source()) == {DocumentResult.REFUSED: 1}
    assert not cancelled(replacing, replacing.older)


def _name_of_the_second(scene: Scene) -> str:
    (definition,) = scene.run().view().definitions.definitions
    scene.server.log.clear()
    return definition.run


def test_an_older_run_that_moved_is_asked_by_the_next_run(replacing: Scene) -> None:
    """Contract 5: with the uid and resourceVersion that were read before the fence."""
    older = replacing.runs[0]

    def moves() -> Response | None:
        replacing.edited(older, suspend=True)
        return None

    replacing.server.interceptor = Once(_asks, moves)
    states = []
    for asked in (False, True):
        replacing.run().source()
        assert cancelled(replacing, older) is asked
        states.append(replacing.head.state)
    assert states == [HeadState.APPLYING, HeadState.REACHED]


def _asks(request: Request) -> bool:
    return request.verb is Verb.PATCH and request.target.resource is WORKFLOWS


def test_a_run_that_is_current_again_is_not_asked_to_end_late(replacing: Scene) -> None:
    """Fault 7: A falls asleep before its cancel, git goes back, B moves what A read."""
    older = replacing.runs[0]

    def goes_back() -> Response | None:
        replacing.source.commit(document(more=REPLACE))
        replacing.run().source()
        return None

    replacing.server.interceptor = Once(_asks, goes_back)
    replacing.run().source()
    assert not cancelled(replacing, older)
    replacing.run().source()
    assert replacing.whole
    assert replacing.run().workflows()[older] is Answer.MAY_PLAN


def test_what_replace_has_cancelled_git_does_not_take_back(replacing: Scene) -> None:
    """Contract 5: an older cancel that lands is final; a document states its own controls alone."""
    replacing.run().source()
    older = replacing.older
    replacing.source.commit(document(more=REPLACE + "  suspend: true\n"))
    replacing.run().source()
    spec = replacing.workflow(older)["spec"]
    assert (spec["cancel"], spec["suspend"]) == (True, True)


def test_while_paused_nobody_is_asked_to_make_way(replacing: Scene) -> None:
    """Contract 1: while reconciler-paused exists nothing is applied."""
    replacing.run().source(paused=True)
    assert replacing.writes() == []


def test_a_dry_run_asks_nobody(replacing: Scene) -> None:
    """Contract 9: server-side dry run of the applies, and no other write."""
    replacing.run().source(dry_run=True)
    assert not cancelled(replacing, replacing.runs[0])
