"""Contract 5: what a document calls for, given its record's entry and its object."""

from dataclasses import replace

import pytest

from reconciler.core.api import Metadata, RecordEntry, RecordState
from reconciler.core.definitions import Definition
from reconciler.core.outcome import DocumentResult
from reconciler.core.records import CONTROLS_HASH, DEFINITION, SPEC_HASH
from reconciler.core.verdicts import (
    LASTING,
    Claim,
    Live,
    Todo,
    Verdict,
    as_listed,
    live,
    looked,
    record_taken,
    verdict,
)
from tests.builders import NAMESPACE, NOW, step, workflow
from tests.unit.core.test_records import record

SOURCE = "default"
CLAIM = Claim(SOURCE)
C1, C2 = ("v1:" + digit * 64 for digit in "12")
K1, K2 = ("v1:" + digit * 64 for digit in "89")
U1, U2 = "uid-1", "uid-2"
RUN = "restart"
INTENDED, CREATED, DROPPED, RECORDED = RecordState


def stated(content: str = C1, controls: str = K1) -> Definition:
    """A WorkflowExecution document: one name for all its contents."""
    model = workflow(step("a")).spec
    return Definition(
        kind="WorkflowExecution",
        namespace=NAMESPACE,
        name=RUN,
        run=RUN,
        content=content,
        controls=controls,
        path="restart.yaml",
        line=3,
        blob="b" * 40,
        spec=model.wire(),
        model=model,
        annotations={},
        labels={},
    )


def entry(state: RecordState, uid: str = "", phase: str = "", content: str = C1) -> RecordEntry:
    return RecordEntry(content=content, state=state, run=RUN, uid=uid, phase=phase)


def listed(
    content: str = C1, controls: str = K1, *, document: str = RUN, deleting: bool = False
) -> Metadata:
    """Metadata of the source's object U1, as the list tells it."""
    return Metadata(
        name=RUN,
        namespace=NAMESPACE,
        uid=U1,
        resource_version="7",
        deletion_timestamp=NOW if deleting else None,
        annotations={SPEC_HASH: content, CONTROLS_HASH: controls, DEFINITION: document},
    )


PENDING = Live(U1, "7", SOURCE, C1, K1, started=False, settled=False, deleting=False)
STARTED = replace(PENDING, started=True)
SETTLED = replace(STARTED, settled=True)


def calls_for(of: Verdict) -> tuple[Todo, DocumentResult]:
    return (of.todo, of.result)


LEAVE, LOOK, MAKE, REPLACE, STEER, ADOPT = Todo
APPLIED, UNCHANGED = DocumentResult.APPLIED, DocumentResult.UNCHANGED
ALREADY_RAN, IS_RECORDED = DocumentResult.ALREADY_RAN, DocumentResult.RECORDED
NOT_REACHED, NAME_TAKEN = DocumentResult.NOT_REACHED, DocumentResult.NAME_TAKEN
SPEC_IMMUTABLE = DocumentResult.SPEC_IMMUTABLE


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param(None, (MAKE, APPLIED), id="a-new-content-is-made"),
        pytest.param(entry(DROPPED), (MAKE, APPLIED), id="a-dropped-one-is-current-again"),
        pytest.param(entry(INTENDED), (LOOK, NOT_REACHED), id="an-intended-one-may-be-there"),
        pytest.param(entry(CREATED, U1), (LOOK, NOT_REACHED), id="a-running-one-may-be-unlisted"),
        pytest.param(
            entry(CREATED, U1, "Completed"), (LEAVE, ALREADY_RAN), id="a-uid-and-no-object-has-run"
        ),
        pytest.param(entry(RECORDED), (LEAVE, IS_RECORDED), id="recorded-is-left-alone"),
    ],
)
def test_a_document_without_an_object(
    known: RecordEntry | None, expected: tuple[Todo, DocumentResult]
) -> None:
    """Contract 5: intended and no object is made again; a uid and no object has had its run."""
    assert calls_for(verdict(stated(), known, None)) == expected


