"""Contract 5: unchanged files cost nothing; what the records tell of them starts nothing."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest
from typing_extensions import override

from reconciler.core.api import RecordState
from reconciler.core.definitions import Outline
from reconciler.core.outcome import DocumentResult
from reconciler.core.source import SourceView
from reconciler.kube import codec
from reconciler.kube.answers import Response
from reconciler.kube.requests import (
    CONFIG_MAPS,
    RECORDS,
    WORKFLOWS,
    Request,
    Target,
    delete,
    patch,
    status,
)
from reconciler.seams import Blob
from reconciler.stages.apply import apply_source
from tests.builders import NAMESPACE
from tests.unit.stages.scene import HEAD, CrashAt, Refusing, Run, Scene, document, execution

MANY = 6


class Watched(bytes):
    """A file that tells when it is parsed: to be that it must be decoded."""

    path: str
    log: list[str]

    @override
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        self.log.append(self.path)
        return super().decode(encoding, errors)


class Files:
    """Commits of named files, and which of them were parsed."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.log: list[str] = []
        self.held: dict[str, str] = {}

    def commit(self, **files: str) -> None:
        """These files change; an empty one leaves git."""
        self.held = {path: text for path, text in {**self.held, **files}.items() if text}
        source = self.scene.source
        snapshot = source.fetch(source.commit(**self.held))
        source.keep(replace(snapshot, files=tuple(map(self._watched, snapshot.files))))

    def parsed(self) -> list[str]:
        """Since the last call."""
        told, self.log[:] = sorted(self.log), []
        return told

    def _watched(self, file: Blob) -> Blob:
        data = Watched(file.data)
        data.path, data.log = file.path, self.log
        return file._replace(data=data)


def ran(run: Run) -> None:
    """A run of all stages, after which everything that is at work settles."""
    run.source()
    run.workflows()
    run.scene.settle_all()
    run.scene.clock.advance(1)


@pytest.fixture
def files(scene: Scene) -> Files:
    """Six files of one document each; all have run."""
    told = Files(scene)
    told.commit(**{f"d{number}": document(f"d{number}") for number in range(MANY)})
    ran(scene.run())
    assert told.parsed() == [f"d{number}" for number in range(MANY)]
    assert scene.whole
    return told


def replace_reading(scene: Scene, name: str, **lies: object) -> None:
    """Somebody edits the status of a record."""
    stored = scene.server.object(RECORDS, NAMESPACE, name)
    assert stored is not None
    told = {**stored["status"], "reading": {**stored["status"]["reading"], **lies}}
    about = codec.parse_metadata(stored)
    assert scene.server.handle(status(RECORDS, about, told)).ok


def reading(scene: Scene, name: str) -> Mapping[str, Any] | None:
    stored = scene.server.object(RECORDS, NAMESPACE, name)
    assert stored is not None
    found: Mapping[str, Any] | None = stored.get("status", {}).get("reading")
    return found


# --- what is parsed -------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(MANY + 1))
def test_of_k_files_that_changed_k_are_parsed(files: Files, count: int) -> None:
    """Contract 5: an unchanged file costs nothing."""
    changed = {f"d{number}": document(f"d{number}", replicas=2) for number in range(count)}
    files.commit(**changed, readme="# no document")
    applied = files.scene.run().source()
    assert files.parsed() == [*changed, "readme"]
    told = {DocumentResult.APPLIED: count, DocumentResult.UNCHANGED: MANY - count}
    assert applied.results == {result: each for result, each in told.items() if each}
    assert applied.whole


def test_while_the_ref_stands_nothing_is_parsed(files: Files) -> None:
    """Contract 5: source and apply end after ls-remote."""
    files.scene.run().source()
    assert files.parsed() == []


def test_an_hourly_look_parses_nothing_that_has_begun(files: Files) -> None:
    """Contract 5: once an hour the objects are looked at all the same, by their metadata."""
    files.scene.clock.advance(3600)
    assert files.scene.run().source().results == {DocumentResult.UNCHANGED: MANY}
    assert files.parsed() == []


