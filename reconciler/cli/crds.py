"""`reconciler crds`: the CRDs as YAML on stdout, generated from the models (contract 9)."""

import argparse
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    argparse.ArgumentParser(
        prog="reconciler crds",
        description="Print the CRDs: reconciler crds | kubectl apply --server-side -f -",
        allow_abbrev=False,
    ).parse_args(argv)
    from reconciler.crds import crds_yaml

    print(crds_yaml(), end="")
    return 0
