"""The one list of what a run can push, made by the code that makes it; and reading PromQL by it.

Rules, dashboard and the operations page are held against this list: what they name is pushed.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from reconciler.core.outcome import Documents, Outcome, Work
from reconciler.gauges import gauges
from reconciler.seams import Gauge

_THEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

# A run that has something to say about everything.
_WHOLE = Outcome(
    ended=_THEN,
    seconds=1.0,
    observed=True,
    source_ready=True,
    documents=Documents(ref="main", commit="4f2a9c0b7d", committed_at=_THEN),
    work=Work(last_failure=_THEN, commit_to_first_step=1.0),
    requests={("list", "200"): 1},
)

FAMILIES: Mapping[str, Gauge] = {each.name: each for each in gauges(_WHOLE, "1.2.3")}

# Labels whose values are not of an enumeration.
FREE = frozenset({"verb", "code", "version", "ref", "commit"})

GROUPING = frozenset({"job", "namespace", "source", "shard"})

# The Pushgateway adds these to each group.
ITS_OWN = frozenset({"push_time_seconds", "push_failure_time_seconds"})

_WORDS = frozenset({"without", "by", "unless", "and", "or", "on", "ignoring", "bool", "offset"})


def values(name: str) -> Mapping[str, frozenset[str]]:
    """Label to the values that are always sent, of one family."""
    gauge = FAMILIES[name]
    return {
        label: frozenset(key[position] for key in gauge.samples)
        for position, label in enumerate(gauge.labels)
    }


def names(expression: str) -> set[str]:
    """The series that an expression asks for."""
    left = re.sub(r'"[^"]*"', "", expression)
    left = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", left)
    left = re.sub(r"\b(without|by|on|ignoring)\s*\([^)]*\)", "", left)
    return set(re.findall(r"[a-zA-Z_][\w:]*(?![\w:]*\s*\()", left)) - _WORDS


def matchers(expression: str) -> list[tuple[str, str, str]]:
    """(series, label, value) of each matcher; a choice by a regular expression is many values."""
    return [
        (series, label, value)
        for series, inside in re.findall(r"([a-zA-Z_][\w:]*)\{([^}]*)\}", expression)
        for label, choice in re.findall(r'(\w+)\s*=~?\s*"([^"]*)"', inside)
        for value in choice.split("|")
    ]


def unknown(expression: str) -> list[str]:
    """What no run pushes of what an expression asks for."""
    known = FAMILIES.keys() | ITS_OWN
    strange = [name for name in names(expression) if name not in known]
    for series, label, value in matchers(expression):
        if label in GROUPING:
            continue
        sent = values(series).get(label, frozenset()) if series in FAMILIES else frozenset()
        if value not in sent and label not in FREE:
            strange.append(f'{series}{{{label}="{value}"}}')
    return strange
