"""Who sees every change of a source's objects, and says what must never have happened (I8, I12)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.api import RecordState
from reconciler.kube.requests import CONFIG_MAPS, RECORDS, WORKFLOWS
from tests.builders import NAMESPACE
from tests.fakes.memory.storage import Change
from tests.unit.stages.scene import Scene

SPEC_HASH, DEFINITION = "kubernaut.ai/spec-hash", "kubernaut.ai/definition"


@dataclass
class Witness:
    """Sees every change; what it counts is by document and content.

    `beside`: documents that had two runs at work at once. `late`: changes of a spec, and starts of
    what git does not state, after the head said that the commit is whole. `lost`: runs that were
    deleted though no record had kept their result.
    """

    scene: Scene
    made: Counter[str] = field(default_factory=Counter)
    started: Counter[str] = field(default_factory=Counter)
    beside: set[str] = field(default_factory=set)
    late: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    _begun: set[str] = field(default_factory=set)
    _stated: Sequence[str] = ()
    _whole: bool = False

    def __post_init__(self) -> None:
        self.scene.server.observers.append(self._saw)

    def pushed(self, *stated: str) -> None:
        """Git says something new: specs may change again."""
        self._stated = stated
        self._whole = False

    def _saw(self, change: Change) -> None:
        if change.after is None:
            if change.resource is WORKFLOWS:
                self._gone(change.before)
            return
        if change.resource is CONFIG_MAPS:
            data = change.after["data"]
            self._whole = data["state"] == "whole" and data["whole"] == self.scene.source.ref
        elif change.resource is RECORDS:
            self._record(change.after)
        elif change.resource is WORKFLOWS:
            self._workflow(change.before, change.after)

    def _workflow(self, before: Any, after: Any) -> None:  # noqa: ANN401  # an object's JSON
        told = after["metadata"]["annotations"]
        what = f"{told[DEFINITION]} {told[SPEC_HASH]}"
        if before is None:
            self.made[what] += 1
            return
        if self._whole and before["spec"] != after["spec"]:
            self.late.append(what)
        if before["status"].get("phase") != "Executing" == after["status"].get("phase"):
            self.started[what] += 1
            if self._whole and what not in self._begun:
                self.late.append(what)
            at_work = [
                each["metadata"]["name"]
                for each in self.scene.server.objects(WORKFLOWS)
                if each["metadata"]["annotations"][DEFINITION] == told[DEFINITION]
                and each["status"].get("phase") == "Executing"
            ]
            if len(at_work) > 1:
                self.beside.add(told[DEFINITION])

    def _record(self, record: Any) -> None:  # noqa: ANN401  # an object's JSON
        """A content that is created has begun: what git says after that comes too late."""
        for each in record["status"].get("contents", ()):
            if each["state"] == "created" and (not self._whole or self._is_stated(each["run"])):
                self._begun.add(f"{record['metadata']['name']} {each['content']}")

    def _is_stated(self, run: str) -> bool:
        found = self.scene.server.object(WORKFLOWS, NAMESPACE, run)
        return found is not None and any(is_run_of(found, text) for text in self._stated)

    def _gone(self, run: Any) -> None:  # noqa: ANN401  # an object's JSON
        """The record of a run that goes says how it ended, or that it never began."""
        told, status = run["metadata"]["annotations"], run["status"]
        what = f"{told[DEFINITION]} {told[SPEC_HASH]}"
        entries = self.scene.entries(told[DEFINITION])
        (entry,) = [each for each in entries if each.content == told[SPEC_HASH]]
        # Intended: another run wants it again and has yet to pass the fence.
        never = (RecordState.DROPPED, RecordState.INTENDED)
        if entry.state in never and status.get("phase", "") in ("", "Pending"):
            self.made[what] -= 1  # it is made again when it is to run
        elif not (status.get("settled") is True and entry.phase):
            self.lost.append(what)

    def holds(self) -> None:
        """What must be true at every moment; it was written down as it happened."""
        assert self.beside == set()
        assert self.late == []
        assert self.lost == []
        assert [what for what, count in self.started.items() if count > 1] == []
        assert [what for what, count in self.made.items() if count > 1] == []


def is_run_of(item: Any, text: str) -> bool:  # noqa: ANN401  # an object's JSON
    parameters = item["spec"]["workflowDefinition"]["steps"][0]["parameters"]
    replicas = parameters["scaleDeployment"]["replicas"]
    name = item["metadata"]["annotations"][DEFINITION]
    return f"replicas: {replicas}}}" in text and f"name: {name}\n" in text
