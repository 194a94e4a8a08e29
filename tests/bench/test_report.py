"""The table, the file, the comparison and the drawing, from findings that are made up."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench import page, report, trend
from bench.measure import Broken, Spent, interleaved, spend
from bench.result import Beside, Count, Figure, Ratio, Spread, divided, plain, read
from tests.controlplane import ROOT


def _ratio(ours: float = 10.0, budget: float | None = 1.5) -> Ratio:
    return divided(("no-op", "body, 4 active / bare", "ms"), [ours] * 3, [10.0] * 3, budget)


def _result(*findings: Ratio | Count | Figure) -> report.Result:
    facts = {
        "at": "2026-01-01T00:00Z",
        "cores": 2,
        "machine": "x86_64",
        "python": "3.11.7",
        "kubernetes": "v1.37.2",
        "load": [0.1, 0.2],
    }
    part = {"facts": facts, "findings": [plain(each) for each in findings]}
    return report.merged(report.fresh(), "noop", part)


# --- what is measured ------------------------------------------------------------------------


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_its_spread_their_middle_half() -> None:
    """A machine that was busy in one round was busy for both sides of it."""
    ours = [Spent(wall, 0.0, 0) for wall in (2.0, 20.0, 3.0, 4.0, 5.0)]
    theirs = [Spent(wall, 0.0, 0) for wall in (1.0, 10.0, 1.0, 1.0, 1.0)]
    told = Beside("s", ours, theirs).ratio("process", "a / b")
    assert told.ratio == Spread(median=3.0, low=2.0, high=4.0)
    assert (told.ours.median, told.theirs.median, told.rounds) == (4000.0, 1000.0, 5)


def test_the_sides_take_turns_in_another_order_each_round_and_the_first_round_is_dropped() -> None:
    """Who always comes second finds the caches warm."""
    met: list[str] = []

    def side(name: str) -> Spent:
        met.append(name)
        return Spent(float(len(met)), 0.0, 0)

    taken = interleaved({name: lambda name=name: side(name) for name in "abc"}, 2)  # type: ignore[misc]  # mypy infers no lambda with a default
    assert "".join(met) == "abcbcacab"
    assert [spent.wall for spent in taken["a"]] == [6.0, 8.0]


def test_a_process_tells_its_body_and_the_meter_what_the_whole_took() -> None:
    """The whole process, and from its first request on."""
    script = "import json; x = b'x' * (64 << 20); print(json.dumps({'seconds': 0.25, 'cpu': 0.5}))"
    spent = spend([sys.executable, "-c", script])
    assert (spent.body, spent.body_cpu) == (0.25, 0.5)
    assert spent.wall > 0
    assert spent.cpu > 0
    assert spent.peak > 64 << 20


def test_the_peak_of_a_small_process_is_its_own_and_not_that_of_the_bench() -> None:
    """A program's peak memory is never told as less than its starter's."""
    ballast = bytes(128 << 20)
    assert spend([sys.executable, "-S", "-c", "pass"]).peak < 64 << 20
    del ballast


def test_a_side_that_fails_is_no_measurement() -> None:
    """Else a peer that does nothing would be the fastest."""
    with pytest.raises(Broken, match=r"(?s)ended with 3:.*out of luck"):
        spend(
            [sys.executable, "-c", "import sys; print('out of luck', file=sys.stderr); sys.exit(3)"]
        )


# --- what is told ----------------------------------------------------------------------------


def test_what_is_over_its_budget_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """It fails loudly."""
    high = Figure("drain", "writes a step", 3.5, "", 3.0)
    wrong = Count("no-op", "object writes", 1, 0)
    result = _result(_ratio(), _ratio(16.0), high, wrong)
    assert report.over(result) == [
        "no-op: body, 4 active / bare",
        "drain: writes a step",
        "no-op: object writes",
    ]
    report.show(result, None)
    told = capsys.readouterr().out
    assert told.count("MISSED") == 3
    assert told.count("kept") == 1


def test_a_later_run_is_shown_beside_an_earlier_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A result file is there to be compared with."""
    report.show(_result(_ratio(12.0)), _result(_ratio(11.0)))
    assert "1.20 (1.20 to 1.20)" in (told := capsys.readouterr().out)
    assert "was 1.10" in told


@pytest.mark.parametrize(
    "finding",
    [
        pytest.param(_ratio(), id="a-ratio"),
        pytest.param(Count("s", "w", 1, 2), id="a-count"),
        pytest.param(Figure("s", "w", 1.0, "ms", None, "ours", 50), id="a-figure"),
    ],
)
def test_a_finding_comes_out_of_the_file_as_it_went_in(finding: Ratio | Count | Figure) -> None:
    """Only values cross from the process that measures to the one that tells."""
    assert read(json.loads(json.dumps(plain(finding)))) == finding


def test_at_small_sizes_only_counts_are_judged() -> None:
    """The time of four workflows says nothing."""
    judged = list(report.unjudged([_ratio(99.0), Count("s", "w", 1, 2)]))
    assert [each.kept for each in judged] == [True, False]


# --- the drawing -----------------------------------------------------------------------------


def _grown(slope: float, intercept: float) -> list[Figure]:
    return [
        Figure("no-op", f"body at {x}", intercept + slope * x, "ms", None, "ours", x)
        for x in (50, 200, 1000, 4000)
    ]


def test_the_trend_is_the_line_through_the_points() -> None:
    """Least squares, told as what 1,000 workflows more cost."""
    (panel,) = trend.panels(_result(*_grown(slope=0.5, intercept=20.0)))
    (line,) = panel.lines
    assert line.told == "ours: 20 ms + 500 ms for each 1,000"


def test_the_drawing_is_whole_and_tells_its_numbers(tmp_path: Path) -> None:
    """Made from the file alone."""
    file, drawing = tmp_path / "result.json", tmp_path / "trend.svg"
    file.write_text(json.dumps(_result(*_grown(0.5, 20.0))))
    command = [sys.executable, "-m", "bench.trend", str(file), "--out", str(drawing)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    root = ET.fromstring(drawing.read_text())  # noqa: S314  # our own file
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "ours: 20 ms + 500 ms for each 1,000" in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 4


def test_the_page_in_the_docs_tells_the_result_beside_it() -> None:
    """`python -m bench.page` writes its figures and its drawing again."""
    docs = ROOT / "docs"
    result = report.load(docs / "performance.json")
    told = (docs / "performance.md").read_text()
    assert page.rendered(told, result) == told
    drawn = trend.drawn(trend.panels(result))
    assert (docs / "performance-trend.svg").read_text() == drawn
