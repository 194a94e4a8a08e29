"""How this process is asked to stop, and how it leaves (contract 7). Standard library alone.

SIGTERM and SIGINT ask; they never end a run in the middle. The handlers stand before anything slow
is imported: as the first process of a container, a signal without a handler is lost.
"""

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn


class Stop:
    """Whether somebody asked. A second Ctrl-C ends the process at once."""

    def __init__(self) -> None:
        self.asked = False
        self._tell: Callable[[], None] = lambda: None

    def listen(self) -> "Stop":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self)
        return self

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        if self.asked:  # a handler can be interrupted by the next signal: never tell twice
            return
        self.asked = True
        self._tell()

    def tells(self, tell: Callable[[], None]) -> None:
        """Calls it when somebody asks, or now when somebody has asked already."""
        self._tell = tell
        if self.asked:
            tell()


def leave(code: int) -> NoReturn:
    """Without the interpreter's own teardown, which takes as long as a small run.

    The exit functions still run: the Kubernetes client's one deletes the copies of a kubeconfig's
    keys that it made.
    """
    atexit._run_exitfuncs()  # noqa: SLF001  # there is no public name for it
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # its reader is gone, or it was closed
            stream.flush()
    os._exit(code)
