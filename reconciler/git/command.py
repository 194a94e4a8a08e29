"""Runs git: a fixed argument list, an environment from scratch, bounds on time and size.

The home of GitPython. It starts the process; its command methods and object model are not used,
because they build argument lists out of what they are given. Nothing that a repository or a remote
says comes where an option could stand, and no shell sees it.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from reconciler.git.messages import Told
from reconciler.seams import Deadline

# All that is inherited: any other variable could change what git, ssh or curl do.
_INHERITED = frozenset(
    (
        *("PATH", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    )
)
_POLL_SECONDS = 0.2  # how late SIGTERM, the deadline or a bound may be noticed
_MIB = 1 << 20
_READ_BYTES = 1 << 16
_TURNS = _MIB // _READ_BYTES
_MAX_STDERR = 1 << 16
_NO_PROGRAM = 127  # what `env` ends with where there is no git
_NOT_FOUND = "git was not found: install it, or correct PATH"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one source: no repository may use up the run, or the memory of its pod."""

    file_bytes: int = 256 * 1024
    files: int = 1_000
    total_bytes: int = 8 * _MIB
    fetched_bytes: int = 256 * _MIB  # one commit, packed; git itself knows no bound
    listed_bytes: int = 32 * _MIB  # the names of all files of the commit
    seconds: float = 60.0  # one command; and never more than half of the time that is left


class Git:
    """The git program in one folder of its own, for one remote."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        deadline: Deadline,
        limits: Limits,
        told: Told,
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._deadline = deadline
        self._limits = limits
        self._told = told

    def run(self, *arguments: str, given: bytes = b"", most: int = _MIB) -> bytes:
        """What a command prints. `given` is its input, `most` bounds what it may print.

        Raises:
            SourceError: it failed, took too long or printed too much.
            DeadlinePassed: the run has no time left.
        """
        self._deadline.check()
        command = arguments[0]
        with _stream(given) as stream, self._start(arguments, stream) as process:
            try:
                out, err = self._collect(process, command, most)
            finally:
                _kill(process)
        if process.returncode == _NO_PROGRAM and not out:
            raise self._told.error(_NOT_FOUND)
        if process.returncode != 0:
            raise self._told.failed(command, err)
        return out

    def _start(
        self, arguments: Sequence[str], stream: BinaryIO | None
    ) -> "subprocess.Popen[bytes]":
        try:
            # Imported late: it costs a tenth of a second, and looks for git at once.
            from git.cmd import Git as GitPython  # noqa: PLC0415
        except ImportError:
            raise self._told.error(_NOT_FOUND) from None
        # GitPython only adds to the environment; `env` takes away.
        gone = os.environ.keys() - _INHERITED - self._environment.keys()  # noqa: TID251 - names
        unset = [part for name in sorted(gone) for part in ("-u", name)]
        handle = GitPython(str(self._folder)).execute(
            ["env", *unset, "git", *arguments],
            istream=stream,
            as_process=True,
            env=self._environment,
            start_new_session=True,  # so that ssh and git's own helpers are killed with it
        )
        process = handle.proc
        if process is None:
            raise self._told.error(f"git {arguments[0]} did not start")
        handle.proc = None  # it is ours to end: a finalizer would end git alone, and later
        return process

    def _collect(
        self, process: "subprocess.Popen[bytes]", command: str, most: int
    ) -> tuple[bytes, str]:
        """Both streams to their ends, and the end of the process."""
        allowed = min(self._limits.seconds, self._deadline.remaining / 2)
        ends = self._deadline.elapsed + allowed
        out, err = bytearray(), bytearray()
        for _ in _polls(process, out, err):
            self._deadline.check()
            del err[_MAX_STDERR:]
            if self._deadline.elapsed > ends:
                raise self._told.error(f"git {command} took longer than {allowed:.0f} s")
            if len(out) > most:
                raise self._told.error(
                    f"git {command} printed more than {most // _MIB} MiB, more than is read"
                )
            # Asked of nothing else: an answer of megabytes is polled hundreds of times.
            if command == "fetch" and self._fetched() > self._limits.fetched_bytes:
                raise self._told.error(
                    f"the commit is larger than {self._limits.fetched_bytes // _MIB} MiB: "
                    "keep workflows in a repository of their own, or raise --source-max-fetch"
                )
        return bytes(out), err.decode("utf-8", "replace")

    def _fetched(self) -> int:
        """Bytes of the packs so far."""
        total = 0
        with contextlib.suppress(OSError):  # not there yet, or a file that was just renamed
            for entry in os.scandir(self._folder / "repository" / "objects" / "pack"):
                total += entry.stat(follow_symlinks=False).st_size
        return total


def _polls(process: "subprocess.Popen[bytes]", out: bytearray, err: bytearray) -> Iterator[None]:
    """Fills both as the process prints; yields at least every poll, until it has ended.

    While it prints without a pause, once a mebibyte: what is asked then costs more than to read.
    """
    due = time.monotonic() + _POLL_SECONDS
    with selectors.DefaultSelector() as selector:
        for stream, buffer in ((process.stdout, out), (process.stderr, err)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, buffer)
        turns = 0
        while selector.get_map():
            for key, _ in selector.select(_POLL_SECONDS):
                data = os.read(key.fd, _READ_BYTES)
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
            turns += 1
            if turns % _TURNS == 0 or time.monotonic() >= due:
                yield
                due = time.monotonic() + _POLL_SECONDS
        yield
    while process.poll() is None:  # it closed its streams and goes on
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
        yield


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """The process and all that it started, where it has not ended by itself."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def _stream(given: bytes) -> Iterator[BinaryIO | None]:
    """A file that the process reads: a pipe would have to be filled while its output is read."""
    if not given:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file
