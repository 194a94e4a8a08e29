"""What the server's objects say, read by the contract alone (2, 3 and 4).

Deliberately without anything of `reconciler.core`: a rule that is wrong there is not wrong here in
the same way.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

Json = dict[str, Any]
Attempt = tuple[str, str, int]  # the owner's uid, the step, the number of the attempt

FINAL = ("Completed", "Failed", "Skipped")
OVER = ("Completed", "Failed", "Cancelled")
NOT_AFTER = "kubernaut.ai/not-after"
SOURCE = "kubernaut.ai/source"
DEFINITION = "kubernaut.ai/definition"
CONTENT = "kubernaut.ai/spec-hash"


# --- children ---------------------------------------------------------------------------------


def owner(child: Json) -> str:
    """Uid of the controller reference, empty without one."""
    references = child["metadata"].get("ownerReferences", ())
    return next((str(each["uid"]) for each in references if each.get("controller")), "")


def attempt(child: Json) -> Attempt:
    """The attempt that a child was made for, by its immutable spec."""
    spec = child["spec"]
    return (spec["workflowExecutionRef"]["uid"], spec["stepName"], spec["attempt"])


def phase(child: Json) -> str:
    return str(child.get("status", {}).get("phase", ""))


def terminal(child: Json) -> bool:
    return phase(child) in ("Completed", "Failed")


def active(child: Json) -> bool:
    """Holds a slot: at work, or being deleted and not gone."""
    return not terminal(child) or "deletionTimestamp" in child["metadata"]


def asked_to_stop(child: Json) -> bool:
    return bool(child["spec"].get("cancelRequested"))


@lru_cache(maxsize=4096)
def name_of(workflow: str, attempt: Attempt) -> str:
    """`W-S-H` of contract 3."""
    uid, step, number = attempt
    digest = hashlib.sha256(b"\0".join(part.encode() for part in (uid, step, str(number))))
    readable = [re.sub("[^a-z0-9-]", "-", part.lower()) for part in (workflow, step)]
    return f"{readable[0][:26]}-{readable[1][:25]}-{digest.hexdigest()[:10]}"


def ours(workflow: Json, child: Json) -> bool:
    """Contract 3: by uid and computed name, or by the uid that the status records."""
    recorded = {each.get("executionUID") for each in results(workflow).values()}
    if child["metadata"]["uid"] in recorded:
        return True
    about = workflow["metadata"]
    spec = child["spec"]
    made_for = (about["uid"], spec["stepName"], spec["attempt"])
    return bool(
        child["metadata"]["namespace"] == about["namespace"]
        and owner(child) == about["uid"]
        and child["metadata"]["name"] == name_of(about["name"], made_for)
    )


# --- workflows --------------------------------------------------------------------------------


def status(workflow: Json) -> Json:
    return workflow.get("status", {})  # type: ignore[no-any-return]  # JSON


def results(workflow: Json) -> dict[str, Json]:
    """Step results by step."""
    return {each["stepName"]: each for each in status(workflow).get("stepResults", ())}


def reason(workflow: Json) -> str:
    """Of the condition Ready."""
    conditions = status(workflow).get("conditions", ())
    return next((str(each["reason"]) for each in conditions if each["type"] == "Ready"), "")


def steps(workflow: Json) -> dict[str, Json]:
    return {each["name"]: each for each in workflow["spec"]["workflowDefinition"]["steps"]}


def reserved(workflow: Json) -> dict[str, Json]:
    """Results of which a child is, was or will be made."""
    return {step: each for step, each in results(workflow).items() if each.get("executionRef")}


def unmade(workflow: Json, children: Iterable[Json]) -> tuple[str, ...]:
    """Steps that are reserved and whose child is still to come."""
    made = {attempt(child)[1:] for child in children if ours(workflow, child)}
    return tuple(
        step
        for step, result in results(workflow).items()
        if result["status"] == "Pending"
        and not result.get("executionUID")
        and (step, result.get("attempt", 0)) not in made
    )


def unmet(workflow: Json, step: str) -> tuple[str, ...]:
    """Dependencies of a step that are not recorded Completed."""
    found = results(workflow)
    return tuple(
        each
        for each in steps(workflow)[step].get("dependsOn", ())
        if found.get(each, {}).get("status") != "Completed"
    )


def limit(workflow: Json, cap: int) -> int:
    return min(int(workflow["spec"].get("maxConcurrentSteps", 5)), cap)


def started(workflow: Json) -> bool:
    """Whether anything of it was ever reserved."""
    return bool(reserved(workflow))


def of_a_source(workflow: Json) -> bool:
    return SOURCE in workflow["metadata"].get("labels", {})


def document(workflow: Json) -> str:
    """Name of the document that a workflow of a source was made from."""
    about = workflow["metadata"]
    return str(about.get("annotations", {}).get(DEFINITION) or about["name"])


def entries(record: Mapping[str, Any] | None) -> list[Json]:
    """What a record holds, newest first."""
    return list(record.get("status", {}).get("contents", ())) if record else []


def entry(record: Mapping[str, Any] | None, content: str) -> Json:
    """What a record holds of a content; empty when nothing."""
    return next((each for each in entries(record) if each["content"] == content), {})


def content(workflow: Json) -> str:
    return str(workflow["metadata"].get("annotations", {}).get(CONTENT, ""))


# --- git --------------------------------------------------------------------------------------


def stated(text: str, name: str) -> str:
    """The document of that name in the files of a commit; empty when there is none."""
    documents = text.split("---\n")
    return next((each for each in documents if f"\n  name: {name}\n" in each), "")


def policy(document: str, key: str) -> str:
    """A word of its spec that stands on one line, as `history` or `concurrency`."""
    found = re.search(rf"\b{key}: (\w+)", document)
    return found[1] if found else ""