def test_a_run_that_executes_and_one_that_was_deleted_are_told_without_parsing(
    files: Files,
) -> None:
    """Contract 5: a content with a uid and no object has had its run."""
    scene = files.scene
    files.commit(d0=document("d0", replicas=2))
    scene.run().source()
    scene.run().workflows()
    gone = scene.entries("d1")[0].run
    scene.delete(gone)
    files.parsed()
    files.commit(d2="")
    applied = scene.run().source()
    assert files.parsed() == []
    assert applied.results == {DocumentResult.UNCHANGED: MANY - 2, DocumentResult.ALREADY_RAN: 1}
    (problem,) = applied.problems
    assert (problem.path, problem.line, problem.name) == ("d1", 1, "d1")


def test_a_file_that_was_renamed_is_not_parsed(files: Files) -> None:
    """Contract 5: what a file says follows from its blob, wherever it stands."""
    files.commit(d0="", elsewhere=document("d0"))
    view = files.scene.run().view()
    assert files.parsed() == []
    assert [each.name for each in view.definitions.recalled if each.path == "elsewhere"] == ["d0"]


def test_what_the_records_tell_is_what_the_files_say(files: Files) -> None:
    """Contract 5: whether a file is parsed or not, the run decides on the same."""
    policy = "  runPolicy: {concurrency: Replace, history: 7}\n"
    files.commit(
        d0=document("d0", replicas=2, more=policy),
        once=execution(more="  suspend: true\n"),
        two=document("one") + "---\n" + document("other"),
    )
    ran(files.scene.run())
    files.commit(readme="# no document")
    head = Target(CONFIG_MAPS, NAMESPACE, HEAD)
    recalled = files.scene.run().view().definitions
    assert files.scene.server.handle(delete(head)).ok  # a new source: all is parsed
    parsed = files.scene.run().view().definitions
    assert not recalled.definitions
    assert not parsed.recalled
    assert [outline(each) for each in recalled.outlines] == [
        outline(each) for each in parsed.outlines
    ]
    assert recalled.names == parsed.names


def outline(of: Outline) -> dict[str, object]:
    return {each.name: getattr(of, each.name) for each in fields(Outline)}


# --- what is parsed each time ---------------------------------------------------------------


def broken(text: str) -> str:
    return text.replace("replicas: 1", "replicas: many")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(broken(document("odd")), id="a-bad-document"),
        pytest.param(document("odd") + "---\n" + broken(document("bad")), id="a-bad-one-beside"),
        pytest.param(document("odd") + "---\na: [", id="one-that-is-no-yaml-beside"),
        pytest.param(
            document("odd", annotations="kubernaut.ai/clusters: eu-2"), id="one-for-other-clusters"
        ),
    ],
)
def test_a_file_with_a_document_that_has_no_record_is_parsed_each_time(
    files: Files, text: str
) -> None:
    """Contract 5: a bad document is told by each run that reads the source."""
    scene = files.scene
    ran(scene.run(cluster="eu-1"))
    files.commit(odd=text)
    told = []
    for number in range(2, 5):
        files.parsed()
        files.commit(d0=document("d0", replicas=number))
        told.append([each.text for each in scene.run(cluster="eu-1").source().problems])
        scene.run(cluster="eu-1").workflows()
        scene.settle_all()
        assert files.parsed() == ["d0", "odd"]
    assert told[0] == told[1] == told[2]


def test_what_stands_at_two_paths_is_parsed_and_told(files: Files) -> None:
    """Contract 5: the same name twice: neither is applied."""
    files.commit(copy=document("d0"))
    applied = files.scene.run().source()
    assert files.parsed() == ["copy", "d0"]
    assert applied.results == {DocumentResult.INVALID: 2, DocumentResult.UNCHANGED: MANY - 1}


def test_a_name_that_a_new_file_takes_is_told_at_both_its_lines(files: Files) -> None:
    """Contract 5: the same name twice, one of them in a file that has not changed."""
    files.commit(second=document("d0", replicas=2))
    applied = files.scene.run().source()
    assert applied.results == {DocumentResult.INVALID: 2, DocumentResult.UNCHANGED: MANY - 1}
    assert [(each.path, each.line) for each in applied.problems] == [("d0", 4), ("second", 4)]


