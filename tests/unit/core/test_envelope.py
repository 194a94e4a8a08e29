"""What stands around a spec (contract 5)."""

import pytest

from reconciler.core.envelope import elsewhere
from tests.unit.core.stated import API, doc, one, refused


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        pytest.param("- a\n", "InvalidDocument", "a document is a mapping", id="a-list"),
        pytest.param("just text\n", "InvalidDocument", "a document is a mapping", id="text"),
        pytest.param("a: 1\n", "UnknownKind", "kind is required: only Workf", id="no-kind"),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
            "UnknownKind",
            f"kind ConfigMap is not read here: only WorkflowDefinition and WorkflowExecution of "
            f"{API} are; keep other files outside the source's paths",
            id="another-kind",
        ),
        pytest.param("kind: [1]\n", "UnknownKind", "kind ? is not read here", id="kind-of-a-list"),
        pytest.param(
            doc().replace("v1alpha1", "v1"),
            "UnknownKind",
            f"apiVersion must be {API}",
            id="version",
        ),
    ],
)
def test_what_is_no_workflow_is_told_as_such(text: str, reason: str, message: str) -> None:
    """Contract 5: two document kinds under the paths; anything else there is bad."""
    [problem] = refused(text)
    assert problem.reason == reason
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        pytest.param(
            doc() + "status: {}\n",
            "status",
            "status is never read from git: leave it out",
            id="status",
        ),
        pytest.param(
            doc() + "data: {}\n", "data", "data is no field that is known here", id="unknown-field"
        ),
        pytest.param(
            f"apiVersion: {API}\nkind: WorkflowExecution\nmetadata: {{name: a}}\n",
            "spec",
            "spec is required",
            id="no-spec",
        ),
        pytest.param(
            f"apiVersion: {API}\nkind: WorkflowExecution\nspec: {{workflowDefinition: {{}}}}\n",
            "metadata",
            "metadata is required",
            id="no-metadata",
        ),
        pytest.param(
            doc(meta="  generateName: x-\n"),
            "metadata.generateName",
            "metadata.generateName is not taken from git",
            id="generate-name",
        ),
        pytest.param(
            doc(meta="  finalizers: [x]\n"),
            "metadata.finalizers",
            "metadata.finalizers is not taken from git",
            id="finalizers",
        ),
        pytest.param(doc("Restart"), "metadata.name", "metadata.name is required", id="bad-name"),
        pytest.param(doc("7"), "metadata.name", "metadata.name is required", id="number-as-name"),
        pytest.param(doc("a" * 254), "metadata.name", "metadata.name is required", id="long-name"),
        pytest.param(
            doc(meta="  labels: [a]\n"), "metadata.labels", "metadata.labels must be a", id="labels"
        ),
        pytest.param(
            doc(meta="  labels: {build: 7}\n"),
            "metadata.labels.build",
            "metadata.labels.build must be text",
            id="number-as-label",
        ),
        pytest.param(
            doc(meta="  labels: {team: a b}\n"),
            "metadata.labels.team",
            "metadata.labels.team must be text of letters",
            id="bad-label",
        ),
        pytest.param(
            doc(meta="  labels: {kubernaut.ai/source: mine}\n"),
            "metadata.labels.kubernaut.ai/source",
            "metadata.labels.kubernaut.ai/source is set by the reconciler",
            id="our-label",
        ),
        pytest.param(
            doc(meta="  annotations: {a b: c}\n"),
            "metadata.annotations.?",
            "metadata.annotations.? must be a mapping of annotation names",
            id="bad-annotation-name",
        ),
        pytest.param(
            doc(meta="  annotations: {a: 7}\n"),
            "metadata.annotations.a",
            "metadata.annotations.a must be text",
            id="number-as-annotation",
        ),
        pytest.param(
            doc(meta="  annotations: {kubernaut.ai/commit: x}\n"),
            "metadata.annotations.kubernaut.ai/commit",
            "kubernaut.ai/commit is not known here: of kubernaut.ai/ a document states "
            "kubernaut.ai/rerun and kubernaut.ai/clusters only",
            id="our-annotation",
        ),
        pytest.param(
            doc(meta="  annotations: {kubernaut.ai/clusters: 'eu-1,,us'}\n"),
            "metadata.annotations.kubernaut.ai/clusters",
            "metadata.annotations.kubernaut.ai/clusters must be names of clusters",
            id="clusters-with-a-gap",
        ),
        pytest.param(
            doc(meta="  annotations: {kubernaut.ai/clusters: EU_1}\n"),
            "metadata.annotations.kubernaut.ai/clusters",
            "metadata.annotations.kubernaut.ai/clusters must be names of clusters",
            id="clusters-that-no-cluster-can-be-named",
        ),
        pytest.param(
            doc(meta="  annotations: {kubernaut.ai/clusters: eu-1}\n"),
            "metadata.annotations.kubernaut.ai/clusters",
            "the document is for certain clusters (kubernaut.ai/clusters), and the run does not "
            "say which one this is: run with --cluster",
            id="clusters-in-a-run-that-has-no-name-for-its-own",
        ),
    ],
)
def test_what_stands_around_a_spec_is_checked(text: str, field: str, message: str) -> None:
    """Contract 5: nothing that is stated is silently ignored."""
    [problem] = refused(text)
    assert problem.field == field
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("clusters", "cluster", "read"),
    [
        pytest.param("eu-1", "eu-1", True, id="its-name"),
        pytest.param("eu-1", "eu-10", False, id="not-a-part-of-its-name"),
        pytest.param("us-1, eu-1", "eu-1", True, id="one-of-several"),
        pytest.param("eu-*", "eu-1", True, id="any-that-begins-so"),
        pytest.param("eu-*", "eu", False, id="no-less-than-it-says"),
        pytest.param("*", "eu-1", True, id="any"),
        pytest.param("e*-*1", "eu-1", True, id="parts"),
        pytest.param("e*u-1*1", "eu-1", False, id="a-part-is-used-once"),
        pytest.param("e.-1", "eu-1", False, id="a-dot-is-a-dot"),
        pytest.param("*a" * 60, "a" * 59 + "b", False, id="as-many-stars-as-fit"),
    ],
)
def test_a_document_is_for_the_clusters_that_it_names(
    clusters: str, cluster: str, *, read: bool
) -> None:
    """Contract 5: `kubernaut.ai/clusters: "eu-1,eu-*"`."""
    value = {"metadata": {"annotations": {"kubernaut.ai/clusters": clusters}}}
    assert elsewhere(value, cluster) is not read


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("Queue", id="text"),
        pytest.param("{concurrency: Never}", id="unknown-word"),
        pytest.param("{concurrency: 1}", id="a-number"),
        pytest.param("{parallel: 2}", id="unknown-field"),
        pytest.param("{history: -1}", id="a-history-below-nothing"),
        pytest.param("{history: 101}", id="a-history-of-101"),
        pytest.param("{history: '3'}", id="a-history-in-quotes"),
        pytest.param("{history: true}", id="a-history-that-is-no-number"),
    ],
)
def test_a_run_policy_that_cannot_be_meant_is_refused(policy: str) -> None:
    """Contract 5: runPolicy is {concurrency, history}, of a definition."""
    [problem] = refused(doc(spec=f"  runPolicy: {policy}\n"))
    assert problem.field.startswith("spec.runPolicy")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param("", ("Queue", 3), id="what-is-not-stated-is-the-default"),
        pytest.param("{concurrency: Replace}", ("Replace", 3), id="replace"),
        pytest.param("{concurrency: Queue, history: 0}", ("Queue", 0), id="no-history"),
        pytest.param("{history: 100}", ("Queue", 100), id="the-most-history"),
    ],
)
def test_a_run_policy_says_how_runs_follow_each_other(
    policy: str, expected: tuple[str, int]
) -> None:
    """Contract 5: runPolicy {concurrency: Queue | Replace, history: 0..100, default 3}."""
    found = one(doc(spec=f"  runPolicy: {policy}\n" if policy else ""))
    assert (found.concurrency, found.history) == expected
    assert found.content == one(doc()).content


def test_a_time_to_live_is_part_of_the_content() -> None:
    """Contract 5: of the spec; a run that exists keeps its own."""
    found = one(doc(spec="  ttlSecondsAfterSettled: 60\n"))
    assert found.model.ttl_seconds_after_settled == 60
    assert found.content != one(doc()).content


def test_an_execution_has_no_run_policy() -> None:
    """Contract 5: it is one run; there is nothing to queue."""
    [problem] = refused(doc(kind="WorkflowExecution", spec="  runPolicy: {}\n"))
    assert problem.message.startswith("runPolicy is no field that is known here")
