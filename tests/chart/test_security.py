"""What a pod of the chart must not be, and its account must not be granted.

The core rules of kube-linter and the standard `restricted`, over every file of values; what the
server itself says of `restricted` is asked in test_on_a_server.py.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.chart.releases import CASES, Manifest, of_kind, pods, rendered

Rule = Callable[[Manifest], object]


def _container(pod: Manifest) -> Manifest:
    [only] = pod["containers"]
    assert "initContainers" not in pod
    found: Manifest = only
    return found


def _security(pod: Manifest) -> Manifest:
    found: Manifest = _container(pod)["securityContext"]
    return found


def _image(pod: Manifest) -> str:
    found: str = _container(pod)["image"]
    return found


def _kinds_of_volumes(pod: Manifest) -> set[str]:
    return {kind for volume in pod["volumes"] for kind in volume if kind != "name"}


def _writable(pod: Manifest) -> list[str]:
    mounts = _container(pod)["volumeMounts"]
    return [each["name"] for each in mounts if not each.get("readOnly")]


_RULES: tuple[tuple[str, Rule], ...] = (
    ("its-user-is-not-root", lambda pod: pod["securityContext"]["runAsNonRoot"] is True),
    ("its-container-is-not-root", lambda pod: _security(pod)["runAsNonRoot"] is True),
    ("its-user-is-a-number", lambda pod: pod["securityContext"]["runAsUser"] >= 10_000),
    ("its-root-is-read-only", lambda pod: _security(pod)["readOnlyRootFilesystem"] is True),
    ("it-has-no-capability", lambda pod: _security(pod)["capabilities"] == {"drop": ["ALL"]}),
    ("it-gains-no-privilege", lambda pod: _security(pod)["allowPrivilegeEscalation"] is False),
    ("it-is-not-privileged", lambda pod: "privileged" not in _security(pod)),
    (
        "its-system-calls-are-those-of-the-runtime",
        lambda pod: pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"},
    ),
    (
        "it-shares-nothing-with-the-host",
        lambda pod: not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod),
    ),
    ("it-listens-on-no-port", lambda pod: "ports" not in _container(pod)),
    (
        "its-volumes-are-of-the-cluster",
        lambda pod: _kinds_of_volumes(pod) <= {"emptyDir", "secret", "configMap"},
    ),
    (
        "its-folder-is-bounded",
        lambda pod: all(
            "sizeLimit" in each["emptyDir"] for each in pod["volumes"] if "emptyDir" in each
        ),
    ),
    ("it-writes-to-one-folder-alone", lambda pod: _writable(pod) == ["tmp"]),
    (
        "nobody-may-read-its-secrets-but-its-group",
        lambda pod: all(
            each["secret"]["defaultMode"] == 0o440 for each in pod["volumes"] if "secret" in each
        ),
    ),
    (
        "it-asks-for-what-it-needs",
        lambda pod: {"cpu", "memory"} <= set(_container(pod)["resources"]["requests"]),
    ),
    ("its-memory-is-bounded", lambda pod: "memory" in _container(pod)["resources"]["limits"]),
    ("its-image-is-one-version", lambda pod: not _image(pod).endswith((":latest", "reconciler"))),
    ("it-has-an-account-of-its-own", lambda pod: pod["serviceAccountName"] != "default"),
    ("services-tell-it-nothing", lambda pod: pod["enableServiceLinks"] is False),
    ("it-is-never-restarted", lambda pod: pod["restartPolicy"] == "Never"),
)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=name) for name, rule in _RULES])
def test_a_pod_keeps_the_rule(rule: Rule) -> None:
    """In every case, the run's and the test's."""
    for case in CASES:
        for pod in pods(rendered(case)):
            assert rule(pod), (case, pod)


def _rules() -> Iterator[tuple[str, Manifest]]:
    for case in CASES:
        for role in of_kind(rendered(case), "Role", "ClusterRole"):
            yield from ((f"{case}: {role['metadata']['name']}", rule) for rule in role["rules"])


def test_no_role_has_a_wildcard() -> None:
    """What a wildcard grants changes with every version of Kubernetes."""
    for where, rule in _rules():
        words = {word for words in rule.values() for word in words}
        assert not any("*" in word for word in words), where


def test_no_role_reaches_beyond_the_projects_own_kinds() -> None:
    """Pods, Secrets, roles and accounts are nobody's business here."""
    ours = {"workflowexecutions", "workflowrecords", "kubernetesexecutions"}
    reached = {part.partition("/")[0] for _, rule in _rules() for part in rule["resources"]}
    assert reached == {*ours, "events", "leases", "configmaps"}


def test_nobody_is_granted_to_delete_a_child() -> None:
    """Contract 8, I1: a child that is gone cannot be told from one that never ran."""
    for where, rule in _rules():
        if "kubernetesexecutions" in rule["resources"]:
            assert not {"delete", "deletecollection"} & set(rule["verbs"]), where


def test_leases_and_config_maps_are_granted_by_name_but_for_a_create() -> None:
    """RBAC cannot bind a create to a name; everything else it can."""
    for where, rule in _rules():
        if {"leases", "configmaps"} & set(rule["resources"]):
            assert rule["verbs"] == ["create"] or rule.get("resourceNames"), where


def test_the_token_is_mounted_by_the_pods_that_use_it_and_by_no_other() -> None:
    """Whatever else runs as the account gets none unasked."""
    for case in CASES:
        manifests = rendered(case)
        assert all(pod["automountServiceAccountToken"] is True for pod in pods(manifests))
        for account in of_kind(manifests, "ServiceAccount"):
            assert account["automountServiceAccountToken"] is False


def test_no_object_of_the_chart_holds_a_secret() -> None:
    """Credentials are named, never given: they are in no value, and in no release's record."""
    assert [each for case in CASES for each in of_kind(rendered(case), "Secret")] == []
