"""The bench itself, at small sizes on a real server: what it counts, never how long it took."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ROOT, ControlPlane

_COUNTED = ("noop", "churn", "imported", "moved", "drain")  # the others count nothing


@pytest.fixture(scope="module")
def result(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """The result file of the scenarios that count."""
    if control_plane.audit_log is None:
        pytest.fail("needs the audit log: run it without RECONCILER_TEST_KUBECONFIG")
    file = tmp_path_factory.mktemp("bench") / "result.json"
    environment = {
        "KUBECONFIG": str(control_plane.kubeconfig),
        "RECONCILER_AUDIT_LOG": str(control_plane.audit_log),
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--out", str(file), *_COUNTED],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    loaded: Mapping[str, Any] = json.loads(file.read_text())
    return loaded


def _found(result: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        f"{each['scenario']}: {each['what']}": each
        for part in result["scenarios"].values()
        for each in part["findings"]
        if each["kind"] == kind
    }


@pytest.mark.apiserver
def test_every_count_of_the_server_is_the_one_that_must_be(result: Mapping[str, Any]) -> None:
    """Contract 1: no-op is its lists; churn is creations, changed workflows and Events."""
    counts = _found(result, "count")
    assert {what: each["got"] for what, each in counts.items()} == {
        what: each["expected"] for what, each in counts.items()
    }
    assert counts["no-op: lists of a run, 4 active"]["expected"] == 2
    assert counts["no-op: object writes of a run, 4 active"]["expected"] == 0
    assert counts["churn: creations of 4 with news"]["expected"] == 4
    assert counts["first import: writes, 4 new documents"]["expected"] == 7 * 4 + 2
    assert counts["ref moved: writes, 2 of 4 documents changed"]["expected"] == 7 * 2 + 2


@pytest.mark.apiserver
def test_a_drain_costs_under_three_writes_a_step_and_one_more_with_a_record(
    result: Mapping[str, Any],
) -> None:
    """Contract 10: Events cost about one write a step; contract 5: a record four a run."""
    figures = _found(result, "figure")
    shape = "2 of a, then b, c, d, then e"
    assert figures[f"drain: writes a step, {shape}"]["value"] == pytest.approx(14 / 5)
    assert figures["drain: writes a step, 2 of the same from git"]["value"] == pytest.approx(18 / 5)
    assert figures[f"drain: runs, {shape}"]["value"] == 4


@pytest.mark.apiserver
def test_every_scenario_told_what_it_compares(result: Mapping[str, Any]) -> None:
    """Each ratio has both sides of the same rounds, and at small sizes no budget."""
    assert set(result["scenarios"]) == set(_COUNTED)
    ratios = _found(result, "ratio")
    assert {what.partition(":")[0] for what in ratios} == {
        *("no-op", "churn", "first import", "ref moved"),
    }
    for each in ratios.values():
        assert each["ours"]["median"] > 0
        assert each["theirs"]["median"] > 0
        assert each["budget"] is None


@pytest.mark.apiserver
def test_the_result_file_tells_nothing_of_who_measured(result: Mapping[str, Any]) -> None:
    """Facts that make two machines comparable; no host name and no path."""
    for part in result["scenarios"].values():
        assert set(part["facts"]) == {"at", "cores", "machine", "python", "kubernetes", "load"}
    text = json.dumps(result)
    assert os.uname().nodename not in text
    assert str(Path.home()) + "/" not in text
