"""The soak: three runs at once without a Lease, killed again and again, and so is the server.

What happened is judged afterwards, on what etcd committed; see `history.py` and `referee.py`.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.core.outcome import ExitCode
from tests.apiserver.objects import Body
from tests.apiserver.runs import Shop, steps
from tests.controlplane import ROOT
from tests.soak.actors import AWAY, Executor, Person, at_work
from tests.soak.history import WORKFLOW, History, recorded
from tests.soak.referee import Referee

CAP = 5
AT_ONCE = 3
_LOOK = 0.005  # seconds between two looks at the runs
_FIRST_GUESS = 2.0  # seconds that a run takes
_TAIL = 20  # lines of a log that explain an end
_LONGEST = 90.0  # seconds; a run that takes longer hangs
_PATIENCE = 600.0  # seconds until all is over, once nobody kills any more


@dataclass(frozen=True)
class Script:
    """What is to happen; the same seed rolls the same dice, though never the same race."""

    workflows: int
    kills: int
    restarts: int
    seed: int
    retries: int = 1  # at most; each costs half a minute


@dataclass
class Report:
    """What did happen."""

    script: Script
    seconds: float = 0.0
    numbers: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"{self.script}, {self.seconds:.0f} s"
        for what, count in sorted(self.numbers.items()):
            yield f"{count:6}  {what}"
        yield f"{len(self.violations):6}  violations"
        yield from self.violations


@dataclass
class Run:
    """One process of `reconciler run`."""

    process: subprocess.Popen[bytes]
    log: Path
    began: float
    kill_at: float
    startled: bool  # is killed by the first status write from then on, its own or another's
    seen: int  # status writes, before its hour
    restarts: int  # of the server, when it began

    @property
    def tail(self) -> str:
        """The end of what it said."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL:])


@dataclass
class Server:
    """kube-apiserver of a control plane of ours: it dies when it is told to, and comes back."""

    kubeconfig: Path
    restarts: int = 0
    _restart: subprocess.Popen[bytes] | None = None

    @property
    def etcd(self) -> str:
        state = json.loads((self.kubeconfig.parent / "state.json").read_text())
        address: str = state["etcd"]
        return address

    @property
    def away(self) -> bool:
        """Whether it may be; a restart that is over is counted."""
        if self._restart is not None and (code := self._restart.poll()) is not None:
            assert code == 0, "kube-apiserver was not restarted"
            self._restart, self.restarts = None, self.restarts + 1
        return self._restart is not None

    def restart(self) -> None:
        """Begins it; everything else goes on."""
        self._restart = subprocess.Popen(
            [sys.executable, str(ROOT / "hack" / "cluster"), "restart-apiserver"],
            env=os.environ | {"KUBECONFIG": str(self.kubeconfig)},
        )


@dataclass
class Crew:
    """The runs: as many at once as there are slots, each with an hour to die at or none.

    One in two dies just after a status was written: slots are reserved, no child may be there yet.
    """

    shop: Shop
    server: Server
    script: Script
    dice: random.Random
    folder: Path
    report: Report
    history: History
    kills: int = 0
    slots: list[Run] = field(default_factory=list)
    lasted: list[float] = field(default_factory=list)

    def turn(self) -> None:
        """Whoever is due is killed, who is over is replaced."""
        time.sleep(_LOOK)
        now = time.monotonic()
        for run in list(self.slots):
            if run.process.poll() is None and self._due(run, now):
                run.process.kill()
                run.process.wait()  # so that it counts before the next is looked at
            if run.process.poll() is not None:
                self._over(run, now)
            elif now - run.began > _LONGEST:
                run.process.kill()
                self.report.violations.append(f"a run hangs:\n{run.tail}")
        while len(self.slots) < AT_ONCE:
            self.slots.append(self._run(now))

    def _due(self, run: Run, now: float) -> bool:
        if now < run.kill_at or self.kills >= self.script.kills:
            run.seen = self.history.writes
            return False
        return not run.startled or run.seen < self.history.writes

    def last(self) -> None:
        """Nobody is killed any more; what still repeats its passes is asked to stop."""
        for run in list(self.slots):
            run.process.terminate()
            code = run.process.wait(_LONGEST)
            if code != -signal.SIGTERM:  # else it was asked before it could listen
                self._over(run, time.monotonic(), code)
        self.slots.clear()

    def calm(self) -> None:
        """One run, alone, to its end."""
        run = self._run(time.monotonic(), calm=True)
        self._over(run, time.monotonic(), run.process.wait(_LONGEST))

    def _run(self, now: float, *, calm: bool = False) -> Run:
        """One pass, or a pass a second; at any moment of it the end may come."""
        deadly = self.kills < self.script.kills and not calm
        repeated = deadly and self.dice.choice((True, False))
        usual = statistics.median(self.lasted[-9:] or [_FIRST_GUESS])
        reach = usual * (3 if repeated else 1.2)
        log = self.folder / f"run-{self.report.numbers['runs']}.log"
        self.report.numbers["runs"] += 1
        flags = ("--no-lease", *(("--interval", "1s") if repeated else ()))
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.shop.command(*flags),
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=output,
            )
        kill_at = now + self.dice.uniform(0, reach) if deadly else float("inf")
        startled = self.dice.choice((True, False))
        return Run(process, log, now, kill_at, startled, self.history.writes, self.server.restarts)

    def _over(self, run: Run, now: float, code: int | None = None) -> None:
        code = run.process.poll() if code is None else code
        if run in self.slots:
            self.slots.remove(run)
        if code == -signal.SIGKILL:
            self.kills += 1
            return
        self.lasted.append(now - run.began)
        self.report.numbers[f"runs that ended with {code}"] += 1
        # A server that was away is exit 4, and no other excuse is taken.
        excused = code == ExitCode.CLUSTER and (
            self.server.away or run.restarts < self.server.restarts
        )
        if code != 0 and not excused:
            self.report.violations.append(f"a run ended with {code}:\n{run.tail}")


