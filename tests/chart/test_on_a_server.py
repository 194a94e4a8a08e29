"""The chart's policies and roles, as the real server enforces them."""

from collections.abc import Iterator, Sequence

import pytest

from tests.apiserver.objects import SPEC, Objects
from tests.chart.installed import (
    FUTURE,
    PAST,
    Person,
    Release,
    approvals,
    child,
    installed,
    kubectl,
)
from tests.chart.releases import CASES, canonical, documents, template, values_of
from tests.controlplane import Api, ControlPlane, eventually

pytestmark = pytest.mark.apiserver

_SOURCE = "source.url=https://git.example.com/shop/workflows.git"
_FOREIGN = ("PrometheusRule",)


@pytest.fixture(scope="module")
def release(control_plane: ControlPlane, crds: Sequence[str]) -> Iterator[Release]:
    with installed(control_plane, _SOURCE) as made:
        yield made


@pytest.fixture(scope="module")
def editor(release: Release) -> Person:
    """Who may change workflows, and not approve."""
    return _able(release.person("editor", "edit"))


@pytest.fixture(scope="module")
def approver(release: Release) -> Person:
    """Who may do both."""
    return _able(release.person("approver", "edit", release.role("approve")))


def _able(person: Person) -> Person:
    """Aggregation takes the server a moment."""
    eventually(lambda: person.api.get(person.workflows.path)[0] == 200, "no role is aggregated")
    return person


def _told(answer: tuple[int, dict[str, str]]) -> str:
    code, body = answer
    assert code == 403, body
    assert body["reason"] == "Forbidden"
    return body["message"]


# --- approvals ------------------------------------------------------------------------------


def test_who_may_change_workflows_alone_approves_nothing(release: Release, editor: Person) -> None:
    """Neither when a workflow is made nor later; no approval is taken away either."""
    release.gated("alone")
    mine = approvals(("a", editor.name))
    assert "the verb approve" in _told(editor.workflows.patch("alone", dict(mine)))
    assert "the verb approve" in _told(editor.workflows.create("new", spec={**SPEC, **mine}))
    given = release.runs.workflows.patch("alone", dict(approvals(("a", "alice"))))
    assert given[0] == 200, given
    assert "the verb approve" in _told(editor.workflows.patch("alone", {"approvals": None}))


def test_who_may_approve_does_so_in_the_own_name(release: Release, approver: Person) -> None:
    """Not in another one, and not in none; the answer says which name."""
    release.gated("own")
    other = _told(approver.workflows.patch("own", dict(approvals(("a", "alice")))))
    none = _told(approver.workflows.patch("own", {"approvals": [{"step": "a"}]}))
    for told in (other, none):
        assert f"spec.approvals[].by must be {approver.name}" in told
    code, stored = approver.workflows.patch("own", dict(approvals(("a", approver.name))))
    assert code == 200, stored
    assert stored["spec"]["approvals"] == [{"step": "a", "by": approver.name}]
    code, stored = approver.workflows.create(
        "own-new", spec={**SPEC, **approvals(("a", approver.name))}
    )
    assert code == 201, stored


def test_an_admin_approves_in_no_other_name(release: Release) -> None:
    """Every verb is his; who he is stays what the server knows."""
    release.gated("admin")
    admin = Objects(release.api, release.namespace)
    assert "by must be admin" in _told(admin.patch("admin", dict(approvals(("a", "alice")))))
    assert admin.patch("admin", dict(approvals(("a", "admin"))))[0] == 200


def test_what_others_approved_stays_beside_ones_own(release: Release, approver: Person) -> None:
    """Unchanged entries are nobody's business; one that is rewritten is."""
    release.gated("beside")
    runs = release.runs
    assert runs.workflows.patch("beside", dict(approvals(("a", "alice"))))[0] == 200
    both = approvals(("b", approver.name), ("a", "alice"))
    assert approver.workflows.patch("beside", dict(both))[0] == 200
    stolen = approvals(("b", approver.name), ("a", "bob"))
    assert "by must be" in _told(approver.workflows.patch("beside", dict(stolen)))


def test_a_workflow_with_approvals_is_changed_by_who_may_change_it(
    release: Release, editor: Person
) -> None:
    """Suspend and cancel need no `approve`."""
    release.gated("suspended")
    given = release.runs.workflows.patch("suspended", dict(approvals(("a", "alice"))))
    assert given[0] == 200
    assert editor.workflows.patch("suspended", {"suspend": True})[0] == 200
    assert editor.workflows.patch("suspended", {"cancel": True})[0] == 200


def test_the_source_states_who_approved(release: Release) -> None:
    """Contract 5: an approval in git reaches the run that exists, and who committed it did so."""
    runs = release.runs
    body = runs.workflows.body("from-git", spec={**SPEC, **approvals(("a", "alice"))})
    code, stored = runs.api.apply(f"{runs.workflows.path}/from-git", body)
    assert code == 201, stored
    assert stored["spec"]["approvals"] == [{"step": "a", "by": "alice"}]


