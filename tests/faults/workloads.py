"""Workloads, each as small as its point allows, and the story of each: who acts before each run.

A story is a sequence of scenes; a scene is what executors and people do, and then a run. Without
faults every workflow of a story has settled by its end.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from reconciler.core.shards import Shard
from reconciler.kube.requests import CHILDREN, WORKFLOWS, Target, create, delete, patch
from reconciler.settings import Settings
from tests.faults.executor import NEVER, STUBBORN, Executor
from tests.faults.play import NAMESPACE, SETTINGS, Play
from tests.faults.process import Repository
from tests.faults.reading import Json
from tests.faults.repository import (
    SOURCE_SETTINGS,
    document,
    execution,
    repository,
    several,
    short,
)

Act = Callable[[Play, "Workload"], None]
Scenes = tuple[tuple[Act, ...], ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """`ends`: how attempts end, see `Executor`. `page`: objects a page of every list.

    `shards`: which one the runs of a scene are, by their names; a run beyond them is alone.
    `confluent`: the end does not depend on when who acted, so that it can be compared.
    """

    name: str
    scenes: Scenes
    workflows: tuple[Json, ...] = ()
    ends: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    settings: Settings = SETTINGS
    page: int = 0
    repository: Repository | None = None
    shards: Mapping[str, Shard] = field(default_factory=lambda: MappingProxyType({}))
    confluent: bool = True

    def play(self) -> Play:
        """A new play, its workflows made and no run begun."""
        play = Play(self.settings, self.page, self.repository, self.shards)
        for each in self.workflows:
            answer = play.hand(create(WORKFLOWS, NAMESPACE, each))
            assert answer.ok, answer.body
        return play

    def executor(self, play: Play) -> Executor:
        return Executor(play, self.ends)


# --- what they are made of ----------------------------------------------------------------------


def step(name: str, *after: str, **more: object) -> Json:
    custom: Json = {"custom": {}}
    return {
        "name": name, "action": "Notify", "parameters": custom, "dependsOn": [*after], **more,
    }  # fmt: skip


def workflow(name: str, *steps: Json, **spec: object) -> Json:
    return {
        "apiVersion": WORKFLOWS.api_version,
        "kind": WORKFLOWS.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"workflowDefinition": {"steps": list(steps)}, **spec},
    }


def begin(play: Play, workload: Workload) -> None:
    workload.executor(play).begin()


def finish(play: Play, workload: Workload) -> None:
    workload.executor(play).finish()


def finish_first(play: Play, workload: Workload) -> None:
    workload.executor(play).finish_first()


def wait(seconds: float) -> Act:
    def act(play: Play, _: Workload) -> None:
        play.time.sleep(seconds)

    return act


def edit(name: str, **spec: object) -> Act:
    """Somebody's `kubectl patch`; what has failed and settled before takes none."""

    def act(play: Play, _: Workload) -> None:
        play.hand(patch(Target(WORKFLOWS, NAMESPACE, name), {"spec": spec}))

    return act


def delete_children(play: Play, _: Workload) -> None:
    """What the message advises against a child that does not stop."""
    for child in play.server.objects(CHILDREN):
        play.hand(delete(Target(CHILDREN, NAMESPACE, child["metadata"]["name"])))


def delete_runs(play: Play, _: Workload) -> None:
    """With kubectl, whatever runs there are; their children after them."""
    for workflow in play.server.objects(WORKFLOWS):
        play.hand(delete(Target(WORKFLOWS, NAMESPACE, workflow["metadata"]["name"])))
    play.server.collect_garbage()


def restore_runs(play: Play, workload: Workload) -> None:
    """From a backup, which knows of no status: the same names, other uids."""
    stored = play.server.objects(WORKFLOWS)
    delete_runs(play, workload)
    for workflow in stored:
        about = workflow["metadata"]
        body = {
            "apiVersion": WORKFLOWS.api_version,
            "kind": WORKFLOWS.kind,
            "metadata": {key: about[key] for key in ("name", "labels", "annotations")},
            "spec": workflow["spec"],
        }
        answer = play.hand(create(WORKFLOWS, NAMESPACE, body))
        assert answer.ok, answer.body


def push(commit: str) -> Act:
    """The ref moves to another commit."""

    def act(play: Play, _: Workload) -> None:
        assert play.repository is not None
        play.repository = replace(play.repository, head=commit)

    return act


def _rounds(count: int, *acts: Act) -> Scenes:
    """A run that starts something, and after each round of acts another; one that records."""
    return ((), (), *((acts,) * count))


# --- the workloads ------------------------------------------------------------------------------

_FAN = [step(name) for name in "abcdefg"]