def play(shop: Shop, script: Script, server: Server, folder: Path) -> Report:
    """The whole of it; nothing is left running."""
    began, report = time.monotonic(), Report(script)
    dice = random.Random(script.seed)  # noqa: S311  # so that a soak can be tried again
    executor = Executor(shop, random.Random(script.seed + 1))  # noqa: S311  # the same
    person = Person(shop, random.Random(script.seed + 2))  # noqa: S311  # the same
    with recorded(server.etcd, shop.namespace) as history:
        crew = Crew(shop, server, script, dice, folder, report, history)
        try:
            with at_work(executor, person) as go_home:
                _storm(crew)
                go_home.set()
                _until_all_is_over(crew)
            _rest(crew)
        finally:
            for run in crew.slots:
                run.process.kill()
    referee = Referee(CAP)
    referee.see(history.changes, deleted=executor.deleted)
    report.violations += [*referee.violations, *referee.ends()]
    report.numbers |= referee.numbers
    report.numbers |= {"SIGKILLs": crew.kills, "restarts of kube-apiserver": server.restarts}
    report.seconds = time.monotonic() - began
    return report


def _storm(crew: Crew) -> None:
    """Kills and restarts, over workflows that come as they go: there is always work to hit."""
    script, server, made = crew.script, crew.server, 0
    while crew.kills < script.kills or server.restarts < script.restarts:
        done = crew.kills / script.kills
        while made < script.workflows * min(1.0, done + 0.3) and _made(crew, made):
            made += 1
        if not server.away and server.restarts < script.restarts * done - 0.3:
            server.restart()
        crew.turn()


def _made(crew: Crew, number: int) -> bool:
    """One more workflow; not while the server is away."""
    name, spec = f"w{number}", _spec(crew.dice, crew.script)
    try:
        code, _ = crew.shop.workflows.create(name, spec=spec)
    except AWAY:
        return False
    return code in (201, 409)  # 409: it was made, and the answer was lost


def _spec(dice: random.Random, script: Script) -> Body:
    names = [f"s{number}" for number in range(dice.randint(3, 9))]
    some = [
        {
            **step,
            "dependsOn": dice.sample(names[:at], min(at, dice.choice((0, 1, 1, 2)))),
            "retries": dice.choice((0, 0, script.retries)),
        }
        for at, step in enumerate(steps(*names))
    ]
    return {
        "workflowDefinition": {"steps": some},
        "maxConcurrentSteps": dice.choice((1, 2, 3, 5, 10)),
        "failurePolicy": dice.choice(("FailFast", "Continue")),
    }


def _until_all_is_over(crew: Crew) -> None:
    give_up = time.monotonic() + _PATIENCE
    while not all(each.get("status", {}).get("settled") for each in crew.history.of(WORKFLOW)):
        if time.monotonic() > give_up:
            break  # the referee says what is left
        crew.turn()
    crew.last()


def _rest(crew: Crew) -> None:
    """Two clean runs, and a third that writes nothing (I6)."""
    crew.calm()
    crew.calm()
    before = len(crew.history.changes)
    crew.calm()
    if len(crew.history.changes) != before:
        crew.report.violations.append("a third clean run still had something to write (I6)")
