"""One suite for the real Source and the fake: what keeps the fake honest."""

from collections.abc import Callable, Mapping

import pytest

from reconciler.errors import SourceError
from reconciler.seams import Source
from tests.fakes.source import MemorySource
from tests.gitservers import Repository
from tests.unit.git.reading import source, texts


class Bench:
    """A Source, and a way to commit to what it reads."""

    def __init__(
        self,
        source: Source,
        commit: Callable[[Mapping[str, str]], str],
        append: Callable[[Mapping[str, str], str], str],
        move: Callable[[str], object],
    ) -> None:
        self.source = source
        self.commit = commit
        self.append = append
        self.move = move


@pytest.fixture(params=["memory", "git"])
def bench(request: pytest.FixtureRequest, git_repository: Repository) -> Bench:
    if request.param == "memory":
        memory = MemorySource()
        return Bench(memory, memory.commit, lambda files, _: memory.commit(files), memory.move)

    def move(commit: str) -> object:
        return git_repository.git("update-ref", "refs/heads/main", commit)

    def commit(files: Mapping[str, str]) -> str:
        return git_repository.commit(files)

    def append(files: Mapping[str, str], parent: str) -> str:
        return git_repository.commit(files, parent=parent)

    return Bench(source(git_repository.url), commit, append, move)


def test_the_ref_stands_at_the_last_commit(bench: Bench) -> None:
    """Contract 1, stage 2: resolve, then fetch."""
    bench.commit({"a.yaml": "a: 1\n"})
    second = bench.commit({"a.yaml": "a: 2\n"})
    assert bench.source.resolve() == second


def test_a_commit_is_fetched_with_its_files_in_the_order_of_their_paths(bench: Bench) -> None:
    """Contract 5: what a run does is a function of the commit."""
    commit = bench.commit({"b.yaml": "b: 1\n", "a/x.yaml": "a: 1\n"})
    snapshot = bench.source.fetch(commit)
    assert snapshot.commit == commit
    assert list(texts(snapshot).items()) == [("a/x.yaml", "a: 1\n"), ("b.yaml", "b: 1\n")]
    assert snapshot.skipped == ()
    assert snapshot.committed_at.utcoffset() is not None


def test_a_blob_is_named_by_its_content(bench: Bench) -> None:
    """Contract 5: `kubernaut.ai/blob`, for `git log --find-object`."""
    snapshot = bench.source.fetch(bench.commit({"a.yaml": "a: 1\n"}))
    assert [file.blob for file in snapshot.files] == ["a8926a52d8dcba5c4386945476ab6a2ad008afd4"]


def test_an_older_commit_can_still_be_fetched(bench: Bench) -> None:
    """Contract 1, stage 2: what is fetched is what was resolved."""
    first = bench.commit({"a.yaml": "a: 1\n"})
    bench.commit({"a.yaml": "a: 2\n"})
    assert texts(bench.source.fetch(first)) == {"a.yaml": "a: 1\n"}


def test_a_ref_that_is_moved_back_stands_where_it_stands(bench: Bench) -> None:
    """Contract 5: a force push is a ref like any other."""
    first = bench.commit({"a.yaml": "a: 1\n"})
    bench.commit({"a.yaml": "a: 2\n"})
    bench.move(first)
    assert bench.source.resolve() == first


def test_a_commit_that_replaced_another_does_not_descend_from_it(bench: Bench) -> None:
    """Contract 5: `SourceRewritten`; a commit descends from itself."""
    first = bench.commit({"a.yaml": "a: 1\n"})
    bench.move(first)
    second = bench.append({"a.yaml": "a: 2\n"}, first)
    assert bench.source.descends(second, first) is True
    assert bench.source.descends(first, second) is False
    assert bench.source.descends(second, second) is True


def test_an_empty_repository_cannot_be_resolved(bench: Bench) -> None:
    """Contract 7: a SourceError that says what to do."""
    with pytest.raises(SourceError, match="push a first commit"):
        bench.source.resolve()


def test_a_commit_that_is_not_there_cannot_be_fetched(bench: Bench) -> None:
    """Contract 7: a SourceError."""
    bench.commit({"a.yaml": "a: 1\n"})
    with pytest.raises(SourceError, match="is not there any more"):
        bench.source.fetch("0" * 39 + "1")