@pytest.mark.parametrize(
    ("known", "meta", "expected"),
    [
        pytest.param(
            entry(CREATED, U1), listed(), (LEAVE, UNCHANGED), id="the-same-content-starts-nothing"
        ),
        pytest.param(
            entry(CREATED, U1, "Failed"), listed(), (LEAVE, UNCHANGED), id="nor-does-it-when-over"
        ),
        pytest.param(
            entry(INTENDED), listed(), (LEAVE, UNCHANGED), id="intended-and-there-waits-its-turn"
        ),
        pytest.param(
            entry(DROPPED), listed(), (LEAVE, UNCHANGED), id="dropped-and-there-is-current-again"
        ),
        pytest.param(
            entry(CREATED, U1), listed(controls=K2), (LOOK, NOT_REACHED), id="controls-differ"
        ),
        pytest.param(
            entry(INTENDED), listed(controls=K2), (LOOK, NOT_REACHED), id="controls-of-one-queued"
        ),
        pytest.param(
            entry(CREATED, U2), listed(), (LEAVE, ALREADY_RAN), id="another-uid-was-restored"
        ),
        pytest.param(None, listed(), (LEAVE, ALREADY_RAN), id="an-object-older-than-its-record"),
        pytest.param(entry(RECORDED), listed(), (LEAVE, IS_RECORDED), id="recorded-and-restored"),
        pytest.param(
            entry(INTENDED),
            listed(deleting=True),
            (LEAVE, NOT_REACHED),
            id="being-deleted-is-waited-for",
        ),
        pytest.param(
            entry(CREATED, U1),
            listed(deleting=True),
            (LEAVE, UNCHANGED),
            id="being-deleted-after-its-run-is-its-own-affair",
        ),
        pytest.param(None, listed(C2), (LOOK, NOT_REACHED), id="a-new-content-for-its-object"),
        pytest.param(
            entry(CREATED, U1), listed(C2), (LOOK, NOT_REACHED), id="given-back-to-its-object"
        ),
        pytest.param(
            entry(CREATED, U2), listed(C2), (LEAVE, ALREADY_RAN), id="reverted-to-what-has-run"
        ),
        pytest.param(
            entry(CREATED, U1, "Completed"),
            listed(C2),
            (LEAVE, ALREADY_RAN),
            id="its-object-has-run-it",
        ),
        pytest.param(
            None, listed(document="other"), (LEAVE, NAME_TAKEN), id="another-documents-object"
        ),
    ],
)
def test_a_document_with_an_object(
    known: RecordEntry | None, meta: Metadata, expected: tuple[Todo, DocumentResult]
) -> None:
    """Contract 5: nothing is sent but what changed, and what has run does not run again."""
    assert calls_for(verdict(stated(), known, meta)) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(PENDING, (LEAVE, UNCHANGED), id="the-same-by-now"),
        pytest.param(
            replace(PENDING, controls=K2), (REPLACE, APPLIED), id="pending-gets-the-document"
        ),
        pytest.param(replace(STARTED, controls=K2), (STEER, APPLIED), id="started-is-steered"),
        pytest.param(
            replace(SETTLED, controls=K2), (LEAVE, UNCHANGED), id="settled-is-immutable-whole"
        ),
        pytest.param(
            replace(PENDING, content=C2), (REPLACE, APPLIED), id="pending-gets-the-new-content"
        ),
        pytest.param(
            replace(STARTED, content=C2),
            (LEAVE, SPEC_IMMUTABLE),
            id="started-keeps-the-content-it-has",
        ),
        pytest.param(
            replace(SETTLED, content=C2), (LEAVE, SPEC_IMMUTABLE), id="settled-keeps-it-too"
        ),
        pytest.param(
            replace(PENDING, content=C2, deleting=True),
            (LEAVE, NOT_REACHED),
            id="being-deleted-gets-nothing-new",
        ),
        pytest.param(
            replace(PENDING, source="other"), (LEAVE, NAME_TAKEN), id="another-sources-by-now"
        ),
        pytest.param(replace(PENDING, uid=U2), (LEAVE, NOT_REACHED), id="another-object-by-now"),
        pytest.param(None, (LEAVE, NOT_REACHED), id="gone-by-now"),
    ],
)
def test_an_object_that_was_read_whole(
    seen: Live | None, expected: tuple[Todo, DocumentResult]
) -> None:
    """Contract 5: Pending: applied. Started: its controls alone. Anything else: SpecImmutable."""
    found = looked(stated(), entry(INTENDED), listed(C2, K2), seen, CLAIM)
    assert calls_for(found) == expected


@pytest.mark.parametrize(
    ("known", "seen", "expected"),
    [
        pytest.param(entry(INTENDED), None, (MAKE, APPLIED), id="intended-and-no-object-is-made"),
        pytest.param(
            entry(INTENDED),
            replace(PENDING, source=""),
            (LEAVE, NAME_TAKEN),
            id="somebody-elses-is-never-touched",
        ),
        pytest.param(
            entry(INTENDED), PENDING, (LEAVE, UNCHANGED), id="made-after-it-was-listed-is-ours"
        ),
        pytest.param(
            entry(CREATED, U1), None, (LEAVE, ALREADY_RAN), id="deleted-while-it-ran-has-run"
        ),
        pytest.param(
            entry(CREATED, U2), PENDING, (LEAVE, ALREADY_RAN), id="a-namesake-is-not-its-object"
        ),
        pytest.param(
            entry(CREATED, U1),
            replace(STARTED, controls=K2, source=""),
            (STEER, APPLIED),
            id="its-object-lost-its-label-and-is-ours-by-uid",
        ),
    ],
)
def test_an_object_that_nobody_listed(
    known: RecordEntry, seen: Live | None, expected: tuple[Todo, DocumentResult]
) -> None:
    """Contract 5: objects were listed before records, so one may have come between."""
    assert calls_for(looked(stated(), known, None, seen, CLAIM)) == expected


