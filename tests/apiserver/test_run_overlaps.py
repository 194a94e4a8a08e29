"""Runs that overlap, and runs that die in the middle (contract 1, 3; I1, I2, I5, I6)."""

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from reconciler.core.names import STEP_LABEL, WORKFLOW_LABEL, child_name
from tests.apiserver.gate import Gate, Lost, Request
from tests.apiserver.objects import CHILD, Body, sent
from tests.apiserver.pushgateways import scraped
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Shop, ended, steps
from tests.controlplane import Audit

pytestmark = [pytest.mark.apiserver]

CAP = 5


# --- two at once -----------------------------------------------------------------------------


def test_of_two_runs_at_once_one_leaves_the_work_to_the_other(shop: Shop, gated: Gate) -> None:
    """Contract 1, lease: whoever finds it held has nothing to do, and says so."""
    shop.workflow("restart", *steps("a"))
    listing, go_on = threading.Event(), threading.Event()

    def wait(request: Request) -> None:
        if request.of("GET", "workflowexecutions"):
            listing.set()
            go_on.wait(30)

    gated.before = wait
    first = shop.through(gated).start()
    assert listing.wait(30), "the first run does not list"
    second = shop.done()
    assert shop.steps("restart") == []
    go_on.set()
    assert ended(first).code == 0
    assert shop.steps("restart") == ["a"]
    assert any("the Lease is held by" in line for line in second.of("INFO")), second.log


def test_runs_at_once_without_a_lease_create_no_step_twice_and_keep_the_cap(
    shop: Shop, audit: Audit
) -> None:
    """I1, I2 at every state of the server: the Lease saves work, safety never rests on it."""
    names = ("one", "two", "three")
    for name in names:
        shop.workflow(name, *steps(*(f"s{number}" for number in range(12))))
    since, mark = shop.moment(shop.children), audit.mark()
    for _ in range(10):
        runs = [shop.start("--no-lease") for _ in range(3)]
        while any(run.poll() is None for run in runs):
            shop.executor.completes()
        codes = [(run.code, run.log) for run in map(ended, runs)]
        assert [code for code, _ in codes] == [0, 0, 0], codes
        if all(shop.status(name)["settled"] for name in names):
            break
    history = shop.history(shop.children, since)
    added = Counter(child["metadata"]["name"] for kind, child in history if kind == "ADDED")
    assert set(added.values()) == {1}
    assert len(added) == 3 * 12
    assert _most_at_once(history) <= CAP
    assert {shop.status(name)["phase"] for name in names} == {"Completed"}
    calls = [call for call in shop.calls(audit, mark) if call.text == "create kubernetesexecutions"]
    assert Counter(call.code for call in calls)[201] == 3 * 12


def _most_at_once(history: Iterable[tuple[str, Body]]) -> int:
    """The most children of one workflow that were not over, at any state of the server."""
    active: dict[str, set[str]] = {}
    most = 0
    for _, child in history:
        of = active.setdefault(child["spec"]["workflowExecutionRef"]["name"], set())
        if child["status"].get("phase") in ("Completed", "Failed"):
            of.discard(child["metadata"]["name"])
        else:
            of.add(child["metadata"]["name"])
        most = max(most, len(of))
    return most


# --- what is not ours ------------------------------------------------------------------------


def _strangers(shop: Shop, name: str, workflow: str, step: str) -> Body:
    """A child that looks like ours, of an owner that is not."""
    labels = {
        WORKFLOW_LABEL: workflow,
        STEP_LABEL: step,
        "app.kubernetes.io/managed-by": "reconciler",
    }
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "controller": True}
    shop.config_map("theirs")
    _, theirs = shop.api.get(f"/api/v1/namespaces/{shop.namespace}/configmaps/theirs")
    metadata = {"labels": labels, "ownerReferences": [{**owner, "uid": theirs["metadata"]["uid"]}]}
    code, made = shop.children.create(name, metadata, spec={**CHILD, "stepName": step})
    assert code == 201, made
    assert isinstance(made, dict)
    return made


def _bytes(shop: Shop, child: str) -> str:
    return sent(shop.api, "GET", f"{shop.children.path}/{child}", {"Accept": "application/json"})


def test_a_child_of_somebody_else_is_left_alone_whatever_it_looks_like(shop: Shop) -> None:
    """I5: labels only find candidates; it holds no slot, ends no step, is never asked to stop."""
    workflow = shop.workflow("restart", *steps("a", "b"))
    _strangers(shop, "theirs", "restart", "a")
    shop.executor.says("theirs", "Failed", lastError="not our business")
    before = _bytes(shop, "theirs")
    shop.done()
    shop.workflows.patch("restart", {"cancel": True})
    shop.done()
    assert _bytes(shop, "theirs") == before
    ours = [
        child["spec"]["cancelRequested"]
        for child in shop.listed(shop.children)
        if child["metadata"]["ownerReferences"][0]["uid"] == workflow["metadata"]["uid"]
    ]
    assert ours == [True, True]


def test_a_child_of_somebody_else_under_our_name_fails_the_step_and_is_left_alone(
    shop: Shop,
) -> None:
    """Contract 3: a name is a lock; whoever holds it keeps it."""
    workflow = shop.workflow("restart", *steps("a"))
    name = child_name("restart", workflow["metadata"]["uid"], "a", 0)
    _strangers(shop, name, "restart", "a")
    before = _bytes(shop, name)
    shop.done()
    shop.done()
    assert _bytes(shop, name) == before
    (result,) = shop.status("restart")["stepResults"]
    assert (result["status"], result["reason"]) == ("Failed", "NameCollision")
    assert shop.status("restart")["settled"] is True


