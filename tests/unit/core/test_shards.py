"""Which shard a workflow belongs to (contract 1, shards)."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from reconciler.core.shards import Shard


def _all(count: int) -> list[Shard]:
    return [Shard(index, count) for index in range(count)]


@given(some.uuids(), some.integers(1, 200))
def test_of_any_number_of_shards_exactly_one_owns_a_workflow(uid: object, count: int) -> None:
    """Also while their number changes: the answer depends on nothing that was before."""
    assert sum(shard.owns(str(uid)) for shard in _all(count)) == 1


def test_the_shards_have_about_the_same_to_do() -> None:
    """A thousand workflows over five: none has half more than another."""
    owned = [sum(shard.owns(f"uid-{n}") for n in range(1000)) for shard in _all(5)]
    assert sum(owned) == 1000
    assert max(owned) < 1.5 * min(owned)


def test_who_owns_what_never_changes_between_releases() -> None:
    """Two releases that overlap would else both be idle about a workflow."""
    uids = ("0f8fad5b-d9cb-469f-a165-70867728950e", "00000000-0000-0000-0000-000000000000", "u")
    owners = [[shard.index for shard in _all(5) if shard.owns(uid)] for uid in uids]
    assert owners == [[2], [3], [0]]


@given(some.integers(0, 10_000), some.integers(1, 50))
def test_what_they_divide_is_divided_without_rest(amount: int, count: int) -> None:
    """And nobody gets two more than another."""
    shares = [shard.share(amount) for shard in _all(count)]
    assert sum(shares) == amount
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(
    ("shard", "alone", "first", "label"),
    [
        pytest.param(Shard(), True, True, "0-1", id="alone"),
        pytest.param(Shard(0, 5), False, True, "0-5", id="the-first-reads-the-source"),
        pytest.param(Shard(4, 5), False, False, "4-5", id="another"),
    ],
)
def test_a_shard_knows_its_place(shard: Shard, *, alone: bool, first: bool, label: str) -> None:
    """Contract 10: the grouping key of a run that is alone is `0-1`."""
    assert (shard.alone, shard.first, shard.label) == (alone, first, label)
