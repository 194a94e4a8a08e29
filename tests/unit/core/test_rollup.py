"""What happened: children become results, and what is final stays as it was recorded."""

import pytest

from reconciler.core.api import FailurePolicy, StepStatus
from reconciler.core.rollup import retry_at, rollup
from reconciler.core.status import refused
from tests.builders import (
    after,
    at,
    child,
    decide_again,
    deleted,
    edited,
    facts,
    result,
    step,
    steps_created,
    workflow,
)


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        pytest.param("", StepStatus.PENDING, id="no-phase-is-pending"),
        pytest.param("Pending", StepStatus.PENDING, id="pending"),
        pytest.param("Running", StepStatus.RUNNING, id="running"),
        pytest.param("Completed", StepStatus.COMPLETED, id="completed"),
        pytest.param("Failed", StepStatus.FAILED, id="failed"),
        pytest.param("Queued by hand", StepStatus.RUNNING, id="an-unknown-phase-is-at-work"),
    ],
)
def test_a_step_stands_where_its_child_stands(phase: str, status: StepStatus) -> None:
    """Contract 2 and 4: Pending without a phase, Running in any that is not terminal."""
    assert result(after(workflow(step()), child("a", phase))).status is status


def test_a_completed_child_is_recorded_with_its_own_times() -> None:
    """Contract 2: a child's own times are copied for people, its uid for us."""
    ended = child("a", "Completed", started=at(seconds=5), ended=at(seconds=9))
    recorded = result(after(workflow(step()), ended, now=at(seconds=20)))
    assert (recorded.execution_start_time, recorded.execution_end_time) == (
        ended.started,
        ended.ended,
    )
    assert (recorded.execution_ref, recorded.execution_uid) == (ended.name, ended.uid)
    assert (recorded.reserved_at, recorded.last_error, recorded.reason) == (at(seconds=20), "", "")


def test_a_failed_child_is_recorded_in_its_own_words() -> None:
    """Contract 4: its own Failed; reason and error are the executor's."""
    failed = child("a", "Failed", reason="ImagePull", last_error="no such image", ended=at())
    recorded = result(after(workflow(step()), failed))
    assert (recorded.status, recorded.reason) == (StepStatus.FAILED, "ImagePull")
    assert (recorded.last_error, recorded.execution_end_time) == ("no such image", at())


def test_a_failed_child_without_a_reason_gets_ours() -> None:
    """Contract 2: a reason is one word, and there is one for each failure."""
    assert result(after(workflow(step()), child("a", "Failed"))).reason == "StepFailed"


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        pytest.param("ImagePull", "ImagePull", id="one-word"),
        pytest.param("exit code 137", "exitcode137", id="several-words"),
        pytest.param("<b>\n\x01", "b", id="what-would-have-to-be-escaped"),
        pytest.param("\N{FIRE}", "StepFailed", id="no-word-at-all"),
    ],
)
def test_an_executors_reason_becomes_one_word(said: str, recorded: str) -> None:
    """Contract 2: reason is one word; an executor that is not ours may write anything."""
    assert result(after(workflow(step()), child("a", "Failed", reason=said))).reason == recorded


def test_an_executors_words_are_cut_to_our_bounds() -> None:
    """Contract 2: lastError holds at most 1,024 characters, a reason 64."""
    loud = child("a", "Failed", reason="r" * 1000, last_error="e" * 30_000)
    recorded = result(after(workflow(step()), loud))
    assert (len(recorded.reason), len(recorded.last_error)) == (64, 1024)


@pytest.mark.parametrize("said_later", ["", "Running", "Failed", "Unheard-of"])
def test_a_completed_step_stays_completed_whatever_its_child_says_later(said_later: str) -> None:
    """Contract 4, I4: recorded results are final."""
    seen = after(workflow(step(), step("b")), child("a", "Completed", ended=at()))
    later = decide_again(seen, child("a", said_later, last_error="changed its mind"))
    assert result(later) == result(seen)


@pytest.mark.parametrize("said_later", ["", "Running", "Completed"])
def test_a_failed_step_stays_failed_whatever_its_child_says_later(said_later: str) -> None:
    """Contract 4, I4: recorded results are final."""
    seen = after(workflow(step()), child("a", "Failed", last_error="no"))
    assert result(decide_again(seen, child("a", said_later))) == result(seen)


