"""Bytes of a file -> YAML documents with file and line, or why not (contract 5).

The home of ruamel.yaml. Read is what every reader of YAML reads alike: no anchors, aliases, tags,
directives or merge keys, and no key twice. A broken document harms itself alone. A message tells
file, line and rule, never the text it is about, which may be a secret.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Protocol

from reconciler.core.definitions import Document, Problem
from reconciler.core.scalars import AmbiguousError, plain
from reconciler.core.specs import printable

MAX_DEPTH = 32
MAX_NODES = 20_000  # a file; a step with all its fields has about 20
MAX_DOCUMENTS = 50  # a file

_REASON = "InvalidYAML"
_DIRECTIVES = "directives (%YAML, %TAG) are not read: leave the line out"
_START = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
# What YAML calls unprintable; and, written as an escape, what a terminal cannot bear either.
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_ESCAPED = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")

# The parser's words -> ours. They are fixed texts that never quote the file.
_SYNTAX: Mapping[str, str] = {
    "found character that cannot start any token": "no value begins like this: indent with "
    "spaces, not tabs, and quote text that begins with @, ` or %",
    "mapping values are not allowed in this context": "a ':' cannot stand here: quote the text, "
    "or check the indentation",
    "could not find expected ':'": "a key without ':' stands here, or text that needs quotes",
    "did not find expected key": "the indentation does not fit the lines above",
    "did not find expected '-' indicator": "the indentation does not fit the list above",
    "found unexpected ':'": "text with ':' within { } or [ ] needs quotes",
    "found unexpected end of stream": "a quote is opened and never closed",
    "found unexpected document indicator": "a quote is opened and never closed",
}


class _RefusedError(Exception):
    """A rule that a document broke, at a line and column counted from 0, as the parser does."""

    def __init__(self, rule: str, line: int, column: int) -> None:
        super().__init__(rule)
        self.rule = rule
        self.line = line
        self.column = column


class _TooMuchError(Exception):
    """A bound of the whole file that is passed; the message says which."""


def documents(path: str, blob: str, data: bytes) -> tuple[list[Document], list[Problem]]:
    """The documents of a file that can be read, and a problem for each that cannot.

    Empty documents are left out. `path` and `blob` are for messages and provenance.
    """
    text, problem = _decoded(path, data)
    if problem:
        return [], [problem]
    read: list[tuple[int, object, Mapping[str, int]]] = []
    problems: list[Problem] = []
    budget = _Budget()
    try:
        for chunk, first in _chunks(text):
            try:
                read.extend(_Reader(chunk, first, budget).documents())
            except _RefusedError as error:
                told = f"column {error.column + 1}: {error.rule}"
                problems.append(Problem(path, first + error.line, told, reason=_REASON))
    except _TooMuchError as error:
        return [], [Problem(path, 1, str(error), reason=_REASON)]
    count = 0 if problems else len(read)
    return [Document(path, blob, *each, documents=count) for each in read], problems


def _decoded(path: str, data: bytes) -> tuple[str, Problem | None]:
    """The text of a file. A byte order mark before it is dropped."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", Problem(path, line, "the file is not UTF-8: save it as UTF-8", reason=_REASON)
    for pattern, rule in (
        (_CONTROL, "a control character or byte order mark stands here: remove it"),
        (_DIRECTIVE, _DIRECTIVES),
    ):
        match = pattern.search(text)
        if match:
            line = text.count("\n", 0, match.start()) + 1
            return "", Problem(path, line, rule, reason=_REASON)
    return text, None


def _chunks(text: str) -> Iterator[tuple[str, int]]:
    """The text between the document markers, each with the number of its first line.

    `---` at the start of a line ends a document wherever it stands, within quotes too. So each
    is parsed alone, and what breaks one cannot break the next.
    """
    starts = (0, *(match.start() for match in _START.finditer(text)), len(text))
    line = 1
    for start, end in itertools.pairwise(starts):
        chunk = text[start:end]
        if chunk and not chunk.isspace():
            yield chunk, line
        line += chunk.count("\n")


# --- one document ---------------------------------------------------------------------------


class _Mark(Protocol):
    line: int
    column: int


class _Event(Protocol):
    """An event of the C parser; which fields it has depends on its kind."""

    start_mark: _Mark
    anchor: str | None
    tag: str | None
    value: str
    style: str
    version: tuple[int, int] | None
    tags: Mapping[str, str] | None


