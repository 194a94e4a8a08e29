"""Contract 5, the WorkflowRecord: each sentence a case."""

from datetime import datetime

import pytest

from reconciler.core.api import (
    Metadata,
    Phase,
    RecordEntry,
    RecordState,
    RecordStatus,
    WorkflowExecution,
    WorkflowRecord,
)
from reconciler.core.definitions import Definition
from reconciler.core.records import (
    DEFINITION,
    DELETED,
    MAX_CONTENTS,
    SPEC_HASH,
    Standing,
    admitted,
    entry_of,
    first_content,
    intended,
    new_record,
    others_running,
    record_name,
    result,
    ruling,
    superseded,
    with_result,
)
from tests.builders import NAMESPACE, NOW, at, deleted, step, workflow

SOURCE = "default"
DOCUMENT = "restart"
COMMIT = "c" * 40
BLOB = "b" * 40
C1, C2, C3 = ("v1:" + digit * 64 for digit in "123")
U1, U2 = "uid-1", "uid-2"

INTENDED, CREATED, DROPPED, RECORDED = RecordState


def entry(
    content: str, state: RecordState = CREATED, uid: str = "", phase: str = ""
) -> RecordEntry:
    """An entry whose run is named after its content."""
    return RecordEntry(
        content=content,
        state=state,
        run=f"{DOCUMENT}-{content[3:8]}",
        uid=uid,
        commit=COMMIT,
        blob=BLOB,
        phase=phase,
    )


def record(*entries: RecordEntry, source: str = SOURCE) -> WorkflowRecord:
    """The record of the document, newest content first."""
    return WorkflowRecord(
        metadata=Metadata(
            name=DOCUMENT,
            namespace=NAMESPACE,
            uid="uid-of-the-record",
            resource_version="7",
            generation=1,
            labels={"kubernaut.ai/source": source} if source else {},
        ),
        status=RecordStatus(observed_generation=1, contents=entries),
    )


def run_of(content: str, uid: str = U1) -> WorkflowExecution:
    """A workflow of the source, as the apply stage makes it; nobody has seen it yet."""
    plain = workflow(step("a"), name=f"{DOCUMENT}-{content[3:8]}")
    meta = plain.metadata.model_copy(
        update={
            "uid": uid,
            "labels": {"kubernaut.ai/source": SOURCE},
            "annotations": {DEFINITION: DOCUMENT, SPEC_HASH: content},
        }
    )
    return plain.model_copy(update={"metadata": meta})


def settled(of: WorkflowExecution, phase: Phase = Phase.COMPLETED) -> WorkflowExecution:
    status = of.status.model_copy(
        update={
            "phase": phase,
            "settled": True,
            "progress": "1/1",
            "execution_start_time": NOW,
            "execution_end_time": at(minutes=5),
        }
    )
    return of.with_status(status)


def definition(content: str, blob: str = BLOB) -> Definition:
    of = run_of(content)
    return Definition(
        kind="WorkflowDefinition",
        namespace=NAMESPACE,
        name=DOCUMENT,
        run=of.metadata.name,
        content=content,
        controls="v1:" + "0" * 64,
        path="restart.yaml",
        line=1,
        blob=blob,
        spec=of.spec.wire(),
        model=of.spec,
        annotations={},
        labels={},
    )


def states(of: WorkflowRecord) -> list[tuple[str, RecordState]]:
    return [(each.content, each.state) for each in of.status.contents]


# --- what stands in the record before an object is made ------------------------------------


def test_a_new_record_belongs_to_the_source_and_to_nobody_else() -> None:
    """Contract 5: of the document's name, with the source's label, without an owner."""
    new = new_record(definition(C1), SOURCE)
    assert new.key == (NAMESPACE, DOCUMENT)
    assert new.metadata.labels == {"kubernaut.ai/source": SOURCE}
    assert new.metadata.owner_references == ()
    assert new.spec.kind == "WorkflowDefinition"


