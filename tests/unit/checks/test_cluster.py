"""The lines about the cluster, each good and bad (contract 2, 9)."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from reconciler.checks.result import Status
from reconciler.core.rights import Right, rights
from reconciler.errors import Refused, Unreachable
from tests.unit.checks.scene import PLAIN, SHIPPED, SOURCED, URL, WORKFLOWS, Json, Scene


def test_on_a_good_cluster_nothing_is_bad() -> None:
    """Contract 9: exit 0."""
    scene = Scene()
    scene.source.commit({"shop.yaml": "a: 1\n"})
    assert scene.bad(replace(SOURCED, pushgateway_url="http://pushgateway:9091")) == {}
    assert scene.bad(PLAIN) == {}


# --- the API server -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "status"),
    [
        pytest.param("v1.31.0", Status.OK, id="the-oldest-that-does"),
        pytest.param("v1.40.1-gke.1", Status.OK, id="a-distribution-of-tomorrow"),
        pytest.param("v2.0.0", Status.OK, id="another-major"),
        pytest.param("v1.30.14+k3s1", Status.FAILED, id="older-than-selectable-fields"),
        pytest.param("v1.9.3", Status.FAILED, id="numbers-not-text"),
        pytest.param("unknown", Status.WARNING, id="what-is-no-version-is-for-a-person"),
        pytest.param("", Status.WARNING, id="none-at-all"),
    ],
)
def test_the_version_must_know_selectable_fields(version: str, status: Status) -> None:
    """Contract 2: Kubernetes 1.31 or newer."""
    scene = Scene()
    scene.server.says = version
    line = scene.line("api-server")
    assert line.status is status
    assert bool(line.advice) is (status is not Status.OK)


def test_a_server_that_does_not_answer_is_one_failure_and_not_twenty() -> None:
    """Contract 9: what can only fail because of it is skipped, git is asked all the same."""
    scene = Scene()
    scene.source.commit({"shop.yaml": "a: 1\n"})
    scene.server.trouble = Unreachable("get /version: no connection to the API server")
    report = scene.report()
    assert [each.name for each in report.checks if each.status is Status.FAILED] == ["api-server"]
    assert scene.line("lease").found == "needs api-server"
    assert scene.line("git").status is Status.OK
    assert "--kubeconfig" in scene.line("api-server").advice


# --- namespaces -----------------------------------------------------------------------------


def test_a_namespace_that_is_mistyped_is_told_before_a_run_writes_into_it() -> None:
    """An admin may do anything in a namespace that is not there, as far as rights go."""
    scene = Scene()
    assert scene.line("namespaces").found == "shop is there"
    line = scene.line("namespaces", replace(SOURCED, state_namespace="shopp"))
    assert (line.status, line.found) == (Status.FAILED, "there is no namespace shopp")
    assert "kubectl create namespace shopp" in line.advice


def test_a_namespace_that_is_going_is_no_place_for_a_run() -> None:
    """Nothing can be created in it any more."""
    scene = Scene()
    scene.server.namespaces["shop"] = "Terminating"
    assert scene.line("namespaces").status is Status.FAILED


def test_who_may_not_read_namespaces_does_not_try() -> None:
    """A run needs no such right, and a call that is refused would be one more to explain."""
    scene = Scene()
    scene.server.denied["namespaces", "get"] = ""
    assert scene.line("namespaces").status is Status.SKIPPED


# --- CRDs -----------------------------------------------------------------------------------


def changed(change: Callable[[Json, Json], object]) -> Scene:
    """A cluster whose WorkflowExecution is another; the change gets its version and its schema."""
    scene = Scene()
    crd = deepcopy(next(each for each in SHIPPED if each["spec"]["names"]["shortNames"] == ["we"]))
    version = crd["spec"]["versions"][0]
    change(version, version["schema"]["openAPIV3Schema"]["properties"])
    scene.server.install(crd)
    return scene


def test_a_kind_that_is_not_served_says_how_to_install_it() -> None:
    """Contract 9."""
    scene = Scene()
    scene.server.served.clear()
    for kind in ("workflowexecutions", "workflowrecords", "kubernetesexecutions"):
        line = scene.line(f"crd/{kind}")
        assert (line.status, line.advice) == (
            Status.FAILED,
            "reconciler crds | kubectl apply --server-side -f -",
        )


def test_a_kind_without_its_status_is_not_ours() -> None:
    """Contract 2: all have the status subresource."""
    scene = Scene()
    scene.server.served[WORKFLOWS].remove("workflowexecutions/status")
    assert scene.line("crd/workflowexecutions").status is Status.FAILED


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        pytest.param(
            lambda _, fields: fields["spec"]["properties"].pop("ttlSecondsAfterSettled"),
            Status.FAILED,
            "differs at spec.ttlSecondsAfterSettled",
            id="an-older-one-lacks-a-field",
        ),
        pytest.param(
            lambda _, fields: fields["spec"]["properties"]["maxConcurrentSteps"].update(maximum=5),
            Status.FAILED,
            "differs at spec.maxConcurrentSteps.maximum",
            id="another-bound",
        ),
        pytest.param(
            lambda version, _: version["selectableFields"].pop(),
            Status.FAILED,
            "differs at selectableFields",
            id="a-field-that-nobody-can-select",
        ),
        pytest.param(
            lambda _, fields: fields["spec"]["properties"].update(colour={"type": "string"}),
            Status.WARNING,
            "does not have spec.colour",
            id="a-later-one-has-more",
        ),
        pytest.param(
            lambda _, fields: fields["spec"].update(description="other words"),
            Status.OK,
            "as this release ships it",
            id="words-do-not-count",
        ),
    ],
)
def test_the_schema_is_compared_with_the_one_that_this_release_ships(
    change: Callable[[Json, Json], object], status: Status, told: str
) -> None:
    """An old CRD and a new reconciler are told before a run fails on a field."""
    line = changed(change).line("crd/workflowexecutions")
    assert line.status is status
    assert told in line.found
    assert bool(line.advice) is (status is not Status.OK)


def test_a_schema_that_cannot_be_read_is_a_warning() -> None:
    """What is served is known all the same."""
    scene = Scene()
    scene.server.hidden = Refused("get /openapi/v3: 403", status=403)
    line = scene.line("crd/workflowexecutions")
    assert line.status is Status.WARNING
    assert line.found.startswith("served at v1alpha1, its schema could not be read: ")


# --- rights ---------------------------------------------------------------------------------


def test_every_right_of_the_run_is_asked_and_no_other() -> None:
    """One table: what is asked here is what the roles of the chart grant."""
    scene = Scene()
    scene.report(SOURCED)
    beside = Right("", "namespaces", "get", None, "shop")
    assert sorted(scene.server.asked, key=repr) == sorted((*rights(SOURCED), beside), key=repr)


def test_a_right_that_is_missing_names_the_rule_to_add() -> None:
    """Contract 9: the line says what to do."""
    scene = Scene()
    scene.server.denied["workflowexecutions", "delete"] = "no role of it grants that"
    line = scene.line("rights/workflowexecutions")
    assert line.status is Status.FAILED
    assert line.found == "may not delete in shop (no role of it grants that)"
    assert line.advice == (
        'a role must grant "delete" on "workflowexecutions" of the API group '
        '"workflowexecution.kubernaut.ai"'
    )
    others = [each for each in scene.report().checks if each.name.startswith("rights/")]
    assert [each.name for each in others if each.status is not Status.OK] == [line.name]


def test_a_review_that_is_refused_is_a_failure_of_its_line() -> None:
    """Some clusters take away even the right to ask."""
    scene = Scene()
    scene.server.mute = Refused("create selfsubjectaccessreviews: 403", status=403)
    line = scene.line("rights/leases")
    assert (line.status, "403" in line.found, bool(line.advice)) == (Status.FAILED, True, True)


def test_rights_in_all_namespaces_are_asked_in_all() -> None:
    """Contract 9: -A."""
    line = Scene().line("rights/kubernetesexecutions", replace(SOURCED, namespace=None))
    assert line.found == "may get, list, create, patch in all namespaces"


# --- before the chart is installed ----------------------------------------------------------


def test_before_the_installation_no_kind_and_no_right_of_a_run_is_asked() -> None:
    """`--pre`: only what must hold before the chart is there."""
    scene = Scene()
    scene.server.served.clear()
    scene.source.commit({"shop.yaml": "a: 1\n"})
    assert scene.bad(pre=True) == {}
    names = {each.name.partition("/")[0] for each in scene.report(pre=True).checks}
    assert names == {
        *("api-server", "install", "programs", "git", "signers", "signature", "files"),
        "pushgateway",
    }


def test_who_may_not_install_crds_is_told_before_helm_tells_it() -> None:
    """`--pre`: a line for each kind of object of the chart."""
    scene = Scene()
    scene.server.denied["customresourcedefinitions", "create"] = ""
    line = scene.line("install/customresourcedefinitions", pre=True)
    assert (line.status, line.found) == (Status.FAILED, "may not create")
    assert 'grant "create" on "customresourcedefinitions"' in line.advice


@pytest.mark.parametrize(
    ("denied", "status"),
    [
        pytest.param(["escalate", "bind"], Status.OK, id="who-has-the-rights-may-grant-them"),
        pytest.param(["delete"], Status.OK, id="who-may-escalate-needs-none-of-them"),
        pytest.param(["escalate", "delete"], Status.FAILED, id="neither"),
        pytest.param(["bind", "delete"], Status.FAILED, id="a-role-that-cannot-be-bound"),
    ],
)
def test_nobody_grants_what_he_may_not_do(denied: list[str], status: Status) -> None:
    """Kubernetes refuses the chart's roles to who lacks their rights."""
    scene = Scene()
    for verb in denied:
        what = "workflowexecutions" if verb == "delete" else "roles"
        scene.server.denied[what, verb] = ""
    line = scene.line("install/grant", pre=True)
    assert line.status is status
    if status is Status.FAILED:
        assert "delete workflowexecutions" in line.found


