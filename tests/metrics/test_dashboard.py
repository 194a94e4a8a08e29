"""The dashboard that ships, by the rules that Grafana's own linter has for dashboards."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ROOT
from tests.metrics.families import FAMILIES, names, unknown
from tests.metrics.programs import RULES, promtool

FILE = ROOT / "charts" / "reconciler" / "files" / "dashboards" / "reconciler.json"
BOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
SHOWN = [panel for panel in PANELS if panel["type"] != "text"]
VARIABLES = {each["name"]: each for each in BOARD["templating"]["list"]}
EXPRESSIONS = [target["expr"] for panel in SHOWN for target in panel["targets"]]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"s", "none", "bool", "short", "percentunit", "dateTimeAsIso"}  # of Grafana's, a few

PANEL_PARAMS = [pytest.param(panel, id=panel["title"]) for panel in PANELS]
SHOWN_PARAMS = [pytest.param(panel, id=panel["title"]) for panel in SHOWN]
ASKED = [pytest.param(name, id=name) for name in VARIABLES if name != "datasource"]


def test_it_is_one_and_the_same_wherever_it_is_installed() -> None:
    """What provisioning needs: no export's inputs, a fixed uid, nobody edits it in place."""
    assert not {"__inputs", "__requires", "__elements"} & BOARD.keys()
    assert BOARD["id"] is None
    assert re.fullmatch(r"[a-z-]{1,40}", BOARD["uid"])
    assert BOARD["editable"] is False
    assert BOARD["title"]
    assert BOARD["tags"]
    assert BOARD["schemaVersion"] >= 36


def test_it_has_one_data_source_that_the_reader_chooses() -> None:
    """One variable, named and labelled as everybody's."""
    [source] = [each for each in VARIABLES.values() if each["type"] == "datasource"]
    assert (source["name"], source["label"], source["query"]) == (
        *("datasource", "Data source", "prometheus"),
    )


@pytest.mark.parametrize("name", ASKED)
def test_a_variable_follows_the_data_source_and_the_time(name: str) -> None:
    """Several values or all of them, asked again when the time range changes."""
    variable = VARIABLES[name]
    assert variable["type"] == "query"
    assert variable["datasource"] == DATASOURCE
    assert variable["label"] == name.capitalize()
    assert variable["refresh"] == 2
    assert variable["multi"] is variable["includeAll"] is True
    assert variable["allValue"] == ".+"
    [(metric, label)] = re.findall(
        r"^label_values\((\w+)(?:\{.*\})?, (\w+)\)$", variable["query"]["query"]
    )
    assert metric in FAMILIES
    assert label == name


@pytest.mark.parametrize("panel", PANEL_PARAMS)
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """A title, and a description for who meets it at night."""
    assert panel["title"]
    assert panel["description"].endswith(".")


@pytest.mark.parametrize("panel", SHOWN_PARAMS)
def test_a_panel_asks_the_chosen_data_source_and_has_a_unit(panel: dict[str, Any]) -> None:
    """No panel is bound to the Grafana that it was made in."""
    assert panel["targets"]
    assert [each["datasource"] for each in (panel, *panel["targets"])] == [
        DATASOURCE for _ in range(len(panel["targets"]) + 1)
    ]
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    references = [target["refId"] for target in panel["targets"]]
    assert len(references) == len(set(references))


@pytest.mark.parametrize("expression", [pytest.param(each, id=each) for each in EXPRESSIONS])
def test_a_query_asks_for_what_is_pushed_of_what_was_chosen(expression: str) -> None:
    """Contract 10: names, labels and their words are those of the gauges."""
    assert unknown(expression) == []
    asked = names(expression)
    chosen = re.findall(
        r'(\w+)\{job=~"\$job", namespace=~"\$namespace", source=~"\$source"', expression
    )
    assert set(chosen) == asked
    # A gauge is never summed up over time: each push is the whole truth of its run.
    assert not re.search(r"\b(rate|irate|increase)\b", expression)


def test_every_query_parses(tmp_path: Path) -> None:
    """By Prometheus's own parser: each as a rule."""
    rules = [
        {"record": f"panel:{number}:query", "expr": expression}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert promtool("check", "rules", file) == ""


def test_every_gauge_is_shown_or_watched() -> None:
    """What nobody looks at need not be pushed."""
    asked = {name for expression in EXPRESSIONS for name in names(expression)}
    watched = set(re.findall(r"reconciler_\w+", RULES.read_text()))
    assert FAMILIES.keys() - asked - watched == set()


def test_panels_lie_beside_each_other() -> None:
    """Twenty-four columns, and no two panels on one spot."""
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        spots = {
            (column, line)
            for column in range(at["x"], at["x"] + at["w"])
            for line in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not spots & taken
        taken |= spots
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
