"""Stages 2 and 3 under every crash, and every schedule of two runs with three switches (I6, I12).

What the runs of workflows do is told in short (`scene.Run.workflows`): these tests are about the
records and the fence alone.
"""

from collections.abc import Sequence

import pytest

from reconciler.kube.requests import WORKFLOWS
from tests.faults.turns import Turns
from tests.faults.witness import Witness, is_run_of
from tests.unit.stages.scene import CrashAt, Scene, document, execution

SUSPENDED = "  suspend: true\n"


def whole_run(scene: Scene) -> None:
    run = scene.run()
    run.source()
    run.workflows()


def settle_all(scene: Scene) -> None:
    for name in scene.runs:
        if scene.workflow(name)["status"].get("phase") == "Executing":
            scene.run().settle(name)


def comes_to_rest(scene: Scene) -> None:
    """Clean runs, everything that is at work settles, clean runs: then nothing is written."""
    for _ in range(3):
        whole_run(scene)
        whole_run(scene)
        settle_all(scene)
    whole_run(scene)
    scene.writes()
    whole_run(scene)
    assert scene.writes() == []


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


# With everything in them: what is new, changed, steered, queued, gone.
COMMITS = (
    (document("d"), execution("e", more=SUSPENDED), document("gone", more=SUSPENDED)),
    (document("d", replicas=2), execution("e", replicas=2)),
    (document("d", replicas=2, more=SUSPENDED), execution("e", replicas=2), execution("f")),
)


def history(crash: CrashAt | None, at_commit: int) -> tuple[object, Witness, bool]:
    """Three commits, one run in each; in one of them it dies. Then two clean runs, as I6 has it."""
    scene = Scene()
    witness = Witness(scene)
    died = False
    for number, stated in enumerate(COMMITS):
        witness.pushed(*stated)
        scene.source.commit(*stated)
        if crash and number == at_commit:
            died = scene.crashing(lambda: whole_run(scene), crash)
        whole_run(scene)
        whole_run(scene)
        scene.writes()
        whole_run(scene)
        assert scene.writes() == []
        settle_all(scene)
    whole_run(scene)
    return told(scene, "d", "e", "f", "gone"), witness, died


@pytest.mark.parametrize(
    "landed", [pytest.param(False, id="request-lost"), pytest.param(True, id="answer-lost")]
)
@pytest.mark.parametrize("commit", [pytest.param(at, id=f"of-commit-{at}") for at in range(3)])
def test_a_crash_at_any_write_is_healed_by_two_clean_runs(commit: int, landed: bool) -> None:
    """I6, I12: the reference state; no content has two objects, or starts twice."""
    reference, _, _ = history(None, 0)
    point, died = 0, True
    while died:
        state, witness, died = history(CrashAt(point, landed=landed), commit)
        assert state == reference, f"after a crash at write {point}"
        witness.holds()
        point += 1
    assert point > 5


# --- two runs at once ----------------------------------------------------------------------------


PLAIN, NEXT, LAST = document(), document(replicas=2), document(replicas=3)
OTHER = document("other")

SCENARIOS = [
    pytest.param([PLAIN], [NEXT], [LAST], id="two-new-contents"),
    pytest.param([PLAIN], [NEXT], [PLAIN], id="a-content-is-taken-back"),
    pytest.param([OTHER], [OTHER, PLAIN], [OTHER, NEXT], id="a-new-document-changes"),
    pytest.param([OTHER], [OTHER, PLAIN], [OTHER], id="a-new-document-is-taken-back"),
    pytest.param(
        [PLAIN], [document(more=SUSPENDED)], ["# \n" + PLAIN], id="a-suspension-is-taken-back"
    ),
    pytest.param([PLAIN], [document(more=SUSPENDED)], [PLAIN], id="git-goes-back-to-the-commit"),
    pytest.param(
        [PLAIN], [document(more=SUSPENDED)], [NEXT], id="a-suspended-run-is-followed-by-another"
    ),
    pytest.param([PLAIN], [document(more=SUSPENDED)], [OTHER], id="its-document-leaves-git"),
    pytest.param(
        [execution(more=SUSPENDED)],
        [execution(replicas=2, more=SUSPENDED)],
        [execution(replicas=3)],
        id="an-execution-that-is-pending",
    ),
    pytest.param([execution()], [execution(replicas=2)], [execution()], id="one-that-has-started"),
]


@pytest.mark.parametrize(("before", "first", "second"), SCENARIOS)
def test_two_runs_in_any_schedule_come_to_what_git_says_last(
    before: Sequence[str], first: Sequence[str], second: Sequence[str]
) -> None:
    """Contract 5, faults 6 and 7: once whole nothing moves, and nothing runs twice or beside."""
    slow_at, going = 0, True
    while going:
        fast_at, on_the_way = 0, True
        while on_the_way:
            going, on_the_way = _schedule((before, first, second), slow_at, fast_at)
            fast_at += 1
        slow_at += 1
    assert slow_at > 5


def _schedule(
    commits: tuple[Sequence[str], Sequence[str], Sequence[str]], slow_at: int, fast_at: int
) -> tuple[bool, bool]:
    """A reads the first commit and sleeps, B the second and sleeps; A ends, then B.

    Whether each of them was asleep: no longer when it was over before.
    """
    scene = Scene()
    witness = Witness(scene)
    witness.pushed(*commits[0])
    scene.source.commit(*commits[0])
    whole_run(scene)
    turns = Turns(scene, lambda: scene.run().source())
    witness.pushed(*commits[1])
    scene.source.commit(*commits[1])
    slow_asleep = turns.slow.steps(slow_at)
    witness.pushed(*commits[2])
    scene.source.commit(*commits[2])
    fast_asleep = turns.fast.steps(fast_at)
    turns.slow.finish()
    turns.fast.finish()
    scene.server.interceptor = None
    comes_to_rest(scene)
    assert scene.whole
    witness.holds()
    _as_git_says(scene, commits[2])
    return slow_asleep, fast_asleep


def _as_git_says(scene: Scene, stated: Sequence[str]) -> None:
    """The object of each current content has the controls that its document states."""
    for text in stated:
        (current,) = [each for each in scene.server.objects(WORKFLOWS) if is_run_of(each, text)]
        assert current["spec"].get("suspend", False) is (SUSPENDED in text)
