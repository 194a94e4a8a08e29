"""Documents -> what may be applied, or why not (contract 5)."""

import hashlib
from pathlib import Path

import pytest

from reconciler.core.api import FailurePolicy
from reconciler.core.definitions import Definitions, Document, read, run_name
from reconciler.core.definitions import content_of as content
from reconciler.core.definitions import controls_of as controls
from reconciler.manifests import documents
from tests.unit.core.stated import API, STEP, doc, one, refused, told

EXAMPLES = Path(__file__).resolve().parents[3] / "gitops" / "workflows"

# --- what a document becomes ----------------------------------------------------------------


def test_a_definition_stands_for_one_run_per_content() -> None:
    """Contract 5: its run is named after it and its content; runPolicy is no part of the spec."""
    text = doc(spec="  runPolicy: {concurrency: Queue}\n  failurePolicy: Continue\n")
    definition = one(text)
    assert definition.kind == "WorkflowDefinition"
    assert (definition.namespace, definition.name) == ("shop", "restart")
    assert definition.run == f"restart-{definition.content[3:13]}"
    assert (definition.path, definition.line, definition.blob) == ("0.yaml", 1, "b10b0")
    assert list(definition.spec) == ["failurePolicy", "workflowDefinition"]
    assert definition.model.failure_policy is FailurePolicy.CONTINUE
    assert definition.concurrency == "Queue"


def test_an_execution_is_one_run_under_its_own_name() -> None:
    """Contract 5: `kind: WorkflowExecution`."""
    definition = one(doc("once", kind="WorkflowExecution"))
    assert (definition.kind, definition.name, definition.run) == (
        "WorkflowExecution",
        "once",
        "once",
    )


def test_labels_and_annotations_of_a_document_are_carried_over() -> None:
    """Contract 5: a team's own words stay on the run that it asked for; ours are added later."""
    meta = '  labels: {team: shop}\n  annotations: {example.com/ticket: "OPS-1"}\n'
    definition = one(doc(meta=meta))
    assert definition.labels == {"team": "shop"}
    assert definition.annotations == {"example.com/ticket": "OPS-1"}
    assert one(doc(meta="  labels:\n  annotations:\n")).labels == {}


@pytest.mark.parametrize(
    ("stated", "namespace", "effective"),
    [
        pytest.param("", "shop", "shop", id="none-goes-to-the-run's"),
        pytest.param("  namespace: shop\n", "shop", "shop", id="the-run's-own"),
        pytest.param("  namespace: other\n", None, "other", id="any-in-a-run-over-all"),
    ],
)
def test_a_document_goes_to_the_namespace_it_states_or_to_the_run_s(
    stated: str, namespace: str | None, effective: str
) -> None:
    """Contract 5: `--namespace` bounds documents too."""
    assert one(doc(meta=stated), namespace).namespace == effective


@pytest.mark.parametrize(
    ("stated", "namespace", "reason"),
    [
        pytest.param("  namespace: other\n", "shop", "OtherNamespace", id="outside-the-run's"),
        pytest.param("", None, "NamespaceMissing", id="none-in-a-run-over-all"),
        pytest.param("  namespace: Other_\n", None, "InvalidDocument", id="no-namespace-at-all"),
        pytest.param('  namespace: ""\n', "shop", "InvalidDocument", id="empty"),
        pytest.param("  namespace: 7\n", "shop", "InvalidDocument", id="a-number"),
    ],
)
def test_a_document_of_another_namespace_is_refused(
    stated: str, namespace: str | None, reason: str
) -> None:
    """Contract 5: a document of a namespace outside the run's is refused."""
    [problem] = refused(doc(meta=stated), namespace=namespace)
    assert (problem.field, problem.reason) == ("metadata.namespace", reason)


# --- content and controls -------------------------------------------------------------------

CONTENT = one(doc()).content