# --- a run that dies -------------------------------------------------------------------------


class Killer:
    """Ends a run, as SIGKILL does, once the server has answered its write of that number."""

    def __init__(self, gate: Gate, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        self._run: subprocess.Popen[str] | None = None
        self.writes = 0
        gate.after = self._meet

    def watches(self, run: subprocess.Popen[str]) -> None:
        self._run = run

    def _meet(self, request: Request) -> None:
        with self._lock:
            self.writes += request.write
            if self.writes < self._number:
                return
            assert self._run
            self._run.kill()
        raise Lost


# One document of two steps, without the Lease: the record, which is made as intended, fence, apply,
# `whole`, `created`, the reservations, two children, two Events.
EVERY_WRITE = range(1, 11)


@pytest.mark.parametrize("number", EVERY_WRITE)
def test_a_run_that_is_killed_after_any_write_is_healed_by_the_next_two(
    shop: Shop, gated: Gate, audit: Audit, tmp_path: Path, number: int
) -> None:
    """I1, I6, I12: two clean runs reach the one state, and the third writes nothing."""
    repository = Repository.new(tmp_path / "repository")
    repository.commit({"shop.yaml": document("restart", *steps("a", "b"))})
    flags = ("--no-lease", "--source-url", repository.url)
    killer, mark = Killer(gated, number), audit.mark()
    run = shop.through(gated).start(*flags)
    killer.watches(run)
    assert ended(run).code == -signal.SIGKILL
    shop.done(*flags)
    shop.done(*flags)
    calls = [call for call in shop.calls(audit, mark) if call.code == 201]
    assert Counter(call.text for call in calls)["create kubernetesexecutions"] == 2
    (workflow,) = shop.listed(shop.workflows)
    assert shop.steps(workflow["metadata"]["name"]) == ["a", "b"]
    assert [each["status"] for each in workflow["status"]["stepResults"]] == ["Pending", "Pending"]
    assert all(each["executionUID"] for each in workflow["status"]["stepResults"])
    (entry,) = shop.records.read("restart")["status"]["contents"]
    assert (entry["state"], entry["uid"]) == ("created", workflow["metadata"]["uid"])
    mark = audit.mark()
    shop.done(*flags)
    assert shop.writes(audit, mark) == Counter()


def test_a_run_makes_as_many_writes_as_are_killed_above(
    shop: Shop, audit: Audit, tmp_path: Path
) -> None:
    """What keeps the test before complete."""
    repository = Repository.new(tmp_path / "repository")
    repository.commit({"shop.yaml": document("restart", *steps("a", "b"))})
    mark = audit.mark()
    shop.done("--no-lease", "--source-url", repository.url)
    assert shop.writes(audit, mark).total() == len(EVERY_WRITE)


def test_what_a_killed_run_had_reserved_the_next_one_creates(shop: Shop, gated: Gate) -> None:
    """Contract 1, create: the reservation is kept, under the name that it was made for."""
    shop.workflow("restart", *steps("a", "b", "c"))

    def kill(request: Request) -> None:
        if request.of("POST", "kubernetesexecutions"):
            run.kill()
            raise Lost

    gated.before = kill
    run = shop.through(gated).start("--no-lease")
    assert ended(run).code == -signal.SIGKILL
    reserved = shop.status("restart")["stepResults"]
    assert [each["status"] for each in reserved] == ["Pending"] * 3
    assert shop.listed(shop.children) == []
    shop.done("--no-lease")
    healed = shop.status("restart")["stepResults"]
    assert [each["executionRef"] for each in healed] == [each["executionRef"] for each in reserved]
    assert all(each["healedAt"] for each in healed)
    made = sorted(child["metadata"]["name"] for child in shop.listed(shop.children))
    assert made == sorted(each["executionRef"] for each in reserved)


# --- a run that is asked to stop -------------------------------------------------------------


class Stopper:
    """Asks a run to stop at its first status write, and holds all of them until it knows."""

    def __init__(self, gate: Gate) -> None:
        self._first = threading.Lock()
        self._run: subprocess.Popen[str] | None = None
        self.known_at = 0.0
        gate.before = self._meet

    def watches(self, run: subprocess.Popen[str]) -> None:
        self._run = run

    def _meet(self, request: Request) -> None:
        if not request.of("PUT", "workflowexecutions/status"):
            return
        with self._first:
            if not self.known_at:
                assert self._run
                self._run.send_signal(signal.SIGTERM)
                time.sleep(1)  # a handler runs between two steps of the interpreter
                self.known_at = time.monotonic()


def test_after_sigterm_no_write_begins_but_the_release_of_the_lease(
    shop: Shop, gated: Gate, pushgateway: str
) -> None:
    """Contract 7: SIGTERM is the deadline; what is left is the next run's, and it is said."""
    for number in range(40):
        shop.workflow(f"w{number}", *steps("a"))
    stopper = Stopper(gated)
    run = shop.through(gated).start("--pushgateway-url", pushgateway)
    stopper.watches(run)
    over = ended(run)
    assert over.code == 0, over.log
    assert "cut short" in over.lines[-1]
    late = [each.path for each in gated.seen if each.write and each.at > stopper.known_at]
    assert len(late) == 1
    assert late[0].partition("?")[0].endswith("/leases/reconciler-default")
    assert shop.listed(shop.children) == []
    group = {"job": "reconciler", "namespace": shop.namespace, "source": "none", "shard": "0-1"}
    assert scraped(pushgateway, group)["reconciler_run_truncated", frozenset()] == 1.0
    shop.done()
    assert len(shop.listed(shop.children)) == 40
