"""What a scenario found, as values: ratios, counts that must be equal, and figures.

Only these three cross from the process that measures to the table, the file and the drawing. A
ratio is the median of the rounds' ratios, its spread the middle half of them.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.measure import Spent


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some samples, and between which values the middle half of them lies."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0])
        low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours beside theirs, measured in the same rounds; the budget, if any, is for the ratio."""

    scenario: str
    what: str
    unit: str  # of both sides: "ms" of the wall clock, "ms CPU" or "MiB"
    ours: Spread
    theirs: Spread
    ratio: Spread
    rounds: int
    budget: float | None = None

    @property
    def kept(self) -> bool:
        return self.budget is None or self.ratio.median <= self.budget


@dataclass(frozen=True, slots=True)
class Count:
    """Something the server counted, and what it must be."""

    scenario: str
    what: str
    got: int
    expected: int

    @property
    def kept(self) -> bool:
        return self.got == self.expected


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of ours; the budget, if any, is the most it may be.

    `x` places it on the axis of a trend, `series` says on which line.
    """

    scenario: str
    what: str
    value: float
    unit: str
    budget: float | None = None
    series: str = ""
    x: float | None = None

    @property
    def kept(self) -> bool:
        return self.budget is None or self.value <= self.budget


KINDS = {"ratio": Ratio, "count": Count, "figure": Figure}


def plain(finding: Ratio | Count | Figure) -> dict[str, Any]:
    """As it stands in the file."""
    return {"kind": type(finding).__name__.lower(), **asdict(finding)}


def read(entry: dict[str, Any]) -> Ratio | Count | Figure:
    """The other way."""
    parts = {key: value for key, value in entry.items() if key != "kind"}
    for name in ("ours", "theirs", "ratio"):
        if name in parts:
            parts[name] = Spread(**parts[name])
    found: Ratio | Count | Figure = KINDS[entry["kind"]](**parts)
    return found


MEASURES: Mapping[str, tuple[Callable[[Spent], float], str]] = {
    "body": (lambda spent: spent.body * 1e3, "ms"),
    "body CPU": (lambda spent: spent.body_cpu * 1e3, "ms CPU"),
    "process": (lambda spent: spent.wall * 1e3, "ms"),
    "process CPU": (lambda spent: spent.cpu * 1e3, "ms CPU"),
    "peak": (lambda spent: spent.peak / 2**20, "MiB"),
}


def divided(
    name: tuple[str, str, str],
    ours: Sequence[float],
    theirs: Sequence[float],
    budget: float | None = None,
) -> Ratio:
    """Of two sides of the same rounds; `name` is scenario, what and unit."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Ratio(
        *name,
        ours=Spread.of(ours),
        theirs=Spread.of(theirs),
        ratio=Spread.of(ratios),
        rounds=len(ratios),
        budget=budget,
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """The processes of two sides, ready to be divided."""

    scenario: str
    ours: Sequence[Spent]
    theirs: Sequence[Spent]

    def ratio(self, measure: str, what: str, budget: float | None = None) -> Ratio:
        value, unit = MEASURES[measure]
        name = (self.scenario, f"{measure}, {what}", unit)
        return divided(name, [*map(value, self.ours)], [*map(value, self.theirs)], budget)


@dataclass(frozen=True, slots=True)
class Points:
    """Figures of one scenario that lie on lines: how `measure` of `series` was at `x`."""

    scenario: str
    axis: str  # what x counts, for people

    def at(self, x: float, series: str, measure: str, samples: Sequence[Spent]) -> Figure:
        value, unit = MEASURES[measure]
        return Figure(
            scenario=self.scenario,
            what=f"{measure} at {x:,} {self.axis}",
            value=statistics.median(map(value, samples)),
            unit=unit,
            series=series,
            x=x,
        )
