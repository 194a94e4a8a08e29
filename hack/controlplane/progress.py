"""Tells on stderr how far a long job is; stdout stays free for data.

On a terminal one line is rewritten; elsewhere a plain line appears now and then, so that a log
of CI shows that the job lives.
"""

import sys
import time

_REWRITE_EVERY = 0.2  # seconds; a terminal is not to flicker
_MINUTE = 60  # seconds
_NOISE = 3.0  # seconds; before that an estimate means nothing
_LINE_EVERY = 15.0  # seconds; a log is not to be flooded


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Progress:
    """One job of `total` parts, of which `done` are done."""

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = max(total, 1)
        self._terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._told = self._began
        self._open_line = False

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._told < (_REWRITE_EVERY if self._terminal else _LINE_EVERY):
            return
        self._told = now
        if self._terminal:
            print(f"\r\033[K{self._line(done, now)}", end="", file=sys.stderr, flush=True)
            self._open_line = True
        else:
            say(self._line(done, now))

    def close(self) -> None:
        if self._open_line:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._open_line = False

    def _line(self, done: int, now: float) -> str:
        done = min(done, self._total)
        line = f"{self._title}: {done} of {self._total} packages, {100 * done // self._total} %"
        spent = now - self._began
        if done and spent > _NOISE:
            line += f", about {duration(spent * (self._total - done) / done)} left"
        return line


def duration(seconds: float) -> str:
    """For people: `8 s`, `4 min 10 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < _MINUTE else f"{whole // _MINUTE} min {whole % _MINUTE} s"
