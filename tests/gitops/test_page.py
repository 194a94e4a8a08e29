"""docs/gitops.md: each of its statements is a test, named beside it."""

import re

from hack import argocd
from tests.chart.releases import of_kind, release_of
from tests.gitops.verdicts import EXPECTED, ROOT, Row

PAGE = (ROOT / "docs" / "gitops.md").read_text()
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
}
SHOWN = {
    "seen by no run yet": (Row.UNSEEN, Row.STALE),
    "pending": (Row.RUNNING,),
    "suspended": (Row.WAITING,),
    "completed": (Row.COMPLETED,),
    "failed": (Row.FAILED,),
}


def commands() -> list[str]:
    """What the page tells to type."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    return [
        line.strip().removeprefix("$ ") for block in blocks for line in block.strip().splitlines()
    ]


def test_every_statement_of_the_page_names_tests_that_are_there() -> None:
    """A page that no test holds is a promise of nobody."""
    comments = re.findall(r"<!-- tests: (.*?)-->", PAGE, re.DOTALL)
    named = {name.strip() for comment in comments for name in comment.split(",")}
    assert sorted(named - TESTS) == []
    points = re.split(r"^(?:- |\d\. |#)", PAGE, flags=re.MULTILINE)[1:]
    titles = {"# "}  # over points that have theirs
    assert [
        each[:60] for each in points if "<!-- tests:" not in each and each[:2] not in titles
    ] == []


def test_every_file_that_the_page_names_is_there() -> None:
    """A name that leads nowhere helps nobody."""
    linked = [(ROOT / "docs" / each) for each in re.findall(r"\]\(((?!#)[^)]+)\)", PAGE)]
    typed = [ROOT / each for line in commands() for each in re.findall(r"gitops/\S+", line)]
    assert [each for each in linked + typed if not each.exists()] == []


def test_the_patch_is_applied_as_its_own_head_says() -> None:
    """One command, in two places."""
    (told,) = [line for line in commands() if "--patch-file" in line]
    assert f"#   {told}\n" in argocd.patch()


def test_the_table_of_the_page_is_the_one_that_is_tested() -> None:
    """Contract 2, as people read it."""
    table = PAGE.split("## How a workflow reads", 1)[1].split("\n\n")[1]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]
    seen = set()
    for state, health, kstatus, waits in rows[:-1]:
        (shown,) = [each for start, each in SHOWN.items() if state.startswith(start)]
        for row in shown:
            told = EXPECTED[row]
            assert (health, kstatus) == (told.argocd, told.kstatus)
            returns = {"Ready": told.ready, "Stalled": told.stalled}
            wanted = [f"`{name}` returns" for name, does in returns.items() if does] or ["waits"]
            assert [waits] == wanted
            seen.add(row)
    assert seen == set(Row)
    assert rows[-1] == ["being deleted", "Progressing", "Terminating", "as before"]


def test_the_role_for_approvals_is_the_one_of_the_chart() -> None:
    """A binding to a role that is not there grants nothing, and says nothing."""
    (told,) = [line for line in commands() if "create rolebinding" in line]
    found = re.search(r"--clusterrole (\S+)", told)
    roles = of_kind(release_of(release="reconciler", namespace="reconciler"), "ClusterRole")
    assert found is not None
    assert found.group(1) in [role["metadata"]["name"] for role in roles]