# --- the state of the runs ------------------------------------------------------------------


def test_a_pause_is_a_warning_with_its_reason_and_the_way_on() -> None:
    """Contract 1."""
    scene = Scene()
    scene.config_map("reconciler-paused", why="the database moves house")
    line = scene.line("pause")
    assert line.status is Status.WARNING
    assert line.found.endswith("the database moves house")
    assert line.advice.endswith("kubectl delete configmap reconciler-paused -n shop")


@pytest.mark.parametrize(
    ("renewed", "told"),
    [
        pytest.param("2026-01-02T03:04:00.000000Z", "held by one until", id="held"),
        pytest.param("2026-01-02T03:00:00.000000Z", "is free", id="expired"),
    ],
)
def test_who_holds_the_lease_is_told_and_is_no_failure(renewed: str, told: str) -> None:
    """Contract 1: expired is what the server's clock says; a run at work holds it."""
    scene = Scene()
    scene.lease("one", renewed)
    line = scene.line("lease")
    assert (line.status, told in line.found) == (Status.OK, True)


def test_a_run_without_a_lease_has_none_to_look_at() -> None:
    """Contract 9: --no-lease."""
    assert Scene().line("lease", replace(PLAIN, lease_name=None)).status is Status.SKIPPED


def head(**more: str) -> dict[str, str]:
    return {
        "url": URL,
        "paths": "",
        "commit": "6be946ddc7" * 4,
        "state": "whole",
        "whole": "6be946ddc7" * 4,
        "flags": "",
        "version": "0.1.0",
        "checked": "2026-01-02T03:04:05Z",
        **more,
    }


