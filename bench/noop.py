"""A run over 200 workflows of 5 steps in which nothing changed, against a bare urllib3 script.

The script makes the same lists over the same TLS, page by page, and parses them with json: less no
client can do. Both are fresh processes, in turn; what is measured goes from the first request to
the last answer, the imports apart. Ends with 1 above the budget. On a real API server: without one
it starts its own.
"""

import argparse
import json
import os
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

BUDGET = 1.5  # times the bare script
ROUNDS = 15
WORKFLOWS = 200
STEPS = 5
NAMESPACE = "bench"

_ROOT = Path(__file__).resolve().parents[1]
_OURS = "workflowexecution.kubernaut.ai/v1alpha1"
_WORKFLOWS = f"/apis/{_OURS}/namespaces/{NAMESPACE}/workflowexecutions"
_CHILDREN = (
    f"/apis/kubernetesexecution.kubernaut.ai/v1alpha1/namespaces/{NAMESPACE}/kubernetesexecutions"
)
_PAGE = 1000
_PATIENCE = 30.0  # seconds
_NAMES = 100  # label values a list, as a run asks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("side", nargs="?", choices=["run", "bare", "profile"])
    told = parser.parse_args()
    if told.side:
        return {"run": _run, "bare": _bare, "profile": _profile}[told.side]()
    if "RECONCILER_AUDIT_LOG" not in os.environ:  # not inside of `hack/cluster run`
        again = [_ROOT / "hack" / "cluster", "run", "--", sys.executable, *sys.argv]
        os.execv(sys.executable, [sys.executable, *map(str, again)])  # noqa: S606  # ourselves
    _prepare()
    return _measured(told.rounds)


def _measured(rounds: int) -> int:
    _round()  # byte code and the server's caches are warm
    samples = [_round() for _ in range(rounds)]
    bare, run = (statistics.median(column) for column in zip(*samples, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in samples)
    for what, seconds, times in (
        ("urllib3 and json, the same lists", bare, 1.0),
        (f"a run, {WORKFLOWS} workflows of {STEPS} steps", run, ratio),
    ):
        print(f"{what:<38} {seconds * 1000:7.1f} ms {times:6.2f} x")
    print(f"{'budget':<38} {'':7}    {BUDGET:6.2f} x  {'kept' if ratio <= BUDGET else 'MISSED'}")
    return 0 if ratio <= BUDGET else 1


def _round() -> tuple[float, float]:
    return _side("bare"), _side("run")


def _side(name: str) -> float:
    done = subprocess.run(
        [sys.executable, __file__, name],
        check=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},  # what is measured is this checkout
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout)


# --- the two sides --------------------------------------------------------------------------


def _run() -> int:
    """As `reconciler run` goes, from its first request on."""
    import gc

    gc.disable()  # as the entry point does
    act = _pass()
    began = time.perf_counter()
    work = act()
    seconds = time.perf_counter() - began
    _expect(work == WORKFLOWS, f"{work} workflows were observed")
    print(seconds)
    return 0


def _profile() -> int:
    """Where the time of a run goes, in one thread."""
    import cProfile
    import gc
    import pstats

    gc.disable()
    act = _pass(workers=1)
    with cProfile.Profile() as profile:
        act()
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    return 0


def _pass(workers: int | None = None) -> Callable[[], int]:
    """A run that is built and has asked nothing; it answers how many workflows it observed."""
    from reconciler import settings
    from reconciler.app import RealClock
    from reconciler.logs import Redactor
    from reconciler.run import run
    from reconciler.seams import Deadline
    from reconciler.wiring import Process, real_world

    clock = RealClock()
    values = settings.parse(["-n", NAMESPACE, "--no-lease"])
    process = Process(clock, Deadline(clock, values.deadline), "bench", Redactor())
    world, told = real_world(values, process)

    def act() -> int:
        outcome = run(world, told) if workers is None else run(world, told, workers)
        _expect(outcome.exit_code == 0, outcome.summary)
        written = {verb for verb, _ in outcome.requests if verb not in ("get", "list")}
        _expect(not written, f"something changed: {outcome.requests}")
        return sum(outcome.work.phases.values())

    return act