def test_a_step_that_timed_out_stays_so_though_its_child_completes() -> None:
    """Contract 4, I4: the record is final, the child is only waited for."""
    seen = after(workflow(step()), child("a", "Running", started=at()), now=at(hours=1))
    done = decide_again(seen, child("a", "Completed", started=at()), now=at(hours=2))
    assert result(done) == result(seen)
    assert result(done).reason == "TimedOut"
    assert done.status.settled


@pytest.mark.parametrize("phase", ["Completed", "Failed"])
def test_a_result_outlives_its_child(phase: str) -> None:
    """Contract 4: a child that is deleted after its result was seen changes no result."""
    seen = after(workflow(step(), step("b")), child("a", phase), child("b", "Running"))
    assert result(decide_again(seen, child("b", "Running"))) == result(seen)


def test_a_reservation_without_a_child_stays_reserved_and_is_made() -> None:
    """Contract 4: a crash came between; the same attempt is created, under the same name."""
    seen = after(workflow(step()))
    decision = decide_again(seen, now=at(seconds=10))
    assert steps_created(decision) == ["a"]
    assert result(decision).execution_ref == child().name
    assert (result(decision).reserved_at, result(decision).healed_at) == (at(), at(seconds=10))


def test_a_child_that_was_seen_and_is_gone_is_never_run_again() -> None:
    """Contract 4: an action may not be repeatable, whatever retries are left."""
    seen = after(workflow(step(retries=5)), child("a", "Running"))
    decision = decide_again(seen)
    assert (result(decision).status, result(decision).reason) == ("Failed", "ExecutionDeleted")
    assert steps_created(decide_again(seen, now=at(hours=1))) == []


def test_a_child_made_again_by_hand_is_not_the_one_that_was_recorded() -> None:
    """Contract 4: not there, or another uid: gone."""
    seen = after(workflow(step()), child("a", "Running"))
    decision = decide_again(seen, child("a", "Completed", uid="another"))
    assert (result(decision).status, result(decision).reason) == ("Failed", "ExecutionDeleted")
    assert result(decision).execution_uid == child().uid


def test_a_child_made_again_by_hand_holds_its_slot_and_is_asked_to_stop() -> None:
    """Contract 4: it is ours by owner and name; slots go by children, results by steps."""
    seen = after(workflow(step()), child("a", "Running"))
    again = child("a", "Running", uid="another")
    decision = decide_again(seen, again)
    assert decision.stop == (again,)
    assert (decision.status.active_steps, decision.status.settled) == (1, False)


def test_a_retrying_steps_child_may_go() -> None:
    """Contract 4: the next attempt follows when the one before is terminal or gone."""
    seen = after(workflow(step(retries=1)), child("a", "Failed"))
    gone = decide_again(seen, now=at(seconds=30))
    assert steps_created(gone) == ["a"]
    assert result(gone).attempt == 1


def test_an_assumed_step_is_completed_without_a_child() -> None:
    """Contract 2: go on from a failed run."""
    decision = decide_again(workflow(step(), step("b", depends_on=("a",)), assume_completed=("a",)))
    assert (result(decision).status, result(decision).reason) == ("Completed", "Assumed")
    assert not result(decision).reserved
    assert steps_created(decision) == ["b"]


def test_what_is_no_longer_assumed_before_the_start_is_run() -> None:
    """Contract 4, Planning: a generation that has not started is planned anew."""
    seen = after(workflow(step(), step("b"), assume_completed=("a",), suspend=True))
    assert result(seen).status == "Completed"
    replaced = workflow(step(), step("b")).with_status(seen.status)
    assert steps_created(decide_again(replaced)) == ["a", "b"]


def test_what_was_assumed_stays_so_after_the_start() -> None:
    """Contract 4, I4: a final step never changes."""
    seen = after(workflow(step(), step("b"), assume_completed=("a",)))
    replaced = workflow(step(), step("b")).with_status(seen.status)
    assert result(decide_again(replaced, child("b", "Running"))).status == "Completed"