def test_the_first_content_is_intended_with_the_commit_and_the_blob_it_was_read_from() -> None:
    """Contract 5: `intended` is written before the object is made."""
    (told,) = intended(record(), definition(C1), COMMIT).status.contents
    assert told == RecordEntry(
        content=C1, state=INTENDED, run="restart-11111", commit=COMMIT, blob=BLOB
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            [entry(C1, INTENDED)],
            [(C2, INTENDED), (C1, DROPPED)],
            id="it-turns-every-other-intention-into-dropped",
        ),
        pytest.param(
            [entry(C1, CREATED, U1)],
            [(C2, INTENDED), (C1, CREATED)],
            id="what-was-created-stays-created",
        ),
        pytest.param(
            [entry(C1, CREATED, U1), entry(C2, DROPPED)],
            [(C2, INTENDED), (C1, CREATED)],
            id="what-was-dropped-is-intended-again-and-newest",
        ),
        pytest.param(
            [entry(C3, INTENDED), entry(C2, CREATED, U2)],
            [(C3, DROPPED), (C2, CREATED)],
            id="a-content-given-back-to-its-object-keeps-its-uid",
        ),
        pytest.param(
            [entry(C1, RECORDED)],
            [(C2, INTENDED), (C1, RECORDED)],
            id="what-was-recorded-stays-recorded",
        ),
    ],
)
def test_intending_a_content(
    before: list[RecordEntry], after: list[tuple[str, RecordState]]
) -> None:
    """Contract 5: one content of a document is intended at a time."""
    assert states(intended(record(*before), definition(C2), COMMIT)) == after


def test_intending_what_is_intended_by_this_commit_writes_nothing() -> None:
    """Contract 1: nothing to do means nothing written."""
    once = intended(record(), definition(C1), COMMIT)
    assert intended(once, definition(C1), COMMIT) is once


def test_what_is_intended_still_is_so_by_the_commit_of_now() -> None:
    """Contract 5: the write makes a run of an older commit, about to drop it, lose."""
    (told,) = intended(record(entry(C1, INTENDED)), definition(C1), "d" * 40).status.contents
    assert (told.state, told.commit) == (INTENDED, "d" * 40)


def test_a_content_that_left_git_before_it_started_is_dropped() -> None:
    """Contract 5: a content that is replaced before it started never runs."""
    before = record(entry(C2, INTENDED), entry(C1, CREATED, U1))
    assert states(superseded(before)) == [(C2, DROPPED), (C1, CREATED)]


def test_what_was_not_dropped_is_the_very_same_record() -> None:
    """Contract 1: nothing to do means nothing written."""
    before = record(entry(C2, INTENDED), entry(C1, CREATED, U1))
    assert superseded(before, C2) is before


def test_a_write_says_which_generation_it_saw() -> None:
    """Contract 2: -1 is an object that nobody has seen."""
    assert new_record(definition(C1), SOURCE).status.observed_generation == -1
    assert intended(record(), definition(C1), COMMIT).status.observed_generation == 1


# --- whether a workflow may be planned ------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "standing"),
    [
        pytest.param([entry(C1, CREATED, U1)], Standing.CREATED, id="created-with-its-own-uid"),
        pytest.param([entry(C1, INTENDED)], Standing.DUE, id="intended-and-the-object-is-there"),
        pytest.param([entry(C1, DROPPED)], Standing.WAITS, id="dropped-waits-untouched"),
        pytest.param(
            [entry(C1, CREATED, U2)],
            Standing.HAD_ITS_RUN,
            id="another-uid-is-a-restore-or-a-late-apply",
        ),
        pytest.param(
            [entry(C1, CREATED, U1, "Failed")],
            Standing.HAD_ITS_RUN,
            id="a-result-even-of-this-very-object",
        ),
        pytest.param([entry(C1, RECORDED)], Standing.HAD_ITS_RUN, id="recorded-as-run-before-us"),
        pytest.param([entry(C2, INTENDED)], Standing.HAD_ITS_RUN, id="no-entry-of-its-content"),
        pytest.param(
            [entry(C1, INTENDED), entry(C2, CREATED, U1, DELETED)],
            Standing.HAD_ITS_RUN,
            id="its-uid-has-had-its-run-under-another-content",
        ),
    ],
)
def test_who_may_be_planned(entries: list[RecordEntry], standing: Standing) -> None:
    """Contract 5: planned only when its content is created with this object's uid."""
    assert ruling(record(*entries), run_of(C1)).standing is standing


def test_without_a_record_a_workflow_of_a_source_has_had_its_run() -> None:
    """Contract 5: no entry, and nothing of it runs."""
    assert ruling(None, run_of(C1)).standing is Standing.HAD_ITS_RUN


def test_a_record_of_another_source_rules_nothing() -> None:
    """Contract 5: not ours to judge by; the workflow is left alone, not ended."""
    theirs = record(entry(C1, CREATED, U1), source="other")
    assert ruling(theirs, run_of(C1)).standing is Standing.WAITS


