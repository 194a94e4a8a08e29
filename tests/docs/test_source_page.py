"""The page for who operates the source: each of its statements is a test, named beside it."""

import re
from pathlib import Path

from reconciler.flags import RUN

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "source.md").read_text()
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
}


def test_every_statement_of_the_source_page_names_tests_that_are_there() -> None:
    """A page that no test holds is a promise of nobody."""
    comments = re.findall(r"<!-- tests: (.*?)-->", PAGE, re.DOTALL)
    named = {name.strip() for comment in comments for name in comment.split(",")}
    assert sorted(named - TESTS) == []
    points = re.split(r"^- |^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [each[:60] for each in points if "<!-- tests:" not in each] == []


def test_every_flag_of_the_source_page_is_one() -> None:
    """A flag that is not there is refused."""
    known = {flag.option for flag in RUN.flags}
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) - known - {"--server-side"} == set()