def test_the_content_is_pinned_by_its_form() -> None:
    """Contract 5: golden hashes; a new release that changed one would start everything again."""
    form = (
        '{"spec":{"workflowDefinition":{"steps":[{"action":"RolloutStatus","name":"a",'
        '"targetResource":{"apiVersion":"apps/v1","kind":"Deployment","name":"checkout"}}]}}}'
    )
    assert f"v1:{hashlib.sha256(form.encode()).hexdigest()}" == CONTENT
    assert CONTENT == "v1:1c6fc2c231e94ad895e7d576e42fb6151253760719d9dba9d1405f9dcab06fa0"


def test_namespace_and_rerun_are_in_the_content_as_they_are_stated() -> None:
    """Contract 5: golden hashes."""
    meta = '  namespace: shop\n  annotations: {kubernaut.ai/rerun: "zwölf", a: b}\n'
    form = (
        '{"namespace":"shop","rerun":"zw\\u00f6lf","spec":{"workflowDefinition":{"steps":['
        '{"action":"RolloutStatus","name":"a","targetResource":{"apiVersion":"apps/v1",'
        '"kind":"Deployment","name":"checkout"}}]}}}'
    )
    definition = one(doc(meta=meta))
    assert definition.content == f"v1:{hashlib.sha256(form.encode()).hexdigest()}"
    assert (
        definition.content == "v1:c1c75aa892fbd61bb45cdd40eaa5f600e31eb8ce5a420d52da9adea5fab0796a"
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# a comment\n" + doc() + "# another\n", id="comments"),
        pytest.param(
            f"kind: WorkflowDefinition\napiVersion: {API}\nspec:\n  workflowDefinition:\n"
            "    steps:\n    - targetResource:\n        name: 'checkout'\n"
            '        kind: Deployment\n        apiVersion: "apps/v1"\n      action: RolloutStatus\n'
            "      name: a\n"
            "metadata: {name: restart}\n",
            id="order-and-formatting",
        ),
        pytest.param(doc(spec="  suspend: true\n"), id="suspend"),
        pytest.param(doc(spec="  cancel: true\n"), id="cancel"),
        pytest.param(doc(spec="  approvals: [{step: a, by: dana}]\n"), id="approvals"),
        pytest.param(doc(spec="  runPolicy: {concurrency: Queue}\n"), id="run-policy"),
        pytest.param(doc(meta="  labels: {team: shop}\n"), id="labels"),
        pytest.param(doc(meta="  annotations: {a: b}\n"), id="annotations"),
        pytest.param(doc("another"), id="name"),
        pytest.param(doc(kind="WorkflowExecution"), id="kind"),
    ],
)
def test_what_is_no_content_starts_nothing(text: str) -> None:
    """Contract 5: comments, order and formatting start nothing; controls reach the run that is."""
    assert one(text).content == CONTENT


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(doc(meta="  namespace: shop\n"), id="namespace-stated"),
        pytest.param(doc(meta='  annotations: {kubernaut.ai/rerun: "1"}\n'), id="rerun"),
        pytest.param(doc(meta='  annotations: {kubernaut.ai/rerun: ""}\n'), id="rerun-of-no-text"),
        pytest.param(doc(spec="  failurePolicy: FailFast\n"), id="a-default-that-is-stated"),
        pytest.param(doc(spec="  timeout: 60m\n"), id="timeout"),
    ],
)
def test_what_is_content_starts_a_run(text: str) -> None:
    """Contract 5: as stated, no defaults filled in."""
    assert one(text).content != CONTENT


