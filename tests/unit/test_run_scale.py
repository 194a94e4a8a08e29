"""Runs that share the work, runs that are cut, runs that may start so many steps (contract 1)."""

import re
from typing import Any

import pytest

from reconciler.core.shards import Shard
from reconciler.kube.answers import Response
from reconciler.kube.requests import CHILDREN, CONFIG_MAPS, LEASES, WORKFLOWS, Verb
from tests.builders import NAMESPACE, step
from tests.unit.runs import GROUP, URL, Meets, Shop, of, refusal
from tests.unit.stages.scene import document

NAMES = tuple(f"w{n:02}" for n in range(12))
SHARDS = tuple(Shard(index, 3) for index in range(3))


@pytest.fixture
def shop() -> Shop:
    return Shop()


def _started(shop: Shop) -> list[str]:
    return [name for name in NAMES if shop.steps(name)]


def _run(shop: Shop, shard: Shard, **flags: Any) -> None:  # noqa: ANN401  # of Settings
    shop.run(shard=shard, lease_name=f"reconciler-default.{shard.index}", **flags)


# --- shards -----------------------------------------------------------------------------------


def test_each_workflow_is_started_by_exactly_one_shard(shop: Shop) -> None:
    """Contract 1: and together they start them all."""
    for name in NAMES:
        shop.workflow(name, step("a"))
    began: list[str] = []
    for shard in SHARDS:
        before = set(_started(shop))
        _run(shop, shard)
        now = set(_started(shop)) - before
        assert 0 < len(now) < len(NAMES)
        began += now
    assert sorted(began) == list(NAMES)


def test_a_shard_that_is_dead_delays_only_its_own(shop: Shop) -> None:
    """What the others own goes on to its end."""
    for name in NAMES:
        shop.workflow(name, step("a"), step("b", depends_on=("a",)))
    for _ in range(3):
        for shard in SHARDS[1:]:
            _run(shop, shard)
            shop.completes()
    uids = {
        each["metadata"]["name"]: each["metadata"]["uid"] for each in shop.server.objects(WORKFLOWS)
    }
    dead = [name for name in NAMES if SHARDS[0].owns(uids[name])]
    assert [name for name in NAMES if not shop.steps(name)] == dead != []
    assert {shop.status(name)["phase"] for name in NAMES if name not in dead} == {"Completed"}


def test_while_their_number_changes_no_step_is_made_twice(shop: Shop) -> None:
    """Safety never rests on shards: two runs may look at one workflow, as any two may."""
    for name in NAMES:
        shop.workflow(name, step("a"))
    _run(shop, Shard(0, 2))
    for shard in SHARDS:
        _run(shop, shard)
    assert _started(shop) == list(NAMES)
    assert [len(shop.steps(name)) for name in NAMES] == [1] * len(NAMES)


def test_children_are_listed_for_the_shards_own_workflows_alone(shop: Shop) -> None:
    """Five shards read the children once in all, not five times."""
    for name in NAMES:
        shop.workflow(name, step("a"))
    asked = []
    for shard in SHARDS:
        shop.server.log.clear()
        _run(shop, shard)
        queries = [dict(each.request.query) for each in shop.server.log]
        asked += [each["labelSelector"] for each in queries if "labelSelector" in each]
    told = sorted(name for each in asked for name in re.findall(r"w\d\d", each))
    assert told == list(NAMES)


def test_each_shard_has_its_gauges_and_its_lease(shop: Shop) -> None:
    """Contract 10: the grouping key; contract 1: one Lease each."""
    for shard in SHARDS:
        _run(shop, shard)
    for shard in SHARDS:
        group = {**GROUP, "shard": shard.label}
        assert shop.gauge("run_exit_code", group) == 0.0
        assert shop.server.object(LEASES, NAMESPACE, f"reconciler-default.{shard.index}")


# --- a deadline that cuts fairly --------------------------------------------------------------


