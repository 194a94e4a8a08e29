"""The message names the step and the reason; message and status stay within their bounds."""

import json
import sys
from collections.abc import Callable
from types import FrameType

import pytest

from reconciler.core.api import FailurePolicy, Step, WorkflowExecution, WorkflowStatus
from reconciler.core.decide import decide
from reconciler.core.facts import Child, Facts
from reconciler.core.status import MAX_STATUS_BYTES, refused
from tests.builders import (
    FactsFields,
    after,
    approved,
    at,
    carried_out,
    child,
    decide_again,
    edited,
    facts,
    step,
    workflow,
)

CONTINUE = FailurePolicy.CONTINUE
SEVEN = tuple(step(name) for name in "abcdefg")
STUBBORN = child("a", "Running", started=at(), cancel_requested=True)


@pytest.mark.parametrize(
    ("seen", "children", "message"),
    [
        pytest.param(workflow(), (), "no steps", id="no-steps"),
        pytest.param(workflow(*SEVEN), (), "0 of 7 steps completed, 5 running", id="reserved"),
        pytest.param(
            after(
                workflow(
                    *(step(name) for name in "abcde"),
                    step("f", depends_on=("a",), requires_approval=True),
                    step("g", depends_on=("f",)),
                )
            ),
            (
                *(child(name, "Completed") for name in "abc"),
                *(child(name, "Running") for name in "de"),
            ),
            "3 of 7 steps completed, 2 running, f waits for approval",
            id="the-contracts-own-example",
        ),
        pytest.param(
            workflow(*(step(name, requires_approval=True) for name in "abcde")),
            (),
            "0 of 5 steps completed, a, b, c and 2 more wait for approval",
            id="many-gates",
        ),
        pytest.param(
            after(workflow(step())),
            (child("a", "Completed"),),
            "1 of 1 steps completed",
            id="completed",
        ),
        pytest.param(
            after(workflow(*SEVEN)),
            (
                child("a", "Failed", reason="ImagePull", last_error="no such image"),
                *(child(name, "Running") for name in "bcde"),
            ),
            "step a failed (ImagePull): no such image, 0 of 7 steps completed, 4 running",
            id="a-failure-with-its-step-reason-and-error",
        ),
        pytest.param(
            after(workflow(*SEVEN[:3], failure_policy=CONTINUE)),
            tuple(child(name, "Failed") for name in "abc"),
            "step a failed (StepFailed); and 2 more failed, 0 of 3 steps completed",
            id="many-failures",
        ),
        pytest.param(
            after(workflow(step(retries=1))),
            (child("a", "Failed"),),
            "0 of 1 steps completed, a: retry at 2026-03-01T12:00:30Z",
            id="a-retry-with-its-time",
        ),
        pytest.param(
            workflow(step(), suspend=True),
            (),
            "0 of 1 steps completed, suspended",
            id="suspended",
        ),
        pytest.param(
            workflow(step(), not_before=at(hours=1)),
            (),
            "0 of 1 steps completed, a: not before 2026-03-01T13:00:00Z",
            id="not-before",
        ),
        pytest.param(
            edited(after(workflow(step())), cancel=True),
            (child("a", "Completed"),),
            "1 of 1 steps completed",
            id="completed-before-the-cancel",
        ),
        pytest.param(
            workflow(step(), cancel=True), (), "cancelled, 0 of 1 steps completed", id="cancelled"
        ),
        pytest.param(
            workflow(step(depends_on=("b",)), step("c", depends_on=("c",))),
            (),
            "step a: depends on 'b', which is no step; step c: depends on itself: c -> c",
            id="invalid-names-every-finding",
        ),
        pytest.param(
            workflow(
                step("x", depends_on=("a",)),
                step("a", depends_on=("b",)),
                step("b", depends_on=("a",)),
            ),
            (),
            "step a: the steps depend on each other in a cycle: a -> b -> a",
            id="a-cycle-and-not-what-is-behind-it",
        ),
    ],
)
def test_the_message_tells_where_it_stands(
    seen: WorkflowExecution, children: tuple[Child, ...], message: str
) -> None:
    """Contract 2 and 4: how many, what runs, what holds the rest back."""
    assert decide_again(seen, *children).status.message == message


def test_a_timeout_says_since_when() -> None:
    """Contract 1: nothing relative to now."""
    seen = after(workflow(step(timeout="24h"), timeout="1h"))
    message = decide_again(seen, child("a", "Running"), now=at(hours=1)).status.message
    assert message.startswith("timed out: not done 1h after 2026-03-01T12:00:00Z, 0 of 1 ")


def test_a_child_that_does_not_stop_is_named_with_the_way_out() -> None:
    """Contract 4: the message names it and `kubectl delete ke <child>`."""
    seen = after(workflow(step(), cancel=True).with_status(after(workflow(step())).status))
    message = decide_again(seen, STUBBORN).status.message
    assert f"{STUBBORN.name} was asked to stop and holds its slot until it does" in message
    assert f"kubectl delete ke {STUBBORN.name}" in message


def test_a_child_that_nobody_picks_up_is_named() -> None:
    """Contract 4: after 2 minutes the message says `no executor has picked up <child>`."""
    seen = after(workflow(step()), child())
    assert "picked up" not in decide_again(seen, child(), now=at(minutes=2)).status.message
    late = decide_again(seen, child(), now=at(minutes=2, seconds=1)).status.message
    assert late.endswith(f"no executor has picked up {child().name}")


def test_a_refused_creation_is_told_with_its_step_and_error() -> None:
    """Contract 4: stays reserved with lastError; the message names the step."""
    seen = after(workflow(step()))
    seen = seen.with_status(refused(seen.status, "a", "", "forbidden: no create"))
    assert decide_again(seen, now=at(seconds=1)).status.message == (
        "0 of 1 steps completed, 1 running, a: its creation was refused, tried again at "
        "2026-03-01T12:00:30Z: forbidden: no create"
    )


