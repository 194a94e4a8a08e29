"""`reconciler version`: for people, or with `-o json` for machines (contract 9)."""

import argparse
import json
import platform
from collections.abc import Sequence

from reconciler.version import version


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="reconciler version", description="Print the version.", allow_abbrev=False
    )
    parser.add_argument("-o", "--output", choices=["json"], help="print as JSON")
    if parser.parse_args(argv).output == "json":
        print(json.dumps({"version": version(), "python": platform.python_version()}))
    else:
        print(f"reconciler {version()}")
    return 0
