"""Checks carried out: what fails stops nothing else, a report comes in any case (contract 9)."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from reconciler.checks.ground import Ground
from reconciler.checks.perform import perform
from reconciler.checks.result import Found, Status, failed, ok
from reconciler.checks.table import Check, Side, checks
from reconciler.errors import DeadlinePassed, SourceError
from reconciler.flags import CHECK
from reconciler.logs import Redactor
from tests.unit.checks.scene import PLAIN, SOURCED, Scene


def good(_: Ground) -> Found:
    return ok("good")


def bad(_: Ground) -> Found:
    return failed("bad", "mend it")


def raises(_: Ground) -> Found:
    raise SourceError("it holds a canary")


def buggy(_: Ground) -> Found:
    raise KeyError("a bug")


def late(_: Ground) -> Found:
    raise DeadlinePassed("too late")


def statuses(*table: Check) -> dict[str, tuple[Status, str]]:
    found = perform(Scene().ground(PLAIN), table)
    return {each.name: (each.status, each.found) for each in found}


def one(
    name: str,
    ask: Callable[[Ground], Found] = good,
    side: Side = Side.SOURCE,
    needs: tuple[str, ...] = (),
) -> Check:
    return Check(name, ask, side, "look", needs)


def test_what_needs_a_failed_check_is_skipped_and_what_needs_that_too() -> None:
    """One cause is one failure."""
    found = statuses(
        one("a", bad), one("b", needs=("a",)), one("c", needs=("b",)), one("d"), one("e", bad)
    )
    assert found == {
        "a": (Status.FAILED, "bad"),
        "b": (Status.SKIPPED, "needs a"),
        "c": (Status.SKIPPED, "needs b"),
        "d": (Status.OK, "good"),
        "e": (Status.FAILED, "bad"),
    }


def test_what_was_left_out_for_want_of_a_flag_stops_nothing() -> None:
    """Without --verify the files are read all the same."""
    scene = Scene()
    scene.source.commit({"shop.yaml": "a: 1\n"})
    assert scene.line("signature").status is Status.SKIPPED
    assert scene.line("files").status is Status.OK


def test_a_bug_is_a_line_and_a_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Contract 7: the others go on."""
    found = statuses(one("a", buggy), one("b"))
    assert found["a"] == (Status.FAILED, "a bug in the reconciler")
    assert found["b"] == (Status.OK, "good")
    assert "KeyError" in caplog.text


def test_a_check_that_came_too_late_says_so() -> None:
    """Contract 9: bounded by --deadline."""
    assert statuses(one("a", late))["a"][1].startswith("no answer before the deadline")


def test_what_a_check_raises_is_told_without_a_secret() -> None:
    """I9."""
    (found,) = perform(Scene().ground(PLAIN), [one("a", raises)], Redactor(["canary"]))
    assert (found.status, found.advice) == (Status.FAILED, "look")
    assert "canary" not in found.found


@pytest.fixture
def held() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_one_side_that_hangs_keeps_no_other_from_its_report(held: threading.Event) -> None:
    """Contract 7: no timeout bounds a resolver or a disk that hangs; the deadline does."""
    scene = Scene()
    ground = scene.ground(PLAIN)

    def hangs(ground: Ground) -> Found:
        ground.deadline.stop()  # time is over, and this one does not notice
        held.wait(30)
        return ok("at last")

    table = (one("a", hangs, Side.CLUSTER), one("b", side=Side.CLUSTER), one("c"))
    found = {each.name: each for each in perform(ground, table)}
    assert [found[name].status for name in "abc"] == [Status.FAILED, Status.FAILED, Status.OK]
    assert found["a"].advice == found["b"].advice != ""


# --- the table ------------------------------------------------------------------------------


@pytest.mark.parametrize("pre", [pytest.param(True, id="before"), pytest.param(False, id="after")])
def test_every_line_has_a_name_of_its_own_and_advice_for_what_it_raises(*, pre: bool) -> None:
    """Contract 9: names are stable, so they are few and plain."""
    table = checks(SOURCED, pre=pre)
    names = [each.name for each in table]
    assert len(names) == len(set(names))
    assert all(each.advice for each in table)
    place = {name: index for index, name in enumerate(names)}
    for each in table:
        assert all(place[name] < place[each.name] for name in each.needs), each.name


def test_the_names_do_not_depend_on_what_is_configured() -> None:
    """Who reads the JSON finds each line, also the ones that are skipped; rights are the run's."""

    def names(*, dry_run: bool) -> list[str]:
        table = checks(replace(PLAIN, dry_run=dry_run), pre=False)
        return [each.name for each in table if not each.name.startswith("rights/")]

    assert names(dry_run=False) == names(dry_run=True)


def test_the_help_names_every_line() -> None:
    """`reconciler check --help`."""
    for pre in (True, False):
        for each in checks(SOURCED, pre=pre):
            assert each.name.partition("/")[0] in CHECK.epilog
