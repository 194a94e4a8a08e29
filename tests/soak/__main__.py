"""`make soak`: the whole of it on a control plane of its own; exit code 1 after a violation."""

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from tests.apiserver.runs import hired
from tests.controlplane import CRDS, Api, apply_crd
from tests.soak.play import Script, Server, play


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--workflows", type=int, default=50)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16))  # noqa: S311  # dice
    told = parser.parse_args()
    script = Script(told.workflows, told.kills, told.restarts, told.seed)
    kubeconfig = Path(os.environ["KUBECONFIG"])
    api = Api.of(kubeconfig)
    for file in sorted(CRDS.glob("*.yaml")):
        for document in YAML(typ="safe", pure=True).load_all(file.read_text()):
            apply_crd(api, document)
    with tempfile.TemporaryDirectory() as folder:
        shop = hired(api, "default", Path(folder))
        report = play(shop, script, Server(kubeconfig), Path(folder))
    print(*report.lines(), sep="\n")  # noqa: T201  # a program
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
