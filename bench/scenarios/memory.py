"""Peak memory of a run that lists 50,000 children.

Once with 100 workflows and ever more children that carry their label, all of them held until each
is known to be nobody's: what a child costs. Once as many children of workflows of 20 steps: what a
cluster costs that has so much in flight at one moment, workflows included.
"""

import statistics
from collections.abc import Iterator
from functools import partial

from bench.measure import Spent, interleaved
from bench.options import Options
from bench.place import Place
from bench.result import Figure, Points
from bench.seed import Turn, labelled, names, running, stamp, stamped

NAME = "memory"
_EACH, _ALL = 8.0, 150.0  # budgets, MiB: for 10,000 children, for the whole process
_HOLDERS, _STEPS = 100, 20
_TEN_THOUSAND = 10_000


def play(place: Place, options: Options) -> Iterator[Figure]:
    sizes = (0, options.children // 5, options.children)
    made = stamp(place, "proto-memory", running(), Turn(lambda _: "Running"))
    holders = names("holder", min(_HOLDERS, max(options.active)))
    for size in sizes:
        stamped(place, made, f"memory-{size}", holders)
        labelled(place, made, f"memory-{size}", holders, size)
    taken = interleaved(
        {size: partial(_run, place, f"memory-{size}") for size in sizes}, options.few
    )
    points = Points(NAME, "children that are nobody's")
    for size in sizes:
        yield points.at(size, "ours", "peak", taken[size])
    peaks = [_peak(taken[size]) for size in sizes]
    grown = (peaks[2] - peaks[0]) / options.children * _TEN_THOUSAND
    yield Figure(NAME, "growth for each 10,000 children listed", grown, "MiB", _EACH)
    yield Figure(NAME, f"peak with {options.children:,} children listed", peaks[2], "MiB", _ALL)
    yield _in_flight(place, options)


def _in_flight(place: Place, options: Options) -> Figure:
    """Every child is a step that runs, of a workflow that a run holds as well."""
    workflows = options.children // _STEPS
    wide = stamp(place, "proto-wide", running(_STEPS), Turn(lambda _: "Running"))
    stamped(place, wide, "memory-wide", names("wide", workflows))
    samples = [_run(place, "memory-wide") for _ in range(options.few)]
    what = f"peak with {workflows:,} workflows of {_STEPS} steps that all run"
    return Figure(NAME, what, _peak(samples), "MiB", _ALL)


def _run(place: Place, namespace: str) -> Spent:
    return place.run("-n", namespace, "--no-lease", "--deadline", "5m")


def _peak(samples: list[Spent]) -> float:
    return statistics.median(each.peak for each in samples) / 2**20
