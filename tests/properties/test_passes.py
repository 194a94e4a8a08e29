"""Many passes of one run and as many runs of one pass come to the same (contract 1, `--interval`).

In memory and by a clock that stands still between calls, so that the servers are compared object by
object, with their versions, times and Events: the very same requests were made.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from reconciler.core.api import WORKFLOW_API
from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    EVENTS,
    RECORDS,
    WORKFLOWS,
    Request,
    Resource,
    Target,
    create,
    patch,
)
from reconciler.run import run
from reconciler.seams import Deadline, World
from reconciler.settings import Settings
from tests.builders import NAMESPACE, step, workflow
from tests.fakes.apiserver import MemoryApiServer
from tests.fakes.clock import FrozenClock
from tests.fakes.memory.schemas import Json
from tests.unit.stages.scene import MemorySource, document, execution

INTERVAL = 15.0
PASSES = 9
KINDS = (WORKFLOWS, CHILDREN, RECORDS, CONFIG_MAPS, EVENTS)
ONE_STEP = {
    "apiVersion": WORKFLOW_API,
    "kind": WORKFLOWS.kind,
    "metadata": {"name": "w", "namespace": NAMESPACE},
    "spec": workflow(step()).spec.wire(),
}
SETTINGS = Settings(
    namespace=NAMESPACE,
    state_namespace=NAMESPACE,
    source_url="https://git.example/shop.git",
    lease_name=None,
)


class Interrupted(FrozenClock):
    """While somebody sleeps, something happens."""

    meanwhile: Callable[[], None]

    @override
    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.meanwhile()


class Stage:
    """A server, git, and what executors and people do between two passes: dice decide."""

    def __init__(self, seed: int) -> None:
        self.clock = Interrupted()
        self.clock.meanwhile = self._between
        self.server = MemoryApiServer(self.clock, namespaces=(NAMESPACE,))
        self.source = MemorySource(self.clock)
        self.ends = self.clock.monotonic() + INTERVAL * (PASSES - 1) + 1
        self._dice = random.Random(seed)  # noqa: S311  # the same on both stages
        self._commits = 0
        self._commit()

    def run(self, *, interval: float) -> None:
        """A process of its own; nothing is shared with another but the server and git."""
        left = self.ends - self.clock.monotonic()
        deadline = Deadline(self.clock, left)
        calls = Calls(self.server, self.clock, deadline, jitter=min)
        cluster = KubeCluster(calls, state_namespace=NAMESPACE)
        world = World(cluster, self.clock, deadline, source=self.source)
        outcome = run(world, replace(SETTINGS, interval=interval, deadline=left), workers=1)
        assert outcome.exit_code == 0

    @property
    def state(self) -> dict[str, Sequence[Json]]:
        return {kind.plural: self.server.objects(kind) for kind in KINDS}

    def _between(self) -> None:
        for child in self.server.objects(CHILDREN):
            phase = child.get("status", {}).get("phase", "")
            if phase not in ("Completed", "Failed"):
                self._act(child, self._dice.choice(("", "Running", "Completed", "Failed")))
        for found in self.server.objects(WORKFLOWS):
            wish = self._dice.choice(("suspend", "cancel", "", "", "", ""))
            if wish:
                value = wish == "cancel" or not found["spec"].get("suspend", False)
                self._patch(WORKFLOWS, found, {"spec": {wish: value}})
        if self._dice.choice((True, False, False)):
            self._commit()

    def _act(self, child: Json, phase: str) -> None:
        if phase:
            self._patch(CHILDREN, child, {"status": {"phase": phase}})

    def _patch(self, kind: Resource, found: Json, body: Json) -> None:
        """A refusal is an answer: what is settled is immutable."""
        name = found["metadata"]["name"]
        sub = "status" if "status" in body else ""
        self.server.handle(patch(Target(kind, NAMESPACE, name, sub), body))

    def _commit(self) -> None:
        self._commits += 1
        # What settled in this run goes in a later one: the one difference, so nothing goes here.
        several = "  maxConcurrentSteps: 2\n  runPolicy: {history: 100}\n"
        self.source.commit(
            document(replicas=self._commits, more=several), execution("once"), execution("twice")
        )


@settings(max_examples=25)
@given(seed=st.integers(0, 1 << 16))
def test_passes_of_one_run_leave_what_as_many_runs_leave(seed: int) -> None:
    """Contract 1: a pass never depends on what the one before it remembered."""
    one, many = Stage(seed), Stage(seed)
    one.run(interval=INTERVAL)
    many.run(interval=0)
    for _ in range(PASSES - 1):
        many.clock.sleep(INTERVAL)
        many.run(interval=0)
    assert one.clock.now() == many.clock.now()
    assert one.state == many.state
    assert len(one.state["kubernetesexecutions"]) > 1
    assert [each.request for each in one.server.log] == [each.request for each in many.server.log]


class Ticking(Interrupted):
    """Looks up every quarter of a second of a sleep."""

    @override
    def sleep(self, seconds: float) -> None:
        for _ in range(int(seconds * 4)):
            super().sleep(0.25)


class Busy:
    """A server whose every answer takes half a second, and an executor that ends at its hour."""

    def __init__(self, hour: float) -> None:
        self.clock = Ticking()
        self.clock.meanwhile = self._look
        self.server = MemoryApiServer(self.clock, namespaces=(NAMESPACE,))
        self.server.interceptor = self
        self.ended_at = self.seen_at = 0.0
        self._hour = self.clock.monotonic() + hour

    def before(self, request: Request) -> Response | None:
        del request
        self.clock.sleep(0.5)
        return None

    def after(self, request: Request, response: Response) -> Response:
        del request
        return response

    def _look(self) -> None:
        now = self.clock.monotonic()
        for child in self.server.objects(CHILDREN):
            if not self.ended_at and now >= self._hour:
                target = Target(CHILDREN, NAMESPACE, child["metadata"]["name"], "status")
                self.server.handle(patch(target, {"status": {"phase": "Completed"}}))
                self.ended_at = now
        for found in self.server.objects(WORKFLOWS):
            if not self.seen_at and found["status"].get("completedSteps"):
                self.seen_at = now


@given(hour=st.floats(0, 90))
def test_with_an_interval_of_15_seconds_a_finished_step_is_seen_within_30(hour: float) -> None:
    """Contract 1: also when it ends just after a pass has looked, and though calls take time."""
    busy = Busy(hour)
    deadline = Deadline(busy.clock, 180)
    cluster = KubeCluster(Calls(busy.server, busy.clock, deadline), state_namespace=NAMESPACE)
    made = create(WORKFLOWS, NAMESPACE, ONE_STEP)
    assert busy.server.handle(made).ok
    own = replace(SETTINGS, source_url=None, interval=INTERVAL, deadline=180)
    run(World(cluster, busy.clock, deadline), own, workers=1)
    assert 0 < busy.seen_at - busy.ended_at <= 30
