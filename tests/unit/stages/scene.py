"""A source and a cluster for the tests of stages 2 and 3: git and the API server, both in memory.

Each `Run` is a process of its own: nothing is shared between two of them but what the server holds.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.api import (
    Phase,
    RecordEntry,
    RecordState,
    WorkflowExecution,
    WorkflowRecord,
)
from reconciler.core.outcome import DocumentResult
from reconciler.core.source import Head, HeadState, SourceSettings, SourceView, read_head
from reconciler.errors import Conflict, SourceError
from reconciler.kube import codec
from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.requests import (
    CONFIG_MAPS,
    RECORDS,
    WORKFLOWS,
    Request,
    Target,
    Verb,
    create,
    delete,
    patch,
)
from reconciler.seams import Blob, Deadline, Scope, Snapshot, World
from reconciler.stages.apply import Applied, apply_source
from reconciler.stages.records import Admission, Answer, admit, conclude, settle_records
from reconciler.stages.source import read_source
from tests.builders import NAMESPACE
from tests.fakes.apiserver import Interceptor, MemoryApiServer
from tests.fakes.clock import FrozenClock

SETTINGS = SourceSettings(
    name="default",
    url="https://git.example/shop.git",
    namespace=NAMESPACE,
    state_namespace=NAMESPACE,
    release="0.1.0",
)
HEAD = "reconciler-source-default"


def document(
    name: str = "restart",
    *,
    kind: str = "WorkflowDefinition",
    replicas: int = 1,
    more: str = "",
    annotations: str = "",
) -> str:
    """One YAML document; another number of replicas is another content."""
    return f"""\
apiVersion: workflowexecution.kubernaut.ai/v1alpha1
kind: {kind}
metadata:
  name: {name}
  annotations: {{{annotations}}}
spec:
{more}  workflowDefinition:
    steps:
      - name: a
        action: ScaleDeployment
        parameters: {{scaleDeployment: {{deploymentName: checkout, replicas: {replicas}}}}}
"""


def execution(name: str = "once", *, replicas: int = 1, more: str = "") -> str:
    return document(name, kind="WorkflowExecution", replicas=replicas, more=more)


class MemorySource:
    """Implements `seams.Source`: a ref, and the commits it has stood at."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock
        self._commits: dict[str, Snapshot] = {}
        self.ref = ""
        self.trouble = ""
        self.fetched: list[str] = []
        self.verified: list[str] = []
        self.asked: list[tuple[str, str]] = []  # whether the one descends from the other
        self.forward: bool | None = True  # the answer
        self.untrusted: set[str] = set()  # commits whose signature is good no more

    def commit(self, *documents: str, **files: str) -> str:
        """A new commit that the ref stands at from now on; its id follows from what is in it."""
        told = {"shop.yaml": "---\n".join(documents), **files} if documents else dict(files)
        name = hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:40]
        blobs = tuple(
            Blob(path, hashlib.sha256(text.encode()).hexdigest()[:40], text.encode())
            for path, text in told.items()
        )
        self.keep(Snapshot(name, self._clock.now(), blobs))
        self.ref = name
        return name

    def keep(self, snapshot: Snapshot) -> None:
        self._commits[snapshot.commit] = snapshot

    def resolve(self) -> str:
        if self.trouble:
            raise SourceError(self.trouble)
        return self.ref

    def fetch(self, commit: str) -> Snapshot:
        self._check(commit)
        self.fetched.append(commit)
        return self._commits[commit]

    def verify(self, commit: str) -> None:
        self._check(commit)
        self.verified.append(commit)

    def descends(self, commit: str, earlier: str) -> bool | None:
        self.asked.append((commit, earlier))
        return self.forward

    def _check(self, commit: str) -> None:
        if commit in self.untrusted:
            raise SourceError(f"the commit {commit} is signed by a key which was revoked")


class Crash(BaseException):
    """The process is gone: nobody may catch it."""


@dataclass
class CrashAt:
    """An interceptor: the process dies at its n-th request, `landed` or not."""

    at: int
    landed: bool = False
    writes_only: bool = True
    seen: int = 0

    def _due(self, request: Request) -> bool:
        return not self.writes_only or request.verb not in (Verb.GET, Verb.LIST)

    def before(self, request: Request) -> Response | None:
        if self._due(request) and self.seen == self.at and not self.landed:
            raise Crash
        return None

    def after(self, request: Request, response: Response) -> Response:
        if self._due(request):
            self.seen += 1
            if self.seen == self.at + 1 and self.landed:
                raise Crash
        return response


