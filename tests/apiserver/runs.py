"""Runs of the reconciler on a real server, as a CronJob makes them: a process with flags.

A `Shop` is one namespace and an identity of its own: what a run may do is what its role grants, and
the server's audit log tells its calls from everybody else's. `Executor` plays the program that
carries out actions, by the children's status alone.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.core.api import KubernetesExecution, WorkflowRecord
from tests.apiserver.gate import Gate
from tests.apiserver.identities import ACCOUNT, kubeconfig, reconcilers_token
from tests.apiserver.objects import STEP, Body, Objects, sent
from tests.controlplane import ROOT, Api, Audit, eventually

RECONCILER = ("reconciler", "run")
LONGEST = 60.0  # seconds until a run that hangs is a failed test
WRITES = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True)
class Ended:
    """A run that is over: its exit code, and what it said on stderr."""

    code: int
    log: str

    @property
    def lines(self) -> list[str]:
        return self.log.splitlines()

    def of(self, level: str) -> list[str]:
        """The lines of one level, without time and level."""
        split = [line.split(maxsplit=2) for line in self.lines]
        return [parts[2] for parts in split if len(parts) == 3 and parts[1] == level]


@dataclass(frozen=True)
class Call:
    """One call that the server answered, by its own account."""

    verb: str
    resource: str
    name: str
    code: int

    @property
    def text(self) -> str:
        return f"{self.verb} {self.resource}"


@dataclass(frozen=True)
class Shop:
    """One namespace, and who reconciles it."""

    api: Api
    namespace: str
    kubeconfig: Path

    # --- runs -------------------------------------------------------------------------------

    def command(self, *flags: str, program: Sequence[str] = RECONCILER) -> list[str]:
        told = ["--kubeconfig", str(self.kubeconfig), "-n", self.namespace]
        given = [flag.split("=")[0] for flag in flags]
        if "--kubeconfig" in given:
            told = told[2:]
        return [sys.executable, "-m", *program, *told, *flags]

    def start(self, *flags: str, program: Sequence[str] = RECONCILER) -> subprocess.Popen[str]:
        """`reconciler run`, on its way; it sees no environment but a path and a home."""
        return subprocess.Popen(
            self.command(*flags, program=program),
            env={"PATH": os.environ["PATH"], "HOME": str(self.kubeconfig.parent)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *flags: str) -> Ended:
        """`reconciler run`, to its end."""
        return ended(self.start(*flags))

    def done(self, *flags: str) -> Ended:
        """The same, of a run that must not fail."""
        run = self.run(*flags)
        assert run.code == 0, run.log
        return run

    def through(self, gate: Gate) -> "Shop":
        """The same shop, whose runs reach the server by way of the gate."""
        token = json.loads(self.kubeconfig.read_text())["users"][0]["user"]["token"]
        folder = self.kubeconfig.parent / "gate"
        return replace(
            self, kubeconfig=kubeconfig(folder, self.api, token, gate.server, gate.authority)
        )

    # --- objects ----------------------------------------------------------------------------

    @property
    def workflows(self) -> Objects:
        return Objects(self.api, self.namespace)

    @property
    def children(self) -> Objects:
        return Objects(self.api, self.namespace, KubernetesExecution)

    @property
    def records(self) -> Objects:
        return Objects(self.api, self.namespace, WorkflowRecord)

    def workflow(self, name: str, *steps: Body, **spec: object) -> Body:
        """Made by somebody's kubectl: it belongs to no source."""
        return self.workflows.made(name, {"workflowDefinition": {"steps": list(steps)}, **spec})

    def status(self, workflow: str) -> Body:
        status: Body = self.workflows.read(workflow)["status"]
        return status

    def listed(self, objects: Objects) -> list[Body]:
        code, answer = self.api.get(objects.path)
        assert code == 200, answer
        items: list[Body] = answer["items"]
        return items

    def steps(self, workflow: str) -> list[str]:
        """The steps of a workflow that have a child, sorted."""
        return sorted(
            child["spec"]["stepName"]
            for child in self.listed(self.children)
            if child["spec"]["workflowExecutionRef"]["name"] == workflow
        )

    def config_map(self, name: str, **data: str) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/configmaps"
        code, answer = self.api.post(path, {"metadata": {"name": name}, "data": data})
        assert code == 201, answer

    # --- history ----------------------------------------------------------------------------

    def moment(self, objects: Objects) -> str:
        """Here and now, for a later `history`."""
        code, answer = self.api.get(objects.path)
        assert code == 200, answer
        version: str = answer["metadata"]["resourceVersion"]
        return version

    def history(self, objects: Objects, since: str) -> list[tuple[str, Body]]:
        """Every committed change since a moment, in the server's own order."""
        query = f"watch=1&resourceVersion={since}&timeoutSeconds=1"
        events = sent(self.api, "GET", f"{objects.path}?{query}", {"Accept": "application/json"})
        changes = [json.loads(line) for line in events.splitlines()]
        assert all(each["type"] in ("ADDED", "MODIFIED", "DELETED") for each in changes), changes
        return [(each["type"], each["object"]) for each in changes]

    @property
    def executor(self) -> "Executor":
        return Executor(self)

    # --- the server's account ---------------------------------------------------------------

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{ACCOUNT}"

    def calls(self, audit: Audit, since: int) -> list[Call]:
        """What the runs asked of the server since the mark."""
        # The log is written after the answer: what is logged later than this was asked later.
        marker = f"/api/v1/namespaces/{self.namespace}/configmaps/marker-{audit.mark()}"
        self.api.get(marker)
        eventually(lambda: ("get", marker) in audit(since), "the audit log is not written")
        return [_call(entry) for entry in _entries(audit.log, since, self.user)]

    def writes(self, audit: Audit, since: int) -> Counter[str]:
        """What the runs wrote since the mark, by verb and resource."""
        return Counter(call.text for call in self.calls(audit, since) if call.verb in WRITES)


