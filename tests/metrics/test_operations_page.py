"""The page for who operates it: its commands are run on a real server, its lists are the code's."""

import os
import re
import shlex
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.apiserver.pushgateways import scraped
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Shop, steps
from tests.controlplane import ROOT, ControlPlane, eventually
from tests.docs.statements import TESTS, named, unheld
from tests.metrics.families import FAMILIES, values
from tests.metrics.programs import RULES, tool

PAGE = (ROOT / "docs" / "operations.md").read_text()
VALUES = YAML(typ="safe").load((ROOT / "charts" / "reconciler" / "values.yaml").read_text())
NAMESPACE, PUSHGATEWAY = "shop", "http://pushgateway:9091"  # the page's

WORKFLOW = "checkout-restart"
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)


def section(title: str) -> str:
    """What stands under a heading."""
    following = re.split(rf"^#+ {re.escape(title)}$", PAGE, maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(r"^#+ ", following, maxsplit=1, flags=re.MULTILINE)[0]


def commands(title: str) -> list[str]:
    """The commands of a section."""
    return re.findall(r"^\$ (.*)$", section(title), re.MULTILINE)


def yaml_of(title: str) -> str:
    """The document of a section."""
    found = re.search(r"^```yaml\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


@dataclass(frozen=True)
class Operator:
    """Who types what the page says, in a namespace of the test's and at its Pushgateway."""

    shop: Shop
    kubeconfig: Path
    folder: Path
    pushgateway: str = PUSHGATEWAY

    def types(self, command: str) -> str:
        told = command.replace(f"-n {NAMESPACE}", f"-n {self.shop.namespace}")
        told = told.replace(f"/namespace/{NAMESPACE}/", f"/namespace/{self.shop.namespace}/")
        words = shlex.split(told.replace(PUSHGATEWAY, self.pushgateway))
        if words[:3] == ["curl", "-X", "DELETE"]:
            return self._deletes(words[3])
        assert words[0] == "kubectl", command
        done = subprocess.run(
            [tool("kubectl"), *words[1:]],
            env={
                "PATH": os.environ["PATH"],
                "KUBECONFIG": str(self.kubeconfig),
                "HOME": "/nowhere",
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def _deletes(self, url: str) -> str:
        request = urllib.request.Request(url, method="DELETE")  # noqa: S310  # ours
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # ours
            assert answer.status == 202
        return ""


@pytest.fixture
def operator(
    shop: Shop, control_plane: ControlPlane, tmp_path: Path, shared_pushgateway: str
) -> Operator:
    (tmp_path / "by-hand.yaml").write_text(yaml_of("git is down"))
    return Operator(shop, control_plane.kubeconfig, tmp_path, shared_pushgateway)


def cron_job(shop: Shop) -> None:
    """One that never starts by itself, by the name that the page takes."""
    container = {"name": "reconciler", "image": "reconciler:0.1.0"}
    pod = {"restartPolicy": "Never", "containers": [container]}
    spec = {
        "schedule": "0 0 1 1 *",
        "suspend": True,
        "jobTemplate": {"spec": {"template": {"spec": pod}}},
    }
    path = f"/apis/batch/v1/namespaces/{shop.namespace}/cronjobs"
    code, answer = shop.api.post(path, {"metadata": {"name": "reconciler"}, "spec": spec})
    assert code == 201, answer


def run(operator: Operator, *flags: str) -> None:
    operator.shop.done("--pushgateway-url", operator.pushgateway, *flags)


@pytest.mark.apiserver
def test_each_command_of_the_page_does_something_on_a_server(operator: Operator) -> None:
    """One after the other, as they stand there; none is a guess."""
    cron_job(operator.shop)
    operator.shop.workflow(WORKFLOW, *steps("rolled-out"))
    run(operator)
    paused = "kubectl get configmap -n shop reconciler-paused -o yaml"
    assert paused in COMMANDS
    for command in COMMANDS:
        if command == paused:  # stands before the section that makes it
            continue
        operator.types(command)
    assert len(COMMANDS) > 15


@pytest.mark.apiserver
def test_a_pause_lasts_until_it_is_deleted(operator: Operator) -> None:
    """Nothing new starts meanwhile, and everything of it can be read."""
    begin, end = commands("Pause")
    operator.types(begin)
    assert "freeze until Monday" in operator.types(*commands("ReconcilerPaused"))
    operator.shop.workflow(WORKFLOW, *steps("a"))
    run(operator)
    assert operator.shop.steps(WORKFLOW) == []
    operator.types(end)
    run(operator)
    assert operator.shop.steps(WORKFLOW) == ["a"]


@pytest.mark.apiserver
def test_while_git_is_down_what_is_applied_by_hand_runs(operator: Operator, tmp_path: Path) -> None:
    """Runs exit with 3, and carry out what is in the cluster."""
    operator.types(*commands("git is down"))
    gone = (tmp_path / "gone").as_uri()
    assert operator.shop.run("--source-url", gone).code == 3
    assert operator.shop.steps("by-hand") == ["restart"]
    # And when git is back it belongs to no document.
    repository = Repository.new(tmp_path / "back")
    repository.commit({"w.yaml": document("w", *steps("a"))})
    before = operator.shop.workflows.read("by-hand")["spec"]
    code = operator.shop.run("--source-url", repository.url, "--source-moved", "--prune").code
    assert code == 0
    assert operator.shop.workflows.read("by-hand")["spec"] == before


@pytest.mark.apiserver
def test_a_child_that_hangs_lets_go_of_its_slot_and_changes_no_result(operator: Operator) -> None:
    """The way out that the message names."""
    shop = operator.shop
    shop.workflow(WORKFLOW, *steps("rolled-out"))
    run(operator)
    shop.executor.begins("rolled-out")
    operator.types(commands("One workflow")[2])
    run(operator)
    run(operator)  # by now it has been asked to stop, and has not
    stuck = shop.status(WORKFLOW)
    assert (stuck["phase"], stuck["settled"], stuck["activeSteps"]) == ("Cancelled", False, 1)
    assert "holds its slot until it does, or until kubectl delete ke" in stuck["message"]
    look, delete = commands("A child that hangs")
    assert "rolled-out" in operator.types(look)
    operator.types(delete)
    eventually(lambda: shop.steps(WORKFLOW) == [], "the child stays")
    run(operator)
    after = shop.status(WORKFLOW)
    assert (after["phase"], after["settled"]) == ("Cancelled", True)


@pytest.mark.apiserver
def test_a_workflow_stops_and_goes_on(operator: Operator) -> None:
    """Suspend, resume; the third is a cancel."""
    suspend, resume, _ = commands("One workflow")
    operator.shop.workflow(WORKFLOW, *steps("a"))
    operator.types(suspend)
    run(operator)
    assert operator.shop.steps(WORKFLOW) == []
    operator.types(resume)
    run(operator)
    assert operator.shop.steps(WORKFLOW) == ["a"]


@pytest.mark.apiserver
def test_the_oldest_unfinished_workflow_is_found(operator: Operator) -> None:
    """What the runbook of a stuck workflow begins with."""
    operator.shop.workflow(WORKFLOW, *steps("a"))
    operator.shop.workflow("over")
    run(operator)
    listed = operator.types(*commands("ReconcilerWorkflowStuck"))
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [WORKFLOW]


@pytest.mark.apiserver
def test_a_refused_document_is_told_once_and_again_by_an_empty_commit(
    operator: Operator, tmp_path: Path
) -> None:
    """What the runbook of refused documents says to who looks too late."""
    repository = Repository.new(tmp_path / "repository")
    repository.commit({"w.yaml": "kind: Nothing"})
    told = [operator.shop.done("--source-url", repository.url).of("WARNING") for _ in range(2)]
    repository.commit({})
    told.append(operator.shop.done("--source-url", repository.url).of("WARNING"))
    assert [len(each) for each in told] == [1, 0, 1]
    assert told[0] == told[2]
    assert told[0][0].startswith("w.yaml:1: ")


@pytest.mark.apiserver
def test_what_uninstall_leaves_can_be_deleted(operator: Operator, tmp_path: Path) -> None:
    """The Lease, the head, and the group at the Pushgateway."""
    repository = Repository.new(tmp_path / "repository")
    repository.commit({"w.yaml": document("w", *steps("a"))})
    run(operator, "--source-url", repository.url)
    group = {"job": "reconciler", "namespace": operator.shop.namespace, "source": "default"}
    assert scraped(operator.pushgateway, group)
    made, pushed = commands("Uninstall")
    told = operator.types(made)
    assert len(told.splitlines()) == 2  # the Lease and the head; nobody paused
    operator.types(pushed)
    assert scraped(operator.pushgateway, group) == {}


# --- the page and the code ------------------------------------------------------------------


def test_every_statement_but_of_a_runbook_names_tests_that_are_there() -> None:
    """A page that no test holds is a promise of nobody; a runbook is advice, on an alert's test."""
    assert sorted(named(PAGE) - TESTS) == []
    promises = re.sub(r"^### Reconciler\w+$.*?(?=^##+ )", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert unheld(promises) == []


def test_every_gauge_has_its_line_and_every_line_its_gauge() -> None:
    """Contract 10, as people read it."""
    lines = re.findall(r"^\| `(reconciler_\w+)` \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    assert {name: (re.findall(r"`(\w+)`", labels), text) for name, labels, text in lines} == {
        name: (list(gauge.labels), gauge.help) for name, gauge in FAMILIES.items()
    }


def test_every_word_of_a_gauge_that_the_page_explains_is_one() -> None:
    """The tables of two runbooks have what is refused, and why a step does not start."""
    reasons, refused = (
        set(re.findall(r"^\| `([\w-]+)` \|", section(title), re.MULTILINE))
        for title in ("ReconcilerStepCreationErrors", "ReconcilerDocumentsRefused")
    )
    assert reasons == values("reconciler_step_creation_errors")["reason"]
    [alert] = re.findall(r'reconciler_documents\{result=~"([^"]*)"\}', RULES.read_text())
    assert refused == set(alert.split("|"))


def test_every_value_of_the_chart_that_the_page_names_is_there() -> None:
    """A value that is not there is refused by the chart."""
    for path in re.findall(r"`([a-z]\w+(?:\.\w+)+)(?:: [^`]*)?`", PAGE):
        parts = path.split(".")
        if parts[0] in VALUES:
            at = VALUES
            for part in parts:
                assert part in at, path
                at = at[part]


def test_every_link_of_the_page_leads_somewhere() -> None:
    """Files of this repository, and sections of its pages."""
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        if target.startswith("https://"):
            continue
        page = ROOT / "docs" / file if file else ROOT / "docs" / "operations.md"
        assert page.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
            assert anchor in {title.lower().replace(" ", "-") for title in titles}, target
