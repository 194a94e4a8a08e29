"""Starts and ends control planes: one that lasts (`up`, `down`), or one for a command (`run`).

`run` promises that nothing is left when it returns, and, should it never return because something
killed it, that its keeper notices and leaves nothing either.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from hack.controlplane import daemons, keeper, locks
from hack.controlplane.binaries import Binaries, binaries
from hack.controlplane.places import SCRIPT, lasting, throwaway
from hack.controlplane.progress import say
from hack.controlplane.trouble import Trouble

_LOCK = "keeper.lock"
_LOOK = 0.2  # seconds between two looks at our caller
_GRACE = 10.0  # seconds that a command has after SIGTERM
_END = 20.0  # seconds that a keeper has to end
_RESTART = 120.0  # seconds that it has to restart kube-apiserver; about 5 on an idle machine


@dataclass(frozen=True)
class Running:
    """A control plane that is up, as its keeper recorded it."""

    directory: Path
    state: Mapping[str, Any]

    @classmethod
    def read(cls, directory: Path) -> Self:
        return cls(directory, json.loads((directory / keeper.STATE).read_text()))

    @property
    def kubeconfig(self) -> Path:
        return Path(self.state["kubeconfig"])

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to find it; kubectl comes last on PATH, for who has none."""
        folders = [os.environ.get("PATH", os.defpath), *self.state["programs"]]
        return {
            "KUBECONFIG": self.state["kubeconfig"],
            "RECONCILER_AUDIT_LOG": self.state["auditLog"],
            "PATH": os.pathsep.join(folders),
        }


def current() -> Running | None:
    """The lasting control plane, when it is up."""
    if not locks.held(lasting() / _LOCK) or not (lasting() / keeper.STATE).exists():
        return None
    return Running.read(lasting())


def last_words() -> Path:
    """Why a lasting control plane ended that nobody ended; empty when there is nothing to tell."""
    return lasting().with_suffix(".log")


def up() -> Running:
    """The lasting control plane, started when it is not there."""
    programs = binaries()
    with _alone():
        running = current()
        if running is not None:
            if running.state["programs"] != [str(programs.kubernetes), str(programs.kwok)]:
                say("It runs other versions than this checkout pins: see hack/cluster down")
            return running
        shutil.rmtree(lasting(), ignore_errors=True)  # what a killed keeper left
        with _Keeper(lasting(), programs, lasts=True) as kept:
            return kept.ready()


def down() -> bool:
    """Ends the lasting control plane; False when there was none."""
    with _alone():
        running = current()
        if running is None:
            shutil.rmtree(lasting(), ignore_errors=True)
            return False
        os.kill(int(running.state["keeper"]), signal.SIGTERM)  # it lives: its lock is held
        give_up = time.monotonic() + _END
        while locks.held(lasting() / _LOCK):
            if time.monotonic() > give_up:
                raise Trouble(f"The keeper (pid {running.state['keeper']}) does not end")
            time.sleep(0.05)
    return True


def restart_apiserver() -> None:
    """Kills kube-apiserver of KUBECONFIG's control plane, else of the lasting one; ready again.

    What it was doing at that moment is cut off; etcd and all that is in it stay.
    """
    running = _meant()
    os.kill(int(running.state["keeper"]), keeper.RESTART)  # it lives: its lock is held
    give_up = time.monotonic() + _RESTART
    while Running.read(running.directory).state["restarts"] == running.state["restarts"]:
        if not locks.held(running.directory / _LOCK):
            raise Trouble("The control plane ended, its starter tells why")
        if time.monotonic() > give_up:
            raise Trouble(f"The keeper (pid {running.state['keeper']}) does not restart it")
        time.sleep(0.05)


def _meant() -> Running:
    directory = Path(os.environ.get("KUBECONFIG", "") or lasting() / "kubeconfig").parent
    if not locks.held(directory / _LOCK) or not (directory / keeper.STATE).exists():
        raise Trouble(
            "KUBECONFIG is of no control plane that runs here",
            "Ask from within hack/cluster run, or start one with: hack/cluster up",
        )
    return Running.read(directory)