def test_an_object_that_is_being_deleted_gets_no_uid() -> None:
    """Contract 5: intended and no object is made again, for none before was ever planned."""
    assert ruling(record(entry(C1, INTENDED)), deleted(run_of(C1))).standing is Standing.WAITS


def test_an_older_run_without_a_result_is_in_the_way() -> None:
    """Contract 5: only when no other content is created without a result; that is Queue."""
    older = entry(C2, CREATED, U2)
    found = ruling(
        record(entry(C1, INTENDED), older, entry(C3, CREATED, "u3", "Failed")), run_of(C1)
    )
    assert (found.standing, found.blockers) == (Standing.DUE, (older,))


def test_the_content_that_an_object_is_given_does_not_wait_for_itself() -> None:
    """Contract 5: an execution that is Pending gets the new content, under the same uid."""
    found = ruling(record(entry(C1, INTENDED), entry(C2, CREATED, U1)), run_of(C1))
    assert (found.standing, found.blockers) == (Standing.DUE, ())


def test_dropped_contents_are_waited_for_by_nobody() -> None:
    """Contract 5: no successor waits for one that was dropped."""
    assert others_running(record(entry(C1, INTENDED), entry(C2, DROPPED)), U1) == ()


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(entry(C1, CREATED, U2, "Completed"), id="says-what-came-of-the-run"),
        pytest.param(entry(C1, RECORDED), id="says-that-it-was-recorded"),
        pytest.param(entry(C1, DROPPED), id="says-that-it-was-replaced"),
    ],
)
def test_a_ruling_tells_people_why(standing: RecordEntry) -> None:
    """Contract 5: told in log and status; a workflow that waits says for what."""
    assert ruling(record(standing), run_of(C1)).why


# --- the uid --------------------------------------------------------------------------------


def test_the_uid_is_written_before_the_first_plan() -> None:
    """Contract 5: created, with this object's uid."""
    after = admitted(record(entry(C1, INTENDED), entry(C2, CREATED, U2, "Failed")), run_of(C1))
    assert states(after) == [(C1, CREATED), (C2, CREATED)]
    assert after.status.contents[0].uid == U1
    assert ruling(after, run_of(C1)).standing is Standing.CREATED


def test_an_object_has_one_content_the_one_before_is_replaced() -> None:
    """Contract 5: Pending: applied, the entry's content replaced, same uid."""
    after = admitted(record(entry(C1, INTENDED), entry(C2, CREATED, U1)), run_of(C1))
    assert [(each.content, each.uid) for each in after.status.contents] == [(C1, U1)]


# --- the result -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "phase"),
    [
        pytest.param(settled(run_of(C1)), "Completed", id="settled-is-its-phase"),
        pytest.param(settled(run_of(C1), Phase.CANCELLED), "Cancelled", id="cancelled-too"),
        pytest.param(None, "Deleted", id="gone-is-deleted"),
        pytest.param(run_of(C1, U2), "Deleted", id="a-namesake-is-not-it"),
    ],
)
def test_the_result_of_a_run(found: WorkflowExecution | None, phase: str) -> None:
    """Contract 5: its result is written; of one whose object is gone it is Deleted."""
    told = result(entry(C1, CREATED, U1), found)
    assert told is not None
    assert (told.phase, told.uid) == (phase, U1)


def test_a_result_says_when_and_how_far() -> None:
    """Contract 5: startTime, endTime and progress are the history that people read."""
    told = result(entry(C1, CREATED, U1), settled(run_of(C1)))
    assert told is not None
    assert (told.start_time, told.end_time, told.progress) == (NOW, at(minutes=5), "1/1")


@pytest.mark.parametrize(
    "at_work",
    [
        pytest.param(run_of(C1), id="not-started"),
        pytest.param(deleted(run_of(C1)), id="being-deleted-and-not-gone"),
        pytest.param(
            run_of(C1).with_status(
                run_of(C1).status.model_copy(update={"phase": Phase.FAILED, "settled": False})
            ),
            id="failed-with-children-at-work",
        ),
    ],
)
def test_a_run_that_has_not_settled_has_no_result(at_work: WorkflowExecution) -> None:
    """Contract 4: whatever must wait for a run to be over waits for settled."""
    assert result(entry(C1, CREATED, U1), at_work) is None


def test_a_result_lands_in_the_entry_of_its_uid_and_in_no_other() -> None:
    """Contract 5: one document has one order of events."""
    before = record(entry(C2, INTENDED), entry(C1, CREATED, U1))
    after = with_result(before, entry(C1, CREATED, U1, "Failed"))
    assert [each.phase for each in after.status.contents] == ["", "Failed"]


