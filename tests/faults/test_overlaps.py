"""I1 to I6 and I12 where runs overlap, with the Lease off: it is never what safety rests on."""

import pytest

from reconciler.kube.requests import WORKFLOWS, Verb
from tests.faults.explorer import Explorer
from tests.faults.parts import SHARDS, SHARE, Part, parts
from tests.faults.workloads import WORKLOADS


def _claims(*spaces: str) -> list[object]:
    return [pytest.param(part, id=f"{part.space}-{part.workload}") for part in parts(SHARE, spaces)]


@pytest.mark.parametrize("part", _claims("two-runs", "three-runs"))
def test_runs_that_overlap_break_nothing(part: Part) -> None:
    """Contract 1: every order of their calls with few switches, an executor in between."""
    assert part.carried_out().tally.schedules >= 40


@pytest.mark.parametrize("name", SHARDS)
def test_a_story_of_shards_gives_each_of_them_a_workflow(name: str) -> None:
    """Else it would show nothing: which one owns a workflow says its uid."""
    explorer = Explorer(WORKLOADS[name])
    wrote = {
        call.run
        for scene in explorer.scenes
        for call in explorer.calls(scene)
        if (call.request.verb, call.request.target.resource) == (Verb.UPDATE, WORKFLOWS)
    }
    assert wrote == set(WORKLOADS[name].shards)


@pytest.mark.parametrize("part", _claims("two-runs-and-a-fault"))
def test_runs_that_overlap_break_nothing_under_a_fault(part: Part) -> None:
    """Contract 1 and 8: either of them crashes, or is answered wrongly, at any call."""
    assert part.carried_out().tally.schedules >= 1_000
