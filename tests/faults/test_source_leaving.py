"""Replace, history, TTL and prune under every crash, and every schedule of two runs (I6, I8, I12).

As in `test_source_stages`, whose rules hold here too; and nothing goes before its result is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from reconciler.kube.requests import CONFIG_MAPS, WORKFLOWS, Request, Verb
from tests.faults.turns import Turns
from tests.faults.witness import Witness
from tests.unit.stages.scene import CrashAt, Scene, document, execution

HOUR = 3600.0
SUSPENDED = "  suspend: true\n"
REPLACE = "  runPolicy: {concurrency: Replace, history: 0}\n"
NO_HISTORY = "  runPolicy: {history: 0}\n"
EXPIRING = "  ttlSecondsAfterSettled: 60\n"
KEPT = (document("kept-1"), document("kept-2"), document("kept-3"))


def whole_run(scene: Scene) -> None:
    run = scene.run(prune=True)
    run.source()
    run.workflows()


def settled(scene: Scene) -> None:
    """What is at work ends, cancelled or not, and a minute passes."""
    scene.settle_all()
    scene.clock.advance(60)


def later(scene: Scene) -> None:
    scene.clock.advance(HOUR)


def told(scene: Scene, *documents: str) -> object:
    """The state that matters: objects, their specs and phases, and what stands in the records."""
    return (
        [
            (each["metadata"]["name"], each["spec"], each["status"].get("phase"))
            for each in scene.server.objects(WORKFLOWS)
        ],
        [
            (
                name,
                [(each.content, each.state, each.run, each.phase) for each in scene.entries(name)],
            )
            for name in documents
        ],
        (scene.head.state, scene.head.whole),
    )


# --- a crash between any two writes ------------------------------------------------------------


@dataclass(frozen=True)
class Move:
    """Something happens, then the source is read; `documents` is what git says from then on."""

    documents: Sequence[str]
    first: Callable[[Scene], object] = lambda scene: scene.clock.advance(1)


def d(replicas: int, more: str = REPLACE) -> str:
    return document("d", replicas=replicas, more=more)


# Everything that asks or deletes comes by: a run makes way, one goes by history, one by its time,
# one with its document, one that never started with its document.
STORY = (
    Move(
        (
            d(1),
            execution("e", more=EXPIRING),
            document("gone"),
            document("never"),
            *KEPT,
        )
    ),
    Move(
        (
            d(2),
            execution("e", more=EXPIRING),
            document("gone"),
            document("never", replicas=2),
            *KEPT,
        )
    ),
    Move((d(2), execution("e", more=EXPIRING), *KEPT), settled),
    Move((d(3), execution("e", more=EXPIRING), *KEPT), settled),
    Move((d(3), execution("e", more=EXPIRING), *KEPT), later),
)


def story(crash: CrashAt | None, at: int) -> tuple[object, Witness, bool]:
    """The moves, a run in each; in one of them it dies. Two clean runs follow, as I6 has it."""
    scene = Scene()
    witness = Witness(scene)
    died = False
    for number, move in enumerate(STORY):
        move.first(scene)
        witness.pushed(*move.documents)
        scene.source.commit(*move.documents)
        if crash and number == at:
            died = scene.crashing(lambda: whole_run(scene), crash)
        whole_run(scene)
        whole_run(scene)
        scene.writes()
        whole_run(scene)
        assert scene.writes() == []
    return told(scene, "d", "e", "gone", "never", "kept-1"), witness, died


def test_the_story_has_everything_in_it() -> None:
    """What the crashes below are measured against."""
    reference, witness, _ = story(None, 0)
    witness.holds()
    assert isinstance(reference, tuple)
    names = [name.rpartition("-")[0] for name, _, _ in reference[0]]
    assert names == ["d", "kept-1", "kept-2", "kept-3"]
    results = {name: [entry[3] for entry in entries] for name, entries in reference[1]}
    assert results["d"] == ["", "Completed", "Completed"]
    assert (results["e"], results["gone"]) == (["Completed"], ["Completed"])
    assert results["never"] == ["", "Completed"]


@pytest.mark.parametrize(
    "landed", [pytest.param(False, id="request-lost"), pytest.param(True, id="answer-lost")]
)
@pytest.mark.parametrize(
    "at", [pytest.param(number, id=f"of-move-{number}") for number in range(len(STORY))]
)
def test_a_crash_at_any_write_is_healed_by_two_clean_runs(at: int, landed: bool) -> None:
    """I6, I8, I12: the reference state; nothing starts twice, or goes before its result is kept."""
    reference, _, _ = story(None, 0)
    point, died = 0, True
    while died:
        state, witness, died = story(CrashAt(point, landed=landed), at)
        assert state == reference, f"after a crash at write {point}"
        witness.holds()
        point += 1
    assert point > 2


# --- two runs at once ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """What git says at first, and when each of two runs reads it.

    `ends`: what ran at first has settled. `starts`: it has been planned. `runs`: documents whose
    current content must have run in the end.
    """

    before: Sequence[str]
    first: Sequence[str]
    second: Sequence[str]
    ends: bool = True
    starts: bool = True
    runs: Sequence[str] = ()


SCENARIOS = [
    pytest.param(Scenario((d(1),), (d(2),), (d(3),), ends=False, runs=("d",)), id="replaced-twice"),
    pytest.param(
        Scenario((d(1),), (d(2),), (d(1),), ends=False), id="the-run-to-replace-is-current-again"
    ),
    pytest.param(
        Scenario((d(1),), (d(2),), (d(2, NO_HISTORY),), ends=False, runs=("d",)),
        id="replace-becomes-queue",
    ),
    pytest.param(Scenario((d(1),), (d(2),), (d(3),), runs=("d",)), id="history-twice"),
    pytest.param(
        Scenario((d(1),), (d(2),), (d(1),)), id="what-history-would-delete-is-current-again"
    ),
    pytest.param(
        Scenario((document("p"), *KEPT), KEPT, (document("p"), *KEPT)),
        id="a-settled-run-is-pruned-and-its-document-comes-back",
    ),
    pytest.param(
        Scenario(
            (document("p", more=SUSPENDED), *KEPT),
            KEPT,
            (document("p"), *KEPT),
            starts=False,
            runs=("p",),
        ),
        id="a-run-that-never-started-is-pruned-and-its-document-comes-back",
    ),
    pytest.param(
        Scenario((document("p", more=SUSPENDED), *KEPT), KEPT, KEPT, starts=False),
        id="both-prune-the-same",
    ),
    pytest.param(
        Scenario((document("p"), *KEPT), (document("p", replicas=2), *KEPT), KEPT, ends=False),
        id="a-document-that-changed-leaves-git",
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_runs_in_any_schedule_lose_nothing(scenario: Scenario) -> None:
    """Contract 5, faults 6 and 7; I8 and I12 at every moment, and what is to run has run."""
    slow_at, going = 0, True
    while going:
        fast_at, on_the_way = 0, True
        while on_the_way:
            going, on_the_way = _schedule(scenario, slow_at, fast_at)
            fast_at += 1
        slow_at += 1
    assert slow_at > 5


def _schedule(scenario: Scenario, slow_at: int, fast_at: int) -> tuple[bool, bool]:
    """A reads the first commit and sleeps, B the second and sleeps; A ends, then B.

    Whether each of them was asleep: no longer when it was over before.
    """
    scene = Scene()
    witness = Witness(scene)
    witness.pushed(*scenario.before)
    scene.source.commit(*scenario.before)
    scene.run(prune=True).source()
    if scenario.starts:
        scene.run().workflows()
    if scenario.ends:
        settled(scene)
    turns = Turns(scene, lambda: whole_run(scene))
    witness.pushed(*scenario.first)
    scene.source.commit(*scenario.first)
    slow_asleep = turns.slow.steps(slow_at)
    witness.pushed(*scenario.second)
    scene.source.commit(*scenario.second)
    fast_asleep = turns.fast.steps(fast_at)
    turns.slow.finish()
    turns.fast.finish()
    scene.server.interceptor = None
    _comes_to_rest(scene)
    witness.holds()
    for name in scenario.runs:
        assert scene.entries(name)[0].phase == "Completed", (slow_at, fast_at)
    return slow_asleep, fast_asleep


def _comes_to_rest(scene: Scene) -> None:
    """Clean runs, everything that is at work settles, an hour passes: then nothing is written."""
    for _ in range(2):
        whole_run(scene)
        whole_run(scene)
        settled(scene)
    later(scene)
    whole_run(scene)
    whole_run(scene)
    scene.writes()
    whole_run(scene)
    assert scene.writes() == []
    assert scene.whole


def test_what_a_run_intended_before_it_lost_the_fence_is_not_begun_by_it() -> None:
    """Contract 5: A drops, B wants it again and is overtaken by A, whose DELETE is on its way."""
    scene = Scene()
    witness = Witness(scene)
    stated = (document("p", more=SUSPENDED), *KEPT)
    witness.pushed(*stated)
    scene.source.commit(*stated)
    scene.run().source()
    turns = Turns(scene, lambda: whole_run(scene))
    scene.source.commit(*KEPT)
    turns.slow.until(_fences)
    witness.pushed(document("p"), *KEPT)
    scene.source.commit(document("p"), *KEPT)
    turns.fast.until(_fences)
    turns.slow.until(lambda request: request.verb is Verb.DELETE)
    turns.fast.finish()
    turns.slow.finish()
    scene.server.interceptor = None
    _comes_to_rest(scene)
    witness.holds()
    assert [each.phase for each in scene.entries("p")] == ["Completed"]


def _fences(request: Request) -> bool:
    return request.verb is Verb.UPDATE and request.target.resource is CONFIG_MAPS