def run(command: Sequence[str]) -> int:
    """A fresh control plane for one command; its exit code, as a shell would tell it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _raise)
    caller = os.getppid()
    try:
        programs = binaries()
        with _fresh_keeper(programs) as kept:
            return _run(command, kept.ready(), caller)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except _Told as told:
        return 128 + told.number


class _Told(BaseException):
    """A signal arrived; like KeyboardInterrupt, it is nobody's error."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _raise(number: int, _frame: FrameType | None) -> NoReturn:
    raise _Told(number)


class _Keeper:
    """The keeper of one directory, seen from its starter; see keeper.py."""

    def __init__(self, directory: Path, programs: Binaries, *, lasts: bool) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = locks.take(directory / _LOCK)
        if lock is None:
            raise Trouble(f"{directory} is in use")
        self._directory = directory
        self._lasts = lasts
        folders = (directory, programs.kubernetes, programs.kwok)
        extra = [] if lasts else ["--until-stdin-closes"]
        output = last_words().open("wb") if lasts else None
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "keep", *map(str, folders), *extra],
            stdin=subprocess.DEVNULL if lasts else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            pass_fds=[lock],  # the lock lives as long as the keeper does
            start_new_session=True,  # Ctrl-C is for us alone
            text=True,
        )
        os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """One that lasts stays, when all went well; else it ends, and so does all that it kept."""
        if self._lasts and kind is None:
            return
        if self._lasts:
            self._process.terminate()
        elif self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its daemons die with it, its files are left to us
        shutil.rmtree(self._directory, ignore_errors=True)
        for line in self._process.stdout or ():
            report = json.loads(line)
            if report["kind"] == keeper.FAILED and kind is None:
                say(f"The control plane ended early: {report['text']}")

    def ready(self) -> Running:
        """Waits until all is up, and tells on a terminal what is being done."""
        for line in self._process.stdout or ():
            report = json.loads(line)
            if report["kind"] == keeper.READY:
                return Running.read(self._directory)
            if report["kind"] == keeper.FAILED:
                raise Trouble(f"The control plane did not start: {report['text']}")
            if sys.stderr.isatty():
                say(f"Starting {report['text']}")
        raise Trouble("The control plane did not start: its keeper was killed")


@contextmanager
def _alone() -> Iterator[None]:
    lock = lasting().with_suffix(".lock")
    with locks.holding(lock, lambda: say("Another process starts or ends it: waiting")):
        yield


def _fresh_keeper(programs: Binaries) -> _Keeper:
    """A keeper in a directory of its own; those of keepers that were killed are swept away."""
    with locks.holding(throwaway() / "runs.lock"):  # nobody sweeps what is only being made
        for left in throwaway().glob("run-*"):
            if not locks.held(left / _LOCK):
                shutil.rmtree(left, ignore_errors=True)
        directory = throwaway() / f"run-{os.getpid()}-{time.monotonic_ns():x}"
        return _Keeper(directory, programs, lasts=False)


def _run(command: Sequence[str], running: Running, caller: int) -> int:
    try:
        process = subprocess.Popen(
            command,
            env=os.environ | running.environment,
            preexec_fn=daemons.dies_with_parent(signal.SIGTERM),  # noqa: PLW1509  # one thread
        )
    except OSError as error:
        say(f"hack/cluster: {command[0]}: {error.strerror}")
        return 127 if isinstance(error, FileNotFoundError) else 126
    code = _waited(process, caller)
    return code if code >= 0 else 128 - code


def _waited(process: subprocess.Popen[bytes], caller: int) -> int:
    """Waits for the command, hands on what we are told, and does not outlive our caller."""
    give_up = float("inf")
    while True:
        try:
            if os.getppid() != caller and give_up == float("inf"):
                raise _Told(signal.SIGTERM)  # noqa: TRY301  # as if we had been told
            if time.monotonic() > give_up:
                process.kill()
            return process.wait(_LOOK)
        except subprocess.TimeoutExpired:
            continue
        except KeyboardInterrupt:
            if not _from_terminal():
                process.send_signal(signal.SIGINT)
        except _Told as told:
            process.send_signal(told.number)
            give_up = time.monotonic() + _GRACE


def _from_terminal() -> bool:
    """Whether Ctrl-C on our terminal reached the command as well: it shares our process group."""
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
