"""How a flag is read: from the command line, else from the environment, else its default.

Every flag can be given as `RECONCILER_<FLAG>`; the command line wins, an empty variable counts as
not given, and what may be repeated is comma-separated there. Which flags there are stands in
`flags.py`, what they mean together in `settings.py`.
"""

import argparse
import difflib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

from typing_extensions import override

from reconciler.core.api import DURATION_PATTERN
from reconciler.core.plan import duration
from reconciler.errors import UsageError

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_UNITS = {"": 0, "Ki": 10, "Mi": 20, "Gi": 30}  # powers of two
_SECONDS = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]+")
_MAX_SUBDOMAIN = 253
_HELP_WIDTH = 100


class Kind(Enum):
    """How often a flag may come, and whether a value follows it."""

    VALUE = auto()
    LIST = auto()
    SWITCH = auto()
    COUNT = auto()


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `read` turns its text into a value, or raises ValueError: what it "must be"."""

    name: str
    help: str
    read: Callable[[str], object] = str
    default: object = None
    metavar: str = "TEXT"
    kind: Kind = Kind.VALUE
    short: str = ""
    shown: str = ""

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        return f"RECONCILER_{self.field.upper()}"

    @property
    def option(self) -> str:
        return f"--{self.name}"

    @property
    def text(self) -> str:
        """Its line of help, with its default and its variable."""
        shown = self.shown or (str(self.default) if self.default else "")
        default = f"default {shown}; " if shown else ""
        return f"{self.help} [{default}{self.variable}]".replace("%", "%%")


@dataclass(frozen=True, slots=True)
class Group:
    """Flags that stand together in the help."""

    title: str
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """What one command takes. `alternatives` are fields of which at most one may be given."""

    prog: str
    description: str
    groups: tuple[Group, ...]
    epilog: str = ""
    alternatives: tuple[tuple[str, ...], ...] = ()

    @property
    def flags(self) -> Iterator[Flag]:
        yield from (flag for group in self.groups for flag in group.flags)


def given(
    command: Command, argv: Sequence[str], environment: Mapping[str, str]
) -> argparse.Namespace:
    """Every flag of the command with its value.

    Raises:
        UsageError: with the flag or variable that is wrong, and what is allowed.
    """
    values, rest = _parser(command).parse_known_args(argv)
    if rest:
        raise UsageError(_unknown(command, rest[0]))
    stated = set(vars(values))
    for flag in command.flags:
        text = environment.get(flag.variable, "")
        if text and not stated & _rivals(command, flag):
            setattr(values, flag.field, _from_variable(flag, text))
    _exclude(command, values)
    for flag in command.flags:
        if not hasattr(values, flag.field):
            setattr(values, flag.field, flag.default)
    return values


def _unknown(command: Command, word: str) -> str:
    """Names the flag alone: what was meant as its value may be a secret."""
    option = word.partition("=")[0]
    if not option.startswith("-"):
        return f"{command.prog} takes flags only (see {command.prog} --help)"
    guess = nearest(option, [flag.option for flag in command.flags])
    return f"unknown flag {option}{guess} (see {command.prog} --help)"


def _rivals(command: Command, flag: Flag) -> set[str]:
    """Fields that silence this flag's variable when they are on the command line.

    Itself, and its alternatives: `-n shop` beats `RECONCILER_ALL_NAMESPACES` too.
    """
    return {flag.field} | {
        field for fields in command.alternatives if flag.field in fields for field in fields
    }


def _exclude(command: Command, values: argparse.Namespace) -> None:
    for fields in command.alternatives:
        both = [field for field in fields if getattr(values, field, None)]
        if len(both) > 1:
            options = " and ".join(f"--{field.replace('_', '-')}" for field in both)
            raise UsageError(f"{options} exclude each other: give one of them")


def _from_variable(flag: Flag, text: str) -> object:
    try:
        match flag.kind:
            case Kind.VALUE:
                return flag.read(text)
            case Kind.LIST:
                return [flag.read(part.strip()) for part in text.split(",") if part.strip()]
            case Kind.SWITCH:
                return truth(text)
            case Kind.COUNT:
                return whole(0, 9)(text)
    except ValueError as error:
        raise UsageError(f"{flag.variable} must be {error}") from None


# --- the command line -----------------------------------------------------------------------


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size().columns, _HELP_WIDTH)
        super().__init__(prog, max_help_position=30, width=width)


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and leave."""

    @override
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def _parser(command: Command) -> _Parser:
    parser = _Parser(
        prog=command.prog,
        description=command.description,
        epilog=command.epilog,
        formatter_class=_Help,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        usage=f"{command.prog} [flags]",
    )
    for group in command.groups:
        section = parser.add_argument_group(group.title)
        for flag in group.flags:
            _add(section, flag, flag.text)
    return parser


