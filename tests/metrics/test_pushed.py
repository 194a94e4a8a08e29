"""What real runs push, as a real Prometheus scrapes it off a real Pushgateway (contract 10)."""

import functools
import re
import shutil
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.apiserver.pushgateways import scraped, serving
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Ended, Shop, steps
from tests.controlplane import eventually
from tests.metrics.families import FAMILIES, FREE, GROUPING, ITS_OWN, values
from tests.metrics.programs import Prometheus, promtool, tool
from tests.metrics.test_dashboard import EXPRESSIONS

pytestmark = pytest.mark.apiserver

Series = tuple[str, frozenset[tuple[str, str]]]

FOUR = {
    "reconciler_last_run_timestamp_seconds",
    "reconciler_run_exit_code",
    "reconciler_run_truncated",
    "reconciler_source_ready",
}


@dataclass(frozen=True)
class Watched:
    """A shop with a repository, whose runs push; and what Prometheus has of them."""

    shop: Shop
    repository: Repository
    pushgateway: str
    prometheus: Prometheus

    def run(self, *flags: str) -> Ended:
        url = ("--source-url", self.repository.url, "--pushgateway-url", self.pushgateway)
        return self.shop.run(*url, *flags)

    def done(self, *flags: str) -> Ended:
        run = self.run(*flags)
        assert run.code == 0, run.log
        return run

    @property
    def grouping(self) -> Mapping[str, str]:
        return {
            "job": "reconciler",
            "namespace": self.shop.namespace,
            "source": "default",
            "shard": "0-1",
        }

    def seen(self) -> Mapping[Series, float]:
        """Name and own labels to value, once Prometheus has what the Pushgateway has."""
        pushed = scraped(self.pushgateway, self.grouping)
        eventually(lambda: self._stored() == pushed, "Prometheus does not see the push", 10)
        return pushed

    def _stored(self) -> Mapping[Series, float]:
        return {
            (dict(labels)["__name__"], _own(labels)): value
            for labels, value in self.prometheus.vector('{__name__=~"reconciler_.+"}').items()
            if self.grouping.items() <= dict(labels).items()
        }


@pytest.fixture
def watched(shop: Shop, tmp_path: Path, shared_pushgateway: str, prometheus: Prometheus) -> Watched:
    return Watched(shop, Repository.new(tmp_path / "repository"), shared_pushgateway, prometheus)


def _own(labels: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (label, value) for label, value in labels if label not in {*GROUPING, "__name__"}
    )


def value(seen: Mapping[Series, float], name: str, **labels: str) -> float:
    return seen[f"reconciler_{name}", frozenset(labels.items())]


def of(seen: Mapping[Series, float], name: str) -> set[frozenset[tuple[str, str]]]:
    """The label sets of one family."""
    return {labels for family, labels in seen if family == f"reconciler_{name}"}


def failed_once(watched: Watched) -> Mapping[Series, float]:
    """A commit with a good document and one that is none; its first step has failed."""
    watched.repository.commit(
        {"w.yaml": document("w", *steps("a"), *steps("b", after=["a"])), "x.yaml": "kind: Nothing"}
    )
    watched.done()
    watched.shop.executor.fails("a")
    watched.done()
    return watched.seen()


def test_every_gauge_of_the_contract_arrives_with_all_its_words(watched: Watched) -> None:
    """Contract 10: each family, each word of an enumeration, zeros too, as gauges with a help."""
    seen = failed_once(watched)
    assert {name for name, _ in seen} == FAMILIES.keys()
    for name, gauge in FAMILIES.items():
        of_it = [dict(labels) for family, labels in seen if family == name]
        assert all(labels.keys() == set(gauge.labels) for labels in of_it)
        for label in set(gauge.labels) - FREE:
            assert {labels[label] for labels in of_it} == values(name)[label]
    assert value(seen, "workflows", phase="Failed") == 1.0
    assert value(seen, "workflows", phase="Cancelled") == 0.0
    assert value(seen, "steps", status="Failed") == 1.0
    assert value(seen, "documents", result="invalid") == 1.0
    assert value(seen, "slots", state="limit") == 5.0
    told = watched.prometheus.asked("metadata")
    assert {told[name][0]["type"] for name in FAMILIES} == {"gauge"}
    assert {name: told[name][0]["help"] for name in FAMILIES} == {
        name: gauge.help for name, gauge in FAMILIES.items()
    }


def test_a_failed_workflow_raises_its_alert_at_once(watched: Watched) -> None:
    """The rules that ship, judged by a real Prometheus on what a real run pushed."""
    failed_once(watched)
    firing = f'ALERTS{{alertstate="firing", namespace="{watched.shop.namespace}"}}'
    eventually(lambda: watched.prometheus.has(firing), "no alert", 10)
    [alert] = map(dict, watched.prometheus.vector(firing))
    assert alert["alertname"] == "ReconcilerWorkflowFailed"
    assert watched.grouping.items() <= alert.items()
    rules = [
        rule for group in watched.prometheus.asked("rules")["groups"] for rule in group["rules"]
    ]
    assert {(rule["health"], rule.get("lastError")) for rule in rules} == {("ok", None)}