CHAIN = Workload(
    "chain",
    ((), (), (begin,), (finish,), (), (finish,)),
    (workflow("w", step("a"), step("b", "a")),),
)
DIAMOND = Workload(
    "diamond",
    ((), (), (finish,), (begin,), (finish_first,), (finish,), (), (finish,)),
    (workflow("w", step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")),),
)
FAN_2 = Workload(
    "fan-2",
    _rounds(4, finish),
    (workflow("w", *_FAN, maxConcurrentSteps=2),),
)
FAN_5 = Workload("fan-5", _rounds(2, finish), (workflow("w", *_FAN),))
FAN_1 = Workload(
    "fan-1", ((), (finish,), (finish,)), (workflow("w", *_FAN[:2], maxConcurrentSteps=1),)
)
PAIR = Workload(
    "pair",
    ((), (), (finish,), (), (finish,)),
    (
        workflow("v", step("x"), step("y"), maxConcurrentSteps=1),
        workflow("w", step("a"), step("b", "a")),
    ),
)
RETRIES = Workload(
    "retries",
    ((), (finish,), (wait(31),), (), (finish,), (wait(61),), (finish,), (), (finish,)),
    (workflow("w", step("a", retries=2), step("b", "a")),),
    ends={"a/0": "Failed", "a/1": "Failed"},
)
RETRY = Workload(
    "retry",
    ((), (finish,), (wait(31),), (finish,)),
    (workflow("w", step("a", retries=1)),),
    ends={"a/0": "Failed"},
)
CONTINUE = Workload(
    "continue",
    ((), (), (finish_first,), (finish,), (), (finish,)),
    (
        workflow(
            "w", step("a"), step("b", "a"), step("c"), step("d", "c"), step("e", "b", "d"),
            failurePolicy="Continue", maxConcurrentSteps=2,
        ),
    ),
    ends={"a/0": "Failed"},
)  # fmt: skip
FAIL_FAST = Workload(
    "fail-fast",
    ((), (), (finish_first,), (), (finish,)),
    (workflow("w", step("a"), step("b"), step("c"), maxConcurrentSteps=2),),
    ends={"a/0": "Failed"},
    confluent=False,
)
CANCEL = Workload(
    "cancel",
    ((), (), (finish_first,), (edit("w", cancel=True),), (begin,), (finish,)),
    (workflow("w", step("a"), step("b"), step("c"), step("d", "a"), maxConcurrentSteps=2),),
    confluent=False,
)
APPROVAL = Workload(
    "approval",
    (
        (),
        (finish,),
        (),
        (edit("w", approvals=[{"step": "b", "by": "jo"}]),),
        (finish,),
        (),
        (finish,),
    ),
    (workflow("w", step("a"), step("b", "a", requiresApproval=True), step("c", "b")),),
)
SUSPEND = Workload(
    "suspend",
    ((), (edit("w", suspend=True), finish), (), (edit("w", suspend=False),), (finish,)),
    (workflow("w", step("a"), step("b", "a")),),
)
TIMEOUT = Workload(
    "timeout",
    ((), (begin,), (wait(130),), (finish,), (wait(31),), (), (wait(1), finish)),
    (workflow("w", step("a", timeout="1m", retries=1)),),
    ends={"a/0": NEVER},
    confluent=False,
)
STUBBORN_CHILD = Workload(
    "stubborn",
    ((), (begin,), (wait(130),), (finish,), (delete_children,)),
    (workflow("w", step("a", timeout="1m"), step("b"), step("c", "b")),),
    ends={"a/0": STUBBORN},
    confluent=False,
)
WORKFLOW_TIMEOUT = Workload(
    "workflow-timeout",
    ((), (begin,), (wait(130),), (), (finish,)),
    (workflow("w", step("a"), step("b", "a"), timeout="2m"),),
    ends={"a/0": NEVER},
    confluent=False,
)
PAGED = replace(CHAIN, name="paged", page=1, workflows=(*PAIR.workflows,), scenes=PAIR.scenes)
# A third run of a scene is alone: one that began before there were shards, or after.
_TWO_SHARDS = {"A": Shard(0, 2), "B": Shard(1, 2)}
SHARDED = replace(PAIR, name="sharded", shards=_TWO_SHARDS)
LEASED = replace(FAN_1, name="leased", settings=replace(SETTINGS, lease_name="reconciler-default"))

_FIRST = document("d", "1")
_SECOND = document("d", "2")
SOURCE = Workload(
    "source",
    ((), (), (push("c1"),), (finish,), (), (finish,), ()),
    settings=SOURCE_SETTINGS,
    repository=repository(c0=_FIRST, c1=_SECOND),
)
STEERED = Workload(
    "steered",
    ((), (push("c1"),), (push("c2"), finish), (finish,), ()),
    settings=SOURCE_SETTINGS,
    repository=repository(
        c0=execution("x", ""), c1=execution("x", "suspend: true"), c2=execution("x", "")
    ),
)


# --- records and head: what a change, a revert and a deletion do ---------------------------------


def sourced(name: str, scenes: Scenes, **told: object) -> Workload:
    """Commits by name, and settings."""
    commits = {key: str(told.pop(key)) for key in ("c0", "c1", "c2") if key in told}
    return Workload(
        name,
        scenes,
        settings=replace(SOURCE_SETTINGS, **told),  # type: ignore[arg-type]  # of its own fields
        repository=repository(**commits),
    )


_REPLACE = "runPolicy: {concurrency: Replace}"
_NO_HISTORY = "runPolicy: {history: 0}"
_EXPIRES = "ttlSecondsAfterSettled: 60"
_HELD = short("d", more="suspend: true")
_KEPT = short("k")

QUEUED = sourced(
    "queued",
    # Apart: a run that could not read git lets the next in the queue begin when its turn comes.
    ((), (push("c1"),), (push("c2"),), (finish,), (), (finish,)),
    c0=short("d", "1"), c1=short("d", "2"), c2=short("d", "3"),
)  # fmt: skip
REPLACED = sourced(
    "replaced",
    ((), (begin,), (push("c1"),), (finish,), (), (finish,)),
    c0=short("d", "1", _REPLACE), c1=short("d", "2", _REPLACE), c2=short("d", "1", _REPLACE),
)  # fmt: skip
HISTORY = sourced(
    "history",
    ((), (finish,), (wait(1), push("c1")), (finish,), ()),
    c0=short("d", "1", _NO_HISTORY), c1=short("d", "2", _NO_HISTORY),
)  # fmt: skip
EXPIRING = sourced(
    "expiring", ((), (finish,), (wait(3601),), (push("c1"),)), c0=short("d", "1", _EXPIRES),
    c1=several(short("d", "1", _EXPIRES), short("e")),
)  # fmt: skip
PRUNED = sourced(
    "pruned",
    ((), (finish,), (wait(1), push("c1")), (push("c2"),), (finish,)),
    prune=True,
    c0=several(short("d"), _KEPT), c1=_KEPT, c2=several(short("d", "2"), _KEPT),
)  # fmt: skip
WITHDRAWN = sourced(
    "withdrawn",
    ((), (push("c1"),), (push("c2"),), (finish,), ()),
    prune=True,
    c0=several(_HELD, _KEPT), c1=_KEPT, c2=several(short("d"), _KEPT),
)  # fmt: skip
RECORDED = sourced(
    "recorded",
    ((), (push("c1"),), (finish,), ()),
    first_run="record",
    c0=several(short("d"), _KEPT), c1=several(short("d", "2"), _KEPT),
)  # fmt: skip
REVERTED = sourced(
    "reverted",
    ((), (finish,), (push("c1"),), (finish,), (push("c0"),)),
    c0=short("d", "1"), c1=short("d", "2"),
)  # fmt: skip
FORGOTTEN = sourced(
    "forgotten",
    ((), (delete_runs,), (push("c1"),), (finish,), ()),
    c0=short("d", "1"), c1=short("d", "2"),
)  # fmt: skip
SHARDED_SOURCE = replace(
    sourced(
        "sharded-source",
        ((), (push("c1"),), (finish,), (), (finish,)),
        c0=short("d", "1"), c1=short("d", "2"),  # the second run waits for one of another shard
    ),
    shards=_TWO_SHARDS,
    confluent=False,
)  # fmt: skip
RERUN = sourced(
    "rerun",
    ((), (finish,), (push("c1"),), (finish,), ()),
    c0=short("d"), c1=short("d", annotations="kubernaut.ai/rerun: again"),
)  # fmt: skip
RESTORED = sourced(
    "restored",
    ((), (finish,), (restore_runs,), (push("c1"),), (finish,)),
    c0=short("d", "1"), c1=short("d", "2"),
)  # fmt: skip

# When who acted decides which run is cancelled, dropped or deleted, and what counts as run.
QUEUED, REPLACED, EXPIRING, PRUNED, RECORDED, REVERTED, RESTORED = (
    replace(each, confluent=False)
    for each in (QUEUED, REPLACED, EXPIRING, PRUNED, RECORDED, REVERTED, RESTORED)
)

WORKLOADS: Mapping[str, Workload] = {
    each.name: each
    for each in (
        CHAIN, DIAMOND, FAN_1, FAN_2, FAN_5, PAIR, RETRY, RETRIES, CONTINUE, FAIL_FAST, CANCEL,
        APPROVAL, SUSPEND, TIMEOUT, STUBBORN_CHILD, WORKFLOW_TIMEOUT, PAGED, SHARDED, LEASED,
        SOURCE, STEERED, QUEUED, REPLACED, HISTORY, EXPIRING, PRUNED, WITHDRAWN, RECORDED,
        REVERTED, FORGOTTEN, SHARDED_SOURCE, RERUN, RESTORED,
    )
}  # fmt: skip
