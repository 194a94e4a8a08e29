"""A list, whole or not at all (contract 1, observe; contract 7, gone).

Pages are of one moment: the server sees to that as long as the token of the next page is its own.
When it has forgotten that moment (410), the list is read again from its first page, twice at most.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
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

Pool = Callable[[int], Executor]  # what makes so many requests side by side

_READINGS = 3  # the first and two more
_PAGE_BYTES = 2 << 20  # of JSON; as Python's values five times as much, and two pages are held


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A complete list; `at` is the server's time of its first page."""

    items: Sequence[T]
    at: datetime | None


@dataclass(frozen=True, slots=True)
class _Page:
    items: Sequence[Json]
    token: str
    at: datetime | None
    weight: int  # bytes

    @property
    def next_limit(self) -> int | None:
        """Objects on the next page, when they are as heavy as those on this one."""
        return max(1, _PAGE_BYTES * len(self.items) // self.weight) if self.items else None


def read_list(
    calls: Calls,
    first: Request,
    project: Callable[[Json], T | None],
    pool: Pool = ThreadPoolExecutor,
) -> Listed[T]:
    """Every item as `project` makes it, without those it makes None of, page after page.

    Raises:
        Unreachable: also when the server forgot the list three times.
    """
    for _ in range(_READINGS):
        try:
            return _reading(calls, first, project, pool)
        except Gone as error:
            gone = error
    raise Unreachable(f"{gone}; the list expired {_READINGS} times while it was read") from gone


def _reading(
    calls: Calls, first: Request, project: Callable[[Json], T | None], pool: Pool
) -> Listed[T]:
    """The server makes the next page while this one is made into values; two are held at most."""
    page = calls.make(first, _page)
    items, at = list[T](), page.at
    with pool(1) as ahead:
        while page.token:
            coming = ahead.submit(calls.make, first.after(page.token, page.next_limit), _page)
            items += _projected(page, project)
            page = coming.result()
    return Listed([*items, *_projected(page, project)], at)


def _page(request: Request, response: Response) -> _Page:
    return _Page(*codec.read_page(request, response), response.at, len(response.body))


def _projected(page: _Page, project: Callable[[Json], T | None]) -> Iterator[T]:
    return (item for item in map(project, page.items) if item is not None)
