"""The alerts on the very file that ships: promtool reads it, and each alert fires and is silent.

What an alert does at which moment stands in `alerts/`, one file an alert, as promtool reads it.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.controlplane import ROOT
from tests.metrics.families import GROUPING, unknown
from tests.metrics.programs import RULES, promtool

FOLDER = Path(__file__).parent / "alerts"
PAGE = (ROOT / "docs" / "operations.md").read_text()
ITS_PODS = ("instance", "pod", "container", "endpoint", "service")
CASES = sorted(FOLDER.glob("*.yaml"))


def loaded(file: Path) -> Any:  # noqa: ANN401  # YAML is any of them
    return YAML(typ="safe").load(file.read_text())


EVERY = [rule for group in loaded(RULES)["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in EVERY if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in EVERY if "record" in rule}
RULE_PARAMS = [pytest.param(rule, id=rule.get("alert") or rule["record"]) for rule in EVERY]
ALERT_PARAMS = [pytest.param(rule, id=name) for name, rule in ALERTS.items()]


def test_promtool_reads_the_file_that_ships_and_finds_nothing() -> None:
    """Syntax, templates, and no rule twice."""
    assert promtool("check", "rules", "--lint=all", "--lint-fatal", RULES) == ""


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in CASES])
def test_an_alert_fires_when_it_should_and_is_silent_when_not(file: Path) -> None:
    """To the minute, with the text that people will read."""
    assert promtool("test", "rules", file) == ""


def test_each_alert_is_tried_firing_and_silent() -> None:
    """An alert that was never seen to fire may never fire."""
    assert {file.stem for file in CASES} == ALERTS.keys()
    for file in CASES:
        tried = [each for test in loaded(file)["tests"] for each in test["alert_rule_test"]]
        assert {each["alertname"] for each in tried} == {file.stem}
        assert {bool(each["exp_alerts"]) for each in tried} == {True, False}, file.stem


@pytest.mark.parametrize("rule", RULE_PARAMS)
def test_a_rule_asks_for_what_is_pushed_or_recorded(rule: dict[str, Any]) -> None:
    """Contract 10: names, labels and their words are those of the gauges."""
    assert [name for name in unknown(rule["expr"]) if name not in RECORDED] == []


@pytest.mark.parametrize("rule", RULE_PARAMS)
def test_a_rule_keeps_whose_gauges_they_are_and_drops_the_pushgateways_pod(
    rule: dict[str, Any],
) -> None:
    """Releases are told apart, in one cluster or many; a new Pushgateway begins nothing anew."""
    assert not re.search(r"\bby\b|\bsum\b", rule["expr"])
    dropped = re.findall(r"without \(([^)]*)\)", rule["expr"])
    assert dropped or rule["expr"].split()[0] in RECORDED
    for labels in dropped:
        assert tuple(labels.split(", ")) == ITS_PODS
        assert not GROUPING & set(labels.split(", "))


def test_a_recorded_rule_comes_before_the_alert_that_asks_for_it() -> None:
    """Groups are judged beside each other: from another one an alert would see the last value."""
    for group in loaded(RULES)["groups"]:
        seen: set[str] = set()
        for rule in group["rules"]:
            asked = {name for name in unknown(rule["expr"]) if ":" in name}
            assert asked <= seen
            seen.add(rule.get("record", ""))


@pytest.mark.parametrize("rule", ALERT_PARAMS)
def test_an_alert_says_how_bad_what_and_where_to_read_on(rule: dict[str, Any]) -> None:
    """What who is woken up needs, and a runbook that is there."""
    assert rule["alert"].startswith("Reconciler")
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert all(rule["annotations"][text].endswith(".") for text in ("summary", "description"))
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page == "docs/operations.md"
    assert anchor in anchors(PAGE)


@pytest.mark.parametrize("rule", ALERT_PARAMS)
def test_a_runbook_says_what_it_means_how_to_see_it_and_what_to_do(rule: dict[str, Any]) -> None:
    """One section an alert, of one form, with its severity."""
    section = sections(PAGE)[rule["alert"]]
    severity = rule["labels"]["severity"]
    assert section.startswith(f"*{severity}*")
    for part in ("**Means.**", "**See.**", "**Do.**"):
        assert part in section


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    """Nor is a section named like an alert none."""
    named = {title for title in sections(PAGE) if re.fullmatch(r"Reconciler\w+", title)}
    assert named == ALERTS.keys()


def sections(page: str) -> dict[str, str]:
    """Title to text, of each heading."""
    parts = re.split(r"^#+ (.*)$", page, flags=re.MULTILINE)[1:]
    return {title: text.strip() for title, text in zip(parts[::2], parts[1::2], strict=True)}


def anchors(page: str) -> set[str]:
    """As a forge makes them of headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in sections(page)}
