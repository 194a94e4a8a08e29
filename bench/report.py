"""The result file and the table: what was found, on what machine, and what it was before.

The file holds facts about the machine that make two results comparable, and no name or path of it.
"""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.options import ALONE, ON_A_SERVER
from bench.result import Count, Figure, Ratio, plain, read

Result = dict[str, Any]
Finding = Ratio | Count | Figure


def fresh() -> Result:
    return {"format": 1, "scenarios": {}}


def load(path: Path) -> Result:
    return json.loads(path.read_text()) if path.exists() else fresh()


def merged(result: Result, name: str, part: Mapping[str, Any]) -> Result:
    parts = {**result["scenarios"], name: part}
    order = [each for each in (*ALONE, *ON_A_SERVER) if each in parts]
    return {**result, "scenarios": {each: parts[each] for each in order}}


def write(path: Path, findings: Iterable[Finding], kubernetes: str) -> None:
    """One scenario, with what the machine was and did meanwhile."""
    before = os.getloadavg()[0]
    found = [plain(each) for each in findings]
    facts = {
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "kubernetes": kubernetes,
        "load": [round(before, 1), round(os.getloadavg()[0], 1)],
    }
    path.write_text(json.dumps({"facts": facts, "findings": found}))


def unjudged(found: Iterable[Finding]) -> Iterator[Finding]:
    """Without budgets: at small sizes only counts mean something."""
    for each in found:
        yield each if isinstance(each, Count) else replace(each, budget=None)


def findings(result: Result) -> Iterator[Finding]:
    for part in result["scenarios"].values():
        yield from map(read, part["findings"])


def over(result: Result) -> list[str]:
    return [f"{each.scenario}: {each.what}" for each in findings(result) if not each.kept]


def show(result: Result, before: Result | None) -> None:
    """The table of ratios first, then the counts, then the figures."""
    known = {_key(each): each for each in findings(before)} if before else {}
    every = list(findings(result))
    for line in _ratios([each for each in every if isinstance(each, Ratio)], known):
        print(line)
    print()
    for line in _others(every, known):
        print(line)
    print()
    for name, part in result["scenarios"].items():
        facts = part["facts"]
        load = " to ".join(map(str, facts["load"]))
        print(
            f"{name:<10} {facts['at']}, {facts['cores']} cores, Python {facts['python']}, "
            f"Kubernetes {facts['kubernetes'] or 'not needed'}, load {load}"
        )


def _key(finding: Finding) -> tuple[str, str, str]:
    series = finding.series if isinstance(finding, Figure) else ""
    return finding.scenario, finding.what, series


def _ratios(ratios: list[Ratio], known: Mapping[tuple[str, str, str], Finding]) -> Iterator[str]:
    yield f"{'':<78} {'ours':>9} {'theirs':>9}        ratio (middle half)  rounds  at most"
    for each in ratios:
        budget = "" if each.budget is None else f"{each.budget:8.2f} {_word(each)}"
        spread = f"({each.ratio.low:.2f} to {each.ratio.high:.2f})"
        old = known.get(_key(each))
        was = f"  was {old.ratio.median:.2f}" if isinstance(old, Ratio) else ""
        yield (
            f"{f'{each.scenario}: {each.what}':<78} {each.ours.median:9.1f} "
            f"{each.theirs.median:9.1f} {each.unit:<6} {each.ratio.median:6.2f} {spread:<17}"
            f"{each.rounds:3} {budget}{was}"
        )


def _others(every: list[Finding], known: Mapping[tuple[str, str, str], Finding]) -> Iterator[str]:
    for each in every:
        old = known.get(_key(each))
        if isinstance(each, Count):
            was = f"  was {old.got}" if isinstance(old, Count) else ""
            expected = f"must be {each.expected:7,} {_word(each)}"
            yield f"{f'{each.scenario}: {each.what}':<78} {each.got:9,} {expected}{was}"
        elif isinstance(each, Figure):
            series = f" ({each.series})" if each.series else ""
            was = f"  was {old.value:,.1f}" if isinstance(old, Figure) else ""
            budget = "" if each.budget is None else f"at most {each.budget:7.1f} {_word(each)}"
            name = f"{each.scenario}: {each.what}{series}"
            yield f"{name:<78} {each.value:9,.1f} {each.unit:<8}{budget}{was}"


def _word(finding: Finding) -> str:
    return "kept" if finding.kept else "MISSED"