class _Budget:
    """What is left to a file of nodes and documents."""

    def __init__(self) -> None:
        self.nodes = MAX_NODES
        self.documents = MAX_DOCUMENTS

    def take_document(self) -> None:
        self.documents -= 1
        if self.documents < 0:
            raise _TooMuchError(f"the file has more than {MAX_DOCUMENTS} documents: split it")

    def take_node(self) -> None:
        self.nodes -= 1
        if self.nodes < 0:
            raise _TooMuchError(f"the file has more than {MAX_NODES:,} keys and values: split it")


class _Reader:
    """Events of the C parser -> values, and the line of each field.

    The parser is asked for one event at a time: depth and number of nodes are bounded before
    anything is built from them, and a document that is refused is read no further.
    """

    def __init__(self, chunk: str, first: int, budget: _Budget) -> None:
        # Imported late: a run that finds no new commit reads no YAML.
        from ruamel.yaml import cyaml  # noqa: PLC0415

        self._next: Callable[[], _Event] = cyaml.CParser(chunk).get_event  # type: ignore[attr-defined]  # in C
        self._first = first
        self._budget = budget
        self._lines: dict[str, int] = {}

    def documents(self) -> list[tuple[int, object, Mapping[str, int]]]:
        """Line, value and lines of the document, none if it is empty.

        Complete or refused: what stands behind a value is only found to be wrong when the event
        after it is asked for, and a document must not be both applied and refused.
        """
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - late, as above

        try:
            return list(self._documents())
        except YAMLError as error:
            raise _syntax(error) from None  # its own text may quote the file

    def _documents(self) -> Iterator[tuple[int, object, Mapping[str, int]]]:
        while _kind(event := self._next()) != "StreamEndEvent":
            if _kind(event) != "DocumentStartEvent":
                continue
            if event.version or event.tags:
                raise _RefusedError(_DIRECTIVES, *_place(event))
            root = self._next()
            value = self._value(root, "", 1)
            if value is not None:
                self._budget.take_document()
                yield self._first + root.start_mark.line, value, self._lines

    def _value(self, event: _Event, path: str, depth: int) -> object:
        if event.anchor is not None:
            raise _RefusedError("anchors and aliases are not read: write it out", *_place(event))
        if event.tag is not None:
            raise _RefusedError("tags (!, !!) are not read: leave the tag out", *_place(event))
        self._budget.take_node()
        kind = _kind(event)
        if kind == "ScalarEvent":
            return _scalar(event)
        if depth > MAX_DEPTH:
            raise _RefusedError(f"nested deeper than {MAX_DEPTH} levels", *_place(event))
        read = self._mapping if kind == "MappingStartEvent" else self._list
        return read(path, depth + 1)

    def _list(self, path: str, depth: int) -> list[object]:
        values: list[object] = []
        while _kind(event := self._next()) != "SequenceEndEvent":
            field = f"{path}[{len(values)}]"
            self._lines[field] = self._first + event.start_mark.line
            values.append(self._value(event, field, depth))
        return values

    def _mapping(self, path: str, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        prefix = f"{path}." if path else ""
        while _kind(event := self._next()) != "MappingEndEvent":
            key = self._key(event, path, depth)
            field = prefix + _word(key)
            if key in values:
                first = f"line {self._lines[field]}"
                raise _RefusedError(f"the key stands here twice, first in {first}", *_place(event))
            self._lines[field] = self._first + event.start_mark.line
            values[key] = self._value(self._next(), field, depth)
        return values

    def _key(self, event: _Event, path: str, depth: int) -> str:
        """Mappings and lists as keys are refused before they are read."""
        nested = _kind(event) in ("MappingStartEvent", "SequenceStartEvent")
        key = None if nested else self._value(event, path, depth)
        if not isinstance(key, str):
            raise _RefusedError("a key must be text: quote it", *_place(event))
        return key


def _scalar(event: _Event) -> str | int | float | bool | None:
    if not event.style:
        try:
            return plain(event.value)
        except AmbiguousError as error:
            raise _RefusedError(str(error), *_place(event)) from None
    if event.style == '"' and _ESCAPED.search(event.value):
        raise _RefusedError("a control character is escaped here: leave it out", *_place(event))
    return event.value  # quoted or a block: text, whatever it looks like


def _syntax(error: Exception) -> _RefusedError:
    mark: _Mark | None = getattr(error, "problem_mark", None)
    words = str(getattr(error, "problem", "") or "the text cannot be read")
    place = (mark.line, mark.column) if mark else (0, 0)
    return _RefusedError(f"not YAML: {_SYNTAX.get(words, words)}", *place)


def _kind(event: _Event) -> str:
    """By name: the classes would have to be imported early."""
    return type(event).__name__


def _place(event: _Event) -> tuple[int, int]:
    return event.start_mark.line, event.start_mark.column


_word = lru_cache(maxsize=4096)(printable)  # the same few keys, again and again