def test_what_depends_on_a_failed_step_is_skipped_transitively_under_continue() -> None:
    """Contract 4, Phase: with the step that blocked it as reason."""
    given = workflow(
        step("a"),
        step("b", depends_on=("a",)),
        step("c", depends_on=("b",)),
        step("d"),
        failure_policy=FailurePolicy.CONTINUE,
    )
    seen = after(given, child("a", "Failed"), child("d", "Running"))
    assert [(each.step_name, each.status, each.reason) for each in seen.status.step_results] == [
        ("a", "Failed", "StepFailed"),
        ("b", "Skipped", "a"),
        ("c", "Skipped", "a"),
        ("d", "Running", ""),
    ]


def test_a_step_with_one_failed_dependency_is_skipped_though_others_still_run() -> None:
    """Contract 4, Phase: it can never start any more."""
    given = workflow(
        step("a"),
        step("b"),
        step("c", depends_on=("a", "b")),
        failure_policy=FailurePolicy.CONTINUE,
    )
    seen = after(given, child("a", "Running"), child("b", "Failed"))
    assert (result(seen, "c").status, result(seen, "c").reason) == ("Skipped", "b")


def test_nothing_is_skipped_while_a_retry_is_left() -> None:
    """Contract 4, Phase: a failed step is one that failed for good."""
    given = workflow(
        step("a", retries=1), step("b", depends_on=("a",)), failure_policy=FailurePolicy.CONTINUE
    )
    seen = after(given, child("a", "Failed"))
    assert [each.step_name for each in seen.status.step_results] == ["a"]


def test_nothing_is_skipped_under_fail_fast() -> None:
    """Contract 4, Phase: steps never reserved get no entry, but under Continue."""
    seen = after(workflow(step(), step("b", depends_on=("a",))), child("a", "Failed"))
    assert [each.step_name for each in seen.status.step_results] == ["a"]


def test_an_assumed_step_is_not_skipped_behind_a_failed_one() -> None:
    """Contract 2: it is taken as Completed, whatever came before it."""
    given = workflow(
        step("a"),
        step("b", depends_on=("a",)),
        assume_completed=("b",),
        failure_policy=FailurePolicy.CONTINUE,
    )
    assert result(after(given, child("a", "Failed")), "b").status == "Completed"


def test_a_step_closed_by_a_cancel_skips_what_depends_on_it_in_the_same_run() -> None:
    """I6: what the next run would add is added at once."""
    given = workflow(
        step("a", retries=1), step("b", depends_on=("a",)), failure_policy=FailurePolicy.CONTINUE
    )
    seen = after(given, child("a", "Failed"))
    decision = decide_again(edited(seen, cancel=True), child("a", "Failed"), now=at(seconds=5))
    assert (result(decision, "a").status, result(decision, "b").status) == ("Failed", "Skipped")


def test_a_lost_status_is_rebuilt_from_the_children() -> None:
    """Contract 4: status lost: rebuilt as far as the children tell."""
    running = child("b", "Running", 2, created=at(minutes=-3), started=at(minutes=-2))
    given = facts(workflow(step("a"), step("b", retries=5)), child("a", "Completed"), running)
    rebuilt = rollup(given)
    assert rebuilt["a"].status == "Completed"
    assert (rebuilt["b"].status, rebuilt["b"].attempt) == ("Running", 2)
    assert (rebuilt["b"].execution_ref, rebuilt["b"].execution_uid) == (running.name, running.uid)
    assert rebuilt["b"].reserved_at == at(minutes=-3)


def test_a_later_attempt_that_exists_goes_before_an_older_record() -> None:
    """Contract 4: another run may have reserved it after this status was read."""
    seen = after(workflow(step(retries=1)), child("a", "Failed"))
    found = rollup(facts(seen, child("a", "Failed"), child("a", "Running", 1)))["a"]
    assert (found.attempt, found.status) == (1, "Running")


def test_in_a_workflow_that_is_being_deleted_a_refused_reservation_is_not_dropped() -> None:
    """Contract 4: nothing is created, no reservation is dropped and nothing settles."""
    seen = after(workflow(step(timeout="1s")))
    seen = deleted(seen.with_status(refused(seen.status, "a", "", "forbidden")))
    decision = decide_again(seen, now=at(hours=1))
    assert (result(decision).status, decision.create) == ("Pending", ())
    assert not decision.status.settled


def test_a_retry_is_due_from_its_recorded_failure() -> None:
    """Contract 4: `retry at T` and the gate are one function."""
    seen = after(workflow(step(retries=3)), child("a", "Failed"))
    assert retry_at(facts(seen, child("a", "Failed")), result(seen)) == at(seconds=30)
