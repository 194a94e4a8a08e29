"""Writes the files that are made from code; with --check it only tells which are out of date."""

import sys
from pathlib import Path

from hack import argocd, chart
from reconciler.crds import files, write

CRDS = Path(__file__).resolve().parents[1] / "charts" / "reconciler" / "files" / "crds"


def main(arguments: list[str]) -> int:
    if arguments != ["--check"]:
        write(CRDS)
        argocd.generate(check=False)
        chart.generate(check=False)
        return 0
    made = files()
    there = {path.name: path.read_text(encoding="utf-8") for path in CRDS.glob("*.yaml")}
    differ = sorted(name for name in made | there if made.get(name) != there.get(name))
    for name in differ:
        print(f"{CRDS.name}/{name} is not what the models say: make generate", file=sys.stderr)
    for name in (stale := argocd.generate(check=True)):
        print(f"{name} is not what the Lua files say: make generate", file=sys.stderr)
    for name in (untold := chart.generate(check=True)):
        print(f"{name} is not what values.yaml says: make generate", file=sys.stderr)
    return 1 if differ or stale or untold else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