@dataclass
class Once:
    """An interceptor: something happens before the first request of a kind."""

    wanted: Callable[[Request], bool]
    act: Callable[[], Response | None]
    done: bool = False

    def before(self, request: Request) -> Response | None:
        if self.done or not self.wanted(request):
            return None
        self.done = True
        return self.act()

    def after(self, request: Request, response: Response) -> Response:
        del request
        return response


class Refusing:
    """An interceptor: the server answers every write of these names like this."""

    def __init__(self, status: int, *names: str) -> None:
        self._status = status
        self._names = names

    def before(self, request: Request) -> Response | None:
        written = request.verb not in (Verb.GET, Verb.LIST)
        of_these = request.target.name in self._names
        if written and of_these and request.target.resource is not RECORDS:
            return Response(self._status, b'{"kind":"Status","message":"no, says the webhook"}')
        return None

    def after(self, request: Request, response: Response) -> Response:
        del request
        return response


@dataclass
class Run:
    """One process: it reads, applies, looks after the records; then it admits what may start."""

    scene: "Scene"
    settings: SourceSettings = SETTINGS

    def __post_init__(self) -> None:
        self.admits = True  # as `run` tells the stages that follow
        self.unanswered: frozenset[tuple[str, str]] = frozenset()
        clock = self.scene.clock
        deadline = Deadline(clock, 50)
        calls = Calls(self.scene.server, clock, deadline, jitter=min)
        cluster = KubeCluster(calls, state_namespace=NAMESPACE)
        self.world = World(cluster, clock, deadline, source=self.scene.source)

    def view(self) -> SourceView:
        return read_source(self.world, self.settings)

    def source(self, *, paused: bool = False, dry_run: bool = False, workers: int = 1) -> Applied:
        """Stages 2 and 3, as a run composes them."""
        view = self.view()
        applied = apply_source(self.world, view, paused=paused, dry_run=dry_run, workers=workers)
        settle_records(self.world.cluster, view)
        self.admits, self.unanswered = not applied.lost, applied.unanswered
        return applied

    def admit(self, name: str) -> Admission:
        return admit(self.world.cluster, self.read(name))

    def workflows(self) -> dict[str, Answer]:
        """The other stages in short: who may be planned starts, who has run is ended."""
        told: dict[str, Answer] = {}
        scope = Scope(self.settings.namespace, self.settings.name)
        for each in self.world.cluster.workflows(scope).items if self.admits else ():
            if each.key in self.unanswered:
                continue
            try:
                told[each.metadata.name] = self._handled(each)
            except Conflict:  # somebody was faster: the next run looks again
                told[each.metadata.name] = Answer.WAITS
        return told

    def _handled(self, each: WorkflowExecution) -> Answer:
        answer = admit(self.world.cluster, each).answer
        fresh = not each.status.phase.started
        if answer is Answer.MAY_PLAN and fresh and not each.spec.suspend:
            self.write(each, Phase.EXECUTING)
        elif answer is Answer.ALREADY_RAN:
            self.write(each, Phase.FAILED, settled=True)
        return answer

    def read(self, name: str) -> WorkflowExecution:
        found = self.world.cluster.workflow(NAMESPACE, name)
        assert found is not None, name
        return found

    def settle(self, name: str, phase: Phase = Phase.COMPLETED, *, crash: bool = False) -> None:
        """The run of that workflow is over; with a crash nobody writes that into its record."""
        written = self.write(self.read(name), phase, settled=True)
        if not crash:
            conclude(self.world.cluster, written)

    def write(
        self, workflow: WorkflowExecution, phase: Phase, *, settled: bool = False
    ) -> WorkflowExecution:
        ended = self.scene.clock.now() if settled else None
        update = {"phase": phase, "settled": settled, "execution_end_time": ended}
        return self.world.cluster.write_status(workflow, workflow.status.model_copy(update=update))