def test_every_query_of_the_dashboard_has_an_answer(watched: Watched) -> None:
    """With all that its variables can choose: a panel that is always empty tells nothing."""
    failed_once(watched)
    silent = [
        expression
        for expression in EXPRESSIONS
        if not watched.prometheus.has(re.sub(r'"\$\w+"', '".+"', expression))
    ]
    assert silent == []


def test_a_second_push_leaves_no_series_of_the_first_behind(watched: Watched) -> None:
    """Contract 10: POST replaces a family whole; Prometheus forgets what is gone."""
    before = failed_once(watched)
    created = frozenset({("verb", "create"), ("code", "201")})
    assert created in of(before, "api_requests")
    watched.done()
    after = watched.seen()
    assert created not in of(after, "api_requests")
    assert value(after, "workflows", phase="Failed") == 0.0
    assert of(after, "workflows") == of(before, "workflows")
    assert value(after, "documents", result="invalid") == 1.0
    assert value(after, "workflow_last_failure_timestamp_seconds") == value(
        before, "workflow_last_failure_timestamp_seconds"
    )


def test_a_run_that_fails_leaves_the_last_success_alone(watched: Watched) -> None:
    """Invariant I10: the age of the last success is what people are woken up by."""
    watched.repository.commit({"w.yaml": document("w", *steps("a"))})
    watched.done()
    good = watched.seen()
    shutil.rmtree(watched.repository.folder)
    assert watched.run().code == 3
    bad = watched.seen()
    assert value(bad, "last_success_timestamp_seconds") == value(
        good, "last_success_timestamp_seconds"
    )
    assert value(bad, "last_run_timestamp_seconds") > value(good, "last_run_timestamp_seconds")
    assert value(bad, "run_exit_code") == 3.0
    assert value(bad, "source_ready") == 0.0
    # The workflows were reconciled all the same, and the documents are those that were read last.
    assert value(bad, "workflows", phase="Executing") == 1.0
    assert of(bad, "source_info") == of(good, "source_info")


def test_a_run_without_the_lease_changes_no_gauge(watched: Watched) -> None:
    """Contract 1: the run that holds it tells."""
    watched.repository.commit({"w.yaml": document("w", *steps("a"))})
    watched.done()
    before = watched.seen()
    path = f"/apis/coordination.k8s.io/v1/namespaces/{watched.shop.namespace}/leases"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    code, lease = watched.shop.api.get(f"{path}/reconciler-default")
    assert code == 200, lease
    lease["spec"] |= {"holderIdentity": "another", "leaseDurationSeconds": 60, "renewTime": now}
    code, answer = watched.shop.api.put(f"{path}/reconciler-default", lease)
    assert code == 200, answer
    assert "the Lease is held by another" in watched.done().log
    assert watched.seen() == before


def test_a_run_that_did_not_see_everything_pushes_four_gauges(watched: Watched) -> None:
    """Contract 10: it says how it ended, and nothing of what it did not see."""
    watched.repository.commit({"w.yaml": document("w", *steps("a"))})
    run = watched.run("-n", "kube-system")
    assert run.code == 4, run.log
    pushed = scraped(watched.pushgateway, {**watched.grouping, "namespace": "kube-system"})
    assert {name for name, _ in pushed} == FOUR
    assert value(pushed, "run_exit_code") == 4.0


def test_promtool_finds_nothing_in_the_names(watched: Watched) -> None:
    """Names, units and helps as Prometheus wants them."""
    failed_once(watched)
    with urllib.request.urlopen(f"{watched.pushgateway}/metrics", timeout=5) as answer:  # noqa: S310  # ours
        text = answer.read().decode()
    ours = "".join(
        line for line in text.splitlines(keepends=True) if re.search(r"\breconciler_", line)
    )
    assert set(re.findall(r"^# TYPE (\S+)", ours, re.MULTILINE)) == FAMILIES.keys()
    assert promtool("check", "metrics", text=ours) == ""


def test_the_group_has_what_the_pushgateway_adds(watched: Watched) -> None:
    """Two alerts ask for it."""
    watched.repository.commit({})
    watched.done("--dry-run")
    assert not scraped(watched.pushgateway, watched.grouping)
    watched.done()
    for name in ITS_OWN:
        of_ours = f'{name}{{namespace="{watched.shop.namespace}"}}'
        eventually(functools.partial(watched.prometheus.has, of_ours), f"no {name}", 10)
        [labels] = map(dict, watched.prometheus.vector(of_ours))
        assert watched.grouping.items() <= labels.items()


def test_a_first_push_that_is_refused_is_known_by_its_group_alone(shop: Shop) -> None:
    """Contract 1: a warning, and no more. What the alert asks for is there all the same."""
    clash = b"# TYPE reconciler_paused counter\nreconciler_paused 1\n"
    with serving(tool("pushgateway")) as url:
        urllib.request.urlopen(f"{url}/metrics/job/another", clash, timeout=5).close()  # noqa: S310  # ours
        run = shop.done("--pushgateway-url", url)
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310  # ours
            told = answer.read().decode()
    assert "no gauges were pushed" in run.log
    assert 'collected metric "reconciler_paused"' in run.log
    [failed] = re.findall(
        r"^push_failure_time_seconds\{.*job=\"reconciler\".*$", told, re.MULTILINE
    )
    assert f'namespace="{shop.namespace}",shard="0-1",source="none"' in failed
    assert "reconciler_last_run" not in told
