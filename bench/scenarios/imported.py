"""The first run over a source of 1,000 documents, which starts all of them, beside kubectl.

`kubectl apply --server-side` of the same documents makes the objects and starts nothing, so it does
a seventh of the writes. Each round has a namespace of its own.
"""

from collections.abc import Iterator
from pathlib import Path

from bench.measure import Spent, interleaved
from bench.options import Options
from bench.place import OURS, Place, writes
from bench.repository import Repository, manifests
from bench.result import Beside, Count, Figure, Points, Ratio
from hack.controlplane.tools import tool

NAME = "first import"
_EACH = 7  # record, object, its uid in the record, its status, its first step, two Events
_HEAD = 2  # the commit in work, the commit that is whole


def play(place: Place, options: Options) -> Iterator[Ratio | Count | Figure]:
    many = options.documents
    repository = Repository.of(place.folder / "import", many)
    folder = manifests(place.folder / "manifests", range(many))
    with place.counted() as counted:
        counted.place.run(*_flags(place, repository, "import-counted"))
        written = writes(counted.calls(OURS))
    yield Count(
        NAME, f"writes, {many:,} new documents", sum(written.values()), _EACH * many + _HEAD
    )
    yield Figure(NAME, f"sent, {many:,} new documents", counted.proxy.sent / 1024, "KiB")
    yield Figure(NAME, f"received, {many:,} new documents", counted.proxy.received / 1024, "KiB")
    asked: list[str] = []

    def fresh(side: str) -> str:
        asked.append(side)
        return place.namespace(f"import-{side}-{len(asked)}")

    def kubectl() -> Spent:
        command: list[str | Path] = [
            tool("kubectl"),
            "apply",
            "--server-side",
            "-n",
            fresh("kubectl"),
            "-f",
            folder,
        ]
        return place.spend(command)

    taken = interleaved(
        {"ours": lambda: place.run(*_flags(place, repository, fresh("ours"))), "kubectl": kubectl},
        options.few,
    )
    beside, words = Beside(NAME, taken["ours"], taken["kubectl"]), f"{many:,} documents"
    yield beside.ratio("process", f"{words} / kubectl apply, which starts none")
    yield beside.ratio("process CPU", f"{words} / kubectl apply, which starts none")
    points = Points(NAME, "new documents")
    for measure in ("process", "process CPU", "peak"):
        yield points.at(many, "ours", measure, taken["ours"])


def _flags(place: Place, repository: Repository, namespace: str) -> tuple[str, ...]:
    place.namespace(namespace)
    return ("-n", namespace, "--source-url", repository.url, "--deadline", "10m")
