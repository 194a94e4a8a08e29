"""A page whose every statement is a test: `<!-- tests: ... -->` behind it names them."""

import re
from pathlib import Path

TESTS = frozenset(
    name
    for file in Path(__file__).resolve().parents[1].rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
)

_COMMENT = re.compile(r"<!-- tests: (.*?)-->", re.DOTALL)


def named(page: str) -> set[str]:
    """All tests that the page names."""
    return {name.strip() for told in _COMMENT.findall(page) for name in told.split(",")}


def unheld(page: str) -> list[str]:
    """Statements that name no test, by their first words.

    A point of a list is one, and so is what else stands between two comments or below the last one
    of a section. What stands before the first heading but one tells what the page is about.
    """
    sections = re.split(r"^##+ .*$", page, flags=re.MULTILINE)
    about, *told = sections
    if _COMMENT.search(about):
        told = [about.split("\n\n", 2)[2], *told]
    return [each[:60] for section in told for each in _statements(section) if each]


def _statements(section: str) -> list[str]:
    """Those of a section behind which no test is named."""
    lists = re.split(r"^- ", section, flags=re.MULTILINE)
    return [_COMMENT.split(each)[-1].strip() for each in lists]
