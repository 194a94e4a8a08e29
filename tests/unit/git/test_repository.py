"""From a ref to the files of one commit, over file:// (contract 1, stage 2; contract 5)."""

import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import DeadlinePassed, SourceError
from reconciler.git import repository
from reconciler.git.command import Limits
from tests.gitservers import Repository, new_repository
from tests.unit.git.reading import read, skipped, source, texts

# --- the ref --------------------------------------------------------------------------------


def test_a_branch_stands_at_its_head(git_repository: Repository) -> None:
    """Contract 5: the ref is resolved by the server."""
    commit = git_repository.commit({"a.yaml": "a: 1\n"})
    assert source(git_repository.url, "main").resolve() == commit


def test_an_annotated_tag_stands_at_its_commit(git_repository: Repository) -> None:
    """Contract 5: the id of the tag object would be in no log of commits."""
    commit = git_repository.commit({"a.yaml": "a: 1\n"})
    git_repository.git("tag", "--annotate", "--message", "first", "v1", commit)
    snapshot = read(source(git_repository.url, "v1"))
    assert (snapshot.commit, texts(snapshot)) == (commit, {"a.yaml": "a: 1\n"})


def test_a_lightweight_tag_and_full_names_are_refs_too(git_repository: Repository) -> None:
    """Contract 5: branch, tag, or the full name of any ref."""
    commit = git_repository.commit({"a.yaml": "a: 1\n"})
    git_repository.git("tag", "v1", commit)
    git_repository.git("update-ref", "refs/pull/7/head", commit)
    for ref in ("v1", "refs/tags/v1", "refs/heads/main", "refs/pull/7/head", "HEAD"):
        assert read(source(git_repository.url, ref)).commit == commit


def test_a_full_commit_id_is_read_though_no_branch_stands_at_it(
    git_repository: Repository,
) -> None:
    """Contract 5: a pinned commit stays readable when the branch has moved on."""
    first = git_repository.commit({"a.yaml": "a: 1\n"})
    git_repository.commit({"a.yaml": "a: 2\n"}, parent=first)
    snapshot = read(source(git_repository.url, first))
    assert (snapshot.commit, texts(snapshot)) == (first, {"a.yaml": "a: 1\n"})


def test_a_ref_that_moves_while_it_is_read_brings_the_commit_that_was_resolved(
    git_repository: Repository,
) -> None:
    """Contract 1, stage 2: what is fetched is what was resolved, or nothing."""
    first = git_repository.commit({"a.yaml": "a: 1\n"})
    asked = source(git_repository.url)
    resolved = asked.resolve()
    git_repository.commit({"a.yaml": "a: 2\n"}, parent=first)
    assert texts(asked.fetch(resolved)) == {"a.yaml": "a: 1\n"}


def test_a_branch_that_was_rewritten_is_read_as_it_is_now(git_repository: Repository) -> None:
    """Contract 5: each fetch starts from nothing, so a force push is no conflict."""
    git_repository.commit({"a.yaml": "a: 1\n"})
    before = read(source(git_repository.url))
    commit = git_repository.commit({"b.yaml": "b: 1\n"})  # no parent: another history
    after = read(source(git_repository.url))
    assert (after.commit, texts(after)) == (commit, {"b.yaml": "b: 1\n"})
    assert before.commit != after.commit


def test_a_missing_branch_is_told_with_those_that_exist(git_repository: Repository) -> None:
    """Contract 7: an error says what to do."""
    commit = git_repository.commit({"a.yaml": "a: 1\n"})
    for number in range(11):
        git_repository.git("update-ref", f"refs/heads/b{number:02}", commit)
    with pytest.raises(SourceError) as told:
        source(git_repository.url, "mian").resolve()
    assert str(told.value) == (
        f"cannot read {git_repository.url} at mian: there is no mian: there are the branches "
        "b00, b01, b02, b03, b04, b05, b06, b07, b08, b09 and 2 more"
    )