@pytest.mark.parametrize(
    ("found", "enters"),
    [
        pytest.param(verdict(stated(), None, None), INTENDED, id="what-is-made"),
        pytest.param(
            verdict(stated(), entry(DROPPED), listed()), INTENDED, id="what-is-current-again"
        ),
        pytest.param(
            looked(stated(), None, listed(C2), replace(PENDING, content=C2), CLAIM),
            INTENDED,
            id="what-is-given-to-a-pending-object",
        ),
        pytest.param(
            looked(stated(), None, listed(C2), replace(STARTED, content=C2), CLAIM),
            None,
            id="not-what-a-started-object-refuses",
        ),
        pytest.param(verdict(stated(), None, listed()), None, id="not-what-nobody-recorded"),
    ],
)
def test_which_contents_enter_the_record(found: Verdict, enters: RecordState | None) -> None:
    """Contract 5: intended before the object is made; SpecImmutable has no entry."""
    assert found.entry is enters


def test_what_somebody_should_hear_of_says_what_to_do() -> None:
    """Contract 7: errors speak to people."""
    over = verdict(stated(), entry(CREATED, U1, "Completed"), None)
    assert "kubernaut.ai/rerun" in over.why
    taken = looked(stated(), entry(INTENDED), None, replace(PENDING, source="other"), CLAIM)
    assert "'other'" in taken.why
    assert "another name" in taken.why
    theirs = record_taken(record(source="other"))
    assert (theirs.result, "'other'" in theirs.why) == (NAME_TAKEN, True)
    assert "no label kubernaut.ai/source" in record_taken(record(source="")).why


def test_a_commit_is_whole_by_what_only_a_new_commit_can_change() -> None:
    """Contract 5: not while one is queued, NameTaken, refused by the server or not reached."""
    assert set(DocumentResult) - LASTING == {
        DocumentResult.QUEUED,
        DocumentResult.NAME_TAKEN,
        DocumentResult.REFUSED,
        DocumentResult.NOT_REACHED,
    }


# --- an object read whole ---------------------------------------------------------------------


def raw(phase: str = "", *, settled: bool = False) -> dict[str, object]:
    return {
        "metadata": {
            "uid": U1,
            "resourceVersion": "7",
            "labels": {"kubernaut.ai/source": SOURCE},
            "annotations": {SPEC_HASH: C1, CONTROLS_HASH: K1},
        },
        "status": {"phase": phase, "settled": settled, "observedGeneration": -1},
    }


@pytest.mark.parametrize(
    ("phase", "started"),
    [
        pytest.param("", False, id="no-run-has-seen-it"),
        pytest.param("Pending", False, id="planned-and-nothing-reserved"),
        pytest.param("Executing", True, id="at-work"),
        pytest.param("Completed", True, id="done"),
        pytest.param("Dreaming", True, id="a-phase-that-nobody-knows"),
    ],
)
def test_an_object_has_started_once_it_is_past_pending(phase: str, started: bool) -> None:
    """Contract 2: the spec is immutable once the phase is past Pending."""
    assert live(raw(phase)) == replace(PENDING, started=started)


def test_what_an_object_does_not_tell_is_not_guessed() -> None:
    """Contract 5: a stranger's object has neither label nor hash."""
    assert live({}) == Live("", "", "", "", "", started=False, settled=False, deleting=False)


@pytest.mark.parametrize(
    ("seen", "meta", "same"),
    [
        pytest.param(
            replace(PENDING, version="9"), listed(), True, id="a-status-write-is-no-apply"
        ),
        pytest.param(replace(PENDING, controls=K2), listed(), False, id="an-apply-of-controls"),
        pytest.param(replace(PENDING, content=C2), listed(), False, id="an-apply-of-a-content"),
        pytest.param(replace(PENDING, uid=U2), listed(), False, id="another-object"),
        pytest.param(PENDING, None, False, id="one-that-nobody-listed"),
    ],
)
def test_an_apply_that_landed_after_the_list_is_seen(
    seen: Live, meta: Metadata | None, same: bool
) -> None:
    """Contract 5: the verdict was reached by the list, so what has changed since is looked at."""
    assert as_listed(seen, meta) is same
