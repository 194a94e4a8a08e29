"""Contract 5: which files the records know, so that nobody parses them."""

import pytest

from reconciler.core.api import (
    FirstContent,
    Metadata,
    Reading,
    RecordEntry,
    RecordSpec,
    RecordState,
    RecordStatus,
    WorkflowRecord,
)
from reconciler.core.recall import recalled
from reconciler.core.records import CONTROLS_HASH, DEFINITION, SPEC_HASH, read_as
from tests.builders import NAMESPACE, NOW

BLOB, PATH = "b" * 40, "shop/restart.yaml"
C1, C2, CONTROLS = ("v1:" + digit * 64 for digit in "120")
RUN = "restart-1111111111"

INTENDED, CREATED, DROPPED, RECORDED = RecordState

SAID = Reading(
    blob=BLOB,
    line=3,
    documents=1,
    kind="WorkflowDefinition",
    content=C1,
    controls=CONTROLS,
    concurrency="Replace",
    history=7,
)


def entry(
    state: RecordState = CREATED, content: str = C1, uid: str = "uid-1", phase: str = "Completed"
) -> RecordEntry:
    return RecordEntry(content=content, state=state, run=RUN, uid=uid, phase=phase)


def record(
    *entries: RecordEntry, name: str = "restart", said: Reading | None = SAID
) -> WorkflowRecord:
    return WorkflowRecord(
        metadata=Metadata(name=name, namespace=NAMESPACE, generation=1),
        status=RecordStatus(observed_generation=1, contents=entries, reading=said),
    )


def run_of(content: str = C1, controls: str = CONTROLS, uid: str = "uid-1") -> Metadata:
    told = {DEFINITION: "restart", SPEC_HASH: content, CONTROLS_HASH: controls}
    return Metadata(name=RUN, namespace=NAMESPACE, uid=uid, annotations=told)


def known(
    *records: WorkflowRecord, run: Metadata | None = None, adopt: bool = False
) -> dict[str, list[str]]:
    """Names of the documents, by path."""
    told = recalled(
        [(PATH, BLOB), ("other.yaml", "d" * 40)],
        {each.key: each for each in records},
        {(NAMESPACE, RUN): run} if run else {},
        adopt=adopt,
    )
    return {path: [each.name for each in outlines] for path, outlines in told.items()}


@pytest.mark.parametrize(
    ("stands", "run", "rests"),
    [
        pytest.param(record(entry(phase="")), run_of(), True, id="its-run-executes"),
        pytest.param(record(entry()), run_of(), True, id="its-run-is-over"),
        pytest.param(record(entry()), None, True, id="its-run-is-over-and-gone"),
        pytest.param(record(entry(RECORDED)), None, True, id="it-counts-as-run"),
        pytest.param(record(entry(uid="uid-2")), run_of(), True, id="its-run-was-restored"),
        pytest.param(record(entry(DROPPED, C2), entry()), None, True, id="another-was-dropped"),
        pytest.param(record(entry(phase="")), None, False, id="its-run-was-not-listed"),
        pytest.param(record(entry(INTENDED)), run_of(), False, id="it-has-not-begun"),
        pytest.param(record(entry(DROPPED)), run_of(), False, id="it-was-dropped"),
        pytest.param(record(entry(INTENDED, C2), entry()), None, False, id="another-is-intended"),
        pytest.param(record(entry(content=C2)), run_of(C2), False, id="nothing-is-known-of-it"),
        pytest.param(record(entry()), run_of(controls="v1:9"), False, id="other-controls-stand"),
        pytest.param(record(entry(), said=None), run_of(), False, id="nobody-wrote-a-reading"),
    ],
)
def test_a_file_is_known_where_nothing_of_it_is_to_be_done(
    stands: WorkflowRecord, run: Metadata | None, rests: bool
) -> None:
    """Contract 5: what is sent, or looked at whole, was parsed in the same run."""
    assert known(stands, run=run) == ({PATH: ["restart"]} if rests else {})


def test_with_adopt_an_object_that_was_not_listed_may_be_there() -> None:
    """Contract 5: one of that name that is not of this source is taken over."""
    assert known(record(entry()), adopt=True) == {}
    assert known(record(entry()), run=run_of(), adopt=True) == {PATH: ["restart"]}


def test_an_outline_holds_all_that_the_reading_says() -> None:
    """Contract 5: the run's name follows from kind and content."""
    (told,) = recalled(
        [(PATH, BLOB)], {(NAMESPACE, "restart"): record(entry())}, {}, adopt=False
    ).values()
    (outline,) = told
    assert (outline.namespace, outline.name, outline.run) == (NAMESPACE, "restart", RUN)
    assert (outline.path, outline.line, outline.blob) == (PATH, 3, BLOB)
    assert (outline.content, outline.controls) == (C1, CONTROLS)
    assert (outline.concurrency, outline.history) == ("Replace", 7)


@pytest.mark.parametrize(
    ("count", "names", "parsed"),
    [
        pytest.param(2, ["one", "two"], False, id="each-has-a-record"),
        pytest.param(3, ["one", "two"], True, id="one-has-none"),
        pytest.param(1, ["one", "two"], True, id="one-too-many"),
    ],
)
def test_a_file_is_known_when_as_many_records_name_it_as_it_holds_documents(
    count: int, names: list[str], parsed: bool
) -> None:
    """Contract 5: a document without a record, as a bad one, is parsed each time."""
    said = SAID.model_copy(update={"documents": count})
    told = known(*(record(entry(), name=name, said=said) for name in names))
    assert told == ({} if parsed else {PATH: names})


def test_one_document_of_several_that_needs_its_file_has_all_of_it_parsed() -> None:
    """Contract 5: a file is parsed whole."""
    said = SAID.model_copy(update={"documents": 2})
    told = known(record(entry(), name="one", said=said), record(entry(INTENDED), said=said))
    assert told == {}


def test_the_documents_of_a_file_come_in_its_order() -> None:
    """Contract 5: what is told names file and line."""
    first, second = (SAID.model_copy(update={"documents": 2, "line": at}) for at in (1, 9))
    told = known(
        record(entry(), name="b", said=second),
        record(entry(), name="a", said=first),
    )
    assert told == {PATH: ["a", "b"]}


def test_what_stands_at_two_paths_is_not_known() -> None:
    """Contract 5: each claims the name."""
    records = {(NAMESPACE, "restart"): record(entry())}
    assert recalled([(PATH, BLOB), ("copy.yaml", BLOB)], records, {}, adopt=False) == {}


def test_a_new_record_says_in_its_spec_what_the_document_said() -> None:
    """Contract 5: the server takes no status in a create; later writes keep what it said."""
    first = FirstContent(
        content=C1, run=RUN, commit="c" * 40, blob=BLOB, intended_at=NOW, reading=SAID
    )
    made = WorkflowRecord(
        metadata=Metadata(
            name="restart", namespace=NAMESPACE, generation=1, creation_timestamp=NOW
        ),
        spec=RecordSpec(kind="WorkflowDefinition", first=first),
    )
    assert made.reading == SAID
    dropped = read_as(made, made.reading)
    assert dropped is made
    assert read_as(made, None).reading is None
    assert read_as(made, None).contents == made.contents
