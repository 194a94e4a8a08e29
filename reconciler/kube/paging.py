"""A list, whole or not at all (contract 1, observe; contract 7, gone).

Pages are of one moment: the server sees to that as long as the token of the next page is its own.
When it has forgotten that moment (410), the list is read again from its first page, twice at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from reconciler.errors import Gone, Unreachable
from reconciler.kube import codec
from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.codec import Json
from reconciler.kube.requests import Request

T = TypeVar("T")

_READINGS = 3  # the first and two more


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A complete list; `at` is the server's time of its first page."""

    items: Sequence[T]
    at: datetime | None


@dataclass(frozen=True, slots=True)
class _Page(Generic[T]):
    items: list[T]
    token: str
    at: datetime | None


def read_list(calls: Calls, first: Request, project: Callable[[Json], T | None]) -> Listed[T]:
    """Every item as `project` makes it, without those it makes None of, page after page.

    Raises:
        Unreachable: also when the server forgot the list three times.
    """
    for _ in range(_READINGS):
        try:
            return _reading(calls, first, project)
        except Gone as error:
            gone = error
    raise Unreachable(f"{gone}; the list expired {_READINGS} times while it was read") from gone


def _reading(calls: Calls, first: Request, project: Callable[[Json], T | None]) -> Listed[T]:
    def read(request: Request, response: Response) -> _Page[T]:
        raw, token = codec.read_page(request, response)
        items = [item for item in map(project, raw) if item is not None]
        return _Page(items, token, response.at)

    page = calls.make(first, read)
    items, at = page.items, page.at
    while page.token:
        page = calls.make(first.after(page.token), read)
        items += page.items
    return Listed(items, at)
