"""`.reconcilerignore` (contract 5): the rules of gitignore, held against git itself."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import SourceError
from reconciler.git.ignored import Ignored, IgnoreError
from tests.gitservers import IDENTITY, Repository
from tests.unit.git.reading import read, skipped, source, texts


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        pytest.param("", "a.yaml b/a.yaml b/c/d.yaml", id="nothing"),
        pytest.param("# a.yaml\n\n", "a.yaml b/a.yaml b/c/d.yaml", id="a-comment"),
        pytest.param("a.yaml\n", "b/c/d.yaml", id="a-name-anywhere"),
        pytest.param("/a.yaml\n", "b/a.yaml b/c/d.yaml", id="a-name-at-the-root"),
        pytest.param("b/\n", "a.yaml", id="a-folder"),
        pytest.param("d.yaml/\n", "a.yaml b/a.yaml b/c/d.yaml", id="a-folder-that-is-a-file"),
        pytest.param("b/*.yaml\n", "a.yaml b/c/d.yaml", id="a-star-ends-at-a-slash"),
        pytest.param("b/**\n", "a.yaml", id="all-below"),
        pytest.param("**/d.yaml\n", "a.yaml b/a.yaml", id="at-any-depth"),
        pytest.param("b/**/d.yaml\n", "a.yaml b/a.yaml", id="between"),
        pytest.param("?.yaml\n!d.yaml\n", "b/c/d.yaml", id="the-last-that-fits"),
        pytest.param("b\n!b/a.yaml\n", "a.yaml", id="a-folder-cannot-be-taken-back"),
        pytest.param("b/**\n!b/a.yaml\n", "a.yaml b/a.yaml", id="what-is-in-it-can"),
    ],
)
def test_paths_are_ignored_by_the_rules_of_git(rules: str, left: str) -> None:
    """Contract 5."""
    ignored = Ignored(rules.encode())
    assert [
        path for path in ("a.yaml", "b/a.yaml", "b/c/d.yaml") if path not in ignored
    ] == left.split()


_PARTS = st.sampled_from(("a", "b", "ab", "a.b", "*", "?", "a*", "*b", "**", "a*b*"))
_LINES = st.builds(
    lambda keeps, root, parts, folder: f"{keeps}{root}{'/'.join(parts)}{folder}",
    st.sampled_from(("", "!")),
    st.sampled_from(("", "/")),
    st.lists(_PARTS, min_size=1, max_size=3),
    st.sampled_from(("", "/")),
)
_PATHS = ("a", "ab", "a/b", "a/a", "b/a", "ab/a.b", "a/b/ab", "b/ab/a", "a.b/a/b/b", "aab/b/a/abb")


@pytest.fixture(scope="module")
def work_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    _git(folder, "init", "--quiet")
    return folder


def _git(folder: Path, *arguments: str, given: str = "") -> str:
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(folder), **IDENTITY}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        input=given.encode(),
        capture_output=True,
        check=False,
        env=environment,
    )
    return done.stdout.decode()


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(_LINES, min_size=1, max_size=4))
def test_whatever_the_rules_git_ignores_the_same(work_tree: Path, lines: list[str]) -> None:
    """Contract 5: git is the second opinion."""
    text = "\n".join(lines)
    (work_tree / ".gitignore").write_text(text)
    told = _git(
        work_tree, "check-ignore", "--no-index", "--stdin", given="\n".join(_PATHS)
    ).splitlines()
    ignored = Ignored(text.encode())
    assert [path for path in _PATHS if path in ignored] == told


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"a\n[ab].yaml\n", ":2: '['", id="a-class"),
        pytest.param(b"a\\ b\n", ":1: '['", id="an-escape"),
        pytest.param(b"!\n", ":1: a pattern is missing", id="nothing-to-keep"),
        pytest.param(b"\xff\n", "not UTF-8", id="other-bytes"),
        pytest.param(b"a\n" * 201, "more than 200 patterns", id="too-many"),
    ],
)
def test_a_line_that_is_not_read_stops_the_source(
    git_repository: Repository, data: bytes, why: str
) -> None:
    """Contract 5: what it means to keep out must not be applied."""
    with pytest.raises(IgnoreError, match=r"^\.reconcilerignore"):
        Ignored(data)
    git_repository.commit({".reconcilerignore": data, "a.yaml": "a: 1\n"})
    with pytest.raises(SourceError) as error:
        read(source(git_repository.url))
    assert why in str(error.value)


def test_many_stars_cost_no_time() -> None:
    """Contract 5: a repository cannot hold a run up."""
    ignored = Ignored(b"\n".join([b"*a" * 60 + b"b"] * 200))
    assert "a" * 250 + ".yaml" not in ignored


def test_what_is_ignored_is_neither_read_nor_told(git_repository: Repository) -> None:
    """Contract 5: as if it were not in the repository."""
    files = {".reconcilerignore": "examples/\n", "a.yaml": "a: 1\n", "examples/b.yaml": "b: 1\n"}
    git_repository.commit(files, links={"examples/l.yaml": "b.yaml"})
    snapshot = read(source(git_repository.url))
    assert (texts(snapshot), skipped(snapshot)) == ({"a.yaml": "a: 1\n"}, {})


def test_the_file_at_the_root_counts_for_any_path(git_repository: Repository) -> None:
    """Contract 5: one file, wherever --source-path points; another one is a file as any other."""
    files = {
        ".reconcilerignore": "/prod/old\n",
        "prod/.reconcilerignore": "a.yaml\n",
        "prod/a.yaml": "a: 1\n",
        "prod/old/b.yaml": "b: 1\n",
    }
    git_repository.commit(files)
    snapshot = read(source(git_repository.url, paths=["prod"]))
    assert (texts(snapshot), skipped(snapshot)) == ({"prod/a.yaml": "a: 1\n"}, {})


def test_a_link_in_its_place_is_not_followed(git_repository: Repository) -> None:
    """Contract 5: no symlink is."""
    git_repository.commit({"a.yaml": "a: 1\n"}, links={".reconcilerignore": "/etc/passwd"})
    with pytest.raises(SourceError, match=r"\.reconcilerignore must be a regular file"):
        read(source(git_repository.url))
