"""The process that a control plane lives and dies with: parent of its daemons, and their end.

It ends when it is told to (SIGTERM), when the process that started it is gone (its stdin closes,
for `run`), or when one of the daemons is. However it ends, SIGKILL included, no daemon is left;
unless it was SIGKILL, no file is left either.

SIGUSR1 asks it to kill kube-apiserver and to start it again; the record counts how often it did.
It holds a lock on its directory while it lives, and speaks to its starter in lines of JSON.
"""

import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from hack.controlplane import daemons
from hack.controlplane.binaries import Binaries
from hack.controlplane.cluster import Cluster
from hack.controlplane.daemons import Daemon
from hack.controlplane.trouble import Trouble

_ATTEMPTS = 3  # starts; a port may be taken between choosing and using it
_LOOK = 1.0  # seconds between two looks at the daemons

RESTART = signal.SIGUSR1
STATE = "state.json"  # what it records, in its directory

# Between the keeper and its starter: what is being started, that all is up, or why it is not.
STEP, READY, FAILED = "step", "ready", "failed"


class _Ended(Exception):  # noqa: N818  # not an error: our time has come
    """We were told to end, or nobody needs us any more."""


def keep(directory: Path, programs: Binaries, *, until_stdin_closes: bool) -> int:
    """Start a control plane, stay with it, and leave nothing behind."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _told)
    asked = _Asked()
    signal.signal(RESTART, asked)
    watch = _Watch(stdin=until_stdin_closes)
    cluster = Cluster(directory, programs, watch.pause)
    try:
        cluster = _started(cluster)
        _report(READY)
        while True:
            watch.pause(_LOOK, cluster.daemons)
            if asked.since_last():
                cluster.restart_apiserver()
                _record_restart(cluster)
    except _Ended:
        return 0
    except Trouble as trouble:
        _report(FAILED, str(trouble))
        return 1
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        daemons.end(cluster.daemons)
        shutil.rmtree(directory, ignore_errors=True)


class _Asked:
    """Whether somebody asked for a restart; noted by the signal, done between two looks."""

    def __init__(self) -> None:
        self._noted = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self._noted = True

    def since_last(self) -> bool:
        noted, self._noted = self._noted, False
        return noted


class _Watch:
    """Waiting that notices when there is nothing left to wait for."""

    def __init__(self, *, stdin: bool) -> None:
        self._readable = [sys.stdin.fileno()] if stdin else []

    def pause(self, seconds: float, running: Sequence[Daemon]) -> None:
        if select.select(self._readable, [], [], seconds)[0]:
            raise _Ended  # nobody writes to our stdin: it is readable when it is closed
        for daemon in running:
            code = daemon.process.poll()
            if code is not None:
                raise Trouble(f"{daemon.name} ended ({code}); the end of its log:\n{daemon.tail}")


def _started(cluster: Cluster) -> Cluster:
    for attempt in range(1, _ATTEMPTS + 1):
        began = time.monotonic()
        try:
            server = cluster.start(lambda step: _report(STEP, step))
        except Trouble as trouble:
            if attempt == _ATTEMPTS or "address already in use" not in str(trouble):
                raise
            daemons.end(cluster.daemons)
            cluster.daemons.clear()
            shutil.rmtree(cluster.directory / "etcd", ignore_errors=True)
        else:
            _record(cluster, server, time.monotonic() - began)
            break
    return cluster


def _record(cluster: Cluster, server: str, seconds: float) -> None:
    """What `status` shows and others may read."""
    _write(
        cluster,
        {
            "keeper": os.getpid(),
            "server": server,
            "etcd": cluster.etcd,
            "kubeconfig": str(cluster.kubeconfig),
            "auditLog": str(cluster.audit_log),
            "programs": [str(cluster.binaries.kubernetes), str(cluster.binaries.kwok)],
            "pids": _pids(cluster),
            "restarts": 0,
            "seconds": round(seconds, 1),
        },
    )


def _record_restart(cluster: Cluster) -> None:
    state = json.loads((cluster.directory / STATE).read_text())
    _write(cluster, state | {"pids": _pids(cluster), "restarts": state["restarts"] + 1})


def _pids(cluster: Cluster) -> dict[str, int]:
    return {daemon.name: daemon.process.pid for daemon in cluster.daemons}


def _write(cluster: Cluster, state: Mapping[str, object]) -> None:
    """At once or not at all: somebody may be reading."""
    draft = cluster.directory / "state.draft"
    draft.write_text(json.dumps(state, indent=2) + "\n")
    draft.replace(cluster.directory / STATE)


def _report(kind: str, text: str = "") -> None:
    try:
        print(json.dumps({"kind": kind, "text": text}), flush=True)
    except BrokenPipeError:  # our starter is gone; stderr is the log of one that lasts
        sys.stdout = sys.stderr
        print(text, file=sys.stderr)


def _told(_number: int, _frame: FrameType | None) -> None:
    raise _Ended
