"""How the cost of a run grows, fitted and drawn out of a result file: `python -m bench.trend`.

Two lines by least squares: over the active workflows, and over the stored ones that have settled.
The drawing is one SVG file of plain shapes; its numbers are those of the file.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import report
from bench.measure import ROOT
from bench.result import Figure

DOCS = ROOT / "docs"
_WIDTH, _HEIGHT = 400, 260  # of one panel
_LEFT, _TOP, _RIGHT, _BOTTOM = 62, 46, 16, 44  # around its axes
_TICKS = 4
_COLOURS = {
    "ours": "#1f6feb",
    "bare urllib3": "#8250df",
    "Go": "#1a7f37",
    "the server's lists": "#8c959f",
}
_FONT = "font-family='sans-serif' font-size='11' fill='#57606a'"


@dataclass(frozen=True)
class Line:
    """One series of points, and the straight line that is nearest to them."""

    series: str
    points: Sequence[tuple[float, float]]

    @property
    def fit(self) -> tuple[float, float]:
        """Slope and intercept."""
        xs, ys = zip(*self.points, strict=True)
        fit = statistics.linear_regression(xs, ys)
        return fit.slope, fit.intercept

    @property
    def told(self) -> str:
        slope, intercept = self.fit
        return f"{self.series}: {intercept:,.0f} ms + {slope * 1000:,.0f} ms for each 1,000"


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    axis: str
    lines: Sequence[Line]

    @property
    def most(self) -> tuple[float, float]:
        points = [point for line in self.lines for point in line.points]
        return _round(max(x for x, _ in points)), _round(max(y for _, y in points))


def _round(most: float) -> float:
    """The next number whose quarters are easy to read."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= most)


def panels(result: report.Result) -> Sequence[Panel]:
    """Those of which the file has at least two points."""
    figures = [each for each in report.findings(result) if isinstance(each, Figure)]
    wanted = (
        Panel(
            "Nothing to do: a run's body", "active workflows of 5 steps", _lines(figures, "no-op")
        ),
        Panel(
            "200 active among ever more settled",
            "stored workflows of 5 steps",
            _lines(figures, "history"),
        ),
    )
    return [panel for panel in wanted if panel.lines]


def _lines(figures: Sequence[Figure], scenario: str) -> Sequence[Line]:
    points: dict[str, list[tuple[float, float]]] = {}
    for each in figures:
        if each.scenario == scenario and each.what.startswith("body at") and each.x is not None:
            points.setdefault(each.series, []).append((each.x, each.value))
    return [Line(series, sorted(some)) for series, some in points.items() if len(some) > 1]


def drawn(every: Sequence[Panel]) -> str:
    """The SVG."""
    rows = 1 + max(len(panel.lines) for panel in every)
    height = _HEIGHT + rows * 16
    width = _WIDTH * len(every)
    size = f"width='{width}' height='{height}'"
    box = f"viewBox='0 0 {width} {height}'"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' {box} {size} role='img'>",
        f"<rect {size} fill='#ffffff'/>",
    ]
    for number, panel in enumerate(every):
        parts += [f"<g transform='translate({number * _WIDTH} 0)'>", *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel) -> Iterator[str]:
    yield (
        f"<text x='{_LEFT}' y='22' font-family='sans-serif' font-size='14' "
        f"fill='#1f2328'>{panel.title}</text>"
    )
    yield from _axes(panel)
    for line in panel.lines:
        yield from _line(panel, line)
    for row, line in enumerate(panel.lines):
        y = _HEIGHT + 12 + row * 16
        colour = _COLOURS.get(line.series, "#000000")
        yield f"<rect x='{_LEFT}' y='{y - 8}' width='14' height='4' fill='{colour}'/>"
        yield f"<text x='{_LEFT + 20}' y='{y}' {_FONT}>{line.told}</text>"


def _axes(panel: Panel) -> Iterator[str]:
    (right, top), across = panel.most, _WIDTH - _RIGHT
    for tick in range(_TICKS + 1):
        x, y = _at(panel, right * tick / _TICKS, top * tick / _TICKS)
        yield f"<path d='M{_LEFT} {y:.1f}H{across}' stroke='#d0d7de' stroke-width='1'/>"
        words = f"{top * tick / _TICKS:,.0f}"
        yield f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' text-anchor='end' {_FONT}>{words}</text>"
        words = f"{right * tick / _TICKS:,.0f}"
        anchor = "end" if tick == _TICKS else "middle"
        yield (
            f"<text x='{x:.1f}' y='{_HEIGHT - _BOTTOM + 16}' text-anchor='{anchor}' "
            f"{_FONT}>{words}</text>"
        )
    middle = (_LEFT + across) / 2
    yield (
        f"<text x='{middle}' y='{_HEIGHT - _BOTTOM + 32}' text-anchor='middle' "
        f"{_FONT}>{panel.axis}</text>"
    )
    yield f"<text x='{_LEFT - 6}' y='{_TOP - 8}' text-anchor='end' {_FONT}>ms</text>"


def _line(panel: Panel, line: Line) -> Iterator[str]:
    colour = _COLOURS.get(line.series, "#000000")
    slope, intercept = line.fit
    right, _ = panel.most
    x1, y1 = _at(panel, 0, max(0.0, intercept))
    x2, y2 = _at(panel, right, intercept + slope * right)
    yield (
        f"<path d='M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}' stroke='{colour}' "
        "stroke-width='1.5' fill='none'/>"
    )
    for x, y in line.points:
        across, down = _at(panel, x, y)
        yield f"<circle cx='{across:.1f}' cy='{down:.1f}' r='3' fill='{colour}'/>"


def _at(panel: Panel, x: float, y: float) -> tuple[float, float]:
    right, top = panel.most
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return _LEFT + x / right * wide, _HEIGHT - _BOTTOM - y / top * high


def fits(every: Sequence[Panel]) -> Mapping[str, Sequence[str]]:
    return {panel.title: [line.told for line in panel.lines] for panel in every}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.trend", description=__doc__)
    parser.add_argument("result", type=Path, nargs="?", default=DOCS / "performance.json")
    parser.add_argument("--out", type=Path, default=DOCS / "performance-trend.svg")
    told = parser.parse_args()
    found = panels(report.load(told.result))
    if not found:
        sys.exit(f"{told.result.name} has no trend: run the scenarios noop and history")
    told.out.write_text(drawn(found))
    for title, lines in fits(found).items():
        print(title, *lines, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
