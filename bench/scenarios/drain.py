"""Workflows from their first step to their last, with an executor that ends each step at once.

Runs follow each other, each a process of its own as a CronJob makes it, until all is settled; what
they write and the processor time they take, start included, is divided by the number of steps.
"""

import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.measure import Broken, Spent
from bench.options import Options
from bench.place import OURS, Place, calls, writes
from bench.repository import Repository
from bench.result import Count, Figure
from bench.seed import Json, children_of, say, step, workflows_of

NAME = "drain"
_WRITES, _WRITES_FROM_GIT, _CPU = 3.0, 3.6, 15.0  # budgets; CPU in milliseconds
_MOST = 60  # runs, and it does not end


def play(place: Place, options: Options) -> Iterator[Count | Figure]:
    diamond = [
        step("a"),
        *(step(name, ["a"]) for name in "bcd"),
        step("e", ["b", "c", "d"]),
    ]
    few = options.few
    drained = [_drained(place, f"drain-{n}", diamond, options.drained) for n in range(few)]
    yield from _told(f"{options.drained} of a, then b, c, d, then e", drained, _WRITES)
    git = [_from_git(place, f"drain-git-{n}", options.drained) for n in range(few)]
    yield from _told(f"{options.drained} of the same from git", git, _WRITES_FROM_GIT)
    yield Count(NAME, "writes of the head, from git", max(each.head for each in git), 2)
    many, steps = options.long
    if many:
        wide = [
            step(f"s{level}-{lane}", [f"s{level - 1}-{lane}"] if level else [])
            for level in range(steps // 4)
            for lane in range(4)
        ]
        long = [_drained(place, "drain-long", wide, many)]
        yield from _told(f"{many} of {steps} steps, four at once", long, None)


@dataclass(frozen=True)
class _Drained:
    """One drain, from the first run to the last."""

    steps: int
    runs: Sequence[Spent]
    written: int
    head: int  # writes of the source's head: two a commit, however many steps it holds


def _told(what: str, drained: Sequence[_Drained], budget: float | None) -> Iterator[Count | Figure]:
    written = statistics.median(each.written / each.steps for each in drained)
    cpu = statistics.median(
        sum(run.cpu for run in each.runs) * 1e3 / each.steps for each in drained
    )
    yield Figure(NAME, f"writes a step, {what}", written, "", budget)
    yield Figure(NAME, f"CPU a step, {what}", cpu, "ms CPU", _CPU if budget else None)
    yield Figure(NAME, f"runs, {what}", statistics.median(len(each.runs) for each in drained), "")
    wall = statistics.median(sum(run.wall for run in each.runs) for each in drained)
    yield Figure(NAME, f"seconds in runs, {what}", wall, "s")


def _drained(place: Place, name: str, steps: Sequence[Json], many: int) -> _Drained:
    """Workflows that somebody made; no source."""
    namespace = place.namespace(name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: _made(place, namespace, n, steps), range(many)))
    return _until_settled(place, namespace, many, len(steps))


def _made(place: Place, namespace: str, number: int, steps: Sequence[Json]) -> None:
    body = {
        "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {"name": f"w-{number:03}"},
        "spec": {"workflowDefinition": {"steps": steps}},
    }
    code, answer = place.api.post(workflows_of(namespace), body)
    if code != 201:  # noqa: PLR2004  # created
        raise Broken(f"a workflow was not made: {answer}")


def _from_git(place: Place, name: str, many: int) -> _Drained:
    """The same as documents of a repository."""
    namespace = place.namespace(name)
    repository = Repository.of(place.folder / name, many, diamond=True)
    return _until_settled(place, namespace, many, 5, "--source-url", repository.url)


def _until_settled(place: Place, namespace: str, many: int, steps: int, *flags: str) -> _Drained:
    mark = place.audit.mark()
    runs: list[Spent] = []
    while len(runs) < _MOST:
        runs.append(place.run("-n", namespace, *flags))
        _execute(place, namespace)
        if _settled(place, namespace) == many:
            asked = writes(calls(place.audit, mark, OURS))
            head = sum(count for what, count in asked.items() if what.endswith(" configmaps"))
            return _Drained(many * steps, runs, sum(asked.values()) - head, head)
    raise Broken(f"{namespace} is not settled after {_MOST} runs")


def _execute(place: Place, namespace: str) -> None:
    """Every step that was started ends, well."""
    children = place.api.get(children_of(namespace))[1]["items"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda child: say(place.api, child, "Completed"), children))


def _settled(place: Place, namespace: str) -> int:
    path = f"{workflows_of(namespace)}?fieldSelector=status.settled=true"
    return len(place.api.get(path)[1]["items"])
