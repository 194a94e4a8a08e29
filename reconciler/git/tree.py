"""Which files of a commit are read, and why the others are not (contract 5).

Regular files named `*.yaml` or `*.yml`, within bounds. Symlinks and submodules are told and never
followed. A path is for people: it is never joined to a file system.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.git.command import Limits
from reconciler.seams import Blob, SkippedFile

_REGULAR = ("100644", "100755")
_SYMLINK = "120000"
_SUBMODULE = "160000"
_YAML = (".yaml", ".yml")
_LFS = b"version https://git-lfs.github.com/spec/"
_MAX_SKIPPED = 100  # told one by one
_KIB = 1024
_NARROW = "narrow --source-path, split the repository, or raise"


class TooManyError(Exception):
    """A bound of the whole source is passed; the message says which and what to do."""


class Entry(NamedTuple):  # thousands are made: a frozen dataclass takes three times as long
    """A file, link or submodule of the commit. `size` is 0 for a submodule."""

    mode: str
    blob: str
    size: int
    path: str

    @property
    def regular(self) -> bool:
        return self.mode in _REGULAR

    @property
    def yaml(self) -> bool:
        return self.path.endswith(_YAML)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files to read, and what stands under the paths and is not read."""

    files: tuple[Entry, ...]
    skipped: tuple[SkippedFile, ...]


def entries(listing: bytes) -> tuple[Entry, ...]:
    """What `ls-tree -r -z --long` printed. A name that is no UTF-8 is kept apart by surrogates."""
    found = []
    for line in listing.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        head, _, path = line.partition("\t")
        mode, _, blob, size = head.split()
        found.append(Entry(mode, blob, int(size) if size.isdigit() else 0, path))
    return tuple(found)


def missing(held: Sequence[Entry], paths: Sequence[str]) -> tuple[str, ...]:
    """The paths under which the commit holds nothing at all."""
    return tuple(path for path in paths if not any(_under(entry, path) for entry in held))


def choose(held: Sequence[Entry], paths: Sequence[str], limits: Limits) -> Chosen:
    """What is read of a commit, and what is told.

    Raises:
        TooManyError: more files or bytes than the limits allow.
    """
    whys = [(entry, _why_not(entry, limits)) for entry in held]
    files = tuple(entry for entry, why in whys if not why and entry.yaml)
    total = sum(entry.size for entry in files)
    if len(files) > limits.files:
        raise TooManyError(
            f"{len(files):,} YAML files are under the source's paths, more than the limit of "
            f"{limits.files:,} files: {_NARROW} --source-max-files"
        )
    if total > limits.total_bytes:
        raise TooManyError(
            f"the YAML files under the source's paths have {total // _KIB:,} KiB, more than the "
            f"limit of {limits.total_bytes // _KIB:,} KiB in all: {_NARROW} --source-max-size"
        )
    skipped = [SkippedFile(_shown(entry.path), why) for entry, why in whys if why]
    skipped += [
        SkippedFile(path or ".", "holds no *.yaml or *.yml file that can be read")
        for path in paths or ("",)
        if not any(_under(entry, path) for entry in files)
    ]
    return Chosen(files, _bounded(skipped))


def read_blobs(batch: bytes, files: Sequence[Entry]) -> tuple[list[Blob], list[SkippedFile]]:
    """What `cat-file --batch` printed for the files, in their order."""
    blobs: list[Blob] = []
    skipped: list[SkippedFile] = []
    for entry, data in zip(files, objects(batch), strict=True):
        if data.startswith(_LFS):
            why = "is a pointer of Git LFS, which is not followed: keep the file itself in git"
            skipped.append(SkippedFile(entry.path, why))
        elif not _utf8(data):
            skipped.append(SkippedFile(entry.path, "is not UTF-8: save it as UTF-8"))
        else:
            blobs.append(Blob(entry.path, entry.blob, data))
    return blobs, skipped


def objects(batch: bytes) -> Iterator[bytes]:
    """The contents of the objects that `cat-file --batch` printed; it ends at a missing one.

    Before each stands a line: id, type and size, or what was asked for and `missing`.
    """
    at = 0
    while at < len(batch):
        start = batch.index(b"\n", at) + 1
        _, _, size = batch[at : start - 1].rpartition(b" ")
        if not size.isdigit():
            return
        end = start + int(size)
        yield batch[start:end]
        at = end + 1


def _why_not(entry: Entry, limits: Limits) -> str:
    """Why an entry that may be meant to be read is not; empty for one that is, or is not meant."""
    if entry.mode == _SUBMODULE:
        return "is a submodule, which is not followed: name its repository as a source of its own"
    if entry.mode == _SYMLINK:
        # A link without an extension is most likely one to a folder.
        folder = "." not in entry.path.rpartition("/")[2]
        return "is a symlink, which is not followed" if entry.yaml or folder else ""
    return _why_no_file(entry, limits) if entry.yaml else ""


def _why_no_file(entry: Entry, limits: Limits) -> str:
    if not entry.regular:
        return f"has the mode {entry.mode}: only regular files are read"
    if not entry.path.isprintable():
        return "has a name that is not printable text: rename it"
    if entry.size > limits.file_bytes:
        return (
            f"has {entry.size // _KIB:,} KiB, more than the limit of "
            f"{limits.file_bytes // _KIB:,} KiB a file: split it, or raise --source-max-file-size"
        )
    return ""


def _under(entry: Entry, path: str) -> bool:
    return not path or entry.path == path or entry.path.startswith(f"{path}/")


def _shown(path: str) -> str:
    return path if path.isprintable() else ascii(path)[1:-1]


def _bounded(skipped: Sequence[SkippedFile]) -> tuple[SkippedFile, ...]:
    left = len(skipped) - _MAX_SKIPPED
    if left <= 0:
        return tuple(skipped)
    return (*skipped[:_MAX_SKIPPED], SkippedFile(".", f"and {left:,} more entries are not read"))


def _utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