def test_controls_are_hashed_as_they_are_stated() -> None:
    """Contract 5: sent only when the hash of the three as stated differs."""
    assert controls({}) == controls({"timeout": "5m"}) == one(doc()).controls
    stated = [
        controls(each) for each in ({}, {"suspend": False}, {"suspend": True}, {"cancel": False})
    ]
    assert len(set(stated)) == 4
    assert controls({"cancel": True, "suspend": False}) == controls(
        {"suspend": False, "cancel": True, "x": 1}
    )
    form = '{"approvals":[{"by":"dana","step":"a"}],"suspend":true}'
    definition = one(doc(spec="  suspend: true\n  approvals: [{step: a, by: dana}]\n"))
    assert definition.controls == f"v1:{hashlib.sha256(form.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("name", "run"),
    [
        pytest.param("restart", "restart-0123456789", id="short"),
        pytest.param("a" * 52, "a" * 52 + "-0123456789", id="as-long-as-fits"),
        pytest.param("a" * 53, "a" * 52 + "-0123456789", id="cut"),
        pytest.param("a" * 51 + ".b", "a" * 51 + "-0123456789", id="cut-behind-a-dot"),
        pytest.param("a" * 50 + "--b", "a" * 50 + "-0123456789", id="cut-behind-a-dash"),
    ],
)
def test_the_name_of_a_run_is_a_name_and_a_label_value(name: str, run: str) -> None:
    """Contract 5: name cut so that it fits 63. Pinned: another name would be another run."""
    assert run_name(name, "v1:0123456789abcdef") == run
    assert len(run) <= 63


def test_the_content_of_nothing_stated_is_that_of_the_spec_alone() -> None:
    """Contract 5: an empty namespace is none."""
    assert content("", {"a": 1}, None) == content("", {"a": 1, "suspend": True}, None)
    assert content("", {"a": 1}, None) != content("", {"a": 1}, "")


# --- how it is told -------------------------------------------------------------------------


def test_every_problem_of_a_document_is_told_in_the_order_of_its_lines() -> None:
    """Contract 5: one round of corrections, not one a problem."""
    text = doc(
        meta="  labels: {a: 1}\n",
        spec="  suspend: 1\n  timeout: x\n  wrong: 1\n",
    )
    problems = refused(text)
    assert [(each.line, each.field) for each in problems] == [
        (5, "metadata.labels.a"),
        (7, "spec.suspend"),
        (8, "spec.timeout"),
        (9, "spec.wrong"),
    ]
    assert {(each.path, each.namespace, each.name) for each in problems} == {
        ("0.yaml", "shop", "restart")
    }


def test_a_missing_field_is_told_at_the_line_of_its_nearest_parent() -> None:
    """Contract 5: with file, line and reason."""
    text = doc(steps="\n      - name: a\n        action: RolloutStatus\n      - name: b\n")
    lines = {problem.field: problem.line for problem in refused(text)}
    assert lines == {"spec.workflowDefinition.steps[1].action": 10}


def test_of_very_many_problems_the_first_are_told_and_the_rest_is_counted() -> None:
    """Contract 5: told, within what a log line and a person bear."""
    steps = ", ".join("{name: a}" for _ in range(50))
    problems = refused(doc(steps=f"[{steps}]"))
    assert len(problems) == 21
    assert problems[-1].message == "and 30 more like these"


def test_no_value_of_a_document_is_repeated() -> None:
    """Contract 8, I9: it may be a secret that somebody pasted."""
    pasted = "hunter2 hunter2"
    text = doc(
        spec=f"  timeout: {pasted}\n  failurePolicy: {pasted}\n  {pasted}: 1\n",
        steps=f"[{{{STEP}, retries: {pasted}, dependsOn: {pasted}}}]",
    )
    assert all("hunter2" not in f"{each.message}{each.field}" for each in refused(text))


# --- two of one name ------------------------------------------------------------------------


def test_two_documents_of_one_name_harm_each_other_and_nobody_else() -> None:
    """Contract 5: the same name twice: neither is applied."""
    result = told(doc("a"), doc("b"), doc("a", spec="  timeout: 5m\n"))
    assert [each.name for each in result.definitions] == ["b"]
    assert [(each.path, each.line, each.reason) for each in result.problems] == [
        ("0.yaml", 4, "DuplicateName"),
        ("2.yaml", 4, "DuplicateName"),
    ]
    assert "also in 2.yaml:1: neither is applied" in result.problems[0].message


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(doc("a", kind="WorkflowExecution"), id="an-execution"),
        pytest.param(doc("a", meta="  namespace: shop\n"), id="with-the-namespace-stated"),
        pytest.param(doc("a", spec="  suspend: 7\n"), id="one-that-is-bad-by-itself"),
        pytest.param(doc("a"), id="a-copy"),
    ],
)
def test_a_name_is_one_name_whatever_the_kind_and_the_state(other: str) -> None:
    """Contract 5: a definition and an execution of one name are the same name twice."""
    assert {each.path for each in refused(doc("a"), other)} == {"0.yaml", "1.yaml"}


