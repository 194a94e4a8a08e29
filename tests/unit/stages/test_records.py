"""Contract 5, between the records and the workflows: before the first plan, and after the end."""

import logging

import pytest

from reconciler.core.api import Phase, RecordState
from reconciler.errors import Conflict
from reconciler.kube.answers import Response
from reconciler.kube.requests import RECORDS, WORKFLOWS, Request, Target, Verb, create, patch
from reconciler.stages.records import Admission, Answer, admit, conclude, settle_records
from tests.builders import NAMESPACE, step, workflow
from tests.unit.runs import Meets, of, refusal
from tests.unit.stages.scene import CrashAt, Once, Scene, document, execution

INTENDED, CREATED, DROPPED, RECORDED = RecordState


@pytest.fixture
def made(scene: Scene) -> Scene:
    """A definition was applied, and no run has planned it."""
    scene.source.commit(document())
    scene.run().source()
    scene.writes()
    return scene


# --- before the first plan --------------------------------------------------------------------


def test_the_uid_is_written_before_the_first_plan(made: Scene) -> None:
    """Contract 5: its uid is written, created, just before its first plan."""
    (name,) = made.runs
    assert made.run().admit(name) == Admission(Answer.MAY_PLAN)
    (entry,) = made.entries()
    assert (entry.state, entry.uid) == (CREATED, made.workflow(name)["metadata"]["uid"])
    assert made.writes() == ["update WorkflowRecord/status restart"]


def test_asked_again_it_writes_nothing(made: Scene) -> None:
    """Contract 1: nothing to do means nothing written; a crash after the uid is healed so."""
    made.run().admit(made.runs[0])
    made.writes()
    assert made.run().admit(made.runs[0]).answer is Answer.MAY_PLAN
    assert made.writes() == []


def test_a_workflow_of_no_source_needs_no_record(made: Scene) -> None:
    """Contract 5: a WorkflowExecution without the label is anybody's."""
    assert admit(made.run().world.cluster, workflow(step("a"))).answer is Answer.MAY_PLAN
    assert made.server.log == []


def test_a_workflow_that_has_started_is_asked_about_no_more(made: Scene) -> None:
    """Contract 1: 200 active workflows without a change cost two lists and no more."""
    made.run().workflows()
    run = made.run()
    found = run.world.cluster.workflow(NAMESPACE, made.runs[0])
    assert found is not None
    made.server.log.clear()
    assert admit(run.world.cluster, found).answer is Answer.MAY_PLAN
    assert made.server.log == []


def test_a_successor_waits_for_the_older_run_and_says_so(running: Scene) -> None:
    """Contract 5, Queue; a workflow that waits tells people for what."""
    running.run().source()
    waits = running.run().admit(running.newer)
    assert waits == Admission(Answer.WAITS, f"it waits for {running.older} to settle")


def test_a_result_that_a_crash_kept_back_is_written_by_the_successor(running: Scene) -> None:
    """Contract 5: the result is written where it is needed."""
    running.run().source()
    running.run().settle(running.older, Phase.FAILED, crash=True)
    assert running.run().admit(running.newer).answer is Answer.MAY_PLAN
    assert [(each.state, each.phase) for each in running.entries()] == [
        (CREATED, ""),
        (CREATED, "Failed"),
    ]


def test_an_older_run_whose_object_is_gone_is_over(running: Scene) -> None:
    """Contract 5: one whose object is gone gets the result Deleted first."""
    running.run().source()
    running.delete(running.older)
    assert running.run().admit(running.newer).answer is Answer.MAY_PLAN
    assert [each.phase for each in running.entries()] == ["", "Deleted"]


def test_of_two_runs_that_admit_one_workflow_one_writes(made: Scene) -> None:
    """Contract 5: each write carries the resourceVersion that was read; the loser reads again."""
    (name,) = made.runs
    other = made.run()

    def faster() -> Response | None:
        assert other.admit(name).answer is Answer.MAY_PLAN
        return None

    made.server.interceptor = Once(lambda it: it.verb is Verb.UPDATE, faster)
    assert made.run().admit(name).answer is Answer.MAY_PLAN
    assert made.states() == [CREATED]
    assert made.writes() == ["update WorkflowRecord/status restart"] * 2  # one of them refused


def test_a_result_that_is_written_meanwhile_does_not_hold_up_the_successor(running: Scene) -> None:
    """The older run settles beside it, in another thread of the same pass."""
    running.run().source()
    run = running.run()
    settled = run.write(run.read(running.older), Phase.COMPLETED, settled=True)

    def beside() -> Response | None:
        conclude(run.world.cluster, settled)
        return None

    running.server.interceptor = Once(lambda it: it.verb is Verb.UPDATE, beside)
    assert running.run().admit(running.newer).answer is Answer.MAY_PLAN
    assert [(each.state, each.phase) for each in running.entries()] == [
        (CREATED, ""),
        (CREATED, "Completed"),
    ]


def test_a_record_that_others_write_each_time_is_left_to_the_next_run(made: Scene) -> None:
    """Contract 7: a conflict is not fought over."""
    made.server.interceptor = Meets(
        of(Verb.UPDATE, RECORDS, sub="status"), lambda: refusal(409, reason="Conflict")
    )
    with pytest.raises(Conflict):
        made.run().admit(made.runs[0])
    assert made.states() == [INTENDED]
    assert len(made.writes()) == 3


def test_a_workflow_without_provenance_is_ended(made: Scene) -> None:
    """Contract 5: no entry: somebody put our label on a workflow of theirs."""
    body = {
        "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {
            "name": "theirs",
            "namespace": NAMESPACE,
            "labels": {"kubernaut.ai/source": "default"},
        },
        "spec": {"workflowDefinition": {"steps": []}},
    }
    assert made.server.handle(create(WORKFLOWS, NAMESPACE, body)).ok
    assert made.run().admit("theirs").answer is Answer.ALREADY_RAN