def test_a_result_that_stands_is_never_changed() -> None:
    """I4, of the record: Deleted is not turned into Completed by whoever comes late."""
    before = record(entry(C1, CREATED, U1, DELETED))
    assert with_result(before, entry(C1, CREATED, U1, "Completed")) is before


def test_a_recreated_content_is_over_for_good() -> None:
    """I12: a content with a uid and a result may never be planned again, in any object."""
    over = with_result(record(entry(C1, CREATED, U1)), entry(C1, CREATED, U1, DELETED))
    again = intended(over, definition(C1), COMMIT)
    assert again is over
    assert ruling(again, run_of(C1, U2)).standing is Standing.HAD_ITS_RUN


# --- bounds ---------------------------------------------------------------------------------


def numbered(number: int, phase: str = "Completed") -> RecordEntry:
    return entry(f"v1:{number:064}", CREATED, f"uid-{number}", phase)


def test_a_record_keeps_the_last_contents_and_forgets_the_oldest() -> None:
    """Contract 5: the last 20, newest first."""
    full = record(*(numbered(number) for number in range(MAX_CONTENTS)))
    after = intended(full, definition(C1), COMMIT)
    assert [each.content for each in after.status.contents] == [
        C1,
        *(numbered(number).content for number in range(MAX_CONTENTS - 1)),
    ]


def test_a_run_that_may_be_at_work_is_never_forgotten() -> None:
    """I12: or a second one of the document would start beside it."""
    oldest = numbered(MAX_CONTENTS - 1, phase="")
    full = record(*(numbered(number) for number in range(MAX_CONTENTS - 1)), oldest)
    after = intended(full, definition(C1), COMMIT)
    assert len(after.status.contents) == MAX_CONTENTS
    assert after.status.contents[-1] == oldest
    assert others_running(after, U1) == (oldest,)


def test_the_record_of_a_run_is_its_documents() -> None:
    """Contract 5: one a document, of its name; an execution names its own."""
    assert record_name(run_of(C1).metadata) == DOCUMENT
    assert record_name(Metadata(name="once")) == "once"


def test_an_entry_is_found_by_its_content() -> None:
    """Contract 5: the content is the key."""
    assert entry_of(record(entry(C2), entry(C1)), C1) == entry(C1)
    assert entry_of(record(entry(C2)), C1) is None
    assert entry_of(None, C1) is None


# --- a record without a status ----------------------------------------------------------------


def made_for(content: str, *, made: datetime, status: RecordStatus | None = None) -> WorkflowRecord:
    """A record as it was created, `made` by the server's clock, and what was written since."""
    found = new_record(definition(content), SOURCE, first_content(definition(content), COMMIT, NOW))
    about = found.metadata.model_copy(update={"creation_timestamp": made, "generation": 1})
    return found.model_copy(update={"metadata": about, "status": status or RecordStatus()})


def test_a_new_record_holds_its_first_content_as_intended() -> None:
    """Contract 5: intended is written before the object is made, here by the very create."""
    (told,) = made_for(C1, made=at(seconds=3)).contents
    assert (told.content, told.state, told.commit, told.blob) == (C1, INTENDED, COMMIT, BLOB)
    assert intended(made_for(C1, made=NOW), definition(C1), COMMIT) == made_for(C1, made=NOW)


def test_the_first_status_takes_its_place() -> None:
    """Contract 5: its status lists the last 20 contents."""
    dropped = superseded(made_for(C1, made=NOW))
    assert states(dropped) == [(C1, DROPPED)]
    assert dropped.contents == dropped.status.contents
    empty = made_for(C1, made=NOW, status=RecordStatus(observed_generation=1))
    assert empty.contents == ()


@pytest.mark.parametrize(
    ("made", "forgetful"),
    [
        pytest.param(NOW, False, id="made-when-it-says"),
        pytest.param(at(seconds=-90), False, id="a-node-whose-clock-is-ahead"),
        pytest.param(at(seconds=90), False, id="a-create-that-took-its-time"),
        pytest.param(at(minutes=10), True, id="made-again-later"),
    ],
)
def test_a_record_that_was_made_again_has_forgotten(made: datetime, forgetful: bool) -> None:
    """I12: from a backup without its status: what it was made for has run long since."""
    found = made_for(C1, made=made)
    assert found.forgetful is forgetful
    assert bool(found.contents) is not forgetful
    written = made_for(C1, made=made, status=RecordStatus(observed_generation=1))
    assert not written.forgetful