def test_one_name_in_two_namespaces_is_two_names() -> None:
    """Contract 5: one record a document, in its namespace, of its name."""
    texts = (doc("a", meta="  namespace: one\n"), doc("a", meta="  namespace: two\n"))
    assert len(told(*texts, namespace=None).definitions) == 2


def test_a_document_of_another_kind_claims_no_name() -> None:
    """Contract 5: it is bad by itself, and takes nothing with it."""
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    result = told(doc("a"), other)
    assert ([each.name for each in result.definitions], len(result.problems)) == (["a"], 1)


def test_two_names_that_would_share_a_run_harm_each_other() -> None:
    """Contract 5: names are cut to fit; two documents must never stand for one object."""
    long = "a" * 52
    problems = refused(doc(f"{long}-one"), doc(f"{long}-two"))
    assert [each.reason for each in problems] == ["DuplicateName", "DuplicateName"]
    run = one(doc("restart")).run
    assert len(refused(doc("restart"), doc(run, kind="WorkflowExecution"))) == 2


# --- the example repository -----------------------------------------------------------------


def _examples(folder: Path) -> Definitions:
    found: list[Document] = []
    for file in sorted(folder.glob("*.yaml")):
        documents_, problems = documents(file.name, "b10b", file.read_bytes())
        assert problems == []
        found += documents_
    return read(found, "shop")


def test_the_example_repository_is_good() -> None:
    """The README and the demo use these very files."""
    examples = _examples(EXAMPLES)
    assert examples.problems == ()
    assert [each.name for each in examples.definitions] == [
        "caches-refresh",
        "checkout-restart",
        "node-drain-worker-1",
        "orders-migrate",
        "payments-upgrade",
    ]


def test_the_broken_example_is_refused_with_its_cycle() -> None:
    """What its own comment says."""
    [problem] = _examples(EXAMPLES / "broken").problems
    assert problem.message.endswith("basket -> prices -> search -> basket")


# --- other clusters -------------------------------------------------------------------------


def clusters(listed: str) -> str:
    return f'  annotations: {{kubernaut.ai/clusters: "{listed}"}}\n'


def test_a_document_for_other_clusters_is_named_and_not_read() -> None:
    """Contract 5: it counts as elsewhere; what is wrong with it is told where it is read."""
    found = told(
        doc("here", meta=clusters("eu-*")),
        doc("there", meta=clusters("us-1"), spec="  nonsense: true\n"),
        doc("everywhere"),
        cluster="eu-1",
    )
    assert [each.name for each in found.definitions] == ["here", "everywhere"]
    assert (found.problems, found.elsewhere) == ((), (("shop", "there"),))
    assert found.names == {("shop", "here"), ("shop", "there"), ("shop", "everywhere")}


def test_two_documents_of_one_name_for_different_clusters_do_not_clash() -> None:
    """Contract 5: one workflow, another form of it in each cluster."""
    texts = (doc(meta=clusters("eu-1")), doc(meta=clusters("us-1"), spec="  suspend: true\n"))
    suspended = [
        [each.model.suspend for each in told(*texts, cluster=cluster).definitions]
        for cluster in ("eu-1", "us-1", "ap-1")
    ]
    assert suspended == [[False], [True], []]


def test_a_document_for_other_clusters_without_a_name_is_told() -> None:
    """Contract 5: nobody could say which one is not removed."""
    text = doc(meta=clusters("us-1")).replace("  name: restart\n", "")
    [problem] = told(text, cluster="eu-1").problems
    assert problem.field == "metadata.name"


def test_for_which_clusters_a_document_is_starts_nothing() -> None:
    """Contract 5: content is spec, namespace and rerun."""
    [named] = told(doc(meta=clusters("eu-1")), cluster="eu-1").definitions
    assert named.content == one(doc()).content