def test_the_head_tells_which_commit_is_in_work() -> None:
    """Contract 5."""
    scene = Scene()
    scene.config_map("reconciler-source-default", **head())
    line = scene.line("head")
    assert (line.status, line.found) == (
        Status.OK,
        "6be946ddc7 is whole, checked 2026-01-02T03:04:05Z",
    )


def test_a_source_that_is_new_says_what_the_first_run_does_with_it() -> None:
    """Contract 5: run or record, which nobody wants to learn afterwards."""
    assert "are run by the first run" in Scene().line("head").found
    recorded = Scene().line("head", replace(SOURCED, first_run="record"))
    assert "are recorded by the first run, not run" in recorded.found


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"url": "https://git.example.com/other.git"}, id="another-url"),
        pytest.param({"paths": "production"}, id="other-paths"),
    ],
)
def test_a_head_of_another_source_fails_until_the_move_is_accepted(other: dict[str, str]) -> None:
    """Contract 5: a run exits 2."""
    scene = Scene()
    scene.config_map("reconciler-source-default", **head(**other))
    line = scene.line("head")
    assert (line.status, "--source-moved" in line.advice) == (Status.FAILED, True)
    assert scene.line("head", replace(SOURCED, source_moved=True)).status is Status.OK


def test_a_head_that_somebody_edited_says_how_to_go_on() -> None:
    """Contract 5: unreadable, nothing new is applied."""
    scene = Scene()
    scene.config_map("reconciler-source-default", **head(state="asleep"))
    line = scene.line("head")
    assert (line.status, "asleep" in line.found) == (Status.FAILED, True)
    assert "does not run again" in line.advice
