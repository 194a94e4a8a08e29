"""Objects of our kinds on a real server, as tests speak of them."""

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core.api import KubernetesExecution, WorkflowExecution, WorkflowRecord
from tests.builders import UID
from tests.controlplane import Api

Body = dict[str, Any]

STEP: Body = {"name": "a", "action": "Notify", "parameters": {"custom": {}}}
SPEC: Body = {"workflowDefinition": {"steps": [STEP]}}
REFERENCE = {"name": "w", "uid": UID}
CHILD: Body = {
    "workflowExecutionRef": REFERENCE,
    "stepName": "a",
    "attempt": 0,
    "action": "Notify",
    "timeout": "5m",
}


OurKind = type[WorkflowExecution | KubernetesExecution | WorkflowRecord]


@dataclass(frozen=True)
class Objects:
    """The objects of one kind in one namespace; a name is enough to speak of one."""

    api: Api
    namespace: str
    kind: OurKind = WorkflowExecution

    @property
    def path(self) -> str:
        return f"/apis/{self.kind.API}/namespaces/{self.namespace}/{self.kind.PLURAL}"

    def body(self, name: str, metadata: Body | None = None, **parts: object) -> Body:
        """What is sent: `metadata` may say more than the name."""
        return {
            "apiVersion": self.kind.API,
            "kind": self.kind.__name__,
            "metadata": {"name": name} | (metadata or {}),
            **parts,
        }

    def create(self, name: str, metadata: Body | None = None, **parts: object) -> tuple[int, Any]:
        """As the reconciler creates: an unknown field is an error, never dropped."""
        body = self.body(name, metadata, **parts)
        return self.api.post(f"{self.path}?fieldValidation=Strict", body)

    def made(self, name: str, spec: Mapping[str, object], status: Body | None = None) -> Body:
        """The object as the server holds it, in a state of our choice."""
        code, stored = self.create(name, spec=spec)
        assert code == 201, stored
        if status is not None:
            code, stored = self.api.patch(f"{self.path}/{name}/status", {"status": status})
            assert code == 200, stored
        assert isinstance(stored, dict)
        return stored

    def read(self, name: str) -> Body:
        code, stored = self.api.get(f"{self.path}/{name}")
        assert code == 200, stored
        assert isinstance(stored, dict)
        return stored

    def patch(self, name: str, spec: Body) -> tuple[int, Any]:
        return self.api.patch(f"{self.path}/{name}", {"spec": spec})

    def names(self, selector: str) -> set[str]:
        code, listed = self.api.get(f"{self.path}?fieldSelector={selector}")
        assert code == 200, listed
        return {each["metadata"]["name"] for each in listed["items"]}

    def table(self) -> list[Body]:
        """What `kubectl get -o wide` prints, one dict a row."""
        shown = json.loads(
            sent(
                self.api,
                "GET",
                self.path,
                {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
            )
        )
        titles = [column["name"] for column in shown["columnDefinitions"]]
        return [dict(zip(titles, row["cells"], strict=True)) for row in shown["rows"]]


def sent(
    api: Api, method: str, path: str, headers: Mapping[str, str], text: str | None = None
) -> str:
    """The answer to a request that is not JSON to JSON; a warning of the server fails the test."""
    credentials = {"Authorization": f"Bearer {api.token}"} if api.token else {}
    request = urllib.request.Request(  # noqa: S310  # the address is the test cluster's
        api.server + path,
        data=text.encode() if text is not None else None,
        headers={**headers, **credentials},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30, context=api.context) as answer:  # noqa: S310  # the same
        assert answer.headers.get_all("Warning", []) == []
        body: bytes = answer.read()
    return body.decode()


def causes(answer: tuple[int, Any]) -> list[tuple[str, str]]:
    """(field, sentence) of each reason why something was refused as invalid; none if it was not."""
    code, body = answer
    return [
        (cause["field"], cause["message"])
        for cause in (body["details"]["causes"] if code == 422 else [])
        if cause["field"] != "<nil>"  # "some validation rules were not checked …"
    ]