def test_a_content_that_waits_for_its_turn_is_parsed(files: Files) -> None:
    """Contract 5: only a content that has begun, or never will, needs nothing of its file."""
    scene = files.scene
    files.commit(d0=document("d0", replicas=2))
    scene.run().source()
    scene.run().workflows()  # executes
    files.commit(d0=document("d0", replicas=3))
    scene.run().source()
    files.parsed()
    files.commit(d1="")
    applied = scene.run().source()
    assert files.parsed() == ["d0"]
    assert applied.results[DocumentResult.QUEUED] == 1


def test_a_file_of_which_only_comments_changed_is_parsed_until_a_content_changes(
    files: Files,
) -> None:
    """Contract 5: comments start nothing, and nothing is written for them."""
    scene = files.scene
    files.commit(d0=f"# why\n{document('d0')}")
    scene.writes()
    scene.run().source()
    assert scene.writes() == [f"update ConfigMap {HEAD}"]
    assert files.parsed() == ["d0"]
    files.commit(d1=document("d1", replicas=2))
    ran(scene.run())
    assert files.parsed() == ["d0", "d1"]
    files.commit(d0=f"# why\n{document('d0', replicas=2)}")
    ran(scene.run())
    files.parsed()
    files.commit(d1="")
    scene.run().source()
    assert files.parsed() == []


def test_a_file_of_several_is_parsed_until_each_was_written_for_it(files: Files) -> None:
    """Contract 5: as many records name the file as it holds documents, or it is parsed."""
    scene = files.scene
    both = "{}---\n{}".format
    files.commit(both=both(document("one"), document("other")))
    ran(scene.run())
    told: list[bool] = []
    for x, y in ((1, 1), (2, 1), (2, 1), (3, 3), (3, 3)):
        files.parsed()
        files.commit(
            both=both(document("one", replicas=x), document("other", replicas=y)),
            d0=document("d0", replicas=len(told) + 2),
        )
        ran(scene.run())
        told.append("both" in files.parsed())
    assert told == [False, True, True, True, False]


def test_records_without_a_reading_mean_that_all_is_parsed(files: Files) -> None:
    """Contract 5: an older release wrote none."""
    scene = files.scene
    for number in range(MANY):
        stored = scene.server.object(RECORDS, NAMESPACE, f"d{number}")
        assert stored is not None
        told = {key: each for key, each in stored["status"].items() if key != "reading"}
        assert scene.server.handle(status(RECORDS, codec.parse_metadata(stored), told)).ok
    files.commit(d0=document("d0", replicas=2))
    scene.run().source()
    assert len(files.parsed()) == MANY


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"release": "0.2.0"}, id="another-release"),
        pytest.param({"cluster": "eu-1"}, id="a-cluster-name"),
        pytest.param({"prune": True}, id="prune"),
    ],
)
def test_with_other_flags_and_by_another_release_all_is_parsed_once(
    files: Files, settings: dict[str, Any]
) -> None:
    """Contract 5: with the same flags and version."""
    scene = files.scene
    scene.run(**settings).source()
    assert len(files.parsed()) == MANY
    files.commit(d0=document("d0", replicas=2))
    scene.run(**settings).source()
    assert files.parsed() == ["d0"]


def test_flags_that_did_not_come_to_the_end_leave_nothing_known(files: Files) -> None:
    """Contract 5: what runs with other flags wrote in between is not believed."""
    scene = files.scene
    files.commit(d0=document("d0", replicas=2))
    scene.server.interceptor = Refusing(422, scene.run().view().definitions.definitions[0].run)
    assert not scene.run(cluster="eu-2").source().whole
    scene.server.interceptor = None
    files.parsed()
    scene.run().source()
    assert len(files.parsed()) == MANY


def test_a_fence_with_other_flags_leaves_nothing_known(files: Files) -> None:
    """Contract 5: what a run with other flags applied before it died is not believed."""
    scene = files.scene
    files.commit(d0=document("d0", replicas=2))
    assert scene.crashing(scene.run(cluster="eu-2").source, CrashAt(3))  # all but the end
    scene.run().workflows()
    files.parsed()
    scene.run().source()
    assert len(files.parsed()) == MANY


