"""`python -m tests.unit.fuzz_documents`: half a minute of bytes to documents, and only findings.

Documents of the corpus, cut, moved and mixed by a seed that is told. Prints how many there were and
the most memory that the process held; ends with 1 above 256 MiB, and with a traceback where
anything but a finding came of them.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Sequence

from reconciler.core.definitions import read
from reconciler.manifests import documents
from tests.unit.hostile_documents import GOOD, corpus

_MOST = 256 << 10  # KiB
_LONGEST = 256 << 10  # bytes, the limit of a file


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fuzz_documents", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args(argv)
    chance = random.Random(told.seed)  # noqa: S311  # no secret, and the same again by its seed
    files = [GOOD, *(each.data for each in corpus())]
    ends = time.monotonic() + told.seconds
    count = refused = 0
    while time.monotonic() < ends:
        count += 1
        refused += _refused(_bytes(chance, files))
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(f"{count} files, {refused} refused, {held >> 10} MiB at most\n")
    return int(held > _MOST)


def _refused(data: bytes) -> bool:
    """Whether there was a finding; every finding is a line of people's words."""
    found, problems = documents("x.yaml", "b10b", data)
    every = [*problems, *read(found, "shop").problems]
    assert all(each.line >= 1 and each.message.isprintable() for each in every)
    return bool(every)


def _bytes(chance: random.Random, files: Sequence[bytes]) -> bytes:
    data = bytearray(chance.choice((GOOD, chance.choice(files))))
    for _ in range(chance.randint(0, 6)):
        at, length = chance.randrange(len(data) + 1), chance.choice((0, 1, 2, 9, 99))
        other = chance.choice(files)
        start = chance.randrange(len(other) + 1)
        pieces = (chance.randbytes(chance.randint(0, 4)), other[start : start + length], b"\n")
        data[at : at + length] = chance.choice(pieces)
    return bytes(data[:_LONGEST])


if __name__ == "__main__":
    sys.exit(main())
