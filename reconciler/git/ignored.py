"""`.reconcilerignore`: which paths of a repository are as if they were not there (contract 5).

The rules of gitignore but for character classes, in one file at the root. A line that cannot be
read stops the source: what it means to keep out would be applied. Matching is never slow, whatever
a line says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

NAME = ".reconcilerignore"
MAX_BYTES = 16 * 1024
_MAX_LINES = 200
_ANY = "*"
_ANY_FOLDERS = "**"


class IgnoreError(Exception):
    """A line that is not read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """The parts of a pattern between its slashes; `keeps` has a `!`, `folder` ends with `/`."""

    parts: tuple[str, ...]
    keeps: bool
    folder: bool

    def fits(self, path: Sequence[str], *, folder: bool) -> bool:
        return (folder or not self.folder) and _fits(self.parts, path, _ANY_FOLDERS, _part_fits)


class Ignored:
    """The rules of one file; without any nothing is ignored."""

    def __init__(self, data: bytes = b"") -> None:
        """Raises IgnoreError."""
        self._rules = tuple(_rules(data))
        self._folders: dict[tuple[str, ...], bool] = {(): False}

    def __contains__(self, path: str) -> bool:
        """Whether a file is ignored, by itself or with a folder that it is in."""
        if not self._rules:
            return False
        parts = tuple(path.split("/"))
        return self._folder(parts[:-1]) or self._says(parts, folder=False)

    def _folder(self, parts: tuple[str, ...]) -> bool:
        """What is in an ignored folder cannot be taken back, as git has it."""
        if parts not in self._folders:
            above = self._folder(parts[:-1])
            self._folders[parts] = above or self._says(parts, folder=True)
        return self._folders[parts]

    def _says(self, parts: tuple[str, ...], *, folder: bool) -> bool:
        """The last rule that fits decides."""
        for rule in reversed(self._rules):
            if rule.fits(parts, folder=folder):
                return not rule.keeps
        return False


def _rules(data: bytes) -> list[_Rule]:
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise IgnoreError(f"{NAME} is not UTF-8: save it as UTF-8") from None
    stated = [(at, line.rstrip()) for at, line in enumerate(lines, 1)]
    stated = [(at, line) for at, line in stated if line and not line.startswith("#")]
    if len(stated) > _MAX_LINES:
        raise IgnoreError(f"{NAME} has more than {_MAX_LINES} patterns: name folders instead")
    return [_rule(at, line) for at, line in stated]


def _rule(at: int, line: str) -> _Rule:
    if "[" in line or "\\" in line:
        raise IgnoreError(f"{NAME}:{at}: '[' and '\\' are not read here: use * and ?")
    keeps = line.startswith("!")
    pattern = line[1:] if keeps else line
    folder = pattern.endswith("/")
    anchored = "/" in pattern.rstrip("/")
    parts = [part for part in pattern.split("/") if part]
    if not parts:
        raise IgnoreError(f"{NAME}:{at}: a pattern is missing")
    if not anchored:
        parts.insert(0, _ANY_FOLDERS)
    if parts[-1] == _ANY_FOLDERS:
        parts.append(_ANY)  # what is in the folder, not the folder itself
    return _Rule(tuple(parts), keeps, folder)


def _part_fits(pattern: str, part: str) -> bool:
    return _fits(pattern, part, _ANY, _letter_fits)


def _letter_fits(pattern: str, letter: str) -> bool:
    return pattern in ("?", letter)


def _fits(
    pattern: Sequence[str], text: Sequence[str], star: str, one: Callable[[str, str], bool]
) -> bool:
    """Whether a pattern fits the whole; `star` in it stands for any number of what text is made of.

    Only the last star is ever taken back, so that it costs at most one length times the other.
    """
    at, here, after, back = 0, 0, -1, 0
    while here < len(text):
        if at < len(pattern) and pattern[at] == star:
            at, after, back = at + 1, at + 1, here
        elif at < len(pattern) and one(pattern[at], text[here]):
            at, here = at + 1, here + 1
        elif after >= 0:
            back += 1
            at, here = after, back
        else:
            return False
    return all(each == star for each in pattern[at:])
