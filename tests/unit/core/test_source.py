"""Contract 5, the head of a source: what it holds, and what follows from it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.core.api import Metadata, WorkflowRecord
from reconciler.core.definitions import Definitions, Problem
from reconciler.core.source import Head, HeadState, SourceSettings, SourceView, head_name, read_head
from tests.builders import NAMESPACE, NOW, at

C1, C2 = "1" * 40, "2" * 40
SETTINGS = SourceSettings(
    name="default",
    url="https://git.example/shop.git",
    paths=("prod", "base"),
    namespace=NAMESPACE,
    release="0.1.0",
)
NEW = Head(head_name("default"))
WHOLE = replace(NEW.closed(SETTINGS, C1, NOW, HeadState.WHOLE), uid="uid-head", version="7")


def test_the_head_is_named_after_its_source() -> None:
    """Contract 5: ConfigMap reconciler-source-<source>."""
    assert head_name("default") == "reconciler-source-default"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(WHOLE, id="whole"),
        pytest.param(WHOLE.fenced(SETTINGS, C2, at(hours=2)), id="fenced"),
        pytest.param(WHOLE.closed(SETTINGS, C2, at(hours=2), HeadState.REACHED), id="reached"),
        pytest.param(
            WHOLE.closed(replace(SETTINGS, paths=()), C1, NOW, HeadState.WHOLE),
            id="the-whole-repository",
        ),
    ],
)
def test_what_was_written_is_what_is_read(head: Head) -> None:
    """Contract 5: URL and paths, commit in work, commit whole, flags, version, last check."""
    assert read_head(head.name, head.data(), head.uid, head.version) == head


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        pytest.param({}, "url", id="an-empty-map-is-not-ours"),
        pytest.param(
            {key: text for key, text in WHOLE.data().items() if key != "commit"},
            "commit is missing",
            id="a-key-is-gone",
        ),
        pytest.param({**WHOLE.data(), "state": "done"}, "'done'", id="a-state-that-nobody-writes"),
    ],
)
def test_a_head_that_we_did_not_write_is_refused(broken: dict[str, str], told: str) -> None:
    """Contract 5: unreadable: nothing new is applied, and the message says what is wrong."""
    with pytest.raises(ValueError, match=told):
        read_head("reconciler-source-default", broken, "", "7")


def test_a_time_that_cannot_be_read_makes_the_look_due() -> None:
    """Contract 5: it saves work, nothing rests on it."""
    head = read_head(WHOLE.name, {**WHOLE.data(), "checked": "yesterday"}, "", "7")
    assert head.due(NOW)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        pytest.param(at(minutes=59), False, id="within-the-hour"),
        pytest.param(at(minutes=60), True, id="after-an-hour"),
        pytest.param(NOW - timedelta(seconds=1), True, id="checked-by-a-clock-that-is-ahead"),
    ],
)
def test_once_an_hour_a_source_is_looked_at_again(now: datetime, due: bool) -> None:
    """Contract 5: once an hour the source's objects are listed all the same."""
    assert WHOLE.due(now) is due


def test_a_new_head_is_due() -> None:
    """Contract 5: nobody has looked yet."""
    assert NEW.due(NOW)


@pytest.mark.parametrize(
    ("settings", "stands"),
    [
        pytest.param(SETTINGS, True, id="the-same-in-all"),
        pytest.param(replace(SETTINGS, paths=("base", "prod")), True, id="paths-in-another-order"),
        pytest.param(replace(SETTINGS, release="0.2.0"), False, id="another-release"),
        pytest.param(replace(SETTINGS, namespace=None), False, id="another-namespace-flag"),
        pytest.param(replace(SETTINGS, paths=("prod",)), False, id="other-paths"),
        pytest.param(replace(SETTINGS, url="https://git.example/b"), False, id="another-url"),
    ],
)
def test_a_whole_commit_stands_while_flags_and_release_are_the_same(
    settings: SourceSettings, stands: bool
) -> None:
    """Contract 5: while the ref is at the whole commit, with the same flags and version."""
    assert WHOLE.stands(settings) is stands


def test_another_url_or_other_paths_are_another_source() -> None:
    """Contract 5: a run with others exits 2; a source without a head is anybody's."""
    assert not WHOLE.of(replace(SETTINGS, url="https://git.example/b"))
    assert not WHOLE.of(replace(SETTINGS, paths=("prod",)))
    assert NEW.of(SETTINGS)


def test_the_fence_names_the_commit_in_work_and_keeps_the_whole_one() -> None:
    """Contract 5: the commit in work into the head; then `whole`."""
    fenced = WHOLE.fenced(SETTINGS, C2, at(minutes=5))
    assert (fenced.commit, fenced.whole, fenced.unfinished) == (C2, C1, True)
    assert not fenced.stands(SETTINGS)
    assert (fenced.uid, fenced.version) == ("uid-head", "7")


def test_fencing_the_whole_commit_again_leaves_it_unfinished() -> None:
    """Contract 5: a crash after it must be seen, though the commit was whole before."""
    fenced = WHOLE.fenced(SETTINGS, C1, at(minutes=5))
    assert fenced.unfinished
    assert not fenced.stands(SETTINGS)


def test_a_commit_with_something_left_is_reached_and_not_whole() -> None:
    """Contract 5: not while one is queued, NameTaken, refused or not reached."""
    reached = WHOLE.closed(SETTINGS, C2, at(minutes=5), HeadState.REACHED)
    assert (reached.state, reached.commit, reached.whole) == (HeadState.REACHED, C2, C1)
    assert not reached.unfinished
    assert not reached.stands(SETTINGS)


# --- what was read ---------------------------------------------------------------------------


def of_document(name: str) -> WorkflowRecord:
    return WorkflowRecord(metadata=Metadata(name=name, namespace=NAMESPACE, resource_version="7"))


def test_a_commit_is_first_until_a_head_names_it() -> None:
    """Contract 10: Events of the source only in the run whose head write first names it."""
    assert SourceView(SETTINGS, WHOLE, C2, NOW).first
    assert not SourceView(SETTINGS, WHOLE, C1, NOW).first


def test_a_record_without_a_document_is_told_as_gone() -> None:
    """Contract 5: a document that left git; its record outlives it."""
    records = {each.key: each for each in (of_document("restart"),)}
    assert SourceView(SETTINGS, WHOLE, C2, NOW, records=records).gone == (of_document("restart"),)


@pytest.mark.parametrize(
    "definitions",
    [
        pytest.param(
            Definitions((), (Problem("a.yaml", 1, "not YAML"),)), id="while-a-document-is-bad"
        ),
        pytest.param(
            Definitions((), (), elsewhere=((NAMESPACE, "restart"),)),
            id="that-is-meant-for-another-cluster",
        ),
    ],
)
def test_nothing_is_told_as_gone_that_may_be_there(definitions: Definitions) -> None:
    """Contract 5: a document that is bad or elsewhere never counts as removed."""
    records = {each.key: each for each in (of_document("restart"),)}
    view = SourceView(SETTINGS, WHOLE, C2, NOW, records=records, definitions=definitions)
    assert view.gone == ()