def test_a_long_error_leaves_room_for_the_way_out() -> None:
    """Contract 4: a child that ignores cancelRequested is named, whatever else is told."""
    listed = (child("0", "Failed", last_error="e" * 1024), STUBBORN)
    seen = after(workflow(step("0"), step("a")), *listed)
    message = decide_again(seen, *listed).status.message
    assert f"kubectl delete ke {STUBBORN.name}" in message
    assert "step 0 failed (StepFailed): eee" in message


def test_a_failure_that_is_told_shortly_stands_whole_in_its_result() -> None:
    """Contract 2: lastError holds at most 1,024 characters; the message is a summary."""
    seen = after(workflow(step("a"), step("b")))
    failed = [child("a", "Failed", last_error="e" * 1024), child("b", "Failed")]
    status = decide_again(seen, *failed).status
    assert len(status.step_results[0].last_error) == 1024
    assert len(status.message) <= 1024
    assert status.message.endswith("; and 1 more failed, 0 of 2 steps completed")


def _longest(number: int) -> str:
    return f"{number:04d}".ljust(63, "n")


def _thousand(**fields: int) -> tuple[Step, ...]:
    return tuple(step(_longest(number), **fields) for number in range(1000))  # type: ignore[arg-type]


def _stored(status: WorkflowStatus) -> int:
    """Bytes as the API server stores them: UTF-8, and Go's escapes of < > and &."""
    text = json.dumps(status.wire(), ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) + 5 * sum(text.count(each) for each in "<>&")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("e", id="ascii"),
        pytest.param("\N{FIRE}", id="four-bytes-a-character"),
        pytest.param("<", id="escaped-by-go"),
        pytest.param("\x01", id="control-characters"),
        pytest.param('"', id="quotes"),
    ],
)
@pytest.mark.parametrize("retries", [0, 5])
def test_a_thousand_failed_steps_fit(text: str, retries: int) -> None:
    """Contract 2: at 1,000 steps the status stays under 768 KiB, whatever children say."""
    given = workflow(*_thousand(retries=retries), failure_policy=CONTINUE)
    failed = [
        child(
            _longest(number),
            "Failed",
            uid="u" * 64,
            name=child(_longest(number)).name,
            reason=text * 64,
            last_error=text * 1024,
            started=at(),
            ended=at(),
        )
        for number in range(1000)
    ]
    status = decide_again(given, *failed).status
    assert status.failed_steps == (0 if retries else 1000)
    assert _stored(status) < MAX_STATUS_BYTES == 768 * 1024
    assert len(status.message) <= 1024


def test_a_thousand_refused_creations_fit() -> None:
    """Contract 2: the same of errors that are ours."""
    status = after(workflow(*_thousand(), max_concurrent_steps=100), cap=100).status
    assert len(status.step_results) == 100
    seen = workflow(*_thousand(), max_concurrent_steps=100)
    for result in status.step_results:
        status = refused(status, result.step_name, "", "\N{FIRE}" * 1024)
    assert _stored(decide_again(seen.with_status(status), cap=100).status) < MAX_STATUS_BYTES


@pytest.mark.parametrize(
    ("failures", "length"),
    [
        pytest.param(50, 1024, id="whole-up-to-fifty"),
        pytest.param(51, 256, id="256-characters-above"),
    ],
)
def test_errors_are_short_where_there_are_many(failures: int, length: int) -> None:
    """Contract 2: lastError 1,024 characters, 256 once more than 50 steps have failed."""
    given = workflow(*(step(f"s{number}") for number in range(60)), failure_policy=CONTINUE)
    failed = [child(f"s{number}", "Failed", last_error="e" * 2000) for number in range(failures)]
    status = decide_again(given, *failed).status
    lengths = {len(each.last_error) for each in status.step_results if each.status == "Failed"}
    assert lengths == {length}


def _calls(of: Callable[[], object]) -> int:
    """How many Python functions are entered: a time that no busy machine changes."""
    count = 0

    def enter(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(enter)
    try:
        of()
    finally:
        sys.setprofile(None)
    return count


def _busy(size: int) -> Facts:
    """Half done, a tenth active, failures about to be retried, chains of five."""
    steps = [
        step(f"s{number}", retries=2, depends_on=(f"s{number - 1}",) if number % 5 else ())
        for number in range(size)
    ]
    phases = ("Completed", "Completed", "Failed", "Running")
    children = [
        child(f"s{number}", phases[number % 5]) for number in range(size) if number % 5 != 4
    ]
    fields: FactsFields = {"cap": 100}
    return facts(workflow(*steps, max_concurrent_steps=100), *children, **fields)


def test_ten_times_the_steps_cost_ten_times_the_work() -> None:
    """Contract 2: up to 1,000 steps; a decision is linear in them, first sight or not."""
    for small, large in (
        (_busy(100), _busy(1000)),
        (_later(_busy(100)), _later(_busy(1000))),
    ):
        few, many = _calls(lambda: decide(small)), _calls(lambda: decide(large))  # noqa: B023 - called at once
        assert many < 13 * few  # a large status is measured too


def _later(before: Facts) -> Facts:
    return carried_out(before, decide(before))


def test_a_thousand_gates_are_told_in_a_few_words() -> None:
    """Contract 2: message holds at most 1,024 characters."""
    given = workflow(
        *(step(_longest(number), requires_approval=True) for number in range(1000)),
        approvals=approved(_longest(0)),
    )
    message = decide_again(given).status.message
    assert message.endswith("and 996 more wait for approval")
    assert len(message) < 300
