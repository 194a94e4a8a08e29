"""Passes of one process and as many processes, on a real server (contract 1, `--interval`)."""

import json
import re
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

import pytest

from tests.apiserver.gate import Gate, Lost, Request
from tests.apiserver.objects import Body
from tests.apiserver.runs import Shop, diamond, ended, hired, steps
from tests.controlplane import Api

pytestmark = pytest.mark.apiserver

Deed = Callable[[Shop], object]

# What happens before each pass looks; the last of them sees all of it.
DEEDS: Sequence[Deed] = (
    lambda _: None,
    lambda shop: shop.executor.begins("a"),
    lambda shop: shop.executor.completes(workflow="one"),
    lambda shop: shop.executor.fails(workflow="two"),
    lambda shop: shop.workflows.patch("three", {"cancel": True}),
    lambda shop: shop.executor.completes("b", workflow="one"),
    lambda shop: shop.workflows.patch("four", {"suspend": False}),
    lambda shop: shop.executor.completes(),
    lambda shop: shop.executor.completes(),
    lambda _: None,
)


class Between:
    """Does the next deed when a pass begins; after the last one the run that comes is killed."""

    def __init__(self, gate: Gate, shop: Shop) -> None:
        self._shop, self._left = shop, list(DEEDS)
        self._lock = Lock()
        self.run: subprocess.Popen[str] | None = None
        gate.before = self._meet

    def _meet(self, request: Request) -> None:
        if not request.of("GET", "configmaps"):  # whether it is paused: the first that a pass asks
            return
        with self._lock:
            if self._left:
                self._left.pop(0)(self._shop)
                return
            assert self.run
            self.run.kill()
        raise Lost


@pytest.fixture
def other(api: Api, alone: None, tmp_path: Path) -> Iterator[Shop]:
    """A second shop, like the first."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    code, answer = api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    assert code == 201, answer
    yield hired(api, name, tmp_path / "other")
    api.delete(f"/api/v1/namespaces/{name}")


def _opened(shop: Shop) -> None:
    shop.workflow("one", *diamond())
    shop.workflow("two", *diamond(), *steps("z"), failurePolicy="Continue")
    shop.workflow("three", *diamond())
    shop.workflow("four", *steps("a", "b", "c"), suspend=True, maxConcurrentSteps=2)


def test_ten_passes_of_one_process_leave_what_ten_processes_leave(
    shop: Shop, other: Shop, gated: Gate
) -> None:
    """Contract 1: a pass never depends on what the one before it remembered."""
    _opened(shop)
    between = Between(gated, shop)
    flags = ("--no-lease", "--interval", "1s", "--deadline", "55s")
    between.run = shop.through(gated).start(*flags)
    assert ended(between.run).code == -signal.SIGKILL
    _opened(other)
    Between(gated, other)
    for _ in DEEDS:
        other.through(gated).done("--no-lease")
    assert _state(shop) == _state(other)
    phases = {each["metadata"]["name"]: each["status"]["phase"] for each in _workflows(shop)}
    assert phases == {
        "one": "Completed",
        "two": "Failed",
        "three": "Cancelled",
        "four": "Completed",
    }


# --- what must be the same ---------------------------------------------------------------------

_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _workflows(shop: Shop) -> list[Body]:
    return shop.listed(shop.workflows)


def _state(shop: Shop) -> tuple[list[str], list[str], list[str]]:
    """Workflows, children and Events, without what names a shop, an object or a moment."""
    children = shop.listed(shop.children)
    names = {
        each["metadata"]["name"]: "child of {stepName}, {attempt}".format_map(each["spec"])
        for each in children
    }
    code, events = shop.api.get(f"/apis/events.k8s.io/v1/namespaces/{shop.namespace}/events")
    assert code == 200, events
    told = [
        {key: each.get(key) for key in ("reason", "note", "type", "action")}
        | {"of": each["regarding"]["name"]}
        for each in events["items"]
    ]
    return (
        sorted(_plain(shop, names, each) for each in _workflows(shop)),
        sorted(_plain(shop, names, each) for each in children),
        sorted(_plain(shop, names, each) for each in told),
    )


def _plain(shop: Shop, names: dict[str, str], body: Body) -> str:
    kept = {key: each for key, each in body.items() if key != "metadata"}
    meta = body.get("metadata", {})
    kept["metadata"] = {
        key: each for key, each in meta.items() if key not in ("resourceVersion", "managedFields")
    }
    text = json.dumps(kept, sort_keys=True).replace(shop.namespace, "the shop")
    for name, plain in names.items():
        text = text.replace(name, plain)
    return _TIME.sub("a time", _UID.sub("a uid", text))
