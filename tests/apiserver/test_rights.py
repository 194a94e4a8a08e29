"""What all runs of this suite asked of the server, beside the table of rights; it comes last."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver.asked import asked, granted, missing, unused
from tests.apiserver.identities import ACCOUNT, rules
from tests.controlplane import Audit

pytestmark = pytest.mark.apiserver

_ACCOUNT = re.compile(rb'"username":"system:serviceaccount:test-[0-9a-f]+:%s"' % ACCOUNT.encode())
_OF_CHECK = "apiextensions.k8s.io"  # looked at by `reconciler check`, which does without as well


def _runs(log: Path) -> Iterator[Mapping[str, Any]]:
    """Every request of a run's account."""
    with log.open("rb") as lines:
        for line in lines:
            if _ACCOUNT.search(line) and line.endswith(b"\n"):
                entry = json.loads(line)
                if entry.get("objectRef", {}).get("apiGroup") != _OF_CHECK:
                    yield entry


def _whole(request: pytest.FixtureRequest) -> bool:
    """Whether every file that makes runs has been at work, and here."""
    ran = {item.path.name for item in request.session.items}
    every = {file.name for file in Path(__file__).parent.glob("test_*run*.py")}
    every |= {file.name for file in Path(__file__).parent.glob("test_source*.py")}
    return every <= ran and not hasattr(request.config, "workerinput")


def test_runs_asked_for_nothing_that_the_table_does_not_grant(audit: Audit) -> None:
    """The chart grants the same table: 0 verbs missing."""
    assert missing(granted(rules("any")), asked(_runs(audit.log))) == []


def test_runs_asked_for_all_that_the_table_grants(
    request: pytest.FixtureRequest, audit: Audit
) -> None:
    """0 verbs unused: who holds a right that nobody needs is a danger for nothing."""
    if not _whole(request):
        pytest.skip("needs the calls of the whole suite: pytest tests/apiserver -m apiserver")
    assert unused(granted(rules("any")), asked(_runs(audit.log))) == []