def test_a_record_that_lost_its_label_holds_its_workflows_back(made: Scene) -> None:
    """Contract 5: whose record it is nobody can say; nothing is ended for that."""
    target = Target(RECORDS, NAMESPACE, "restart")
    body = {"metadata": {"labels": {"kubernaut.ai/source": None}}}
    assert made.server.handle(patch(target, body)).ok
    assert made.run().admit(made.runs[0]).answer is Answer.WAITS


# --- after the end ----------------------------------------------------------------------------


def test_a_run_that_settled_has_its_result_in_the_record(made: Scene) -> None:
    """Contract 5: in the pass that saw a run settle its result is written."""
    made.run().workflows()
    made.run().settle(made.runs[0], Phase.CANCELLED)
    assert [each.phase for each in made.entries()] == ["Cancelled"]


def test_a_result_is_written_once(made: Scene) -> None:
    """Contract 1: nothing to do means nothing written."""
    made.run().workflows()
    run = made.run()
    run.settle(made.runs[0])
    made.writes()
    found = run.world.cluster.workflow(NAMESPACE, made.runs[0])
    assert found is not None
    conclude(run.world.cluster, found)
    assert made.writes() == []


def test_a_record_that_lost_its_label_is_written_no_result(running: Scene) -> None:
    """I5: it is nobody's, or another source's."""
    target = Target(RECORDS, NAMESPACE, "restart")
    label = {"kubernaut.ai/source": None}
    assert running.server.handle(patch(target, {"metadata": {"labels": label}})).ok
    before = running.entries()
    running.settle_all()
    assert running.entries() == before


def test_a_result_survives_another_writer_of_its_record(running: Scene) -> None:
    """Contract 5: a conflict is another run's write; the result is computed anew."""

    def intend() -> Response | None:
        running.run().source()
        return None

    running.server.interceptor = Once(
        lambda it: it.verb is Verb.UPDATE and it.target.resource is RECORDS, intend
    )
    running.run().settle(running.older)
    assert [(each.state, each.phase) for each in running.entries()] == [
        (INTENDED, ""),
        (CREATED, "Completed"),
    ]


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param(Phase.FAILED, id="ended-as-already-ran"),
        pytest.param(Phase.COMPLETED, id="any"),
    ],
)
def test_a_workflow_that_was_never_admitted_has_no_result(made: Scene, phase: Phase) -> None:
    """Contract 5: the result of a run lands in the entry of its uid, or nowhere."""
    made.run().settle(made.runs[0], phase)
    assert [(each.state, each.phase) for each in made.entries()] == [(INTENDED, "")]


def test_nothing_is_concluded_that_has_not_settled(made: Scene) -> None:
    """Contract 4: whatever must wait for a run to be over waits for settled."""
    made.run().workflows()
    run = made.run()
    found = run.world.cluster.workflow(NAMESPACE, made.runs[0])
    assert found is not None
    conclude(run.world.cluster, run.write(found, Phase.FAILED))
    assert [each.phase for each in made.entries()] == [""]


# --- the hourly look --------------------------------------------------------------------------


def looked_after(scene: Scene) -> int:
    run = scene.run()
    return settle_records(run.world.cluster, run.view())


@pytest.fixture
def two(scene: Scene) -> Scene:
    """Two executions at work."""
    scene.source.commit(execution("one"), execution("two"))
    scene.run().source()
    scene.run().workflows()
    return scene


def test_once_an_hour_results_that_were_kept_back_are_written(two: Scene) -> None:
    """Contract 5: healed in the hourly look; of one that is gone the result is Deleted."""
    two.run().settle("one", crash=True)
    two.delete("two")
    two.clock.advance(3600)
    assert looked_after(two) == 2
    assert [each.phase for name in ("one", "two") for each in two.entries(name)] == [
        "Completed",
        "Deleted",
    ]
    assert looked_after(two) == 0


def test_between_two_looks_nobody_asks(two: Scene) -> None:
    """Contract 5: a source that stands still is looked at once an hour."""
    two.delete("two")
    assert looked_after(two) == 0


def test_a_run_at_work_is_left_alone_by_the_look(two: Scene) -> None:
    """Contract 5: only what settled or is gone has a result."""
    two.clock.advance(3600)
    two.writes()
    assert looked_after(two) == 0
    assert two.writes() == []


def test_a_record_that_cannot_be_written_does_not_stop_the_others(
    two: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """I11: one poisoned document never stops another."""

    class Forbidden:
        def before(self, request: Request) -> Response | None:
            if request.verb is Verb.UPDATE and request.target.name == "one":
                return Response(403, b'{"kind":"Status","message":"forbidden"}')
            return None

        def after(self, request: Request, response: Response) -> Response:
            del request
            return response

    two.delete("one")
    two.delete("two")
    two.clock.advance(3600)
    two.server.interceptor = Forbidden()
    with caplog.at_level(logging.WARNING):
        assert looked_after(two) == 1
    assert [each.phase for each in two.entries("two")] == ["Deleted"]
    assert "forbidden" in caplog.text


@pytest.mark.parametrize(
    "landed", [pytest.param(False, id="lost"), pytest.param(True, id="landed")]
)
def test_a_crash_at_the_uid_is_healed_by_the_next_run(made: Scene, landed: bool) -> None:
    """Contract 5: created and not planned is planned; intended still is intended."""
    (name,) = made.runs
    assert made.crashing(lambda: made.run().admit(name), CrashAt(0, landed=landed))
    assert made.states() == [CREATED if landed else INTENDED]
    assert made.run().workflows() == {name: Answer.MAY_PLAN}
    assert made.states() == [CREATED]
