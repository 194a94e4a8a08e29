"""A pool without threads: what is submitted is done at once, so that a run can be replayed."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from typing_extensions import override

P = ParamSpec("P")
T = TypeVar("T")


class InTurn(Executor):
    """Implements `kube.paging.Pool`."""

    def __init__(self, at_once: int) -> None:
        del at_once

    @override
    def submit(self, act: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """What `act` raises that is no Exception, as of a process that is killed, goes through."""
        done: Future[T] = Future()
        try:
            done.set_result(act(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # told by `result`, as of any executor
            done.set_exception(error)
        return done
