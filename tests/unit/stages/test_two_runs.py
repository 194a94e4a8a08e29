"""Contract 5 and faults: two runs at once, each schedule that broke an earlier wording by itself.

A sleeping run is one whose next request waits while everything else goes on. Every schedule of two
runs, and every crash of one, stands in `tests/faults`.
"""

from collections.abc import Callable

import pytest

from reconciler.core.api import Phase, RecordState
from reconciler.core.outcome import DocumentResult
from reconciler.core.source import HeadState
from reconciler.kube.answers import Response
from reconciler.kube.requests import CONFIG_MAPS, RECORDS, WORKFLOWS, Request, Target, Verb, patch
from reconciler.stages.records import Answer
from tests.builders import NAMESPACE
from tests.unit.stages.scene import Crash, Once, Scene, document, execution, results

INTENDED, CREATED, DROPPED, RECORDED = RecordState
SUSPENDED = "  suspend: true\n"


def is_apply(request: Request) -> bool:
    return request.verb is Verb.APPLY


def is_fence(request: Request) -> bool:
    return request.verb is not Verb.GET and request.target.resource is CONFIG_MAPS


def is_record(request: Request) -> bool:
    return request.verb is Verb.UPDATE and request.target.resource is RECORDS


def is_look(request: Request) -> bool:
    return request.verb is Verb.GET and request.target.resource is WORKFLOWS


class Held:
    """An interceptor: the process dies, and its request is still on the way."""

    def __init__(self, wanted: Callable[[Request], bool]) -> None:
        self._wanted = wanted
        self.requests: list[Request] = []

    def before(self, request: Request) -> Response | None:
        if self._wanted(request):
            self.requests.append(request)
            raise Crash
        return None

    def after(self, request: Request, response: Response) -> Response:
        del request
        return response


def asleep(scene: Scene, at: Callable[[Request], bool], meanwhile: Callable[[], object]) -> None:
    """The run that comes next sleeps before that request, and everything else goes on."""

    def act() -> Response | None:
        meanwhile()
        return None

    scene.server.interceptor = Once(at, act)


def spoilt_head(scene: Scene) -> None:
    """A run of another commit, with a bad document in it, has fenced, and died."""
    commit = scene.source.ref
    scene.source.commit(execution(), "kind: [")
    assert scene.crashing(lambda: scene.run().source(), Held(is_apply))
    scene.source.ref = commit


def whole_run(scene: Scene) -> None:
    run = scene.run()
    run.source()
    run.workflows()


# --- the fence ---------------------------------------------------------------------------------


def test_of_two_runs_that_read_the_same_head_one_applies(scene: Scene) -> None:
    """Contract 5: lost (409): nothing is applied by the run that was slower."""
    scene.source.commit(document())
    asleep(scene, is_fence, lambda: scene.run().source())
    slow = scene.run().source()
    assert (slow.lost, slow.whole, slow.events) == (True, False, ())
    assert results(slow) == {DocumentResult.NOT_REACHED: 1}
    assert (len(scene.runs), scene.whole) == (1, True)


def test_a_run_that_is_overtaken_before_its_records_writes_none(scene: Scene) -> None:
    """Contract 5: each write carries the resourceVersion that was read."""
    scene.source.commit(document(replicas=1))
    whole_run(scene)
    scene.run().settle(scene.older)
    scene.source.commit(document(replicas=2))

    def overtake() -> None:
        scene.source.commit(document(replicas=3))
        whole_run(scene)

    asleep(scene, is_record, overtake)
    assert results(scene.run().source()) == {DocumentResult.NOT_REACHED: 1}
    assert scene.states() == [CREATED, CREATED]
    assert (len(scene.runs), scene.whole) == (2, True)


def test_what_a_lost_run_left_intended_the_next_one_drops(scene: Scene) -> None:
    """Contract 5: the source stages end; nothing is applied or deleted."""
    scene.source.commit(document(replicas=1))
    asleep(scene, is_fence, lambda: spoilt_head(scene))
    assert scene.run().source().lost
    assert (scene.states(), scene.runs) == ([INTENDED], [])
    scene.source.commit(document(replicas=2))
    whole_run(scene)
    assert scene.states() == [CREATED, DROPPED]


# --- fault 6: a new object ----------------------------------------------------------------------


@pytest.fixture
def overtaken(scene: Scene) -> Scene:
    """A run fenced the first content and slept; another applied the second, and it started."""
    scene.source.commit(document(replicas=1))

    def overtake() -> None:
        scene.source.commit(document(replicas=2))
        whole_run(scene)

    asleep(scene, is_apply, overtake)
    scene.run().source()
    return scene


def test_a_late_apply_under_a_free_name_does_not_start(overtaken: Scene) -> None:
    """Fault 6: dropped: the object waits untouched, and no successor waits for it."""
    assert overtaken.states() == [CREATED, DROPPED]
    assert overtaken.run().workflows() == {
        overtaken.newer: Answer.MAY_PLAN,
        overtaken.older: Answer.WAITS,
    }
    overtaken.run().settle(overtaken.newer)
    assert overtaken.run().workflows() == {overtaken.older: Answer.WAITS}


