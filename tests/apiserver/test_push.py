"""The real Pushgateway and the fake one: what a run pushes is what a scrape sees."""

import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.core.api import Phase
from reconciler.core.outcome import DocumentResult, Documents, Outcome, Work
from reconciler.gauges import gauges
from reconciler.pushgateway import PushGateway
from reconciler.seams import Gateway
from reconciler.version import version
from tests.apiserver.pushgateways import scraped
from tests.apiserver.runs import Shop, steps
from tests.fakes.gateway import MemoryGateway, Sample

pytestmark = pytest.mark.apiserver

GROUPING = {"job": "reconciler", "namespace": "_all", "source": "shop", "shard": "0-1"}
OTHER = {**GROUPING, "source": "none"}
OUTCOME = Outcome(
    ended=datetime(2026, 3, 1, 12, 0, 4, tzinfo=UTC),
    seconds=3.5,
    observed=True,
    source_ready=True,
    documents=Documents(
        ref='feature/"odd"\\ref',
        commit="4f2a9c0b7d1e5a6c8b3f",
        committed_at=datetime(2026, 3, 1, 11, 0, tzinfo=UTC),
        results={DocumentResult.APPLIED: 2},
    ),
    work=Work(
        phases={Phase.EXECUTING: 3}, created=5, last_failure=datetime(2026, 3, 1, tzinfo=UTC)
    ),
    requests={("list", "200"): 2, ("get", "404"): 1},
)


@dataclass(frozen=True)
class Observed:
    """A gateway, and what a scrape of one of its groups sees."""

    gateway: Gateway
    scrape: Callable[[Mapping[str, str]], Mapping[Sample, float]]

    def push(self, outcome: Outcome, grouping: Mapping[str, str] = GROUPING) -> None:
        self.gateway.push(gauges(outcome, "1.2.3"), grouping)


@pytest.fixture(params=[pytest.param("real", id="real"), pytest.param("fake", id="fake")])
def observed(request: pytest.FixtureRequest) -> Observed:
    """Both are held to the same."""
    if request.param == "fake":
        fake = MemoryGateway()
        return Observed(fake, fake.samples)
    url = request.getfixturevalue("pushgateway")
    return Observed(PushGateway(url), lambda grouping: scraped(url, grouping))


def value(samples: Mapping[Sample, float], name: str, **labels: str) -> float | None:
    return samples.get((f"reconciler_{name}", frozenset(labels.items())))


def test_what_a_run_pushes_is_what_a_scrape_sees(observed: Observed) -> None:
    """Invariant I10: each family, each label, each number."""
    observed.push(OUTCOME)
    told = MemoryGateway()
    told.push(gauges(OUTCOME, "1.2.3"), GROUPING)
    assert observed.scrape(GROUPING) == told.samples(GROUPING)
    seen = observed.scrape(GROUPING)
    assert value(seen, "workflows", phase="Executing") == 3.0
    assert (
        value(seen, "source_info", ref='feature/"odd"\\ref', commit="4f2a9c0b7d1e5a6c8b3f") == 1.0
    )


def test_a_family_is_replaced_whole(observed: Observed) -> None:
    """Contract 10: no stale label value stays."""
    observed.push(OUTCOME)
    observed.push(replace(OUTCOME, requests={("list", "500"): 1}))
    seen = observed.scrape(GROUPING)
    assert value(seen, "api_requests", verb="list", code="500") == 1.0
    assert value(seen, "api_requests", verb="list", code="200") is None
    assert value(seen, "api_requests", verb="get", code="404") is None


def test_a_failed_run_never_loses_the_last_success_nor_the_last_failure(observed: Observed) -> None:
    """Contract 10: POST keeps what is not sent."""
    observed.push(OUTCOME)
    later = OUTCOME.ended + timedelta(minutes=1)
    observed.push(replace(OUTCOME, ended=later, observed=False, cluster_failed=True))
    seen = observed.scrape(GROUPING)
    assert value(seen, "last_run_timestamp_seconds") == later.timestamp()
    assert value(seen, "run_exit_code") == 4.0
    assert value(seen, "last_success_timestamp_seconds") == OUTCOME.ended.timestamp()
    assert value(seen, "workflow_last_failure_timestamp_seconds") == 1772323200.0
    assert value(seen, "workflows", phase="Executing") == 3.0


