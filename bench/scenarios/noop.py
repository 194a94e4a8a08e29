"""A run over active workflows in which nothing has changed: its lists, and no write.

Each workflow has five steps that run. The bare script and the Go program make the same requests, as
many at once; the server's own time is that of a client that throws the answers away.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from bench.measure import Broken, Spent, interleaved
from bench.options import Options
from bench.peers import built
from bench.place import OURS, Place, writes
from bench.result import Beside, Count, Figure, Points, Ratio
from bench.seed import Turn, names, running, stamp, stamped, stir

NAME = "no-op"
_STEPS = 5
_LIVELY = "noop-lively"  # somebody else's namespace
_SHARDS, _WORTH_DIVIDING = 5, 100
_BARE, _GO, _GROWTH = 1.2, 1.5, 24.0  # budgets, at the usual size; the last one for ours alone
Side = tuple[str, int]
Taken = Mapping[Side, Sequence[Spent]]


def play(place: Place, options: Options) -> Iterator[Ratio | Count | Figure]:
    made = stamp(place, "proto-noop", running(_STEPS), Turn(lambda _: "Running"))
    for size in options.active:
        stamped(place, made, _namespace(size), names("noop", size))
    stamped(place, made, _LIVELY, names("noop", 1))
    for size in options.active:
        yield from _counts(place, size)
    taken = interleaved(dict(_sides(place, options)), options.rounds)
    for size in options.active:
        yield from _ratios(taken, size, usual=size == options.usual)
    yield from _growth(taken, options)


def _namespace(size: int) -> str:
    return f"noop-{size}"


def _flags(size: int) -> tuple[str, ...]:
    return ("-n", _namespace(size), "--no-lease", "--deadline", "5m")


def _sides(place: Place, options: Options) -> Iterator[tuple[Side, Callable[[], Spent]]]:
    for size in options.active:
        namespace, flags = _namespace(size), _flags(size)
        whole = partial(_whole, place, size)
        yield ("ours", size), partial(whole, partial(place.body, *flags))
        yield ("bare", size), partial(whole, partial(place.bare, "lists", namespace))
        if size == options.usual:
            yield ("plain", size), partial(whole, partial(place.bare, "plain", namespace))
        yield ("server", size), partial(_stirred, place, partial(place.bare, "bytes", namespace))
        yield ("process", size), partial(_stirred, place, partial(place.run, *flags))
        if "go" in options.peers:
            go = partial(place.spend, [built.go(), "lists", namespace])
            yield ("go", size), partial(whole, go)
    if (large := max(options.active)) >= _WORTH_DIVIDING:
        yield ("shard", large), partial(_shard, place, large)


def _stirred(place: Place, side: Callable[[], Spent]) -> Spent:
    stir(place, _LIVELY)
    return side()


def _whole(place: Place, size: int, side: Callable[[], Spent]) -> Spent:
    """It saw everything, or it is no measurement."""
    told = (spent := _stirred(place, side)).told
    if told["workflows"] != size or told.get("children", size * _STEPS) != size * _STEPS:
        raise Broken(f"{size} workflows were to be seen: {told}")
    return spent


def _shard(place: Place, size: int) -> Spent:
    spent = _stirred(place, partial(place.body, *_flags(size), "--shard", f"1/{_SHARDS}"))
    if not 0 < spent.told["workflows"] < size:
        raise Broken(f"a part of {size} workflows was to be seen: {spent.told}")
    return spent


def _ratios(taken: Taken, size: int, *, usual: bool) -> Iterator[Ratio | Figure]:
    ours, words = taken["ours", size], f"{size:,} active"
    bare = Beside(NAME, ours, taken["bare", size])
    yield bare.ratio("body", f"{words} / bare urllib3", _BARE if usual else None)
    yield bare.ratio("body CPU", f"{words} / bare urllib3")
    if usual:
        plain = Beside(NAME, ours, taken["plain", size])
        yield plain.ratio("body", f"{words} / bare urllib3, one list after another")
    if ("go", size) in taken:
        go = Beside(NAME, ours, taken["go", size])
        yield go.ratio("body", f"{words} / Go", _GO if usual else None)
        yield go.ratio("body CPU", f"{words} / Go")
    yield Beside(NAME, ours, taken["server", size]).ratio("body", f"{words} / its lists unparsed")
    points = Points(NAME, "active")
    lines = {"ours": "ours", "bare urllib3": "bare", "Go": "go", "the server's lists": "server"}
    for series, side in lines.items():
        if (side, size) in taken:
            yield points.at(size, series, "body", taken[side, size])
    yield points.at(size, "ours", "body CPU", ours)
    for measure in ("process", "process CPU", "peak"):
        yield points.at(size, "ours", measure, taken["process", size])


def _growth(taken: Taken, options: Options) -> Iterator[Ratio]:
    """The budget is for what is ours, the server's own time is told apart: as with `history`."""
    large, small = max(options.active), options.usual
    words = f"{large:,} active / {small:,} active"
    ours = Beside(NAME, taken["ours", large], taken["ours", small])
    yield ours.ratio("body CPU", words, _GROWTH)
    yield ours.ratio("body", words)
    for side, name in (("bare", "bare urllib3"), ("go", "Go"), ("server", "the server's lists")):
        if (side, large) in taken:
            beside = Beside(NAME, taken[side, large], taken[side, small])
            yield beside.ratio("body", f"{words}: {name}")
    if ("shard", large) in taken:
        part = Beside(NAME, taken["shard", large], taken["ours", large])
        for measure in ("body", "body CPU", "peak"):
            yield part.ratio(measure, f"{large:,} active, one of {_SHARDS} shards / one run of all")


def _counts(place: Place, size: int) -> Iterator[Count | Figure]:
    with place.counted() as counted:
        counted.place.run("-n", _namespace(size), "--deadline", "5m")
        calls = counted.calls(OURS)
    lists = sum(count for what, count in calls.items() if what.startswith("list "))
    words = f"{size:,} active"
    bare = place.bare("lists", _namespace(size)).told["lists"]
    yield Count(NAME, f"lists of a run, {words}", lists, bare)
    yield Count(NAME, f"object writes of a run, {words}", sum(writes(calls).values()), 0)
    yield Count(NAME, f"requests beside them, {words}", sum(calls.values()) - lists, 4)
    yield Figure(NAME, f"received, {words}", counted.proxy.received / 1024, "KiB", None, "", size)