def test_what_was_not_reached_is_told_and_comes_first_in_the_next_run(shop: Shop) -> None:
    """A run has time for three writes: after four runs every workflow has had its turn."""
    for name in NAMES:
        shop.workflow(name, step("a"), step("b", depends_on=("a",)))
    shop.server.interceptor = Meets(
        of(Verb.UPDATE, WORKFLOWS, sub="status"), lambda: shop.clock.advance(20)
    )
    shop.clock.advance(60)
    served = []
    for _ in range(4):
        shop.run(deadline=50.0)
        shop.completes()  # so that who was served has something to be written again
        served.append([bool(shop.status(name).get("stepResults")) for name in NAMES].count(True))
        assert shop.gauge("workflows_not_reached") == 10.0  # the third write left no time for more
    assert served == [3, 6, 9, 12]


# --- steps of all workflows together ----------------------------------------------------------


def test_no_more_steps_start_than_the_run_may_have_active(shop: Shop) -> None:
    """--max-active-steps: over all workflows, and counted anew from the server in each run."""
    for name in NAMES:
        shop.workflow(name, step("a"), step("b"))
    shop.run(max_active_steps=7)
    assert sum(len(shop.steps(name)) for name in NAMES) == 7
    shop.run(max_active_steps=7)
    assert sum(len(shop.steps(name)) for name in NAMES) == 7
    shop.completes("a")
    ended = sum("a" in shop.steps(name) for name in NAMES)
    shop.run(max_active_steps=7)
    assert sum(len(shop.steps(name)) for name in NAMES) == 7 + ended


def test_without_a_limit_each_workflow_fills_its_own_slots(shop: Shop) -> None:
    """The default: nothing is counted across workflows."""
    for name in NAMES:
        shop.workflow(name, step("a"), step("b"))
    shop.run()
    assert sum(len(shop.steps(name)) for name in NAMES) == 2 * len(NAMES)


def test_shards_divide_what_is_left(shop: Shop) -> None:
    """7 over three shards is 3, 2, 2; what the others have started counts by their status."""
    for name in NAMES:
        shop.workflow(name, step("a"), step("b"))
    for shard in SHARDS:
        _run(shop, shard, max_active_steps=7)
    first = sum(len(shop.steps(name)) for name in NAMES)
    for _ in range(5):
        for shard in SHARDS:
            _run(shop, shard, max_active_steps=7)
    assert first <= 7
    assert sum(len(shop.steps(name)) for name in NAMES) == 7


def test_a_reservation_that_a_crash_left_is_made_whatever_the_limit(shop: Shop) -> None:
    """Contract 4: reserved is started, and counts as active already."""
    shop.workflow("w00", step("a"))
    shop.workflow("w01", step("a"))

    def dies() -> None:
        shop.deadline.stop()

    shop.server.interceptor = Meets(of(Verb.UPDATE, WORKFLOWS, sub="status"), dies)
    shop.run(max_active_steps=1)
    shop.server.interceptor = None
    assert _started(shop) == []
    shop.run(max_active_steps=1)
    assert len(_started(shop)) == 1


def test_only_the_first_shard_reads_the_source(shop: Shop) -> None:
    """Its head is one: of five that write it four would lose."""
    shop.source.commit(document("checkout"))
    _run(shop, SHARDS[1], source_url=URL)
    assert not shop.server.objects(WORKFLOWS)
    _run(shop, SHARDS[0], source_url=URL)
    assert len(shop.server.objects(WORKFLOWS)) == 1


def test_while_the_first_shard_is_at_the_fence_the_others_begin_nothing_of_the_source(
    shop: Shop,
) -> None:
    """Contract 5: what is intended may be about to be taken back; what runs goes on."""
    names = [f"d{n}" for n in range(6)]
    shop.source.commit(*(document(name) for name in names))

    def dies() -> Response:
        shop.deadline.stop()
        return refusal(503)

    shop.server.interceptor = Meets(of(Verb.UPDATE, CONFIG_MAPS), dies)
    _run(shop, SHARDS[0], source_url=URL)
    shop.server.interceptor = None
    (head,) = shop.server.objects(CONFIG_MAPS)
    assert head["data"]["state"] == "applying"
    assert len(shop.server.objects(WORKFLOWS)) == len(names)
    for shard in SHARDS[1:]:
        _run(shop, shard, source_url=URL)
    assert not shop.server.objects(CHILDREN)
    for shard in SHARDS:
        _run(shop, shard, source_url=URL)
    assert len(shop.server.objects(CHILDREN)) == len(names)
