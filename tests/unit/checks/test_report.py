"""What a person reads, and what a machine does (contract 9)."""

import json
import re
from dataclasses import replace
from pathlib import Path

from reconciler.checks.result import Report, Result, Status, failed, named
from tests.unit.checks.scene import SOURCED, Scene

GOLDEN = Path(__file__).with_name("golden.txt")


def broken() -> Report:
    """A cluster with a bit of everything."""
    scene = Scene()
    scene.server.denied["workflowexecutions", "delete"] = "no role of it grants that"
    del scene.server.schemas["workflowexecution.kubernaut.ai/v1alpha1", "WorkflowRecord"]
    scene.server.served["kubernetesexecution.kubernaut.ai/v1alpha1"] = set()
    scene.config_map("reconciler-paused", why="the database moves house")
    scene.lease("reconciler-28_1f2e3d4c", "2026-01-02T03:04:00.000000Z")
    scene.source.commit({"shop.yaml": "a: 1\n"})
    scene.gateway.trouble = "the Pushgateway at http://pushgateway:9091 cannot be reached: refused"
    return scene.report(replace(SOURCED, pushgateway_url="http://pushgateway:9091"))


def test_the_table_has_a_line_a_check_and_says_what_to_do() -> None:
    """Contract 9: the whole of it, as it was looked at by a person."""
    table = re.sub(r"schema [0-9a-f]{12}", "schema 0123456789ab", broken().table())
    assert table + "\n" == GOLDEN.read_text()


def test_the_json_is_the_same_lines_under_fixed_names() -> None:
    """Contract 9: stable, for who builds on it."""
    report = broken()
    told = json.loads(report.json())
    assert list(told) == ["apiVersion", "kind", "ok", "version", "checks"]
    assert (told["apiVersion"], told["kind"]) == ("reconciler.kubernaut.ai/v1", "Check")
    assert (told["ok"], told["version"]) == (False, "0.1.0")
    assert [list(each) for each in told["checks"]] == [["name", "status", "found", "advice"]] * len(
        report.checks
    )
    assert [each["name"] for each in told["checks"]] == [each.name for each in report.checks]


def test_a_warning_is_no_failure() -> None:
    """Contract 9: a paused reconciler is for a person to look at, and exit 0."""
    paused = Result("pause", Status.WARNING, "paused", "go on")
    assert Report((paused,), "0.1.0").ok
    assert not Report((paused, Result("git", Status.FAILED, "x", "y")), "0.1.0").ok


def test_a_line_is_one_line_and_holds_no_secret() -> None:
    """I9: what a server says may repeat what it was told."""
    found = failed("it said\n  canary\tto us", "take canary away")
    told = named("git", found, lambda text: text.replace("canary", "[redacted]"))
    assert (told.found, told.advice) == ("it said [redacted] to us", "take [redacted] away")
