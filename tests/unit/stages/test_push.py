"""Stage 9: one push, to the group of this run, and a failure that harms nothing."""

import logging
from dataclasses import replace

import pytest

from reconciler.core.outcome import Outcome
from reconciler.core.shards import Shard
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.seams import Deadline, World
from reconciler.settings import Settings
from reconciler.stages.push import grouping, push
from tests.fakes.apiserver import MemoryApiServer
from tests.fakes.clock import START, FrozenClock
from tests.fakes.gateway import MemoryGateway

OUTCOME = Outcome(ended=START, seconds=1.0, observed=True)
RELEASE = Settings(namespace="shop", source_url="file:///shop.git", source_name="eu")


def world(gateway: MemoryGateway | None) -> World:
    clock = FrozenClock()
    deadline = Deadline(clock, 50.0)
    calls = Calls(MemoryApiServer(clock), clock, deadline)
    return World(KubeCluster(calls, state_namespace="shop"), clock, deadline, gateway=gateway)


def test_the_gauges_go_to_the_group_of_the_run() -> None:
    """Contract 10: job, namespace, source, shard."""
    gateway = MemoryGateway()
    push(world(gateway), RELEASE, OUTCOME)
    group = {"job": "reconciler", "namespace": "shop", "source": "eu", "shard": "0-1"}
    assert gateway.groups == {frozenset(group.items())}
    assert ("reconciler_run_exit_code", frozenset()) in gateway.samples(group)


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        pytest.param(replace(RELEASE, namespace=None), "namespace", "_all", id="all-namespaces"),
        pytest.param(replace(RELEASE, source_url=None), "source", "none", id="no-source"),
        pytest.param(
            replace(RELEASE, pushgateway_job="shop"), "job", "shop", id="a-job-of-ones-own"
        ),
        pytest.param(replace(RELEASE, shard=Shard(2, 5)), "shard", "2-5", id="a-shard"),
    ],
)
def test_the_group_says_whose_gauges_these_are(settings: Settings, key: str, value: str) -> None:
    """Contract 10: words that no namespace and no source can have stand for all and none."""
    assert grouping(settings)[key] == value


def test_a_run_that_may_say_nothing_pushes_nothing() -> None:
    """Contract 1: without the Lease."""
    gateway = MemoryGateway()
    push(world(gateway), RELEASE, replace(OUTCOME, held_elsewhere=True))
    assert gateway.groups == frozenset()


def test_without_a_pushgateway_there_is_nothing_to_do() -> None:
    """Contract 9: the flag is optional."""
    push(world(None), RELEASE, OUTCOME)


def test_a_failed_push_is_a_warning_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    """Contract 1: it changes neither the exit code nor any state."""
    gateway = MemoryGateway()
    gateway.fail("the Pushgateway is down")
    push(world(gateway), RELEASE, OUTCOME)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "no gauges were pushed: the Pushgateway is down")
    ]