def test_a_short_commit_id_is_told_to_be_written_out(git_repository: Repository) -> None:
    """Contract 5: full commit ids; a server resolves no short one."""
    commit = git_repository.commit({"a.yaml": "a: 1\n"})
    with pytest.raises(SourceError, match="a commit is named by its full id"):
        source(git_repository.url, commit[:10]).resolve()


def test_a_name_that_is_a_branch_and_a_tag_is_refused(git_repository: Repository) -> None:
    """Contract 5: which of the two is meant is not ours to guess."""
    commit = git_repository.commit({"a.yaml": "a: 1\n"}, branch="v1")
    git_repository.git("tag", "v1", commit)
    with pytest.raises(SourceError, match="say refs/heads/v1 or refs/tags/v1"):
        source(git_repository.url, "v1").resolve()


def test_an_empty_repository_is_told_as_such(git_repository: Repository) -> None:
    """Contract 7: exit 3, with the way out; a clone of it would succeed and hold nothing."""
    with pytest.raises(SourceError, match="has no branch yet: push a first commit"):
        source(git_repository.url).resolve()


def test_a_repository_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    """Contract 7: exit 3."""
    with pytest.raises(SourceError) as told:
        source(f"file://{tmp_path}/nothing.git").resolve()
    assert str(told.value) == (
        f"cannot read file://{tmp_path}/nothing.git at main: there is no repository at this "
        f"address, or these credentials may not see it (git: fatal: '{tmp_path}/nothing.git' does "
        "not appear to be a git repository)"
    )


def test_a_commit_that_is_gone_is_told_as_such(git_repository: Repository) -> None:
    """Contract 7: exit 3; the next run looks again."""
    git_repository.commit({"a.yaml": "a: 1\n"})
    with pytest.raises(SourceError, match="the commit is not there any more"):
        read(source(git_repository.url, "0" * 39 + "1"))


def test_a_ref_that_is_no_commit_is_told_as_such(git_repository: Repository) -> None:
    """Contract 7: a tag may name a file."""
    git_repository.commit({"a.yaml": "a: 1\n"})
    git_repository.git("tag", "blob", git_repository.git("rev-parse", "main:a.yaml"))
    with pytest.raises(SourceError, match="is no commit"):
        read(source(git_repository.url, "blob"))


def test_a_repository_of_the_newer_hash_is_read_too(tmp_path: Path) -> None:
    """Contract 5: a commit id has 40 or 64 digits."""
    repository = new_repository(tmp_path / "new.git", "--object-format=sha256")
    commit = repository.commit({"a.yaml": "a: 1\n"})
    assert len(commit) == 64
    assert texts(read(source(repository.url))) == {"a.yaml": "a: 1\n"}


# --- the files ------------------------------------------------------------------------------


def test_a_snapshot_tells_commit_time_paths_and_blobs(git_repository: Repository) -> None:
    """Contract 5: provenance, so that `git log --find-object` names who wrote it."""
    commit = git_repository.commit({"a.yaml": "a: 1\n"})
    snapshot = read(source(git_repository.url))
    assert snapshot.committed_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [file.blob for file in snapshot.files] == [
        git_repository.git("rev-parse", f"{commit}:a.yaml")
    ]


def test_yaml_files_are_read_and_no_others(git_repository: Repository) -> None:
    """Contract 5: documents stand in *.yaml and *.yml."""
    git_repository.commit(
        {"a.yaml": "a: 1\n", "deep/er/b.yml": "b: 1\n", "c.json": "{}", "d.yaml.bak": "", "e": ""}
    )
    snapshot = read(source(git_repository.url))
    assert texts(snapshot) == {"a.yaml": "a: 1\n", "deep/er/b.yml": "b: 1\n"}
    assert snapshot.skipped == ()