def test_after_an_unfinished_fence_what_is_sent_is_parsed(files: Files) -> None:
    """Contract 5: a fence that follows an unfinished one sends what has not settled."""
    scene = files.scene
    files.commit(d0=document("d0", replicas=2))
    run = scene.run()
    assert scene.crashing(run.source, CrashAt(2))  # its record, the fence; not the run
    assert scene.head.unfinished
    files.parsed()
    applied = scene.run().source()
    assert files.parsed() == ["d0"]
    assert applied.results == {DocumentResult.APPLIED: 1, DocumentResult.UNCHANGED: MANY - 1}
    assert applied.whole


def test_an_object_that_lost_its_controls_is_parsed_and_steered(files: Files) -> None:
    """Contract 5: what is sent is what the file says, never what a record does."""
    scene = files.scene
    files.commit(d0=document("d0", replicas=2, more="  suspend: true\n"))
    scene.run().source()
    scene.run().workflows()
    name = scene.entries("d0")[0].run
    target = Target(WORKFLOWS, NAMESPACE, name)
    body = {"metadata": {"annotations": {"kubernaut.ai/controls-hash": "v1:0"}}}
    assert scene.server.handle(patch(target, body)).ok
    files.parsed()
    files.commit(d1="")
    applied = scene.run().source()
    assert files.parsed() == ["d0"]
    assert applied.results[DocumentResult.APPLIED] == 1


def test_with_adopt_a_document_whose_run_is_gone_is_parsed(files: Files) -> None:
    """Contract 5: an object of that name that is not of this source may be there."""
    scene = files.scene
    scene.delete(scene.entries("d0")[0].run)
    files.commit(d1="")
    scene.run(adopt=True).source()
    assert files.parsed() == ["d0"]


# --- a reading that is wrong ----------------------------------------------------------------

OLD, NEW = "v1:" + "1" * 64, document("d0", replicas=2)


@pytest.mark.parametrize(
    "lies",
    [
        pytest.param({"content": OLD}, id="a-content-that-never-ran"),
        pytest.param({"kind": "WorkflowExecution"}, id="another-kind"),
        pytest.param({"controls": "v1:0"}, id="other-controls"),
        pytest.param({"documents": 2}, id="more-documents"),
        pytest.param({"concurrency": "Replace", "history": 0}, id="another-policy"),
        pytest.param({"blob": "0" * 40}, id="a-blob-that-is-nowhere"),
        pytest.param({"blob": "the blob of d1"}, id="the-blob-of-another"),
        pytest.param({"line": 77}, id="another-line"),
    ],
)
def test_a_reading_that_was_edited_starts_nothing(files: Files, lies: dict[str, object]) -> None:
    """I12: whatever a record says of a file, what runs is what git says, and once."""
    scene = files.scene
    runs = sorted(scene.runs)
    other = reading(scene, "d1")
    assert other is not None
    if lies.get("blob") == "the blob of d1":
        lies = {"blob": other["blob"]}
    replace_reading(scene, "d0", **lies)
    files.commit(readme="# no document")
    for _ in range(3):
        ran(scene.run())
        scene.clock.advance(3600)
    assert sorted(scene.runs) == runs
    assert all(scene.workflow(name)["status"]["phase"] == "Completed" for name in runs)


def test_a_reading_of_a_file_that_has_changed_is_no_reading_of_it(files: Files) -> None:
    """I12: a record that names the new blob keeps a content from running, and runs no other."""
    scene = files.scene
    runs = sorted(scene.runs)
    files.commit(d0=NEW)
    (changed,) = scene.run().view().definitions.definitions
    replace_reading(scene, "d0", blob=changed.blob)
    files.parsed()
    assert scene.run().source().results == {DocumentResult.UNCHANGED: MANY}
    assert (files.parsed(), sorted(scene.runs)) == ([], runs)
    # Whatever has the file parsed ends it, as a new release does.
    ran(scene.run(release="0.2.0"))
    assert sorted(scene.runs) == sorted([*runs, changed.run])


