"""Contract 1 and 5: what is read of a source, and when nothing more is than head and ref."""

from collections.abc import Callable

import pytest

from reconciler.core.api import RecordState
from reconciler.core.outcome import DocumentResult
from reconciler.errors import DeadlinePassed, SourceError, UsageError
from reconciler.kube.answers import Response
from reconciler.kube.requests import CONFIG_MAPS, Target, delete, patch
from reconciler.seams import SkippedFile, Snapshot
from tests.builders import NAMESPACE
from tests.unit.stages.scene import HEAD, Once, Scene, document, execution

HEAD_TARGET = Target(CONFIG_MAPS, NAMESPACE, HEAD)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def standing(scene: Scene) -> Scene:
    """A source whose commit was applied whole."""
    scene.source.commit(document())
    scene.run().source()
    assert scene.whole
    scene.writes()
    scene.source.fetched.clear()
    return scene


def spoil(scene: Scene, **data: str | None) -> None:
    """Somebody edits the head."""
    assert scene.server.handle(patch(HEAD_TARGET, {"data": data})).ok


# --- a source that stands still ---------------------------------------------------------------


def test_a_commit_that_was_applied_whole_is_not_read_again(standing: Scene) -> None:
    """Contract 5: source and apply end after ls-remote."""
    assert standing.run().view().idle
    assert standing.source.fetched == []
    assert [each.request.text for each in standing.server.log] == [
        f"get configmaps {NAMESPACE}/{HEAD}"
    ]


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param(lambda scene: scene.source.commit(document(replicas=2)), id="a-new-commit"),
        pytest.param(lambda scene: scene.clock.advance(3600), id="an-hour-has-passed"),
        pytest.param(lambda scene: spoil(scene, flags="namespace=*"), id="it-had-other-flags"),
        pytest.param(lambda scene: spoil(scene, version="0.0.9"), id="an-older-release-applied-it"),
        pytest.param(lambda scene: spoil(scene, state="reached"), id="something-was-left"),
        pytest.param(lambda scene: spoil(scene, state="applying"), id="a-fence-is-unfinished"),
        pytest.param(
            lambda scene: scene.server.handle(delete(HEAD_TARGET)), id="somebody-deleted-the-head"
        ),
    ],
)
def test_anything_new_makes_the_source_be_read(
    standing: Scene, moves: Callable[[Scene], object]
) -> None:
    """Contract 5: with the same flags and version, and once an hour all the same."""
    moves(standing)
    view = standing.run().view()
    assert not view.idle
    assert standing.source.fetched == [standing.source.ref]
    assert [each.name for each in view.definitions.definitions] == ["restart"]


def test_an_hourly_look_over_an_unchanged_source_writes_the_head_alone(standing: Scene) -> None:
    """Contract 1: one write of the source's head an hour."""
    standing.clock.advance(3600)
    applied = standing.run().source()
    assert applied.results == {DocumentResult.UNCHANGED: 1}
    assert standing.writes() == [f"update ConfigMap {HEAD}"]
    assert standing.run().view().idle


def test_another_release_applies_nothing_that_has_not_changed(standing: Scene) -> None:
    """Contract 5: a new release of ours starts nothing."""
    standing.run(release="0.2.0").source()
    assert standing.writes() == [f"update ConfigMap {HEAD}"]
    assert standing.run(release="0.2.0").view().idle


def test_a_look_tells_what_it_read_before_the_fence(standing: Scene) -> None:
    """Contract 5: read head and objects, resolve the ref, fetch."""
    standing.source.commit(document(replicas=2))
    view = standing.run().view()
    assert [name for _, name in view.objects] == standing.runs
    assert [record.key for record in view.records.values()] == [(NAMESPACE, "restart")]
    assert (view.commit, view.head.commit) == (standing.source.ref, standing.head.commit)
    assert view.first


def test_objects_are_listed_after_the_head_and_records_after_the_objects(scene: Scene) -> None:
    """Contract 5: who applied since has written the head; an entry is older than its object."""
    scene.source.commit(document())
    scene.run().view()
    assert [each.request.target.resource.plural for each in scene.server.log] == [
        "configmaps",
        "workflowexecutions",
        "workflowexecutions",  # what has not settled: the hourly look is due
        "workflowrecords",
    ]


def test_the_ref_is_asked_again_after_the_records_were_listed(standing: Scene) -> None:
    """Contract 5: a run that overwrites what another intended has seen as new a commit."""
    standing.source.commit(document(replicas=2))
    newer: list[str] = []

    def push() -> Response | None:
        newer.append(standing.source.commit(document(replicas=3)))
        return None

    standing.server.interceptor = Once(
        lambda it: it.target.resource.plural == "workflowrecords", push
    )
    assert standing.run().view().commit == newer[0]


# --- what cannot be read ----------------------------------------------------------------------


def test_a_repository_that_does_not_answer_is_a_source_error(standing: Scene) -> None:
    """Contract 7: 3, the source could not be read."""
    standing.source.trouble = "branch main is missing"
    with pytest.raises(SourceError, match="branch main is missing"):
        standing.run().source()
    assert standing.writes() == []


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"state": "finished"}, id="a-state-that-nobody-writes"),
        pytest.param({"url": None}, id="a-key-is-gone"),
    ],
)
def test_a_head_that_is_not_ours_applies_nothing_and_says_the_way_out(
    standing: Scene, broken: dict[str, str | None]
) -> None:
    """Contract 5: unreadable: nothing new is applied, exit 3, the way out is in the message."""
    standing.source.commit(document(replicas=2))
    spoil(standing, **broken)
    with pytest.raises(SourceError, match=f"{HEAD}.*Restore it, or delete it"):
        standing.run().source()
    assert standing.writes() == []


