"""Starts programs that cannot outlive us, whatever ends us, and ends them at once.

On Linux the kernel kills them when their parent dies, even by SIGKILL. They are killed, never
asked: the data they would tidy up is thrown away, and kube-apiserver takes seconds to say goodbye.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_TAIL = 12  # lines of a log that explain an end
_WIDTH = 300  # characters of each


@dataclass(frozen=True)
class Daemon:
    """A program that is to run as long as its control plane."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL:]
        return "\n".join(line[:_WIDTH] for line in lines)


def start(name: str, command: Sequence[str], log: Path) -> Daemon:
    """One daemon, its output in a file, its life tied to ours.

    Nothing of the user's environment or home reaches it: etcd reads ETCD_*, KWOK ~/.kwok. The log
    of one that is started again goes on where it ended.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={"HOME": str(log.parent), "PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with_parent(signal.SIGKILL),  # noqa: PLW1509  # we have one thread
        )
    return Daemon(name, command, process, log)


def end(daemons: Sequence[Daemon]) -> None:
    """All gone when it returns."""
    for daemon in daemons:
        daemon.process.kill()
    for daemon in daemons:
        daemon.process.wait()


def dies_with_parent(number: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends this signal to the child when our main thread is gone."""
    if not sys.platform.startswith("linux"):
        return lambda: None  # the keeper's own watch is what is left
    parent = os.getpid()
    libc = ctypes.CDLL(None)  # loaded before the fork: after it, only calls are safe

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the kernel was asked
            os.kill(os.getpid(), number)

    return ask_the_kernel


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody had a moment ago; held together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