def test_the_head_stays_that_of_the_run_that_was_faster(overtaken: Scene) -> None:
    """Contract 5: the late run's `whole` meets another resourceVersion."""
    assert overtaken.whole


def test_a_late_create_of_a_run_that_was_deleted_does_not_start(scene: Scene) -> None:
    """Contract 5: another uid: a late apply of a sleeping run."""
    scene.source.commit(document())

    def overtake() -> None:
        whole_run(scene)
        scene.delete(scene.runs[0])

    asleep(scene, is_apply, overtake)
    scene.run().source()
    assert scene.run().workflows() == {scene.newer: Answer.ALREADY_RAN}


# --- fault 7: an object that is there ------------------------------------------------------------


@pytest.fixture
def executing(scene: Scene) -> Scene:
    """The commit `plain` was applied whole and its run executes; then git suspended it."""
    scene.source.commit(document())
    whole_run(scene)
    scene.source.commit(document(more=SUSPENDED))
    return scene


def suspended(scene: Scene) -> bool:
    found: bool = scene.workflow(scene.runs[0])["spec"].get("suspend", False)
    return found


@pytest.mark.parametrize(
    "takes_it_back",
    [
        pytest.param(
            lambda scene: scene.source.commit("# again\n" + document()), id="with-a-new-commit"
        ),
        pytest.param(lambda scene: scene.source.commit(document()), id="by-going-back"),
        pytest.param(lambda scene: scene.source.commit(document("other")), id="with-the-document"),
        pytest.param(
            lambda scene: scene.source.commit(document(replicas=2)), id="with-another-content"
        ),
    ],
)
def test_a_control_that_git_has_taken_back_does_not_land_late(
    executing: Scene, takes_it_back: Callable[[Scene], object]
) -> None:
    """Fault 7: an unfinished fence makes the next run send every unsettled object again."""

    def overtake() -> None:
        takes_it_back(executing)
        executing.run().source()

    asleep(executing, is_apply, overtake)
    slow = executing.run().source()
    assert results(slow) == {DocumentResult.NOT_REACHED: 1}
    assert not suspended(executing)
    whole_run(executing)
    assert not suspended(executing)


def test_a_control_that_lands_while_it_is_taken_back_is_looked_at_again(executing: Scene) -> None:
    """Contract 5: what has changed since the list was judged by the list."""
    held = Held(is_apply)
    assert executing.crashing(lambda: executing.run().source(), held)
    executing.source.commit(document())
    # After the objects were listed, and before the one that runs is read whole.
    asleep(executing, is_look, lambda: executing.server.handle(held.requests[0]))
    executing.run().source()
    assert executing.head.state is HeadState.APPLYING
    executing.run().source()
    assert (suspended(executing), executing.whole) == (False, True)


def test_what_its_record_holds_back_is_moved_all_the_same(scene: Scene) -> None:
    """Fault 7: after an unfinished fence every unsettled object moves, sent or not."""
    scene.source.commit(execution(more=SUSPENDED))
    whole_run(scene)
    scene.source.commit(execution(replicas=2, more=SUSPENDED))
    held = Held(is_apply)
    assert scene.crashing(lambda: scene.run().source(), held)
    scene.source.commit(execution(replicas=3, more=SUSPENDED))
    # The record of the document is written by somebody while this run is at it.
    asleep(scene, is_record, lambda: touched_record(scene))
    assert results(scene.run().source()) == {DocumentResult.NOT_REACHED: 1}
    assert not scene.server.handle(held.requests[0]).ok


def touched_record(scene: Scene) -> None:
    target = Target(RECORDS, NAMESPACE, "once")
    body = {"metadata": {"annotations": {"note": "by-hand"}}}
    assert scene.server.handle(patch(target, body)).ok


def test_a_pending_execution_keeps_the_content_of_the_faster_run(scene: Scene) -> None:
    """Contract 5: an existing one is applied with the uid and resourceVersion that were read."""
    scene.source.commit(execution(more=SUSPENDED))
    whole_run(scene)
    scene.source.commit(execution(replicas=2, more=SUSPENDED))

    def overtake() -> None:
        scene.source.commit(execution(replicas=3))
        whole_run(scene)

    asleep(scene, is_apply, overtake)
    assert results(scene.run().source()) == {DocumentResult.NOT_REACHED: 1}
    step = scene.workflow("once")["spec"]["workflowDefinition"]["steps"][0]
    assert step["parameters"]["scaleDeployment"]["replicas"] == 3
    assert scene.workflow("once")["status"]["phase"] == Phase.EXECUTING
    assert [each.state for each in scene.entries("once")] == [CREATED, DROPPED]
