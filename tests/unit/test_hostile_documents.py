"""From the bytes of a file to its findings: the corpus, and bytes that nobody thought of."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.definitions import Definition, Document, Problem, read
from reconciler.manifests import documents
from tests.unit.hostile_documents import GOOD, Hostile, corpus

CORPUS = tuple(corpus())


def told(*files: bytes) -> tuple[tuple[Definition, ...], Sequence[Problem]]:
    """What may be applied of these files, and the findings in the order of their lines."""
    found: list[Document] = []
    problems: list[Problem] = []
    for number, data in enumerate(files):
        each, unread = documents(f"{number}.yaml", f"b10b{number}", data)
        found += each
        problems += unread
    read_ = read(found, "shop")
    return read_.definitions, sorted((*problems, *read_.problems), key=lambda each: each.line)


@pytest.mark.parametrize("case", [pytest.param(each, id=each.name) for each in CORPUS])
def test_a_hostile_document_is_refused_by_its_finding_and_harms_no_other(case: Hostile) -> None:
    """Contract 5: reported with file, line and reason; the others are applied."""
    definitions, problems = told(case.data, GOOD)
    assert [each.name for each in definitions] == ["good"]
    assert {each.path for each in problems} == {"0.yaml"}
    assert (problems[0].line, case.words in problems[0].message) == (case.line, True), problems[0]


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    """Contract 5: at least 150, each another one."""
    assert len({each.name for each in CORPUS}) == len(CORPUS) >= 150
    assert len({each.data for each in CORPUS}) == len(CORPUS)


_PIECES = st.sampled_from([piece for each in CORPUS for piece in each.data[:2_000].split(b"\n")])
_MIXED = st.lists(_PIECES | st.binary(max_size=12), max_size=40).map(b"\n".join)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A document of the corpus with a few bytes changed, moved or gone."""
    data = bytearray(draw(st.sampled_from(CORPUS)).data[:2_000])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + draw(st.integers(0, 9))] = draw(st.binary(max_size=5) | _PIECES)
    return bytes(data)


@settings(max_examples=1_500)
@given(data=st.binary(max_size=400) | _MIXED | _mutated())
def test_whatever_the_bytes_only_findings_come_of_them(data: bytes) -> None:
    """Contract 5, I11: a document or a finding with a place in the file, never anything else."""
    definitions, problems = told(data)
    lines = [*(each.line for each in definitions), *(each.line for each in problems)]
    last = len(data.decode("utf-8", "replace").splitlines()) + 2
    assert all(1 <= line <= last for line in lines)
    assert all(each.message.isprintable() for each in problems)


def test_what_is_cut_and_mixed_by_chance_is_read_within_256_mib() -> None:
    """Contract 5, I11: a second of what `python -m tests.unit.fuzz_documents` does longer."""
    command = [sys.executable, "-m", "tests.unit.fuzz_documents", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


_MEASURED = """\
import resource
from datetime import UTC, datetime
from reconciler.core.source import SourceSettings
from reconciler.seams import Blob, Snapshot
from reconciler.stages.source import _definitions
from tests.unit.hostile_documents import corpus
settings = SourceSettings(name="default", url="file:///x", namespace="shop")
def told(*files):
    blobs = tuple(Blob(f"{n}.yaml", "b", data) for n, data in enumerate(files))
    return _definitions(Snapshot("c", datetime.now(UTC), blobs), settings)
told(*(case.data for case in corpus()))
told(*(b"[" + b"a," * 9_000 + b"]" for _ in range(230)))
told(*(b"".join(b"k%d: \\n" % n for n in range(1_000)) for n in range(400)))
told(*(b"a:\\n" + b" - b\\n" * 1_600 for _ in range(400)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_the_whole_corpus_and_a_source_at_its_limit_fit_into_256_mib() -> None:
    """Contract 5: memory is bounded by the limits of a source, whatever it holds."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 256 << 10  # KiB
