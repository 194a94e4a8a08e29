"""The table of rights: what a run may ask, by its flags, against what its requests ask."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.core.rights import Right, rights
from reconciler.settings import Settings

_GROUPS = {
    "workflowexecutions": "workflowexecution.kubernaut.ai",
    "workflowrecords": "workflowexecution.kubernaut.ai",
    "kubernetesexecutions": "kubernetesexecution.kubernaut.ai",
    "configmaps": "",
    "leases": "coordination.k8s.io",
    "events": "events.k8s.io",
}
SHOP = Settings(namespace="shop", state_namespace="home")
OF_A_SOURCE = Settings(
    namespace="shop", state_namespace="home", source_url="https://git.example.com/shop.git"
)


def told(settings: Settings) -> Mapping[str, str]:
    """Where and what, to the verbs."""
    verbs: dict[str, list[str]] = {}
    for each in rights(settings):
        assert each.group == _GROUPS[each.resource]
        where = f"{each.what} {each.namespace or '*'}/{each.name or '*'}"
        verbs.setdefault(where, []).append(each.verb)
    return {where: " ".join(sorted(found)) for where, found in verbs.items()}


def test_a_run_without_a_source_makes_and_deletes_no_workflow() -> None:
    """Contract 1: stages 2 and 3 are skipped."""
    assert told(SHOP) == {
        "leases home/reconciler-default": "get update",
        "leases home/*": "create",
        "configmaps home/reconciler-paused": "get",
        "workflowexecutions shop/*": "list",
        "workflowexecutions/status shop/*": "update",
        "kubernetesexecutions shop/*": "create get list patch",
        "events shop/*": "create",
    }


def test_a_source_adds_its_head_its_records_and_the_applies() -> None:
    """Contract 5; history and TTL delete runs without --prune."""
    assert {
        where: verbs for where, verbs in told(OF_A_SOURCE).items() if where not in told(SHOP)
    } | {"workflowexecutions shop/*": told(OF_A_SOURCE)["workflowexecutions shop/*"]} == {
        "configmaps home/reconciler-source-default": "get update",
        "configmaps home/*": "create",
        "events home/*": "create",
        "workflowexecutions shop/*": "create delete get list patch",
        "workflowrecords shop/*": "create get list",
        "workflowrecords/status shop/*": "update",
    }


def test_all_namespaces_need_rights_in_all_and_the_state_in_its_own() -> None:
    """Contract 9: Lease, head and pause live in the state namespace."""
    everywhere = Settings(namespace=None, state_namespace="home", source_url="file:///shop.git")
    found = rights(everywhere)
    assert {each.namespace for each in found if each.resource in ("leases", "configmaps")} == {
        "home"
    }
    assert {each.namespace for each in found if "executions" in each.resource} == {None}


@pytest.mark.parametrize(
    ("less", "gone"),
    [
        pytest.param(replace(OF_A_SOURCE, lease_name=None), "leases", id="no-lease"),
        pytest.param(SHOP, "workflowrecords", id="no-source"),
    ],
)
def test_what_a_run_does_without_it_has_no_right_to(less: Settings, gone: str) -> None:
    """Least privilege: a flag that takes something away takes its rights away."""
    assert gone in {each.resource for each in rights(OF_A_SOURCE)}
    assert gone not in {each.resource for each in rights(less)}


def test_a_dry_run_writes_only_what_the_server_throws_away() -> None:
    """Contract 9: server-side dry run of the applies, which the server authorizes as applies."""
    dry = Settings(source_url="file:///shop.git", dry_run=True, lease_name=None)
    writes = {each for each in rights(dry) if each.verb not in ("get", "list")}
    assert {(each.what, each.verb) for each in writes} == {
        ("workflowexecutions", "create"),
        ("workflowexecutions", "patch"),
    }


def test_nothing_of_ours_may_delete_a_child() -> None:
    """I1: a name that was taken stays taken."""
    found = {each.verb for each in rights(OF_A_SOURCE) if each.resource == "kubernetesexecutions"}
    assert found == {"get", "list", "create", "patch"}


def test_each_right_is_named_once() -> None:
    """The Events of one namespace regard the head and the workflows."""
    one = Settings(namespace="shop", state_namespace="shop", source_url="file:///shop.git")
    found = rights(one)
    assert len(found) == len(set(found))
    assert [each for each in found if each.resource == "events"] == [
        Right("events.k8s.io", "events", "create", "shop")
    ]