@pytest.mark.parametrize(
    "status",
    [pytest.param(403, id="refused"), pytest.param(503, id="no-answer-worth-having")],
)
def test_a_head_that_the_server_does_not_give_is_a_source_error(scene: Scene, status: int) -> None:
    """Contract 5: unreadable: nothing new is applied."""

    class Without:
        def before(self, request: object) -> Response | None:
            del request
            return Response(status, b"{}")

        def after(self, request: object, response: Response) -> Response:
            del request
            return response

    scene.source.commit(document())
    scene.server.interceptor = Without()
    with pytest.raises(SourceError, match=HEAD):
        scene.run().view()


def test_without_its_head_what_has_run_does_not_run_again(standing: Scene) -> None:
    """Contract 5: deleting the head is a way out, for the records hold what has run."""
    run = standing.run()
    run.workflows()
    run.settle(standing.runs[0])
    standing.delete(standing.runs[0])
    standing.server.handle(delete(HEAD_TARGET))
    assert standing.run().source().results == {DocumentResult.ALREADY_RAN: 1}
    assert standing.runs == []


def test_stages_end_when_the_deadline_has_passed(standing: Scene) -> None:
    """Contract 7: the deadline is when stages 2 to 8 stop."""
    run = standing.run()
    standing.clock.advance(60)
    with pytest.raises(DeadlinePassed):
        run.view()


# --- another source under its name ------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"url": "https://git.example/other.git"}, id="another-url"),
        pytest.param({"paths": ("prod",)}, id="other-paths"),
    ],
)
def test_another_repository_under_the_name_is_refused_until_it_is_meant(
    standing: Scene, other: dict[str, object]
) -> None:
    """Contract 5: a run with others exits 2; --source-moved accepts them."""
    with pytest.raises(UsageError, match="--source-moved"):
        standing.run(**other).source()
    assert standing.writes() == []
    standing.run(**other, moved=True).source()
    assert standing.writes() == [f"update ConfigMap {HEAD}"]
    assert standing.run(**other).view().idle


# --- documents ---------------------------------------------------------------------------------


def test_every_document_counts_once_and_a_bad_one_harms_itself_alone(scene: Scene) -> None:
    """Contract 5: reported with file, line and reason, the others are applied."""
    broken = document("broken").replace("replicas: 1", "replicas: many")
    scene.source.commit(document(), broken, **{"odd.yaml": "a: [", "once.yaml": execution()})
    applied = scene.run().source()
    assert applied.results == {DocumentResult.APPLIED: 2, DocumentResult.INVALID: 2}
    told = [(each.path, each.line) for each in applied.problems]
    assert [path for path, _ in told] == ["odd.yaml", "shop.yaml"]
    assert all(line > 0 for _, line in told)
    assert applied.whole


def test_two_documents_of_one_name_are_two_that_are_refused(scene: Scene) -> None:
    """Contract 5: the same name twice: neither is applied."""
    scene.source.commit(document(), document(replicas=2), execution())
    applied = scene.run().source()
    assert applied.results == {DocumentResult.APPLIED: 1, DocumentResult.INVALID: 2}
    assert scene.runs == ["once"]


def test_a_file_that_was_skipped_is_told_as_one_that_is_refused(scene: Scene) -> None:
    """Contract 5: never follow symlinks, submodules, LFS; but say so."""
    name = scene.source.commit(document())
    read = scene.source.fetch(name)
    scene.source.keep(
        Snapshot(name, read.committed_at, read.files, (SkippedFile("a.yaml", "a symlink"),))
    )
    applied = scene.run().source()
    assert applied.results == {DocumentResult.APPLIED: 1, DocumentResult.INVALID: 1}
    assert [each.text for each in applied.problems] == ["a.yaml:1: a symlink"]


# --- a ref that went anywhere but forward ---------------------------------------------------


def test_a_rewritten_history_is_applied_as_it_is_now_and_told_once(scene: Scene) -> None:
    """Contract 5, 10: in the run whose head write first names the commit."""
    before = scene.source.commit(document())
    assert scene.run().source().events == ()
    scene.source.forward = False
    after = scene.source.commit(document(replicas=2))
    (event,) = scene.run().source().events
    assert (event.reason, event.warning) == ("SourceRewritten", True)
    assert event.regarding.name == HEAD
    assert f"the commit {after} does not descend from {before}" in event.note
    assert scene.source.asked == [(after, before)]
    assert scene.states()[0] is RecordState.INTENDED
    for _ in range(2):
        assert scene.run().source().events == ()


def test_nothing_is_said_of_what_nobody_knows(scene: Scene) -> None:
    """Contract 5: beyond the bound of a look back the log says so, and no Event accuses."""
    scene.source.commit(document())
    scene.run().source()
    scene.source.forward = None
    scene.source.commit(document(replicas=2))
    assert scene.run().source().events == ()


def test_a_source_that_moved_to_another_repository_has_no_history_to_compare(scene: Scene) -> None:
    """Contract 5: --source-moved says it already."""
    scene.source.commit(document())
    scene.run().source()
    scene.source.commit(document(replicas=2))
    scene.run(url="https://git.example/other.git", moved=True).source()
    assert scene.source.asked == []
