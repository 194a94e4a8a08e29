"""What the server holds, as it can be compared between two plays.

A `picture` is without versions, uids and times: two of them are equal when nobody could tell the
workflows apart but by when it happened. A `key` keeps the times, as seconds from now: two plays
with one key have the same future.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from reconciler.kube.requests import CHILDREN, CONFIG_MAPS, LEASES, RECORDS, WORKFLOWS
from tests.faults import reading
from tests.faults.play import Play
from tests.faults.reading import Json

Picture = dict[str, Any]

_KINDS = (WORKFLOWS, CHILDREN, RECORDS, CONFIG_MAPS, LEASES)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_CHILD = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?-[0-9a-f]{10}\b")
_ATTEMPTS = 6  # of a step, the most
_VERSIONS = frozenset(("resourceVersion", "managedFields", "generation", "observedGeneration"))
_TRACES = frozenset((
    "healedAt", "checked", "kubernaut.ai/fence", "example.com/touched", "example.com/count",
    "kubernaut.ai/commit",  # an unfinished fence sends what is unsettled again, with the new one
    "leaseTransitions", "holderIdentity", "leaseDurationSeconds",
))  # fmt: skip
_TIMES = frozenset((
    "reservedAt", "executionStartTime", "executionEndTime", "lastTransitionTime", "startTime",
    "endTime", "creationTimestamp", "renewTime", "acquireTime",
))  # fmt: skip


def picture(play: Play) -> Picture:
    """By kind and name; what only tells that something went wrong on the way is left out."""
    dropped = _VERSIONS | _TRACES | _TIMES
    found = _objects(play, dropped, lambda _: "T")
    for name in [name for name in found if name.endswith(" of nobody")]:
        del found[name]  # the garbage collector's
    for each in found.values():
        if each["kind"] == CHILDREN.kind and reading.terminal(each):
            each["spec"].pop("cancelRequested", None)  # nobody acts on it any more
        for entry in each.get("status", {}).get("contents", ()):
            entry.pop("phase", None)  # the result of a run: by the hour, if a crash came between
            entry.pop("progress", None)
        if not each["metadata"].get("annotations"):
            each["metadata"].pop("annotations", None)
    return found


def key(play: Play) -> str:
    """Everything that a later run or executor could look at."""
    now = play.time.now()

    def ago(match: re.Match[str]) -> str:
        at = datetime.fromisoformat(match[0]).astimezone(UTC)
        return f"{(now - at).total_seconds():.0f} s ago"

    past = play.monitor.past
    told = (
        _objects(play, _VERSIONS, ago),
        sorted(past.forgiven),
        sorted(past.erased),
        sorted(past.unrecorded),
        play.repository.head if play.repository else "",
    )
    return json.dumps(told)


def outline(play: Play) -> Json:
    """How every workflow ended: phase and results, without how many attempts it took."""
    records = {
        f"record {each['metadata']['name']}": [
            (entry["content"], entry["state"], entry.get("phase"))
            for entry in each.get("status", {}).get("contents", ())
        ]
        for each in play.server.objects(RECORDS)
    }
    return records | {
        each["metadata"]["name"]: (
            reading.status(each).get("phase"),
            {
                step: (result["status"], result.get("reason", ""))
                for step, result in reading.results(each).items()
            },
        )
        for each in play.server.objects(WORKFLOWS)
    }


def besides(whole: Picture, workflow: str) -> Picture:
    """The picture of every other workflow; no name in it has a dash."""
    return {
        name: each
        for name, each in whole.items()
        if name.partition("/")[2].split("-")[0] not in (workflow, "reconciler")
    }


def _objects(
    play: Play, dropped: frozenset[str], instant: Callable[[re.Match[str]], str]
) -> Picture:
    workflows, children = play.server.objects(WORKFLOWS), play.server.objects(CHILDREN)
    names = {
        each["metadata"]["uid"]: f"uid of {each['metadata']['name']}"
        for each in (*workflows, *children)
    }
    attempts = dict(_attempts(workflows, children))

    def called(match: re.Match[str]) -> str:
        return attempts.get(match[0], match[0])

    def told(value: Any, of: str = "") -> Any:  # noqa: ANN401  # any JSON
        if isinstance(value, dict):
            return {each: told(inner, each) for each, inner in value.items() if each not in dropped}
        if isinstance(value, list):
            return [told(inner) for inner in value]
        if of in ("uid", "executionUID"):
            return _CHILD.sub(called, names.get(value, "a uid that is gone"))
        if isinstance(value, str):
            return _CHILD.sub(called, _INSTANT.sub(instant, value))
        return value

    return {
        f"{kind.kind}/{told(each['metadata']['name'])}": told(each)
        for kind in _KINDS
        for each in play.server.objects(kind)
    }


def _attempts(workflows: Sequence[Json], children: Sequence[Json]) -> Iterator[tuple[str, str]]:
    """What the names of children stand for: in each there is a uid."""
    for workflow in workflows:
        about = workflow["metadata"]
        for step in reading.reserved(workflow):
            for number in range(_ATTEMPTS):
                name = reading.name_of(about["name"], (about["uid"], step, number))
                yield name, f"{about['name']}-{step}/{number}"
    for child in children:
        owner = child["spec"]["workflowExecutionRef"]
        if owner["uid"] not in {each["metadata"]["uid"] for each in workflows}:
            yield child["metadata"]["name"], f"{child['metadata']['name']} of nobody"