@dataclass(frozen=True)
class Executor:
    """The program that carries actions out, as a test wants it to go."""

    shop: Shop

    def begins(self, *steps: str, workflow: str = "") -> None:
        self._all("Running", {"executionStartTime": "2026-01-01T00:00:00Z"}, steps, workflow)

    def completes(self, *steps: str, workflow: str = "") -> None:
        """These steps, or without a name all that are at work; how many is not said."""
        self._all("Completed", {"executionEndTime": "2026-01-01T00:00:30Z"}, steps, workflow)

    def fails(self, *steps: str, workflow: str = "", why: str = "it did not work") -> None:
        self._all("Failed", {"reason": "ActionFailed", "lastError": why}, steps, workflow)

    def _all(self, phase: str, more: Body, steps: Sequence[str], workflow: str) -> None:
        for child in self.shop.listed(self.shop.children):
            spec, at = child["spec"], child.get("status", {}).get("phase", "")
            if (
                at not in ("Completed", "Failed")
                and (not steps or spec["stepName"] in steps)
                and workflow in ("", spec["workflowExecutionRef"]["name"])
            ):
                self.says(child["metadata"]["name"], phase, **more)

    def says(self, child: str, phase: str, **more: object) -> None:
        path = f"{self.shop.children.path}/{child}/status"
        code, answer = self.shop.api.patch(path, {"status": {"phase": phase, **more}})
        assert code == 200, answer


def steps(*names: str, after: Sequence[str] = ()) -> list[Body]:
    """Steps of one action, each after all of `after`."""
    return [{**STEP, "name": name, "dependsOn": list(after)} for name in names]


def diamond() -> list[Body]:
    """a, then b and c, then d."""
    return [*steps("a"), *steps("b", "c", after=["a"]), *steps("d", after=["b", "c"])]


def ended(process: subprocess.Popen[str]) -> Ended:
    """The end of a run; one that hangs is ended by us, and the test fails."""
    with process:
        try:
            _, log = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Ended(process.returncode, log)


def hired(api: Api, namespace: str, folder: Path) -> Shop:
    """A shop whose reconciler may do what the role says, once the server knows it."""
    token = reconcilers_token(api, namespace)
    shop = Shop(api, namespace, kubeconfig(folder, api, token))
    eventually(
        lambda: api.with_token(token).get(shop.workflows.path)[0] == 200, "the role has no effect"
    )
    return shop


def _entries(log: Path, since: int, user: str) -> Iterator[Mapping[str, Any]]:
    with log.open("rb") as lines:
        lines.seek(since)
        for line in lines:
            if line.endswith(b"\n"):
                entry = json.loads(line)
                if entry["user"].get("username") == user:
                    yield entry


def _call(entry: Mapping[str, Any]) -> Call:
    about = entry.get("objectRef", {})
    resource = "/".join(about[key] for key in ("resource", "subresource") if key in about)
    return Call(entry["verb"], resource, about.get("name", ""), entry["responseStatus"]["code"])
