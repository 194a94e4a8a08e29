"""`make bench`: every scenario beside its peers, one table, one file; ends with 1 over a budget.

Each scenario has a process of its own, and those that need one a control plane of its own. What
it found goes into the result file at once; a later run is compared with such a file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from bench import report
from bench.measure import ROOT, Broken
from bench.options import ALONE, ON_A_SERVER, PEERS, ROUNDS, Options
from bench.result import Count, Figure, Ratio

_RESULT = ROOT / "build" / "bench.json"


def main() -> int:
    told = _arguments().parse_args()
    if told.inside:
        return _inside(told)
    scenarios = told.only or [*ALONE, *ON_A_SERVER]
    told.out.parent.mkdir(parents=True, exist_ok=True)
    result = report.load(told.out) if told.into else report.fresh()
    broken = []
    for name in scenarios:
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "part.json"
            if _started(name, told, part) or not part.exists():
                broken.append(name)
                continue
            result = report.merged(result, name, json.loads(part.read_text()))
        told.out.write_text(json.dumps(result, indent=1) + "\n")
    before = report.load(told.compare) if told.compare else None
    report.show(result, before)
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    over = report.over(result)
    if over:
        print("over budget:", *over, sep="\n  ", file=sys.stderr)
    return 1 if broken or over else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*ALONE, *ON_A_SERVER, []], metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, help="9, unless told")
    parser.add_argument("--quick", action="store_true", help="small sizes, no peers in Go or kopf")
    parser.add_argument("--without", action="append", default=[], choices=PEERS, help="a peer")
    parser.add_argument("--out", type=Path, default=_RESULT, help="the result file")
    parser.add_argument("--into", action="store_true", help="keep what the file has of others")
    parser.add_argument("--compare", type=Path, help="a result file of an earlier run")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser


def _started(name: str, told: argparse.Namespace, part: Path) -> int:
    """The scenario in a process of its own; the exit code."""
    print(f"== {name}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "bench", "--inside", name, "--out", str(part)]
    command += ["--quick"] if told.quick else []
    command += ["--rounds", str(told.rounds)] if told.rounds else []
    command += [f"--without={peer}" for peer in told.without]
    if name in ON_A_SERVER and "RECONCILER_AUDIT_LOG" not in os.environ:
        command = [str(ROOT / "hack" / "cluster"), "run", "--", *command]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _inside(told: argparse.Namespace) -> int:
    rounds = told.rounds or (1 if told.quick else ROUNDS)
    options = Options.quick(rounds) if told.quick else Options(rounds=rounds)
    peers = tuple(peer for peer in options.peers if peer not in told.without)
    play: Callable[..., Iterator[Ratio | Count | Figure]]
    play = import_module(f"bench.scenarios.{told.inside}").play
    options = options.with_peers(peers)
    judged = report.unjudged if told.quick else iter
    try:
        if told.inside in ALONE:
            report.write(told.out, judged(play(options)), "")
            return 0
        from bench.place import Place

        with tempfile.TemporaryDirectory() as folder:
            place = Place.here(Path(folder))
            report.write(told.out, judged(play(place, options)), place.version)
    except Broken as error:
        print(f"bench {told.inside}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
