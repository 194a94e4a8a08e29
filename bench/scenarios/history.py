"""The same active workflows among ever more that have settled: what is over must cost nothing.

Each workflow has five children, settled ones too. The server looks at every stored object that a
selector might mean, so its own time is told apart; the budget is for what a run itself does.
"""

from collections.abc import Callable, Iterator
from functools import partial

from bench.measure import Broken, Spent, interleaved
from bench.options import Options
from bench.place import Place
from bench.result import Beside, Figure, Points, Ratio
from bench.seed import Turn, names, running, stamp, stamped

NAME = "history"
_BUDGET = 1.2
Side = tuple[str, int]


def play(place: Place, options: Options) -> Iterator[Ratio | Figure]:
    active = options.usual
    live = stamp(place, "proto-active", running(), Turn(lambda _: "Running"))
    over = stamp(place, "proto-settled", running(), Turn(lambda _: "Completed"))
    for stored in options.stored:
        stamped(place, live, _namespace(stored), names("active", active))
        if stored > active:
            stamped(place, over, _namespace(stored), names("settled", stored - active))
    taken = interleaved(dict(_sides(place, options)), options.rounds)
    many, few = max(options.stored), min(options.stored)
    words = f"{active:,} active, {many:,} stored / {few:,} stored"
    ours = Beside(NAME, taken["ours", many], taken["ours", few])
    yield ours.ratio("body CPU", words, _BUDGET)
    yield ours.ratio("body", words)
    for side, name in (("bare", "bare urllib3"), ("server", "the server's lists")):
        yield Beside(NAME, taken[side, many], taken[side, few]).ratio("body", f"{words}: {name}")
    points = Points(NAME, "stored")
    for stored in options.stored:
        for series, side in (("ours", "ours"), ("the server's lists", "server")):
            yield points.at(stored, series, "body", taken[side, stored])
        yield points.at(stored, "ours", "body CPU", taken["ours", stored])
        yield points.at(stored, "ours", "peak", taken["ours", stored])


def _namespace(stored: int) -> str:
    return f"history-{stored}"


def _sides(place: Place, options: Options) -> Iterator[tuple[Side, Callable[[], Spent]]]:
    for stored in options.stored:
        namespace = _namespace(stored)
        flags = ("-n", namespace, "--no-lease", "--deadline", "5m")
        yield ("ours", stored), partial(_same, options.usual, partial(place.body, *flags))
        yield ("bare", stored), partial(place.bare, "lists", namespace)
        yield ("server", stored), partial(place.bare, "bytes", namespace)


def _same(active: int, side: Callable[[], Spent]) -> Spent:
    spent = side()
    if spent.told["workflows"] != active:
        raise Broken(f"{active} workflows were to be seen: {spent.told}")
    return spent
