"""The figures of docs/performance.md and its drawing, out of a result file: `python -m bench.page`.

What stands between two marks of the page is the file's; the words around it are somebody's.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench import report, trend
from bench.measure import ROOT
from bench.result import Count, Figure, Ratio

DOCS = ROOT / "docs"
_MARK = r"(<!-- figures: {name} -->\n)(.*?)(<!-- end -->)"
_COSTS = {
    "no-op": ("process", "process CPU", "peak"),
    "churn": ("process", "process CPU", "peak"),
    "first import": ("process", "process CPU", "peak"),
    "ref moved": ("process", "process CPU", "peak"),
}


def rendered(page: str, result: report.Result) -> str:
    """The page with the figures of this result."""
    for name, part in _PARTS.items():
        text = "\n".join(part(result))
        mark = re.compile(_MARK.format(name=name), re.DOTALL)
        if not mark.search(page):
            raise LookupError(f"the page has no place for the figures {name!r}")
        page = mark.sub(partial(_put, text), page)
    return page


def _put(text: str, found: re.Match[str]) -> str:
    return f"{found[1]}{text}\n{found[3]}"


def _ratios(result: report.Result) -> Iterator[str]:
    """Those with a budget."""
    yield "| ratio | ours | theirs | ratio, middle half | at most |"
    yield "|---|---|---|---|---|"
    for each in report.findings(result):
        if isinstance(each, Ratio) and each.budget is not None:
            spread = f"{each.ratio.low:.2f} to {each.ratio.high:.2f}"
            verdict = "" if each.kept else ": missed"
            yield (
                f"| {each.scenario}: {each.what} | {_value(each.ours.median, each.unit)} "
                f"| {_value(each.theirs.median, each.unit)} "
                f"| **{each.ratio.median:.2f}**, {spread} | {each.budget:g}{verdict} |"
            )


def _apart(result: report.Result) -> Iterator[str]:
    """Those that are told for the whole picture."""
    yield "| told beside them | ours | theirs | ratio, middle half |"
    yield "|---|---|---|---|"
    for each in report.findings(result):
        if isinstance(each, Ratio) and each.budget is None:
            yield (
                f"| {each.scenario}: {each.what} | {_value(each.ours.median, each.unit)} "
                f"| {_value(each.theirs.median, each.unit)} "
                f"| {each.ratio.median:.2f}, {each.ratio.low:.2f} to {each.ratio.high:.2f} |"
            )


def _limits(result: report.Result) -> Iterator[str]:
    """Figures with a budget, and counts, which must be equal."""
    yield "| figure | measured | must be |"
    yield "|---|---|---|"
    for each in report.findings(result):
        if isinstance(each, Figure) and each.budget is not None:
            yield (
                f"| {each.scenario}: {each.what} | {_value(each.value, each.unit)} "
                f"| at most {each.budget:g} |"
            )
        elif isinstance(each, Count):
            yield f"| {each.scenario}: {each.what} | {each.got:,} | {each.expected:,} |"


def _costs(result: report.Result) -> Iterator[str]:
    """The whole process of a run, by what it met."""
    found: dict[tuple[str, str], dict[str, Figure]] = {}
    for each in report.findings(result):
        if isinstance(each, Figure) and each.x is not None and each.series in ("ours", ""):
            measure, _, rest = each.what.partition(" at ")
            if measure in _COSTS.get(each.scenario, ()):
                found.setdefault((each.scenario, rest), {})[measure] = each
    yield "| a run that meets | wall clock | processor | peak memory |"
    yield "|---|---|---|---|"
    for (scenario, met), figures in found.items():
        cells = [_value(figures[name].value, figures[name].unit) for name in _COSTS[scenario]]
        yield f"| {scenario}: {met} | {' | '.join(cells)} |"


def _rest(result: report.Result) -> Iterator[str]:
    """Bytes, drains, memory: figures without a place elsewhere."""
    yield "| figure | measured |"
    yield "|---|---|"
    for each in report.findings(result):
        if not isinstance(each, Figure) or each.budget is not None or each.scenario == "bill":
            continue
        if " at " in each.what and each.scenario != "memory":
            continue
        series = f", {each.series}" if each.series not in ("", "ours") else ""
        yield f"| {each.scenario}: {each.what}{series} | {_value(each.value, each.unit)} |"


def _bill(result: report.Result) -> Iterator[str]:
    yield "| for one run | count |"
    yield "|---|---|"
    for each in report.findings(result):
        if isinstance(each, Figure) and each.scenario == "bill":
            yield f"| {each.what} | {each.value:,.0f} |"


def _growth(result: report.Result) -> Iterator[str]:
    for title, lines in trend.fits(trend.panels(result)).items():
        yield f"{title}:"
        yield ""
        yield from (f"- {line}" for line in lines)
        yield ""


def _machine(result: report.Result) -> Iterator[str]:
    """When and on what each scenario was measured."""
    yield "| scenario | when | machine | load, before and after |"
    yield "|---|---|---|---|"
    for name, part in result["scenarios"].items():
        facts = part["facts"]
        kubernetes = f", Kubernetes {facts['kubernetes']}" if facts["kubernetes"] else ""
        machine = f"{facts['cores']} cores, Python {facts['python']}{kubernetes}"
        load = " and ".join(map(str, facts["load"]))
        yield f"| {name} | {facts['at']} | {machine} | {load} |"


def _value(value: float, unit: str) -> str:
    digits = 0 if value >= 100 or value == int(value) else 1  # noqa: PLR2004  # as many as are read
    return f"{value:,.{digits}f} {unit}".strip()


_PARTS: Mapping[str, Callable[[report.Result], Iterator[str]]] = {
    "ratios": _ratios,
    "apart": _apart,
    "limits": _limits,
    "costs": _costs,
    "growth": _growth,
    "rest": _rest,
    "bill": _bill,
    "machine": _machine,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("result", type=Path, nargs="?", default=DOCS / "performance.json")
    told = parser.parse_args(arguments)
    result = report.load(told.result)
    page = DOCS / "performance.md"
    page.write_text(rendered(page.read_text(), result))
    (DOCS / "performance-trend.svg").write_text(trend.drawn(trend.panels(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
