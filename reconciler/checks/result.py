"""What came of a check, and all of them told: as a table for people, as JSON for machines.

The JSON is stable: the fields and the names of the checks stay. The table is not.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

_API = "reconciler.kubernaut.ai/v1"
_ARROW = "-> "


class Status(StrEnum):
    """A warning is for a person to look at; a run does its work all the same."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Found:
    """What a check saw, and where it is not good, what to do."""

    status: Status
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report."""

    name: str
    status: Status
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Every check, in the order of the table, and the release that made it."""

    checks: tuple[Result, ...]
    version: str

    @property
    def ok(self) -> bool:
        return all(each.status is not Status.FAILED for each in self.checks)

    def json(self) -> str:
        whole = {
            "apiVersion": _API,
            "kind": "Check",
            "ok": self.ok,
            "version": self.version,
            "checks": [asdict(each) for each in self.checks],
        }
        return json.dumps(whole, indent=2, ensure_ascii=False)

    def table(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        names = max(len(each.name) for each in self.checks)
        states = max(map(len, Status))
        yield f"{'CHECK':<{names}}  {'STATUS':<{states}}  FOUND"
        for each in self.checks:
            yield f"{each.name:<{names}}  {each.status:<{states}}  {each.found}"
            if each.advice:
                yield f"{'':<{names}}  {'':<{states}}  {_ARROW}{each.advice}"
        yield ""
        count = Counter(each.status for each in self.checks)
        yield ", ".join(f"{count[status]} {status}" for status in Status if count[status])


def ok(found: str) -> Found:
    return Found(Status.OK, found)


def warning(found: str, advice: str) -> Found:
    return Found(Status.WARNING, found, advice)


def failed(found: str, advice: str) -> Found:
    return Found(Status.FAILED, found, advice)


def skipped(why: str) -> Found:
    return Found(Status.SKIPPED, why)


def named(name: str, told: Found, clean: Callable[[str], str]) -> Result:
    """One line each, without a secret."""
    found, advice = (" ".join(clean(text).split()) for text in (told.found, told.advice))
    return Result(name, told.status, found, advice)
