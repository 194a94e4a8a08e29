"""Whether the ref went forward, asked of real repositories (contract 5, `SourceRewritten`)."""

import pytest

from reconciler.git.repository import GitSource
from tests.gitservers import HttpServer, Repository
from tests.unit.git.reading import source

FILES = {"a.yaml": "a: 1\n"}
_NEAR = 100  # as many as are looked at first


def commits(repository: Repository, count: int, *, root: str = "root") -> list[str]:
    """A branch of so many commits, each with a file of its own; the oldest first."""
    stream = "".join(
        f"commit refs/heads/main\ncommitter D <d@example.org> {1_700_000_000 + number} +0000\n"
        f"data 4\n{root}\nM 644 inline {number}.yaml\ndata {len(root) + 10}\n{root}{number:010}\n"
        for number in range(count)
    )
    if repository.git("for-each-ref", "refs/heads/main"):
        repository.git("update-ref", "-d", "refs/heads/main")
    repository.git("fast-import", "--quiet", given=stream.encode())
    return repository.git("rev-list", "--reverse", "refs/heads/main").split()


def resolved(repository: Repository) -> GitSource:
    asked = source(repository.url)
    asked.resolve()
    return asked


def test_a_commit_descends_from_those_below_it(git_repository: Repository) -> None:
    """Contract 5: a push as any other; a merge as well."""
    first = git_repository.commit(FILES)
    side = git_repository.commit({"b.yaml": "b: 1\n"}, branch="side", parent=first)
    tree = f"{first}^{{tree}}"
    merge = git_repository.git("commit-tree", tree, "-p", first, "-p", side, "-m", "merge")
    git_repository.git("update-ref", "refs/heads/main", merge)
    asked = resolved(git_repository)
    assert [asked.descends(merge, each) for each in (first, side)] == [True, True]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("amended", id="the-last-commit-amended"),
        pytest.param("another", id="another-history"),
        pytest.param("back", id="back-to-an-older-commit"),
    ],
)
def test_a_history_that_was_rewritten_is_known(git_repository: Repository, how: str) -> None:
    """Contract 5: what a force push does, and a tag that is moved back."""
    first = git_repository.commit(FILES)
    second = git_repository.commit({"a.yaml": "a: 2\n"}, parent=first)
    if how == "back":
        now = first
        git_repository.git("update-ref", "refs/heads/main", first)
    else:
        parent = first if how == "amended" else None
        now = git_repository.commit({"a.yaml": "a: 3\n"}, parent=parent)
    assert resolved(git_repository).descends(now, second) is False


def test_a_moved_tag_is_looked_at_as_a_branch_is(git_repository: Repository) -> None:
    """Contract 5: branch, tag, or any ref."""
    first = git_repository.commit(FILES)
    git_repository.git("tag", "v1", first)
    second = git_repository.commit({"a.yaml": "a: 2\n"})
    git_repository.git("tag", "--force", "--annotate", "--message", "moved", "v1", second)
    asked = source(git_repository.url, "v1")
    assert asked.resolve() == second
    assert asked.descends(second, first) is False


def test_a_commit_far_below_is_found_by_a_second_look(git_http: HttpServer) -> None:
    """Contract 5: commits alone are asked for, where the server can leave out the rest."""
    git_http.repository.git("config", "uploadpack.allowFilter", "true")
    below = commits(git_http.repository, _NEAR * 2)
    asked = source(git_http.url)
    asked.resolve()
    git_http.sent.clear()
    assert asked.descends(below[-1], below[0]) is True
    assert sum(git_http.sent) < 400 * len(below)
    rewritten = commits(git_http.repository, _NEAR * 2, root="new!")
    assert asked.descends(rewritten[-1], below[-1]) is False


def test_of_a_server_that_sends_all_the_history_is_not_asked_for(git_http: HttpServer) -> None:
    """Contract 5: unknown is said as such, and costs no clone."""
    below = commits(git_http.repository, _NEAR + 20)
    asked = source(git_http.url)
    asked.resolve()
    assert asked.descends(below[-1], below[-_NEAR]) is True
    assert asked.descends(below[-1], below[0]) is None


def test_a_repository_that_cannot_be_asked_is_unknown(git_repository: Repository) -> None:
    """Contract 5: it only tells; nothing fails by it."""
    commit = git_repository.commit(FILES)
    asked = resolved(git_repository)
    assert asked.descends("1" * 40, commit) is None
    assert asked.descends("1" * 64, commit) is None