def test_a_document_that_its_file_does_not_hold_is_forgotten_once_it_is_parsed(
    files: Files,
) -> None:
    """Contract 5: of two documents in two files a record names the wrong one."""
    scene = files.scene
    files.commit(d0=NEW, d1=document("d1", replicas=2))
    told = {each.name: each.blob for each in scene.run().view().definitions.definitions}
    replace_reading(scene, "d0", blob=told["d1"])
    files.parsed()
    ran(scene.run())
    # As d1 is read nowhere, d0 is two: so all is parsed, and each is what its own file says.
    assert set(files.parsed()) == {f"d{number}" for number in range(MANY)}
    for name in ("d0", "d1"):
        assert [each.phase for each in scene.entries(name)] == ["Completed", "Completed"]
    files.commit(readme="# no document")
    assert scene.run().source().results == {DocumentResult.UNCHANGED: MANY}
    assert files.parsed() == ["readme"]


def test_what_is_read_otherwise_with_other_flags_is_forgotten(files: Files) -> None:
    """Contract 5: a document for other clusters is not of this one because it once was."""
    scene = files.scene
    far = document("far", annotations="kubernaut.ai/clusters: eu-1")
    files.commit(far=far)
    ran(scene.run(cluster="eu-1"))
    assert reading(scene, "far") is not None
    assert scene.run(cluster="eu-2").source().results[DocumentResult.ELSEWHERE] == 1
    assert reading(scene, "far") is None
    files.commit(d0=document("d0", replicas=2))
    files.parsed()
    assert scene.run(cluster="eu-2").source().results[DocumentResult.ELSEWHERE] == 1
    assert files.parsed() == ["d0", "far"]
    assert scene.states("far") == [RecordState.CREATED]


def test_what_another_release_reads_otherwise_is_written_again(files: Files) -> None:
    """Contract 5: a reading is what this release makes of the file, or it is none."""
    scene = files.scene
    before = reading(scene, "d0")
    replace_reading(scene, "d0", history=50, controls="v1:0")
    scene.writes()
    assert scene.run(release="0.2.0").source().whole
    assert scene.writes() == ["update WorkflowRecord/status d0", f"update ConfigMap {HEAD}"]
    assert reading(scene, "d0") == before


def test_a_commit_is_not_whole_while_a_wrong_reading_stands(files: Files) -> None:
    """Contract 5: what could not be forgotten is forgotten by the next run."""
    scene = files.scene
    files.commit(far=document("far", annotations="kubernaut.ai/clusters: eu-1"))
    ran(scene.run(cluster="eu-1"))
    scene.server.interceptor = Busy("far")
    assert not scene.run(cluster="eu-2").source().whole
    scene.server.interceptor = None
    assert scene.run(cluster="eu-2").source().whole
    assert reading(scene, "far") is None


class Busy:
    """An interceptor: another run has just written this record."""

    def __init__(self, name: str) -> None:
        self._name = name

    def before(self, request: Request) -> Response | None:
        target = request.target
        if (target.resource, target.name, target.subresource) == (RECORDS, self._name, "status"):
            return Response(409, b'{"kind":"Status","reason":"Conflict","message":"busy"}')
        return None

    def after(self, request: Request, response: Response) -> Response:
        del request
        return response


def test_of_two_of_one_name_the_readings_stay(files: Files) -> None:
    """Contract 5: what each would say alone nobody has doubted."""
    scene = files.scene
    files.commit(copy=document("d0"))
    scene.run().source()
    files.commit(copy="", d1="")
    files.parsed()
    scene.run().source()
    assert files.parsed() == []


def test_what_was_not_parsed_is_never_sent(files: Files) -> None:
    """I12: should its verdict call for more than nothing, the next run parses it."""
    scene = files.scene
    files.commit(d1=document("d1", replicas=2))
    run = scene.run()
    view = run.view()
    assert "d0" in [each.name for each in view.definitions.recalled]
    told = apply_source(run.world, without_entries(view, "d0"))
    assert told.results[DocumentResult.NOT_REACHED] == 1
    assert not told.whole


def without_entries(view: SourceView, name: str) -> SourceView:
    """As if that document had never been seen."""
    key = (NAMESPACE, name)
    run = view.records[key].contents[0].run
    objects = {each: meta for each, meta in view.objects.items() if each[1] != run}
    record = view.records[key]
    empty = record.model_copy(update={"status": record.status.model_copy(update={"contents": ()})})
    return replace(view, objects=objects, records={**view.records, key: empty})
