"""Documents as text, and what is read of them."""

from reconciler.core.definitions import Definition, Definitions, Document, Problem, read
from reconciler.manifests import documents

API = "workflowexecution.kubernaut.ai/v1alpha1"
STEP = "name: a, action: RolloutStatus, targetResource: {apiVersion: v1, kind: K, name: x}"


def doc(
    name: str = "restart",
    *,
    kind: str = "WorkflowDefinition",
    meta: str = "",
    spec: str = "",
    steps: str = "[{name: a, action: RolloutStatus, targetResource: {apiVersion: apps/v1, "
    "kind: Deployment, name: checkout}}]",
) -> str:
    """A document that is fine; `meta` and `spec` are lines to add, indented by two."""
    return (
        f"apiVersion: {API}\nkind: {kind}\nmetadata:\n  name: {name}\n{meta}spec:\n{spec}"
        f"  workflowDefinition:\n    steps: {steps}\n"
    )


def told(*texts: str, namespace: str | None = "shop", cluster: str = "") -> Definitions:
    found: list[Document] = []
    for number, text in enumerate(texts):
        read_, problems = documents(f"{number}.yaml", f"b10b{number}", text.encode())
        assert problems == []
        found += read_
    return read(found, namespace, cluster)


def one(text: str, namespace: str | None = "shop") -> Definition:
    result = told(text, namespace=namespace)
    assert result.problems == ()
    [definition] = result.definitions
    return definition


def refused(*texts: str, namespace: str | None = "shop") -> tuple[Problem, ...]:
    result = told(*texts, namespace=namespace)
    assert result.definitions == ()
    return result.problems