@dataclass
class Scene:
    """What outlives a run: the server, git, and the time."""

    clock: FrozenClock = field(default_factory=FrozenClock)

    def __post_init__(self) -> None:
        self.server = MemoryApiServer(self.clock, namespaces=(NAMESPACE,))
        self.source = MemorySource(self.clock)

    def run(self, **settings: Any) -> Run:  # noqa: ANN401  # fields of SourceSettings
        return Run(self, replace(SETTINGS, **settings))

    # --- what the server holds --------------------------------------------------------------

    @property
    def runs(self) -> list[str]:
        """Names of the WorkflowExecutions."""
        return [each["metadata"]["name"] for each in self.server.objects(WORKFLOWS)]

    def workflow(self, name: str) -> Mapping[str, Any]:
        found = self.server.object(WORKFLOWS, NAMESPACE, name)
        assert found is not None, name
        return found

    @property
    def head(self) -> Head:
        stored = self.server.object(CONFIG_MAPS, NAMESPACE, HEAD)
        assert stored is not None
        about = stored["metadata"]
        return read_head(HEAD, stored["data"], about["uid"], about["resourceVersion"])

    @property
    def whole(self) -> bool:
        return self.head.state is HeadState.WHOLE and self.head.whole == self.source.ref

    def entries(self, name: str = "restart") -> list[RecordEntry]:
        stored = self.server.object(RECORDS, NAMESPACE, name)
        return list(codec.parse(WorkflowRecord, stored).contents) if stored else []

    def states(self, name: str = "restart") -> list[RecordState]:
        return [each.state for each in self.entries(name)]

    def writes(self) -> list[str]:
        """Verb, kind and name of what was written since the last call."""
        told = [_told(each) for each in self.server.writes()]
        self.server.log.clear()
        return told

    @property
    def older(self) -> str:
        """The run of the oldest content that the record holds."""
        return self.entries()[-1].run

    @property
    def newer(self) -> str:
        return self.entries()[0].run

    def stored(self, name: str) -> Mapping[str, Any]:
        """A workflow without what moves with every write."""
        found = self.workflow(name)
        moves = ("resourceVersion", "managedFields", "generation")
        about = {key: each for key, each in found["metadata"].items() if key not in moves}
        return {**found, "metadata": about}

    def annotations(self, name: str) -> Mapping[str, str]:
        told: Mapping[str, str] = self.workflow(name)["metadata"]["annotations"]
        return told

    # --- several runs -----------------------------------------------------------------------

    def ran(self, *documents: str, phase: Phase = Phase.COMPLETED, **settings: Any) -> None:  # noqa: ANN401
        """These documents are committed, applied and planned, and what is at work settles."""
        self.source.commit(*documents)
        run = self.run(**settings)
        run.source()
        run.workflows()
        self.settle_all(phase)
        self.clock.advance(60)

    def settle_all(self, phase: Phase = Phase.COMPLETED) -> None:
        """Everything that is at work is over."""
        for name in self.runs:
            if self.workflow(name)["status"].get("phase") == "Executing":
                self.run().settle(name, phase)

    # --- other actors -----------------------------------------------------------------------

    def put(self, stored: Mapping[str, Any]) -> None:
        """A workflow as from a backup, or by somebody's kubectl: another uid, and no status."""
        kept = ("name", "namespace", "labels", "annotations")
        about = {key: each for key, each in stored["metadata"].items() if key in kept}
        body = {**{key: stored[key] for key in ("apiVersion", "kind", "spec")}, "metadata": about}
        assert self.server.handle(create(WORKFLOWS, NAMESPACE, body)).ok

    def delete(self, name: str) -> None:
        target = Target(WORKFLOWS, NAMESPACE, name)
        assert self.server.handle(delete(target)).ok

    def edited(self, name: str, **spec: object) -> None:
        """Somebody's kubectl patch."""
        target = Target(WORKFLOWS, NAMESPACE, name)
        assert self.server.handle(patch(target, {"spec": spec})).ok

    def started_by_hand(self, name: str) -> None:
        """A run reserves the first step of a workflow, suspended or not."""
        run = self.run()
        found = run.world.cluster.workflow(NAMESPACE, name)
        assert found is not None
        assert run.admit(name).answer is Answer.MAY_PLAN
        run.write(found, Phase.EXECUTING)

    def crashing(self, run: Callable[[], object], crash: Interceptor) -> bool:
        """Whether the process died before it was done."""
        self.server.interceptor = crash
        try:
            run()
        except Crash:
            return True
        finally:
            self.server.interceptor = None
        return False


def results(applied: Applied) -> dict[DocumentResult, int]:
    return dict(applied.results)


def _told(request: Request) -> str:
    target = request.target
    what = "/".join(part for part in (target.resource.kind, target.subresource) if part)
    return f"{request.verb} {what} {target.name}"