def test_the_source_states_no_approval_where_it_may_not(
    control_plane: ControlPlane, crds: Sequence[str]
) -> None:
    """approvals.fromGit: who may commit may not approve."""
    with installed(control_plane, _SOURCE, "approvals.fromGit=false") as release:
        runs = release.runs
        body = runs.workflows.body("from-git", spec={**SPEC, **approvals(("a", "alice"))})
        path = f"{runs.workflows.path}/from-git"
        assert "the verb approve" in _told(runs.api.apply(path, body))
        assert runs.api.apply(path, runs.workflows.body("from-git", spec=SPEC))[0] == 201


def test_three_hundred_approvals_of_others_can_be_added_to(
    release: Release, approver: Person
) -> None:
    """The cost of the rule is bounded by the server: what it allows is far above what people do."""
    step = SPEC["workflowDefinition"]["steps"][0]
    steps = [{**step, "name": f"s{number}"} for number in range(301)]
    others = [(f"s{number}", "alice") for number in range(300)]
    spec = {"workflowDefinition": {"steps": steps}, **approvals(*others)}
    code, answer = release.runs.workflows.create("many", spec=spec)
    assert code == 201, answer
    more = approvals(*others, ("s300", approver.name))
    code, answer = approver.workflows.patch("many", dict(more))
    assert code == 200, answer


# --- children -------------------------------------------------------------------------------


def test_a_child_is_not_made_after_its_run_has_ended(release: Release) -> None:
    """Contract 1: the server compares its own time with the child's own bound."""
    runs = release.runs
    assert f"kubernaut.ai/not-after, {PAST}" in _told(child(runs.children, "late", PAST))
    assert child(runs.children, "in-time", FUTURE)[0] == 201
    assert child(runs.children, "unbound", None)[0] == 201


def test_a_bound_that_is_no_time_is_refused(release: Release) -> None:
    """Nobody could tell whether it is too late."""
    code, answer = child(release.runs.children, "unreadable", "soon")
    assert code == 422, answer


# --- where and who --------------------------------------------------------------------------


def test_the_policies_hold_where_the_release_works_and_nowhere_else(
    release: Release, api: Api, namespace: str
) -> None:
    """A team's release governs its own namespace."""
    elsewhere = Objects(api, namespace)
    code, answer = elsewhere.create("free", spec={**SPEC, **approvals(("a", "anybody"))})
    assert code == 201, answer


def test_a_release_for_all_namespaces_governs_all(
    control_plane: ControlPlane, crds: Sequence[str], namespace: str
) -> None:
    """With scope.allNamespaces."""
    with installed(control_plane, "scope.allNamespaces=true") as release:
        elsewhere = Objects(release.api, namespace)
        told = _told(elsewhere.create("bound", spec={**SPEC, **approvals(("a", "anybody"))}))
        assert release.fullname in told


def test_who_may_view_a_namespace_sees_all_three_kinds_and_changes_none(release: Release) -> None:
    """The roles aggregate to Kubernetes' own."""
    viewer = _able(release.person("viewer", "view"))
    records = f"{viewer.workflows.path.rpartition('/')[0]}/workflowrecords"
    for path in (viewer.workflows.path, viewer.children.path, records):
        assert viewer.api.get(path)[0] == 200
    assert viewer.workflows.create("mine", spec=SPEC)[0] == 403


def test_who_may_edit_a_namespace_makes_workflows_and_no_children(
    release: Release, editor: Person
) -> None:
    """Contract 8, I1: nobody is granted to delete a child; I12: nor a record."""
    assert editor.workflows.create("made", spec=SPEC)[0] == 201
    assert editor.api.delete(f"{editor.workflows.path}/made")[0] == 200
    assert child(editor.children, "forged", None)[0] == 403
    assert child(release.runs.children, "kept", None)[0] == 201
    for person in (editor, release.runs):
        assert person.api.delete(f"{person.children.path}/kept")[0] == 403
    records = f"{editor.workflows.path.rpartition('/')[0]}/workflowrecords/x"
    assert editor.api.delete(records)[0] == 403


# --- every case -----------------------------------------------------------------------------


def test_the_server_takes_every_object_and_calls_every_pod_restricted(
    control_plane: ControlPlane, api: Api, crds: Sequence[str], namespace: str
) -> None:
    """Schemas, CEL, and the strictest of the pod security standards, by the server itself."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    path = f"/api/v1/namespaces/{namespace}"
    assert api.patch(path, {"metadata": {"labels": levels}})[0] == 200
    every = "\n---\n".join(_all_in(namespace))
    done = kubectl(control_plane, "apply", "--dry-run=server", "--filename", "-", text=every)
    assert done.returncode == 0, done.stderr
    assert "restricted" not in done.stderr
    assert done.stdout.count("cronjob.batch/") == every.count('"kind": "CronJob"') > 10


def _all_in(namespace: str) -> Sequence[str]:
    """Each object of every case once, in this namespace; pods with an account that is there."""
    found = set()
    for case in CASES:
        done = template("--values", str(values_of(case)), namespace=namespace)
        for each in documents(done.stdout):
            moved = each["metadata"].get("namespace") and each["kind"] not in _FOREIGN
            metadata = {**each["metadata"], **({"namespace": namespace} if moved else {})}
            whole = {**each, "metadata": metadata}
            if each["kind"] == "Pod":
                whole["spec"] = {**each["spec"], "serviceAccountName": "default"}
            if each["kind"] not in _FOREIGN:
                found.add(canonical(whole))
    return sorted(found)