def test_two_releases_never_overwrite_each_other(observed: Observed) -> None:
    """Contract 10: the grouping key tells them apart."""
    observed.push(OUTCOME)
    observed.push(replace(OUTCOME, work=Work(created=9)), OTHER)
    assert value(observed.scrape(GROUPING), "steps_created") == 5.0
    assert value(observed.scrape(OTHER), "steps_created") == 9.0


def test_the_pushgateway_knows_every_family_as_a_gauge_with_help(pushgateway: str) -> None:
    """Contract 10: gauges only; and the Pushgateway found nothing inconsistent."""
    PushGateway(pushgateway).push(gauges(OUTCOME, "1.2.3"), GROUPING)
    with urllib.request.urlopen(f"{pushgateway}/metrics", timeout=5) as answer:  # noqa: S310  # ours
        families = list(text_string_to_metric_families(answer.read().decode()))
    ours = [family for family in families if family.name.startswith("reconciler_")]
    assert {family.type for family in ours} == {"gauge"}
    assert all(family.documentation.endswith(".") for family in ours)
    assert {family.name for family in ours} == {each.name for each in gauges(OUTCOME, "1.2.3")}


# --- runs -----------------------------------------------------------------------------------


def test_a_run_pushes_what_the_server_holds(shop: Shop, pushgateway: str) -> None:
    """Invariant I10: seven steps without an order, five slots."""
    shop.workflow("seven", *steps(*"abcdefg"))
    shop.done("--pushgateway-url", pushgateway)
    seen = scraped(pushgateway, {**OTHER, "namespace": shop.namespace})
    assert value(seen, "workflows", phase="Executing") == 1.0
    assert value(seen, "workflows", phase="Completed") == 0.0
    assert value(seen, "slots", state="limit") == 5.0
    assert value(seen, "slots", state="used") == 5.0
    assert value(seen, "steps", status="Pending") == 5.0
    assert value(seen, "steps_ready_waiting") == 2.0
    assert value(seen, "steps_created") == 5.0
    assert value(seen, "run_exit_code") == 0.0
    assert value(seen, "build_info", version=version()) == 1.0
    assert value(seen, "api_requests", verb="create", code="201") is not None
    assert value(seen, "source_ready") is None
    assert value(seen, "last_success_timestamp_seconds") == value(
        seen, "last_run_timestamp_seconds"
    )


def test_a_run_without_the_lease_pushes_nothing(shop: Shop, pushgateway: str) -> None:
    """Contract 1: the run that holds it tells."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{shop.namespace}/leases"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "another", "leaseDurationSeconds": 60, "renewTime": now}
    code, answer = shop.api.post(path, {"metadata": {"name": "reconciler-default"}, "spec": spec})
    assert code == 201, answer
    run = shop.done("--pushgateway-url", pushgateway)
    assert scraped(pushgateway, {"job": "reconciler"}) == {}
    assert run.of("INFO")[-1].startswith("nothing done: another run holds the Lease; ")


def test_a_run_that_could_not_observe_says_so_and_no_more(shop: Shop, pushgateway: str) -> None:
    """Contract 10."""
    refused = shop.run("-n", "kube-system", "--pushgateway-url", pushgateway)
    assert refused.code == 4
    seen = scraped(pushgateway, {**OTHER, "namespace": "kube-system"})
    assert {name for name, _ in seen} == {
        "reconciler_last_run_timestamp_seconds",
        "reconciler_run_exit_code",
        "reconciler_run_truncated",
    }
    assert value(seen, "run_exit_code") == 4.0


def test_a_pushgateway_that_is_down_is_a_warning(shop: Shop) -> None:
    """Contract 1: neither the exit code nor any state changes; and no password is told (I9)."""
    shop.workflow("one", *steps("a"))
    run = shop.done("--pushgateway-url", "http://me:hunter2@127.0.0.1:1", "-v")
    assert shop.steps("one") == ["a"]
    assert run.of("WARNING")[-1] == (
        "no gauges were pushed: the Pushgateway at http://127.0.0.1:1 cannot be reached: "
        "Connection refused"
    )
    assert "hunter2" not in run.log