def test_only_what_is_under_the_paths_is_read(git_repository: Repository) -> None:
    """Contract 5: path prefixes, several of them, a folder or a file."""
    git_repository.commit(
        {
            "one/a.yaml": "",
            "one/more/b.yaml": "",
            "one.yaml": "",
            "oneself/c.yaml": "",
            "d.yaml": "",
        }
    )
    asked = source(git_repository.url, paths=("one", "d.yaml"))
    assert sorted(texts(read(asked))) == ["d.yaml", "one/a.yaml", "one/more/b.yaml"]


def test_a_path_is_no_pattern(git_repository: Repository) -> None:
    """Contract 5: a prefix; what git would expand is taken as it stands."""
    git_repository.commit({"a.yaml": "", "[a].yaml": "x: 1\n", "*.yaml": "y: 1\n"})
    assert texts(read(source(git_repository.url, paths=("*.yaml",)))) == {"*.yaml": "y: 1\n"}
    assert texts(read(source(git_repository.url, paths=("[a].yaml",)))) == {"[a].yaml": "x: 1\n"}


def test_a_missing_path_is_an_error_that_says_so(git_repository: Repository) -> None:
    """Contract 5: a path that is not there is never taken for one without workflows."""
    commit = git_repository.commit({"one/a.yaml": ""})
    with pytest.raises(SourceError) as told:
        read(source(git_repository.url, paths=("one", "two", "three/four")))
    assert f"the commit {commit} holds no two and no three/four" in str(told.value)


def test_a_path_without_any_yaml_is_read_and_told(git_repository: Repository) -> None:
    """Contract 5: an empty source is a fact, and one that somebody must hear of."""
    git_repository.commit({"one/.gitkeep": "", "two/a.yaml": ""})
    snapshot = read(source(git_repository.url, paths=("one", "two")))
    assert (sorted(texts(snapshot)), skipped(snapshot)) == (
        ["two/a.yaml"],
        {"one": "holds no *.yaml or *.yml file that can be read"},
    )


def test_an_empty_file_and_one_that_is_there_twice_are_read(git_repository: Repository) -> None:
    """Contract 5: one blob may stand at two paths."""
    git_repository.commit({"a.yaml": "", "b.yaml": "b: 1\n", "c.yaml": "b: 1\n"})
    assert texts(read(source(git_repository.url))) == {
        "a.yaml": "",
        "b.yaml": "b: 1\n",
        "c.yaml": "b: 1\n",
    }


