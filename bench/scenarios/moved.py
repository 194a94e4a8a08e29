"""The ref has moved and 10 of 1,000 documents changed: those ten start, nothing else is written."""

from collections.abc import Iterator
from pathlib import Path

from bench.measure import Spent, interleaved
from bench.options import Options
from bench.place import OURS, Place, reconcile, writes
from bench.repository import Repository, manifests
from bench.result import Beside, Count, Figure, Points, Ratio
from hack.controlplane.tools import tool

NAME = "ref moved"
_EACH = 7  # record, object, its uid in the record, its status, its first step, two Events
_HEAD = 2  # the commit in work, the commit that is whole


def play(place: Place, options: Options) -> Iterator[Ratio | Count | Figure]:
    moving = _Moving(place, options)
    words = f"{options.changed:,} of {options.documents:,} documents changed"
    moving.commits()
    with place.counted() as counted:
        counted.place.run(*moving.flags)
        written = sum(writes(counted.calls(OURS)).values())
    yield Count(NAME, f"writes, {words}", written, _EACH * options.changed + _HEAD)
    yield Figure(NAME, f"sent, {words}", counted.proxy.sent / 1024, "KiB")
    yield Figure(NAME, f"received, {words}", counted.proxy.received / 1024, "KiB")
    taken = interleaved(
        {"moved": moving.ours, "stands": moving.stands, "kubectl": moving.kubectl}, options.rounds
    )
    beside = Beside(NAME, taken["moved"], taken["kubectl"])
    yield beside.ratio("process", f"{words} / kubectl apply of those")
    yield beside.ratio("process CPU", f"{words} / kubectl apply of those")
    stood = Beside(NAME, taken["moved"], taken["stands"])
    yield stood.ratio("process", f"{words} / a ref that stands")
    yield stood.ratio("process CPU", f"{words} / a ref that stands")
    points = Points(NAME, "changed documents")
    for measure in ("process", "process CPU", "peak"):
        yield points.at(options.changed, "ours", measure, taken["moved"])
        yield points.at(0, "ours", measure, taken["stands"])


class _Moving:
    """A source that was recorded, so that nothing of it runs, and then moves."""

    def __init__(self, place: Place, options: Options) -> None:
        self._place, self._options = place, options
        self._repository = Repository.of(place.folder / "moved", options.documents)
        self._folder = place.folder / "changed"
        self._moves = 0
        self.flags = (
            *("-n", place.namespace("moved"), "--source-url", self._repository.url),
            *("--deadline", "10m"),
        )
        place.namespace("moved-kubectl")
        reconcile(place, *self.flags, "--first-run", "record")

    def commits(self) -> range:
        """Other documents each time."""
        changed, many = self._options.changed, self._options.documents
        start = self._moves * changed % many
        self._moves += 1
        numbers = range(start, min(start + changed, many))
        self._repository.commit(numbers, change=self._moves)
        return numbers

    def ours(self) -> Spent:
        self.commits()
        return self._place.run(*self.flags)

    def stands(self) -> Spent:
        reconcile(self._place, *self.flags)  # the uids of the steps that were started
        return self._place.run(*self.flags)

    def kubectl(self) -> Spent:
        start = self._moves * self._options.changed
        numbers = range(start, start + self._options.changed)
        for old in self._folder.glob("*.yaml"):
            old.unlink()
        folder = manifests(self._folder, numbers, change=self._moves)
        command: list[str | Path] = [
            tool("kubectl"),
            "apply",
            "--server-side",
            "-n",
            "moved-kubectl",
            "-f",
            folder,
        ]
        return self._place.spend(command)
