"""`make demo`: a commit becomes a finished workflow, on a real API server.

Sets up what is missing, makes a git repository out of gitops/workflows, and runs `reconciler run`
pass after pass while KWOK plays the executor. What it starts besides the control plane it ends.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hack.demo import board
from hack.demo.board import Kubectl, heading, paint

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "hack" / "cluster"
WORKFLOWS = ROOT / "gitops" / "workflows"
PART_OF = "app.kubernetes.io/part-of=reconciler-demo"

_PERIOD = 1.5  # seconds between two passes; a CronJob's schedule stands here
_PASSES = 20  # more than the example needs: a demo that hangs says so
_TOLD = (
    "reconciler_last_success_timestamp_seconds",
    "reconciler_run_duration_seconds",
    "reconciler_workflows",
    "reconciler_slots",
    "reconciler_documents",
    "reconciler_source_info",
    "reconciler_steps_created",
)
_SHARED = re.compile(r'(?:instance|job|namespace|shard|source)="[^"]*",?')


@dataclass(frozen=True)
class Repository:
    """The demo's git repository: what a platform team would keep at its forge."""

    folder: Path

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Dana", "-c", "user.email=dana@example.org")
        return subprocess.run(
            ["git", "-C", str(self.folder), *identity, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("-c", "commit.gpgsign=false", "commit", "-q", "-m", message)
        return self.git("rev-parse", "--short", "HEAD")


@dataclass(frozen=True)
class Stage:
    """Where the story plays."""

    kubectl: Kubectl
    repository: Repository
    gateway: str

    def run(self) -> None:
        """One run of the reconciler, as the CronJob would start it."""
        subprocess.run(
            [
                sys.executable, "-m", "reconciler", "run",
                "--source-url", f"file://{self.repository.folder}",
                "--source-name", "demo",
                "--pushgateway-url", self.gateway,
                "--kubeconfig", self.kubectl.kubeconfig,
                "--namespace", self.kubectl.namespace,
            ],
            check=True,
            cwd=ROOT,
        )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kubeconfig", help="take this cluster instead of a local control plane")
    arguments = parser.parse_args()
    try:
        with _stage(arguments.kubeconfig) as stage:
            _story(stage)
    except subprocess.CalledProcessError as error:
        print(f"the demo ends here: {error.cmd[0]} failed; its words stand above", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _story(stage: Stage) -> None:
    kubectl, repository = stage.kubectl, stage.repository
    heading("1. A commit: five workflows")
    shutil.copytree(WORKFLOWS, repository.folder, dirs_exist_ok=True, ignore=_broken)
    print(f"  {repository.commit('Remediation workflows of the shop')} in {repository.folder}")
    _passes(stage)

    heading("2. Another run: nothing has changed, so nothing is written")
    before = board.versions(kubectl)
    stage.run()
    same = before == board.versions(kubectl)
    print(f"  objects before and after: {'the same' if same else 'NOT the same'}, {len(before)}")

    heading("3. Another commit: new content for one workflow, and one that can never run")
    _edit(repository.folder)
    shutil.copytree(WORKFLOWS / "broken", repository.folder / "broken")
    print(f"  {repository.commit('Scale checkout further; check the ring of caches')}")
    _passes(stage)

    heading("Events")
    print(board.events(kubectl))
    heading(f"Gauges, as pushed to {stage.gateway}")
    print(_gauges(stage.gateway))
    heading("Who did what: git log, and the runs that each commit started")
    print(_history(stage))
    _what_next(stage)


def _passes(stage: Stage) -> None:
    for number in range(1, _PASSES + 1):
        print(paint(f"\n  -- pass {number} --", "2"), flush=True)
        stage.run()
        rows = board.rows(stage.kubectl)
        board.show(rows)
        if not board.busy(rows):
            return
        time.sleep(_PERIOD)
    sys.exit(f"still at work after {_PASSES} passes: kubectl get we -n {stage.kubectl.namespace}")


def _broken(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "broken"]


def _edit(folder: Path) -> None:
    """Another number of replicas: a new content, and so a new run of that definition alone."""
    for path in sorted(folder.rglob("*.yaml")):
        text = path.read_text()
        changed = re.sub(
            r"replicas: (\d+)", lambda found: f"replicas: {int(found[1]) + 1}", text, count=1
        )
        if changed != text:
            path.write_text(changed)
            return
    sys.exit("no workflow of the example scales a Deployment")


def _gauges(gateway: str) -> str:
    """The pushed samples, without the labels that all of them share; zeros are left out."""
    with urllib.request.urlopen(f"{gateway}/metrics", timeout=5) as answer:  # noqa: S310  # ours
        lines = answer.read().decode().splitlines()
    told = [line for line in lines if line.startswith(_TOLD) and not line.endswith(" 0")]
    return "\n".join(
        f"  {_SHARED.sub('', line).replace(',}', '}').replace('{}', '')}" for line in told
    )


def _history(stage: Stage) -> str:
    runs: dict[str, list[str]] = {}
    for item in stage.kubectl.items("workflowexecutions"):
        commit = item["metadata"].get("annotations", {}).get(board.COMMIT, "")
        phase = item.get("status", {}).get("phase", "(new)")
        runs.setdefault(commit, []).append(f"{item['metadata']['name']} {phase}")
    lines = []
    for line in stage.repository.git("log", "--format=%H %h %an: %s").splitlines():
        commit, told = line.split(" ", 1)
        lines += [f"  {told}", *(f"      {run}" for run in sorted(runs.get(commit, ["no run"])))]
    return "\n".join(lines)


def _what_next(stage: Stage) -> None:
    heading("Now you: three commands to try")
    kubectl = "kubectl" if shutil.which("kubectl") else stage.kubectl.program
    cluster = f"--kubeconfig {stage.kubectl.kubeconfig} -n {stage.kubectl.namespace}"
    waiting = next((row.name for row in board.rows(stage.kubectl) if not row.settled), "NAME")
    approval = '{"spec": {"approvals": [{"step": "upgrade", "by": "me"}]}}'
    print(
        f"  {kubectl} {cluster} get workflowrecords        # what ran, from which content\n"
        f"  {kubectl} {cluster} patch we {waiting} --type merge -p '{approval}'\n"
        f"  .venv/bin/reconciler run {cluster} \\\n"
        f"    --source-name demo --source-url file://{stage.repository.folder}\n\n"
        "  The control plane goes on: hack/cluster status tells, hack/cluster down ends it."
    )


# --- what the story needs ----------------------------------------------------------------------


@contextlib.contextmanager
def _stage(kubeconfig: str | None) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        heading("Setting up")
        own = kubeconfig is None
        kubeconfig = kubeconfig or _last_line("up")
        kubectl = Kubectl(_last_line("tool", "kubectl"), kubeconfig, _namespace())
        _prepare(kubectl)
        stack.enter_context(_executor(kubeconfig, own=own))
        gateway = stack.enter_context(_gateway())
        folder = Path(tempfile.mkdtemp(prefix="reconciler-demo-"))
        repository = Repository(folder)
        repository.git("init", "-q", "-b", "main")
        yield Stage(kubectl, repository, gateway)


def _last_line(*arguments: str) -> str:
    """Of what hack/cluster prints; its progress goes to the terminal."""
    done = subprocess.run([str(CLUSTER), *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def _namespace() -> str:
    """One of its own each time: what ran in an earlier demo would not run again."""
    return f"demo-{datetime.now(UTC):%H%M%S}"


def _prepare(kubectl: Kubectl) -> None:
    subprocess.run(
        [kubectl.program, f"--kubeconfig={kubectl.kubeconfig}", "delete", "namespace",
         f"--selector={PART_OF}", "--wait=false", "--ignore-not-found"],
        stdout=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip
    crds = subprocess.run(
        [sys.executable, "-m", "reconciler", "crds"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=crds)
    kubectl(
        "wait", "--for=condition=Established", "--timeout=60s", "crd",
        "workflowexecutions.workflowexecution.kubernaut.ai",
        "workflowrecords.workflowexecution.kubernaut.ai",
        "kubernetesexecutions.kubernetesexecution.kubernaut.ai",
    )  # fmt: skip
    kubectl("create", "namespace", kubectl.namespace)
    kubectl("label", "namespace", kubectl.namespace, PART_OF)


@contextlib.contextmanager
def _executor(kubeconfig: str, *, own: bool) -> Iterator[None]:
    """KWOK, the control plane's own or, in a cluster that has none, one beside the demo."""
    environment = {**os.environ, "KUBECONFIG": kubeconfig}
    if own:
        subprocess.run([str(CLUSTER), "executor"], env=environment, check=True)
        yield
        return
    with subprocess.Popen([str(CLUSTER), "executor", "--kwok"], env=environment) as kwok:
        try:
            yield
        finally:
            kwok.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def _gateway() -> Iterator[str]:
    """A real Pushgateway on a free port of loopback."""
    program = _last_line("tool", "pushgateway")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with subprocess.Popen(
        [program, f"--web.listen-address={address}", "--log.level=error"],
        stderr=subprocess.DEVNULL,
    ) as gateway:
        try:
            _until_ready(f"http://{address}")
            yield f"http://{address}"
        finally:
            gateway.terminate()


def _until_ready(url: str) -> None:
    for _ in range(100):
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()  # noqa: S310  # ours
            return
        time.sleep(0.1)
    sys.exit(f"the Pushgateway does not answer at {url}")


if __name__ == "__main__":
    sys.exit(main())