def _bare() -> int:
    """The lists alone."""
    server = _Server()
    began = time.perf_counter()
    unsettled = f"{_WORKFLOWS}?limit={_PAGE}&fieldSelector={quote('status.settled!=true')}"
    names = sorted(item["metadata"]["name"] for item in server.pages(unsettled))
    children = 0
    for start in range(0, len(names), _NAMES):
        some = f"kubernaut.ai/workflow in ({','.join(names[start : start + _NAMES])})"
        path = f"{_CHILDREN}?limit={_PAGE}&labelSelector={quote(some)}"
        children += sum(1 for _ in server.pages(path))
    seconds = time.perf_counter() - began
    _expect((len(names), children) == (WORKFLOWS, WORKFLOWS * STEPS), f"{children} children")
    print(seconds)
    return 0


class _Server:
    """The API server of the kubeconfig, by urllib3 and nothing else."""

    def __init__(self) -> None:
        import base64

        import urllib3
        from ruamel.yaml import YAML

        told = YAML(typ="safe").load(Path(os.environ["KUBECONFIG"]).read_text())
        cluster = told["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._url = cluster["server"]
        self._headers = {"Authorization": f"Bearer {told['users'][0]['user']['token']}"}
        self._pool = urllib3.PoolManager(
            maxsize=16, ssl_context=ssl.create_default_context(cadata=authority)
        )

    def pages(self, path: str) -> Iterable[dict[str, dict[str, str]]]:
        token = ""
        while True:
            answer = json.loads(self.ask("GET", f"{path}&continue={token}" if token else path))
            yield from answer["items"]
            token = answer["metadata"].get("continue", "")
            if not token:
                return

    def serves(self, path: str) -> bool:
        answer = self._pool.request("GET", f"{self._url}{path}?limit=1", headers=self._headers)
        return answer.status == 200  # noqa: PLR2004 - 404 until then

    def ask(self, method: str, path: str, body: object = None, kind: str = "json") -> bytes:
        data = None if body is None else json.dumps(body)
        headers = {**self._headers, "Content-Type": f"application/{kind}"}
        answer = self._pool.request(method, self._url + path, body=data, headers=headers)
        _expect(answer.status in (200, 201), f"{method} {path}: {answer.status} {answer.data!r}")
        return answer.data


# --- what is measured -----------------------------------------------------------------------


def _prepare() -> None:
    """Workflows whose steps all run: made by a run, as always, and none has news for the next."""
    server = _Server()
    crds = subprocess.run(
        [sys.executable, "-m", "reconciler", "crds"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    _applied(server, crds)
    server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: server.ask("POST", _WORKFLOWS, _workflow(n)), range(WORKFLOWS)))
        _reconcile()
        list(pool.map(lambda child: _begin(server, child), server.pages(f"{_CHILDREN}?limit=500")))
    _reconcile()
    _reconcile()


def _applied(server: _Server, crds: str) -> None:
    from ruamel.yaml import YAML

    collection = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for crd in YAML(typ="safe").load_all(crds):
        server.ask("POST", collection, crd)
    for path in (_WORKFLOWS, _CHILDREN):
        _await(server, path)


def _await(server: _Server, path: str) -> None:
    """Until the kind is served, some moment after its CRD was made."""
    ends = time.monotonic() + _PATIENCE
    while not server.serves(path):
        _expect(time.monotonic() < ends, f"{path} is not served")
        time.sleep(0.1)


def _workflow(number: int) -> dict[str, object]:
    steps = [
        {
            "name": f"step-{step}",
            "action": "ScaleDeployment",
            "parameters": {"scaleDeployment": {"deploymentName": f"shop-{step}", "replicas": 3}},
            "targetResource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        }
        for step in range(STEPS)
    ]
    return {
        "apiVersion": _OURS,
        "kind": "WorkflowExecution",
        "metadata": {"name": f"workflow-{number}"},
        "spec": {"workflowDefinition": {"steps": steps}},
    }


def _begin(server: _Server, child: dict[str, dict[str, str]]) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body = {"status": {"phase": "Running", "executionStartTime": now}}
    path = f"{_CHILDREN}/{child['metadata']['name']}/status"
    server.ask("PATCH", path, body, "merge-patch+json")


def _reconcile() -> None:
    run = [sys.executable, "-m", "reconciler", "run", "-n", NAMESPACE]
    done = subprocess.run(run, check=False, cwd=_ROOT, stderr=subprocess.PIPE, text=True)
    _expect(done.returncode == 0, done.stderr)


def _expect(holds: bool, complaint: str) -> None:  # noqa: FBT001 - as assert, which -O would drop
    if not holds:
        sys.exit(f"bench/noop.py: {complaint}")


if __name__ == "__main__":
    sys.exit(main())
