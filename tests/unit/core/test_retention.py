"""Contract 5 and I8: what may be deleted, by what was listed and by the object itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.api import Metadata
from reconciler.core.outcome import Rule
from reconciler.core.records import DEFINITION, SPEC_HASH
from reconciler.core.retention import Departure, departures, leaves
from reconciler.core.source import Head, HeadState, SourceSettings, SourceView
from reconciler.core.verdicts import Live
from tests.builders import NAMESPACE, NOW, at

SETTINGS = SourceSettings(name="default", url="https://git.example/shop.git", namespace=NAMESPACE)
COMMIT = "c" * 40
CONTENT = "v1:" + "1" * 64
HEAD = replace(
    Head("reconciler-source-default").closed(SETTINGS, COMMIT, NOW, HeadState.WHOLE), version="7"
)
VIEW = SourceView(SETTINGS, HEAD, COMMIT, at(hours=1), due=True, at=at(hours=1))
RUN = Metadata(
    name="restart-1",
    namespace=NAMESPACE,
    uid="uid-1",
    annotations={SPEC_HASH: CONTENT, DEFINITION: "restart"},
)
SETTLED = Live(
    "uid-1",
    "7",
    "default",
    CONTENT,
    "",
    started=True,
    settled=True,
    deleting=False,
    ended=NOW,
    spec={"ttlSecondsAfterSettled": 3600},
)
PENDING = replace(SETTLED, started=False, settled=False, ended=None)


@pytest.mark.parametrize(
    ("seen", "goes"),
    [
        pytest.param(SETTLED, True, id="it-has-settled"),
        pytest.param(None, False, id="it-is-gone"),
        pytest.param(replace(SETTLED, settled=False), False, id="it-executes"),
        pytest.param(PENDING, False, id="it-has-not-started"),
        pytest.param(replace(SETTLED, uid="uid-2"), False, id="it-is-a-namesake"),
        pytest.param(replace(SETTLED, content="v1:2"), False, id="it-was-given-another-content"),
        pytest.param(replace(SETTLED, source="other"), False, id="it-is-of-another-source"),
        pytest.param(replace(SETTLED, source=""), False, id="it-is-of-no-source"),
        pytest.param(replace(SETTLED, deleting=True), False, id="it-is-being-deleted"),
        pytest.param(replace(SETTLED, ended=at(hours=1)), False, id="it-settled-in-this-run"),
        pytest.param(replace(SETTLED, ended=None), True, id="nobody-knows-when-it-settled"),
    ],
)
@pytest.mark.parametrize("rule", [Rule.PRUNE, Rule.HISTORY], ids=["prune", "history"])
def test_the_object_has_the_last_word(rule: Rule, seen: Live | None, goes: bool) -> None:
    """Contract 5: settled, of this source, and exactly what was listed."""
    assert leaves(VIEW, Departure(RUN, rule, ""), seen) is goes


@pytest.mark.parametrize(
    ("seen", "goes"),
    [
        pytest.param(PENDING, True, id="it-has-not-started"),
        pytest.param(SETTLED, False, id="it-has-started-after-all"),
        pytest.param(replace(PENDING, started=True), False, id="it-executes-after-all"),
    ],
)
def test_a_dropped_run_goes_only_when_it_never_started(seen: Live, goes: bool) -> None:
    """Contract 5: dropped counts as settled for prune."""
    assert leaves(VIEW, Departure(RUN, Rule.PRUNE, "", dropped=True), seen) is goes


@pytest.mark.parametrize(
    ("view", "seen", "goes"),
    [
        pytest.param(VIEW, SETTLED, True, id="its-time-is-over"),
        pytest.param(replace(VIEW, at=at(minutes=59)), SETTLED, False, id="a-minute-is-left-of-it"),
        pytest.param(VIEW, replace(SETTLED, ended=None), False, id="nobody-knows-when-it-settled"),
        pytest.param(VIEW, replace(SETTLED, spec={}), False, id="its-spec-states-none"),
        pytest.param(replace(VIEW, at=None), SETTLED, False, id="the-server-told-no-time"),
    ],
)
def test_a_time_to_live_is_the_objects_own(view: SourceView, seen: Live, goes: bool) -> None:
    """Contract 2: ttlSecondsAfterSettled, by the server's time."""
    assert leaves(view, Departure(RUN, Rule.TTL, ""), seen) is goes


@pytest.mark.parametrize(
    ("view", "due"),
    [
        pytest.param(VIEW, True, id="once-an-hour"),
        pytest.param(replace(VIEW, due=False), False, id="not-in-between"),
        pytest.param(replace(VIEW, due=False, commit="d" * 40), True, id="of-a-new-commit"),
        pytest.param(
            replace(VIEW, due=False, settings=replace(SETTINGS, prune=True)),
            True,
            id="when-prune-was-turned-on",
        ),
        pytest.param(
            replace(VIEW, due=False, head=replace(HEAD, state=HeadState.APPLYING)),
            True,
            id="after-a-crash",
        ),
    ],
)
def test_deletions_are_due_where_the_source_is_looked_at_whole(view: SourceView, due: bool) -> None:
    """Contract 5: TTL, history and prune are due once an hour, and with what is new."""
    assert view.retiring is due


def test_what_began_counts_by_the_servers_time() -> None:
    """Contract 5: what settled in this run goes in a later one, whatever the node's clock says."""
    view = replace(VIEW, now=at(hours=9), elapsed=timedelta(seconds=20.5))
    assert view.began == at(hours=1) - timedelta(seconds=21)


def test_a_source_without_objects_has_nobody_to_delete() -> None:
    """I8."""
    assert departures(VIEW, {}).items == ()
