"""Repositories made to hurt or by mistake, each with what comes of it (contract 5).

Beside the hostile thing each holds one good file. Either that file is read and the rest told, or
the commit is refused whole with a message for people; nothing of the machine is shown or written.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from reconciler.errors import SourceError
from reconciler.git.command import Limits
from tests.gitservers import Repository
from tests.unit.git.reading import read, skipped, source, texts

GOOD: dict[str, str | bytes] = {"good.yaml": "a: 1\n"}
_SMALL = Limits(files=50, total_bytes=200_000, listed_bytes=1 << 20, fetched_bytes=4 << 20)
_SYMLINK = "is a symlink, which is not followed"
_SUBMODULE = "is a submodule, which is not followed"
_UNPRINTABLE = "has a name that is not printable text"
_MALFORMED = "objects that git refuses as malformed"


@dataclass(frozen=True)
class Case:
    """`told`: paths that are not read, and the beginning of why; or `error`, for the whole."""

    make: Callable[[Repository], object]
    told: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    more: tuple[str, ...] = ()  # files that are read beside the good one


def _files(**files: str | bytes) -> Callable[[Repository], object]:
    named = {name.replace("__", "/").replace("_", "."): data for name, data in files.items()}
    return lambda repository: repository.commit({**GOOD, **named})


def _links(links: Mapping[str, str]) -> Callable[[Repository], object]:
    return lambda repository: repository.commit(GOOD, links=links)


def _entry(name: bytes, mode: bytes = b"100644") -> Callable[[Repository], object]:
    """A tree with an entry that no working copy could make."""

    def make(repository: Repository) -> object:
        blob = bytes.fromhex(repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n"))
        return _tree(repository, (mode + b" " + name, blob))

    return make


def _tree(repository: Repository, *entries: tuple[bytes, bytes], sort: bool = True) -> object:
    """A commit of the good file and these raw entries."""
    blob = bytes.fromhex(repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n"))
    listed = [*entries, (b"100644 good.yaml", blob)]
    if sort:
        listed.sort(key=lambda each: each[0].partition(b" ")[2])
    raw = b"".join(head + b"\0" + id_ for head, id_ in listed)
    options = ("-t", "tree", "-w", "--literally", "--stdin")
    return _commit(repository, repository.git("hash-object", *options, given=raw))


def _commit(repository: Repository, tree: str, text: bytes = b"") -> object:
    commit = repository.git("commit-tree", tree, "-m", "hostile")
    if text:
        old, _, new = text.partition(b"=>")
        raw = repository.git("cat-file", "commit", commit).encode() + b"\n"
        options = ("-t", "commit", "-w", "--literally", "--stdin")
        commit = repository.git("hash-object", *options, given=raw.replace(old, new))
    return repository.git("update-ref", "refs/heads/main", commit)


def _text(replaced: bytes) -> Callable[[Repository], object]:
    """A commit in whose text something else stands."""

    def make(repository: Repository) -> object:
        tree = repository.git("rev-parse", f"{repository.commit(GOOD)}^{{tree}}")
        return _commit(repository, tree, replaced)

    return make


def _twice(repository: Repository) -> object:
    one = bytes.fromhex(repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n"))
    two = bytes.fromhex(repository.git("hash-object", "-w", "--stdin", given=b"a: 2\n"))
    return _tree(repository, (b"100644 x.yaml", one), (b"100644 x.yaml", two))


def _unsorted(repository: Repository) -> object:
    blob = bytes.fromhex(repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n"))
    return _tree(repository, (b"100644 z.yaml", blob), (b"100644 a.yaml", blob), sort=False)


def _nothing(repository: Repository) -> object:
    return _tree(repository, (b"100644 x.yaml", bytes(20)))


def _absent(repository: Repository) -> object:
    return _tree(repository, (b"100644 x.yaml", b"\x01" * 20))


def _bomb(repository: Repository) -> object:
    """Ten folders in ten folders, ten times: 10,000,000,000 files in eleven objects."""
    blob = repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n")
    tree = repository.git("mktree", given=f"100644 blob {blob}\tx.yaml\n".encode())
    for _ in range(10):
        listing = "".join(f"040000 tree {tree}\tf{number}\n" for number in range(10))
        tree = repository.git("mktree", given=listing.encode())
    return _commit(repository, tree)


def _deep(repository: Repository) -> object:
    return repository.commit({**GOOD, "/".join(["d"] * 300) + "/x.yaml": "a: 1\n"})


def _zeros(repository: Repository) -> object:
    return repository.commit({**GOOD, "zeros.yaml": bytes(1 << 20)})


def _noise(repository: Repository) -> object:
    noise = b"".join(hashlib.sha256(str(each).encode()).digest() for each in range(200_000))
    return repository.commit({**GOOD, "noise.bin": noise})


def _replaced(repository: Repository) -> object:
    good = repository.commit(GOOD)
    bad = repository.commit({"bad.yaml": "a: 666\n"}, branch="other")
    repository.git("replace", good, bad)
    return repository.git("update-ref", "refs/heads/main", good)


def _grafted(repository: Repository) -> object:
    (repository.folder / "info").mkdir(exist_ok=True)
    commit = repository.commit(GOOD)
    return (repository.folder / "info" / "attributes").write_text(f"* filter={commit}\n")


def _server_side(repository: Repository) -> object:
    """What stands in the configuration and the hooks of the repository that is read."""
    repository.commit(GOOD)
    hook = repository.folder / "hooks" / "post-upload-pack"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch pwned\n")
    hook.chmod(0o755)
    repository.git("config", "uploadpack.packObjectsHook", str(hook))
    return repository.git("config", "core.fsmonitor", str(hook))


def _symbolic(repository: Repository) -> object:
    repository.commit(GOOD, branch="other")
    return repository.git("symbolic-ref", "refs/heads/main", "refs/heads/other")


def _dangling(repository: Repository) -> object:
    repository.commit(GOOD, branch="other")
    return repository.git("symbolic-ref", "refs/heads/main", "refs/heads/nowhere")


def _no_commit(repository: Repository) -> object:
    repository.commit(GOOD)
    blob = repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n")
    return (repository.folder / "refs" / "heads" / "main").write_text(f"{blob}\n")


def _broken(repository: Repository) -> object:
    """An object whose bytes are not what its name says."""
    commit = repository.commit(GOOD)
    blob = repository.git("rev-parse", f"{commit}:good.yaml")
    other = repository.git("hash-object", "-w", "--stdin", given=b"a: 666\n")
    files = [repository.folder / "objects" / each[:2] / each[2:] for each in (blob, other)]
    files[0].chmod(0o600)
    return files[0].write_bytes(files[1].read_bytes())


_LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
_MODULES = '[submodule "../../x"]\n\tpath = v\n\turl = --upload-pack=touch pwned\n'
CASES: Mapping[str, Case] = {
    "link-to-a-secret": Case(_links({"x.yaml": "/var/run/secrets/token"}), {"x.yaml": _SYMLINK}),
    "link-upwards": Case(_links({"x.yaml": "../../../../etc/passwd"}), {"x.yaml": _SYMLINK}),
    "link-to-itself": Case(_links({"x.yaml": "x.yaml"}), {"x.yaml": _SYMLINK}),
    "link-to-a-good-file": Case(_links({"x.yaml": "good.yaml"}), {"x.yaml": _SYMLINK}),
    "link-to-the-root": Case(_links({"all": "/"}), {"all": _SYMLINK}),
    "link-to-a-process": Case(_links({"x.yaml": "/proc/self/environ"}), {"x.yaml": _SYMLINK}),
    "link-over-lines": Case(_links({"x.yaml": "a\nb: 1\n"}), {"x.yaml": _SYMLINK}),
    "submodule": Case(lambda it: it.commit(GOOD, submodules={"v": "1" * 40}), {"v": _SUBMODULE}),
    "submodule-with-an-option-as-address": Case(
        lambda it: it.commit({**GOOD, ".gitmodules": _MODULES}, submodules={"v": "1" * 40}),
        error=_MALFORMED,
    ),
    "submodule-named-as-a-file": Case(
        lambda it: it.commit(GOOD, submodules={"v.yaml": "1" * 40}), {"v.yaml": _SUBMODULE}
    ),
    "lfs-pointer": Case(_files(x_yaml=_LFS), {"x.yaml": "is a pointer of Git LFS"}),
    "lfs-server": Case(lambda it: it.commit({**GOOD, ".lfsconfig": "[lfs]\n\turl = http://x\n"})),
    "filters": Case(lambda it: it.commit({**GOOD, ".gitattributes": "* filter=lfs ident text\n"})),
    "encodings": Case(
        lambda it: it.commit({**GOOD, ".gitattributes": "* working-tree-encoding=UTF-7\n"})
    ),
    "hooks": Case(_files(hooks__post_checkout="#!/bin/sh\ntouch pwned\n")),
    "configuration": Case(_files(config="[core]\n\tfsmonitor = touch pwned\n")),
    "alternates": Case(_files(objects__info__alternates="/\n")),
    "bundle": Case(_files(x_bundle="# v2 git bundle\n")),
    "name-over-lines": Case(_entry(b"a\nb.yaml"), {"a\\nb.yaml": _UNPRINTABLE}),
    "name-of-an-escape": Case(_entry(b"\x1b[2J.yaml"), {"\\x1b[2J.yaml": _UNPRINTABLE}),
    "name-from-right-to-left": Case(
        _entry("\u202elmay.yaml".encode()), {"\\u202elmay.yaml": _UNPRINTABLE}
    ),
    "name-of-other-bytes": Case(_entry(b"\xff.yaml"), {"\\udcff.yaml": _UNPRINTABLE}),
    "name-of-an-option": Case(_entry(b"--output=x.yaml"), more=("--output=x.yaml",)),
    "name-of-a-pattern": Case(_entry(b":(glob)**.yaml"), more=(":(glob)**.yaml",)),
    "name-of-4000-letters": Case(_entry(b"a" * 3_995 + b".yaml"), more=("a" * 3_995 + ".yaml",)),
    "name-upwards": Case(_entry(b".."), error=_MALFORMED),
    "name-here": Case(_entry(b"."), error=_MALFORMED),
    "name-of-git's-folder": Case(_entry(b".git"), error=_MALFORMED),
    "name-of-git's-folder-in-capitals": Case(_entry(b".GIT"), error=_MALFORMED),
    "name-of-git's-folder-on-windows": Case(_entry(b"git~1"), error=_MALFORMED),
    "name-of-git's-folder-on-a-mac": Case(_entry(".g\u200cit".encode()), error=_MALFORMED),
    "name-with-a-folder": Case(_entry(b"a/../../x.yaml"), error=_MALFORMED),
    "name-twice": Case(_twice, error=_MALFORMED),
    "names-in-no-order": Case(_unsorted, error=_MALFORMED),
    "entry-of-no-object": Case(_nothing, error="cannot read"),
    "entry-of-an-object-that-is-absent": Case(_absent, error="cannot read"),
    "mode-of-a-device": Case(_entry(b"x.yaml", b"020000"), error=_MALFORMED),
    "mode-of-a-program": Case(_entry(b"x.yaml", b"100755"), more=("x.yaml",)),
    "time-before-all-time": Case(_text(b"+0000=>-9999")),
    "time-beyond-all-time": Case(_text(b" 1767323045 => 99999999999999999999 "), error=_MALFORMED),
    "no-committer": Case(_text(b"committer=>committee"), error=_MALFORMED),
    "nul-in-the-message": Case(_text(b"hostile=>hos\0tile"), error=_MALFORMED),
    "bomb-of-folders": Case(_bomb, error="printed more than 1 MiB"),
    "folders-in-folders": Case(_deep, more=("/".join(["d"] * 300) + "/x.yaml",)),
    "file-of-zeros": Case(_zeros, {"zeros.yaml": "has 1,024 KiB, more than the limit"}),
    "files-beyond-the-limit": Case(
        lambda it: it.commit({f"{each}.yaml": "a: 1\n" for each in range(60)}),
        error="60 YAML files .* more than the limit of 50",
    ),
    "bytes-beyond-the-limit": Case(
        lambda it: it.commit({f"{each}.yaml": "#" * 40_000 for each in range(6)}),
        error="more than the limit of 195 KiB in all",
    ),
    "commit-beyond-the-limit": Case(_noise, error="the commit is larger than 4 MiB"),
    "replaced-commit": Case(_replaced),
    "attributes-of-the-server": Case(_grafted),
    "programs-of-the-server": Case(_server_side),
    "ref-that-is-another": Case(_symbolic),
    "ref-to-nowhere": Case(_dangling, error="there is no main: there are the branches other"),
    "ref-that-is-no-commit": Case(_no_commit, error="cannot read"),
    "object-that-lies": Case(_broken, error="cannot read"),
    "folder-named-as-a-file": Case(_files(x_yaml__y_txt="a"), {}),
    "file-named-by-its-end": Case(
        lambda it: it.commit({**GOOD, ".yaml": "a: 1\n"}), more=(".yaml",)
    ),
    "other-encoding": Case(_files(x_yaml="a: 1\n".encode("utf-16")), {"x.yaml": "is not UTF-8"}),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_a_hostile_repository_is_told_and_obeyed_in_nothing(
    git_repository: Repository, case: Case
) -> None:
    """Contract 5: the good file is read and the rest told, or the commit is refused whole."""
    case.make(git_repository)
    asked = source(git_repository.url, limits=_SMALL)
    if case.error:
        with pytest.raises(SourceError, match=case.error) as error:
            read(asked)
        assert str(error.value).isprintable()
    else:
        snapshot = read(asked)
        assert texts(snapshot) == {**GOOD, **dict.fromkeys(case.more, "a: 1\n")}
        told = skipped(snapshot)
        assert set(told) == set(case.told)
        assert all(told[path].startswith(why) for path, why in case.told.items()), told
    assert not list(git_repository.folder.parent.rglob("pwned"))


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    """Contract 5: at least 30."""
    assert len(CASES) >= 30
