"""From a commit to a settled workflow: a release of the chart, and Jobs one after the other."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.apiserver.asked import denied
from tests.apiserver.repository import document
from tests.apiserver.runs import diamond, steps
from tests.chart_runs.kubelet import Ended
from tests.chart_runs.releases import Release
from tests.chart_runs.world import LOGIN, World
from tests.controlplane import Audit, eventually
from tests.gitservers import SshServer

pytestmark = pytest.mark.apiserver

_HELMS = [pytest.param("helm3", id="helm-3"), pytest.param("helm", id="helm-4")]
_LONGEST_WAIT = 90.0  # seconds until cron's next minute, and some
_MOST = 15  # requests of a first run over one document; Helm's own are its own


def _done(ended: Ended) -> None:
    assert ended.code == 0, ended.log + ended.output


def _asked(entries: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """How often each of those who matter here asked; the test and the controllers are left out."""
    return Counter(filter(None, map(_who, entries)))


def _who(entry: Mapping[str, Any]) -> str:
    agent = str(entry.get("userAgent", "")).lower()
    if str(entry["user"].get("username", "")).startswith("system:serviceaccount:test-"):
        return "the run"
    return next((name for name in ("helm", "kubectl") if agent.startswith(name)), "")


@pytest.mark.parametrize("version", _HELMS)
def test_from_install_to_the_first_gauge_takes_few_requests(
    world: World, audit: Audit, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    """Counted at the server: Helm's, kubectl's, and those of the run that pushes."""
    world.https.repository.commit({"old.yaml": document("old", *steps("a"))})
    release, values = world.releases(version), world.by_https()
    began = audit.mark()
    release.helm.install(values)
    _done(release.run_now("first"))
    asked = _asked(audit.entries(began))
    told = ", ".join(f"{name} {count}" for name, count in sorted(asked.items()))
    with capsys.disabled():
        sys.stdout.write(
            f"\n{version}, install to first gauge: {asked.total()} requests ({told})\n"
        )
    assert world.gauge("last_success_timestamp_seconds") > 0
    assert set(asked) == {"helm", "kubectl", "the run"}
    assert asked["the run"] <= _MOST


def test_a_commit_becomes_a_settled_workflow_job_by_job(world: World, audit: Audit) -> None:
    """The chart as it ships: its account, its flags, its files, its read-only root."""
    began = audit.mark()
    files = {"old.yaml": document("old", *steps("a"))}
    world.https.repository.commit(files)
    release = world.releases("helm")
    release.helm.install(world.by_https())
    _done(release.run_now("first"))
    assert world.shop.listed(world.shop.workflows) == []  # its documents count as having run

    commit = world.https.repository.commit(files | {"new.yaml": document("new", *diamond())})
    started = [_steps_after(world, release, number) for number in range(3)]
    _done(release.run_now("last"))

    assert started == [["a"], ["a", "b", "c"], ["a", "b", "c", "d"]]
    workflow = world.workflow()
    assert workflow["status"]["phase"] == "Completed"
    assert workflow["status"]["settled"] is True
    assert workflow["metadata"]["annotations"]["kubernaut.ai/commit"] == commit
    assert world.gauge("workflows", phase="Completed") == 1
    assert world.gauge("run_exit_code") == 0
    assert denied(audit.entries(began, world.shop.user)) == []


def _steps_after(world: World, release: Release, number: int) -> list[str]:
    """The steps that have begun after one more run, and will have ended by the next."""
    _done(release.run_now(f"run-{number}"))
    begun = world.shop.steps(world.workflow()["metadata"]["name"])
    world.shop.executor.completes()
    return begun


@pytest.mark.parametrize("version", _HELMS)
def test_helm_test_passes_where_a_run_can_do_its_work(world: World, version: str) -> None:
    """`reconciler check`, with the pod, the account and the files of a run."""
    world.https.repository.commit({"one.yaml": document("one", *steps("a"))})
    release = world.releases(version)
    release.helm.install(world.by_https())
    _done(release.tested())


def test_helm_test_fails_where_the_repository_refuses_the_login(world: World) -> None:
    """What is wrong is told before the first run, and no secret with it."""
    release = world.releases("helm")
    release.helm.install(world.by_https())
    world.https.login = "robot:an0ther"
    ended = release.tested()
    assert ended.code == 1, ended.output
    assert LOGIN[1] not in ended.output + ended.log


def test_shards_are_the_pods_of_one_job_and_leave_no_workflow_out(world: World) -> None:
    """Each knows which one it is by its place in the Job; the first one reads the source."""
    names = [f"w{number}" for number in range(8)]
    files = {f"{name}.yaml": document(name, *steps("a")) for name in names}
    world.https.repository.commit(files)
    release, values = world.releases("helm"), world.by_https() | {"shards": 2}
    values["source"]["firstRun"] = "run"
    release.helm.install(values)
    release.start("shards")
    for ended in release.carried_out("shards"):
        _done(ended)
    assert len(world.shop.listed(world.shop.children)) == len(names)
    assert [world.gauge("run_exit_code", shard=f"{index}-2") for index in range(2)] == [0, 0]


def test_a_key_in_a_secret_opens_a_repository_over_ssh(world: World, git_ssh: SshServer) -> None:
    """The key is root's and of the pod's group, and ssh takes it; the host is the known one."""
    repository, commit = git_ssh.repository({"one.yaml": document("one", *steps("a"))})
    release = world.releases("helm")
    release.helm.install(world.by_ssh(git_ssh, repository))
    _done(release.run_now("run"))
    workflow = world.workflow()
    assert workflow["metadata"]["annotations"]["kubernaut.ai/commit"] == commit
    assert world.shop.steps(workflow["metadata"]["name"]) == ["a"]


def test_a_run_that_cannot_read_its_source_is_a_job_that_failed(world: World) -> None:
    """Contract 7: exit 3 is what the platform's people see of it."""
    release = world.releases("helm")
    release.helm.install(world.by_https())
    world.https.login = "robot:an0ther"
    ended = release.run_now("run")
    assert ended.code == 3, ended.log
    assert LOGIN[1] not in ended.log
    assert world.gauge("run_exit_code") == 3


def test_the_schedule_makes_jobs_of_its_own(world: World) -> None:
    """A CronJob, and nothing that runs all day."""
    world.https.repository.commit({"one.yaml": document("one", *steps("a"))})
    release = world.releases("helm")
    release.helm.install(world.by_https() | {"suspend": False})
    eventually(lambda: bool(release.jobs()), "the schedule makes no job", _LONGEST_WAIT)
    (ended,) = release.carried_out(release.jobs()[0])
    _done(ended)
    assert world.gauge("last_run_timestamp_seconds") > 0