def test_what_is_not_read_is_told_with_its_reason(git_repository: Repository) -> None:
    """Contract 5: never follow symlinks, submodules, LFS; UTF-8 only; 256 KiB a file."""
    git_repository.commit(
        {
            "good.yaml": "a: 1\n",
            "large.yaml": "#" * (256 * 1024 + 1),
            "just.yaml": "#" * (256 * 1024),
            "latin.yaml": b"name: caf\xe9\n",
            "lfs.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        },
        links={"link.yaml": "good.yaml", "folder": "other", "note.txt": "good.yaml"},
        submodules={"vendor": "1" * 40},
    )
    snapshot = read(source(git_repository.url))
    assert sorted(texts(snapshot)) == ["good.yaml", "just.yaml"]
    assert skipped(snapshot) == {
        "folder": "is a symlink, which is not followed",
        "large.yaml": "has 256 KiB, more than the limit of 256 KiB a file: split it, or raise "
        "--source-max-file-size",
        "latin.yaml": "is not UTF-8: save it as UTF-8",
        "lfs.yaml": "is a pointer of Git LFS, which is not followed: keep the file itself in git",
        "link.yaml": "is a symlink, which is not followed",
        "vendor": "is a submodule, which is not followed: name its repository as a source of its "
        "own",
    }


# --- bounds ---------------------------------------------------------------------------------


def test_more_files_than_the_limit_are_refused_whole(git_repository: Repository) -> None:
    """Contract 5: 1,000 files; a part of a source would look like the rest was removed."""
    git_repository.commit({f"{number}.yaml": "" for number in range(4)})
    assert len(read(source(git_repository.url, limits=Limits(files=4))).files) == 4
    with pytest.raises(SourceError, match=r"4 YAML files .* more than the limit of 3 files"):
        read(source(git_repository.url, limits=Limits(files=3)))


def test_more_bytes_than_the_limit_are_refused_whole(git_repository: Repository) -> None:
    """Contract 5: 8 MiB in all."""
    git_repository.commit({f"{number}.yaml": "#" * 1024 for number in range(4)})
    assert len(read(source(git_repository.url, limits=Limits(total_bytes=4096))).files) == 4
    with pytest.raises(SourceError, match="have 4 KiB, more than the limit of 3 KiB in all"):
        read(source(git_repository.url, limits=Limits(total_bytes=3072)))


def test_a_commit_whose_list_of_names_is_too_long_is_refused(git_repository: Repository) -> None:
    """Contract 5: a few kilobytes of trees can stand for a billion names; here for 65,536."""
    file = git_repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n")
    tree = git_repository.git("mktree", given=f"100644 blob {file}\tf.yaml\n".encode())
    for _ in range(4):
        lines = "".join(f"040000 tree {tree}\td{number}\n" for number in range(16))
        tree = git_repository.git("mktree", given=lines.encode())
    commit = git_repository.git("commit-tree", tree, "-m", "a bomb")
    git_repository.git("update-ref", "refs/heads/main", commit)
    with pytest.raises(SourceError, match="git ls-tree printed more than 1 MiB"):
        read(source(git_repository.url, limits=Limits(listed_bytes=1024 * 1024)))


def test_a_commit_that_is_too_large_is_not_fetched_to_its_end(
    git_repository: Repository,
) -> None:
    """Contract 5: git itself knows no bound for what a server sends."""
    noise = b"".join(bytes([value % 251, value % 7]) * 64 for value in range(4096))
    git_repository.commit({f"{number}.bin": bytes([number]) + noise for number in range(2)})
    with pytest.raises(SourceError, match="the commit is larger than 0 MiB"):
        read(source(git_repository.url, limits=Limits(fetched_bytes=1)))


def test_no_git_starts_once_the_time_of_the_run_is_over(git_repository: Repository) -> None:
    """Contract 7: `--deadline` is when stages 2 to 8 stop."""
    git_repository.commit({"a.yaml": "a: 1\n"})
    with pytest.raises(DeadlinePassed):
        source(git_repository.url, seconds=0).resolve()


def test_a_program_that_is_not_there_is_told(
    git_repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Contract 7: exit 3; what is in the cluster is reconciled all the same."""
    env = shutil.which("env")
    assert env
    (tmp_path / "env").symlink_to(env)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="git was not found: install it, or correct PATH"):
        source(git_repository.url).resolve()


def test_git_and_yaml_are_loaded_by_the_work_and_not_by_the_import() -> None:
    """Contract 1: a run that has nothing to read pays for neither; GitPython has one home."""
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import reconciler.git.repository, reconciler.manifests, sys; print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"git", "gitdb", "ruamel.yaml"} & set(loaded)
    users = [
        file.name
        for file in Path(repository.__file__).parent.glob("*.py")
        if re.search(r"^\s*(from git\b|import git\b)", file.read_text(), re.MULTILINE)
    ]
    assert users == ["command.py"]


def test_nothing_is_left_of_a_fetch_whether_it_failed_or_not(
    git_repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contract 1: a run keeps nothing on disk for the next."""
    folder = tmp_path / "of-this-test"  # the other tests use the machine's, at the same time
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    git_repository.commit({"a.yaml": "a: 1\n"})
    read(source(git_repository.url))
    with pytest.raises(SourceError):
        source(f"file://{tmp_path}/nothing.git").resolve()
    assert list(folder.iterdir()) == []
