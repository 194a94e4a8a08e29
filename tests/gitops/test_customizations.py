"""The scripts for Argo CD against the very test files that lie beside them, as upstream has it."""

from pathlib import Path

import pytest

from reconciler.core.api import KubernetesExecution, WorkflowExecution, WorkflowRecord
from tests.gitops.lua import Json, Script, ScriptError, patched
from tests.gitops.verdicts import CUSTOMIZATIONS, manifests

KINDS = {folder.name: folder for folder in sorted(CUSTOMIZATIONS.glob("*/*")) if folder.is_dir()}
MODELS = {each.__name__: each for each in (WorkflowExecution, KubernetesExecution, WorkflowRecord)}
ACTIONS = KINDS["WorkflowExecution"] / "actions"


def stated(file: Path, part: str) -> list[Json]:
    """The cases of one part of a test file."""
    (found,) = manifests(file)
    cases: list[Json] = found[part]
    assert cases
    return cases


def an_object(file: Path) -> Json:
    (found,) = manifests(file)
    return found


def named(case: Json) -> str:
    return Path(case["inputPath"]).stem


@pytest.mark.parametrize(
    ("folder", "case"),
    [
        pytest.param(folder, case, id=f"{kind}-{named(case)}-is-{case['healthStatus']['status']}")
        for kind, folder in KINDS.items()
        for case in stated(folder / "health_test.yaml", "tests")
    ],
)
def test_health_is_what_the_test_file_says(folder: Path, case: Json) -> None:
    """Argo CD's own harness: the same files pass there and here."""
    health = Script.of(folder / "health.lua")(an_object(folder / case["inputPath"]))
    assert health == case["healthStatus"]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=named(case))
        for case in stated(ACTIONS / "action_test.yaml", "discoveryTests")
    ],
)
def test_the_actions_that_are_offered_are_what_the_test_file_says(case: Json) -> None:
    """An action that would change nothing, or be refused, is shown as disabled."""
    offered = Script.of(ACTIONS / "discovery.lua")(an_object(ACTIONS / case["inputPath"]))
    assert {
        name: {key: each for key, each in action.items() if each is not False}
        for name, action in offered.items()
    } == {
        action["name"]: {key: each for key, each in action.items() if key != "name"}
        for action in case["result"]
    }


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case['action']}-{named(case)}-{number}")
        for number, case in enumerate(stated(ACTIONS / "action_test.yaml", "actionTests"))
    ],
)
def test_an_action_does_what_the_test_file_says(case: Json) -> None:
    """What is not stated to change comes back as it was: Argo CD sends the difference."""
    before = an_object(ACTIONS / case["inputPath"])
    script = Script.of(ACTIONS / case["action"] / "action.lua")
    if "expectedErrorMessage" in case:
        with pytest.raises(ScriptError, match=f"^{case['expectedErrorMessage']}$"):
            script(before, case.get("parameters"))
        return
    returned = patched(before, script(before, case.get("parameters")))
    assert returned == an_object(ACTIONS / case["expectedOutputPath"])


def test_each_action_that_is_offered_has_a_script_and_a_test() -> None:
    """An action without a script is a button that fails."""
    offered = Script.of(ACTIONS / "discovery.lua")(
        an_object(ACTIONS / ".." / "testdata" / "executing.yaml")
    )
    scripts = {file.parent.name for file in ACTIONS.glob("*/action.lua")}
    tested = {case["action"] for case in stated(ACTIONS / "action_test.yaml", "actionTests")}
    assert set(offered) == scripts == tested


def test_each_file_of_test_data_is_used_and_of_our_own_making() -> None:
    """Each was read from a server: our models take spec and status as they stand."""
    used, there = set[Path](), set[Path]()
    for folder in KINDS.values():
        there |= {file.resolve() for file in folder.rglob("testdata/*.yaml")}
        for case in stated(folder / "health_test.yaml", "tests"):
            used.add((folder / case["inputPath"]).resolve())
    for part in ("discoveryTests", "actionTests"):
        for case in stated(ACTIONS / "action_test.yaml", part):
            used |= {
                (ACTIONS / case[path]).resolve()
                for path in ("inputPath", "expectedOutputPath")
                if path in case
            }
    assert used == there
    for file in there:
        found = an_object(file)
        MODELS[found["kind"]].model_validate(found)


def test_the_largest_workflow_is_no_trouble() -> None:
    """Contract 2: 1,000 steps with 100 dependencies each, of which the last waits for approval."""
    names = [f"step-{number}" for number in range(1000)]
    steps = [
        {"name": name, "dependsOn": names[max(0, at - 100) : at], "requiresApproval": True}
        for at, name in enumerate(names)
    ]
    obj = an_object(ACTIONS / ".." / "testdata" / "awaiting-approval.yaml")
    obj["spec"]["workflowDefinition"]["steps"] = steps
    obj["status"]["stepResults"] = [
        {"stepName": name, "status": "Completed"} for name in names[:-1]
    ]
    assert Script.of(ACTIONS / "discovery.lua")(obj)["approve"]["disabled"] is False
    approved = Script.of(ACTIONS / "approve" / "action.lua")(obj)["spec"]["approvals"]
    assert [each["step"] for each in approved] == names[-1:]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param('return ("a"):upper()', "index a string", id="no-methods-of-texts"),
        pytest.param("return string.upper('a')", "'string'", id="no-string-library"),
        pytest.param("return os.time()", "'os'", id="os-only-by-require"),
        pytest.param("return io.open('/etc/passwd')", "'io'", id="no-files"),
        pytest.param("while true do end", "too long", id="no-endless-loop"),
    ],
)
def test_the_scripts_run_under_the_restrictions_of_argo_cd(text: str, complaint: str) -> None:
    """A script that needs more passes nowhere but in a test that is too kind."""
    with pytest.raises(ScriptError, match=complaint):
        Script(text)({})


def test_a_script_has_the_time_and_tables() -> None:
    """What Argo CD leaves of the libraries."""
    text = 'local os = require("os"); table.insert(obj.l, type(os.time())); return obj'
    assert Script(text)({"l": [], "m": {}}) == {"l": ["number"], "m": []}
    assert patched({"l": [], "m": {}}, {"l": [], "m": []}) == {"l": [], "m": {}}
