"""Any definition through `core/plan.py`, with networkx as a second opinion (contract 4)."""

import re
from dataclasses import replace
from random import Random

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.api import Step, WorkflowExecution
from reconciler.core.plan import Finding, Plan, plan
from tests.builders import step, workflow

_STEPS = tuple("abcdefghij")
_NOWHERE = ("elsewhere", "A", "a.a")  # as near to a name as a slip of the pen

Graph = tuple[Step, ...]


@st.composite
def graphs(draw: st.DrawFn, strangers: tuple[str, ...] = (), *, itself: bool = False) -> Graph:
    """Steps in any order that depend on any others, twice too; DAGs, cycles, and several of them.

    One shape in two is a DAG by construction: large ones hardly ever come by chance.
    """
    names = draw(st.permutations(_STEPS[: draw(st.integers(1, len(_STEPS)))]))
    acyclic = draw(st.booleans())
    found = []
    for index, name in enumerate(names):
        others = names[:index] if acyclic else [each for each in names if each != name]
        choice = [*others, *strangers, *([name] if itself else [])]
        some = st.lists(st.sampled_from(choice), max_size=3) if choice else st.just(list[str]())
        found.append(step(name, depends_on=tuple(draw(some))))
    return tuple(draw(st.permutations(found)))


def planned(steps: Graph) -> Plan:
    return plan(workflow(*steps).spec)


def digraph(steps: Graph) -> "nx.DiGraph[str]":
    """An edge from what is waited for to who waits."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(each.name for each in steps)
    graph.add_edges_from((on, each.name) for each in steps for on in each.depends_on)
    return graph


def told(finding: Finding) -> list[str]:
    """The steps of `a -> b -> a`, each after the one that waits for it."""
    return re.findall(r"\S+", finding.message.rpartition(": ")[2].replace("->", ""))


@given(graphs())
def test_there_is_a_plan_exactly_where_there_is_no_cycle(steps: Graph) -> None:
    """Contract 4, Planning: valid means no cycle, and the other way round."""
    assert planned(steps).valid is nx.is_directed_acyclic_graph(digraph(steps))


@given(graphs())
def test_the_order_is_the_one_that_takes_the_first_written_of_the_ready(steps: Graph) -> None:
    """Contract 4, Planning: topological; among the ready, the order of the definition."""
    graph = digraph(steps)
    if not nx.is_directed_acyclic_graph(graph):
        return
    place = [each.name for each in steps]
    assert planned(steps).order == tuple(nx.lexicographical_topological_sort(graph, place.index))


@given(graphs())
def test_a_cycle_is_told_by_exactly_the_steps_on_it_from_the_first_written(steps: Graph) -> None:
    """Contract 4, Planning: in order, and never those that are only downstream of it."""
    graph = digraph(steps)
    if nx.is_directed_acyclic_graph(graph):
        return
    (finding,) = planned(steps).findings
    *cycle, again = told(finding)
    assert cycle[0] == again == finding.step
    assert all(graph.has_edge(on, name) for name, on in nx.utils.pairwise(cycle, cyclic=True))
    assert set(cycle) in [set(each) for each in nx.simple_cycles(graph)]
    assert len(set(cycle)) == len(cycle)
    names = [each.name for each in steps]
    assert finding.field == f"spec.workflowDefinition.steps[{names.index(again)}].dependsOn"
    assert min(map(names.index, cycle)) == names.index(again)


@given(graphs(_NOWHERE, itself=True))
def test_each_dependency_on_no_step_or_on_itself_is_found_and_no_other(steps: Graph) -> None:
    """Contract 4, Planning: a finding names the step and the field, one for each place."""
    names = {each.name for each in steps}
    wrong = {
        f"spec.workflowDefinition.steps[{at}].dependsOn[{number}]": (
            each.name,
            "CycleDetected" if on == each.name else "MissingDependency",
        )
        for at, each in enumerate(steps)
        for number, on in enumerate(each.depends_on)
        if on == each.name or on not in names
    }
    if not wrong:
        return
    found = planned(steps)
    assert found.order == ()
    assert len(found.findings) == len(wrong)
    assert {each.field: (each.step, each.reason) for each in found.findings} == wrong


@given(graphs(), st.randoms(use_true_random=False))
def test_the_plan_depends_on_the_steps_and_on_nothing_else(steps: Graph, random: Random) -> None:
    """Contract 4, Planning: a function of the spec alone; the order within dependsOn is no part."""
    shuffled = [
        replace(each, depends_on=tuple(random.sample(each.depends_on, len(each.depends_on))))
        for each in steps
    ]
    other: WorkflowExecution = workflow(
        *shuffled, name="another", max_concurrent_steps=1, suspend=True, timeout="1h"
    )
    if planned(steps).valid:
        assert plan(other.spec) == planned(steps)
    else:
        assert not plan(other.spec).valid
