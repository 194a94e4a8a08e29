"""Contract 5 on a real server: what the records keep of files that have not changed."""

import re
from pathlib import Path

import pytest

from tests.apiserver.objects import Body
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Shop, steps

pytestmark = [pytest.mark.apiserver]

NAMES = ("one", "other", "third")
_TOLD = re.compile(r"(\d+) of (\d+) files were parsed")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Three files of one document each."""
    made = Repository.new(tmp_path / "repository")
    made.commit({f"{name}.yaml": document(name, *steps("a")) for name in NAMES})
    return made


def parsed(shop: Shop, repository: Repository, *flags: str) -> tuple[int, int] | None:
    """One run: how many of the files it parsed; None where it read none."""
    told = _TOLD.search(shop.done("--source-url", repository.url, *flags).log)
    return (int(told[1]), int(told[2])) if told else None


def reading(shop: Shop, name: str) -> Body:
    status: Body = shop.records.read(name)["status"]
    found: Body = status["reading"]
    return found


def test_the_server_keeps_what_a_document_said(shop: Shop, repository: Repository) -> None:
    """Contract 5: told in the create, which takes no status, and kept by every later write."""
    parsed(shop, repository)
    blob = repository.git("rev-parse", "HEAD:one.yaml")
    told = reading(shop, "one")
    assert told == shop.records.read("one")["spec"]["first"]["reading"]
    assert (told["blob"], told["line"], told["documents"]) == (blob, 1, 1)
    assert told["content"] == shop.records.read("one")["status"]["contents"][0]["content"]
    shop.executor.completes()
    parsed(shop, repository)
    assert shop.records.read("one")["status"]["contents"][0]["phase"] == "Completed"
    assert reading(shop, "one") == told


def test_of_the_files_of_a_commit_those_that_changed_are_parsed(
    shop: Shop, repository: Repository
) -> None:
    """Contract 5: an unchanged file costs nothing, and what changed runs."""
    assert parsed(shop, repository) == (3, 3)
    shop.executor.completes()
    assert parsed(shop, repository) is None
    changed = document("one", *steps("b"))
    repository.commit({"one.yaml": changed, "third.yaml": None, "moved.yaml": "# nothing"})
    repository.git("mv", "other.yaml", "renamed.yaml")
    repository.commit({})
    assert parsed(shop, repository) == (2, 3)
    assert [each["spec"]["stepName"] for each in shop.listed(shop.children)].count("b") == 1
    assert reading(shop, "one")["blob"] == repository.git("rev-parse", "HEAD:one.yaml")
    assert reading(shop, "other")["blob"] == repository.git("rev-parse", "HEAD:renamed.yaml")


def test_with_other_flags_all_is_parsed_once(shop: Shop, repository: Repository) -> None:
    """Contract 5: with the same flags."""
    assert parsed(shop, repository) == (3, 3)
    repository.commit({"one.yaml": document("one", *steps("b"))})
    assert parsed(shop, repository, "--cluster", "eu-1") == (3, 3)
    shop.executor.completes()
    repository.commit({"one.yaml": document("one", *steps("c"))})
    assert parsed(shop, repository, "--cluster", "eu-1") == (1, 3)
