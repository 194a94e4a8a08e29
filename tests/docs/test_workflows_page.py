"""The page for people who write workflows: each of its statements is a test, named beside it."""

import re
from pathlib import Path

import pytest

from reconciler.core.definitions import read
from reconciler.manifests import documents
from tests.docs.statements import TESTS, named, unheld
from tests.unit.stages.scene import Scene, document

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "workflows.md").read_text()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_every_statement_names_tests_that_are_there() -> None:
    """A page that no test holds is a promise of nobody."""
    assert sorted(named(PAGE) - TESTS) == []
    assert unheld(PAGE) == []


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            "# P\n\nAbout.\n\nIt flies.\n\n<!-- tests: test_x -->\n## A\n- It swims.\n", id="point"
        ),
        pytest.param("# P\n\nAbout.\n\n## A\n\nIt flies.\n", id="paragraph"),
        pytest.param(
            "# P\n\n## A\n- It flies.\n<!-- tests: test_x -->\n\nIt swims.\n", id="below-a-list"
        ),
    ],
)
def test_a_statement_without_a_test_is_found(page: str) -> None:
    """The rule that the pages are held to can fail."""
    assert len(unheld(page)) == 1


def test_the_example_of_the_page_is_good() -> None:
    """What is copied from the page runs."""
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found, problems = documents("page.yaml", "b10b", example.encode())
    told = read(found, "shop")
    assert (problems, told.problems) == ([], ())
    assert [each.name for each in told.definitions] == ["checkout-restart"]


def test_a_change_starts_one_new_run(scene: Scene) -> None:
    """Contract 5: one run per content."""
    scene.source.commit(document())
    run = scene.run()
    run.source()
    run.workflows()
    run.settle(scene.runs[0])
    scene.source.commit(document(replicas=2))
    scene.run().source()
    assert len(scene.runs) == 2
    scene.run().source()
    assert len(scene.runs) == 2


def test_a_rename_starts_a_run_of_the_new_name_and_leaves_the_old(scene: Scene) -> None:
    """Contract 5: a document is known by its name."""
    scene.source.commit(document("before"))
    run = scene.run()
    run.source()
    run.workflows()
    [old] = scene.runs
    stored = scene.stored(old)
    scene.source.commit(document("after"))
    scene.run().source()
    assert sorted(each.rpartition("-")[0] for each in scene.runs) == ["after", "before"]
    assert scene.stored(old) == stored