def _add(section: argparse._ActionsContainer, flag: Flag, told: str) -> None:
    names = [flag.short, flag.option] if flag.short else [flag.option]
    match flag.kind:
        case Kind.SWITCH:
            section.add_argument(*names, action="store_true", help=told)
        case Kind.COUNT:
            section.add_argument(*names, action="count", help=told)
        case Kind.VALUE | Kind.LIST:
            section.add_argument(
                *names,
                action="append" if flag.kind is Kind.LIST else "store",
                type=_reader(flag),
                metavar=flag.metavar,
                help=told,
            )


def _reader(flag: Flag) -> Callable[[str], object]:
    def read(text: str) -> object:
        try:
            return flag.read(text)
        except ValueError as error:
            # Not argparse's own error for a ValueError: it repeats the value, and that may hold
            # a password.
            raise UsageError(f"{flag.option} must be {error}") from None

    return read


# --- readers: text -> value, or ValueError("what it must be") -------------------------------


def text(value: str) -> str:
    """One line of printable text."""
    if not _PRINTABLE.fullmatch(value):
        raise ValueError("one line of text, not empty")
    return value


def truth(value: str) -> bool:
    if value.lower() not in _TRUE + _FALSE:
        raise ValueError(f"true or false, not {value!r}")
    return value.lower() in _TRUE


def one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"{' or '.join(allowed)}, not {value!r}")
        return value

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}, not {value!r}")
        return int(value)

    return read


def size(low: int, high: int) -> Callable[[str], int]:
    """Bytes, plain or as Kubernetes writes them: 512Ki, 8Mi, 1Gi."""

    def read(value: str) -> int:
        match = re.fullmatch(r"([0-9]{1,12})(Ki|Mi|Gi)?", value)
        told = int(match[1]) << _UNITS[match[2] or ""] if match else -1
        if not low <= told <= high:
            raise ValueError(f"a size as in 512Ki, 8Mi or 1Gi, not {value!r}")
        return told

    return read


def seconds(low: float, high: float, *, zero: bool = False) -> Callable[[str], float]:
    """A Go duration, or plain seconds, within bounds; `zero`: 0 is allowed and means never."""

    def read(value: str) -> float:
        if re.fullmatch(DURATION_PATTERN, value):
            length = duration(value).total_seconds()
        elif _SECONDS.fullmatch(value):
            length = float(value)
        else:
            raise ValueError(f"a duration, as in 50s, 1m30s or 500ms, not {value!r}")
        if not (low <= length <= high or (zero and length == 0)):
            none = "0 or " if zero else ""
            raise ValueError(f"{none}between {low:g}s and {high:g}s, not {value!r}")
        return length

    return read


def label(value: str) -> str:
    """A DNS label: the name of a namespace."""
    if not _LABEL.fullmatch(value):
        raise ValueError(f"a name of at most 63 lower-case letters, digits and '-', not {value!r}")
    return value


def subdomain(value: str) -> str:
    """A DNS subdomain: the name of most objects."""
    if len(value) > _MAX_SUBDOMAIN or not _SUBDOMAIN.fullmatch(value):
        raise ValueError(
            f"a name of at most 253 lower-case letters, digits, '-' and '.', not {value!r}"
        )
    return value


def readable(value: str) -> Path:
    """A file that this process can read."""
    path = Path(value).expanduser()
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"a file that can be read: {value!r}: {error.strerror}") from None


def inside(value: str) -> str:
    """A path inside the repository, `/` between its parts; `.` is the whole of it."""
    parts = [part for part in value.split("/") if part not in ("", ".")]
    if not _PRINTABLE.fullmatch(value) or value.startswith("/") or ".." in parts:
        raise ValueError("a path inside the repository, as in workflows/prod, without '..'")
    return "/".join(parts)


def url(value: str, schemes: Sequence[str]) -> SplitResult:
    """The parts of an URL. Never repeats the value: it may hold a password."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("a URL that can be parsed") from None
    if not re.fullmatch(r"[!-~]+", value) or parts.scheme not in schemes:
        *others, last = (f"{each}://" for each in schemes)
        raise ValueError(f"a URL that begins with {', '.join(others)} or {last}")
    if parts.scheme != "file" and not parts.hostname:
        raise ValueError(f"a URL with a host: {parts.scheme}://HOST/PATH")
    return parts


def nearest(word: str, words: Sequence[str]) -> str:
    """A question for who mistyped one of these words, or nothing."""
    close = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {close[0]}?" if close else ""
