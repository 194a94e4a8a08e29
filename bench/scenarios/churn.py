"""A run in which each active workflow has news: one status write, one creation, one Event each.

Four of five steps run, one of them has just completed, and the fifth waits for it. Each side gets
workflows of its own in each round. The bare script and the Go program write as much, as many at
once; kopf, the operator framework for Python, starts cold, as a run of ours does.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import Broken, Spent, interleaved, spend
from bench.options import Options
from bench.peers import built
from bench.place import OURS, Place, writes
from bench.result import Beside, Count, Figure, Points, Ratio
from bench.seed import Stamp, Turn, churning, names, removed, stamp, stamped

NAME = "churn"
_BARE, _GO, _KOPF = 1.5, 2.5, 0.5  # budgets
_KOPF_AGENTS = ("kopf", "bench-kopf")


def play(place: Place, options: Options) -> Iterator[Ratio | Count | Figure]:
    size = options.usual
    first = Turn(lambda _: "Running")
    news = Turn(lambda step: "Completed" if step == "step-3" else "", recorded=False)
    worlds = _Worlds(place, stamp(place, "proto-churn", churning(), first, news), size)
    yield from _counts(worlds)
    sides: dict[str, Callable[[], Spent]] = {
        "ours": worlds.body,
        "bare": lambda: _all(size, place.bare("churn", worlds.fresh("bare"))),
        "process": lambda: place.run(*_flags(worlds.fresh("process"))),
    }
    if "go" in options.peers:
        go = built.go()
        sides["go"] = lambda: _all(size, place.spend([go, "churn", worlds.fresh("go")]))
    if "kopf" in options.peers:
        sides["kopf"] = worlds.kopf
    taken = interleaved(sides, options.rounds)
    yield from _ratios(taken, size)
    if "kopf" in options.peers:
        yield from _kopf_counts(worlds)


def _flags(namespace: str) -> tuple[str, ...]:
    return ("-n", namespace, "--no-lease", "--deadline", "5m")


@dataclass
class _Worlds:
    """Fresh workflows for whoever asks; what the last one of that name left is gone."""

    place: Place
    made: Stamp
    size: int
    asked: int = field(default=0)

    def fresh(self, side: str) -> str:
        self.asked += 1
        namespace = f"churn-{side}"
        removed(self.place, namespace)
        stamped(self.place, self.made, namespace, names(f"w{self.asked}", self.size))
        return namespace

    def body(self) -> Spent:
        spent = self.place.body(*_flags(self.fresh("ours")))
        if spent.told["created"] != self.size:
            raise Broken(f"{self.size} steps were to start: {spent.told}")
        return spent

    def kopf(self) -> Spent:
        namespace = self.fresh("kopf")
        command: list[str | Path] = [
            built.kopf(),
            "run",
            "--standalone",
            "--namespace",
            namespace,
            built.OPERATOR,
        ]
        more = {"KUBECONFIG": str(self.place.kubeconfig), "BENCH_WORKFLOWS": str(self.size)}
        return spend(command, more | {"PATH": os.environ["PATH"]})


def _all(size: int, spent: Spent) -> Spent:
    if spent.told["written"] != size:
        raise Broken(f"{size} workflows were to be written: {spent.told}")
    return spent


def _ratios(taken: Mapping[str, Sequence[Spent]], size: int) -> Iterator[Ratio | Figure]:
    words, ours = f"{size:,} active", taken["ours"]
    bare = Beside(NAME, ours, taken["bare"])
    yield bare.ratio("body", f"{words} / bare urllib3", _BARE)
    yield bare.ratio("body CPU", f"{words} / bare urllib3")
    if "go" in taken:
        go = Beside(NAME, ours, taken["go"])
        yield go.ratio("body", f"{words} / Go", _GO)
        yield go.ratio("body CPU", f"{words} / Go")
    if "kopf" in taken:
        kopf = Beside(NAME, taken["process"], taken["kopf"])
        yield kopf.ratio("process", f"{words} / kopf from a cold start", _KOPF)
        yield kopf.ratio("process CPU", f"{words} / kopf from a cold start")
        yield kopf.ratio("peak", f"{words} / kopf from a cold start")
    points = Points(NAME, "active")
    yield points.at(size, "ours", "body", ours)
    for measure in ("process", "process CPU", "peak"):
        yield points.at(size, "ours", measure, taken["process"])


def _counts(worlds: _Worlds) -> Iterator[Count | Figure]:
    size, namespace = worlds.size, worlds.fresh("counted")
    with worlds.place.counted() as counted:
        counted.place.run(*_flags(namespace))
        written = writes(counted.calls(OURS))
    expected = {
        "update workflowexecutions/status": "changed workflows",
        "create kubernetesexecutions": "creations",
        "create events": "Events",
    }
    for what, words in expected.items():
        yield Count(NAME, f"{words} of {size:,} with news", written.pop(what, 0), size)
    yield Count(NAME, "other writes", sum(written.values()), 0)
    yield Figure(NAME, f"sent, {size:,} with news", counted.proxy.sent / 1024, "KiB")
    yield Figure(NAME, f"received, {size:,} with news", counted.proxy.received / 1024, "KiB")


def _kopf_counts(worlds: _Worlds) -> Iterator[Figure]:
    """What the other way of doing it asks of the server."""
    with worlds.place.counted() as counted:
        worlds.kopf()
    calls = [counted.calls(agent) for agent in _KOPF_AGENTS]
    written = sum(sum(writes(each).values()) for each in calls)
    yield Figure(NAME, "writes a workflow", written / worlds.size, "", None, "kopf")
    every = sum(sum(each.values()) for each in calls)
    yield Figure(NAME, "requests a workflow", every / worlds.size, "", None, "kopf")
