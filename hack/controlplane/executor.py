"""Lets KWOK play the executor of the demo in any cluster, through kubectl.

KWOK looks a kind up once, when it first sees a stage of it, and gives up when the kind, or its
OpenAPI, is not served yet. So the stages are applied only then, and touched, which makes a KWOK
that has given up look again.
"""

import os
import subprocess
import time
from pathlib import Path

from hack.controlplane import session
from hack.controlplane.binaries import located
from hack.controlplane.modules import KWOK
from hack.controlplane.places import DEMO_STAGES, MANIFESTS
from hack.controlplane.progress import say
from hack.controlplane.tools import tool
from hack.controlplane.trouble import Trouble

_CRD = "kubernetesexecutions.kubernetesexecution.kubernaut.ai"
_OPENAPI = "apis/kubernetesexecution.kubernaut.ai/v1alpha1"
_STAGE_CRD = "stages.kwok.x-k8s.io"
_STAGE = "stage/kubernetesexecution-run"
_PATIENCE = 30.0  # seconds
_POLL = 0.2  # seconds


def play() -> None:
    """Applies the stages to a cluster in which KWOK runs."""
    _installed(_CRD, "Apply the CRDs first: kubectl apply --server-side -f <the chart's CRDs>")
    _installed(_STAGE_CRD, "No KWOK runs there? Add --kwok, and one runs here.")
    _until_described()
    _kubectl("apply", "--server-side", "--force-conflicts", "-f", str(DEMO_STAGES))
    _kubectl("annotate", "--overwrite", _STAGE, f"kubernaut.ai/touched={time.time_ns()}")
    say("KWOK plays the executor")


def play_here() -> None:
    """The same, with a KWOK of our own for a cluster that has none; never returns."""
    program = located(KWOK) / "kwok"
    _kubectl("apply", "--server-side", "-f", str(MANIFESTS / "stage-crd.yaml"))
    play()
    # Its nodes are real, so KWOK gets none: it insists on a selector, this one matches nothing.
    nobody = "--manage-nodes-with-label-selector=kwok.x-k8s.io/nobody=nothing"
    flags = [f"--kubeconfig={_kubeconfig()}", "--enable-crds=Stage", nobody]
    os.execv(program, ["kwok", *flags])  # noqa: S606  # it takes our place, and our Ctrl-C


def _installed(crd: str, remedy: str) -> None:
    wait = ("wait", "--for=condition=Established", f"--timeout={_PATIENCE:.0f}s", f"crd/{crd}")
    answer = _call("get", f"crd/{crd}")
    if answer.returncode == 0:
        answer = _call(*wait)
    if answer.returncode != 0:
        raise Trouble(f"{crd} is not served: {answer.stderr.strip()}", remedy)


def _until_described() -> None:
    give_up = time.monotonic() + _PATIENCE
    while _OPENAPI not in _kubectl("get", "--raw", "/openapi/v3"):
        if time.monotonic() > give_up:
            raise Trouble(f"{_OPENAPI} does not appear in the server's OpenAPI")
        time.sleep(_POLL)


def _kubectl(*arguments: str) -> str:
    answer = _call(*arguments)
    if answer.returncode != 0:
        raise Trouble(f"kubectl {' '.join(arguments[:2])}: {answer.stderr.strip()}")
    return answer.stdout


def _call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool("kubectl"), f"--kubeconfig={_kubeconfig()}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def _kubeconfig() -> Path:
    """KUBECONFIG's cluster, else the one that `up` started."""
    given = os.environ.get("KUBECONFIG", "")
    if given:
        return Path(given)
    running = session.current()
    if running is None:
        raise Trouble("Which cluster?", "Set KUBECONFIG, or start one: hack/cluster up")
    return running.kubeconfig
