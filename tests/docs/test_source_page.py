"""The page for who operates the source: each of its statements is a test, named beside it."""

import re
from pathlib import Path

from reconciler.flags import RUN
from tests.docs.statements import TESTS, named, unheld

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "source.md").read_text()


def test_every_statement_of_the_source_page_names_tests_that_are_there() -> None:
    """A page that no test holds is a promise of nobody."""
    assert sorted(named(PAGE) - TESTS) == []
    assert unheld(PAGE) == []


def test_every_flag_of_the_source_page_is_one() -> None:
    """A flag that is not there is refused."""
    known = {flag.option for flag in RUN.flags}
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) - known - {"--server-side"} == set()
