"""`reconciler check` as a process against a real server, and accounts with chosen rights."""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.core.rights import Right
from tests.apiserver.identities import kubeconfig, token_of
from tests.apiserver.runs import LONGEST, Shop
from tests.controlplane import ROOT, Api, eventually

_ROLES = "/apis/rbac.authorization.k8s.io/v1"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True)
class Told:
    """A report: the exit code, its lines by name, and everything that was printed."""

    code: int
    lines: dict[str, dict[str, str]]
    printed: str
    log: str

    def of(self, status: str) -> list[str]:
        """The names of the lines of one status, in their order."""
        return [name for name, line in self.lines.items() if line["status"] == status]


def check(shop: Shop, *flags: str) -> Told:
    command = shop.command("-o", "json", *flags, program=("reconciler", "check"))
    if "-A" in flags:
        at = command.index("-n")
        del command[at : at + 2]
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "HOME": str(shop.kubeconfig.parent)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ok"] is (done.returncode == 0)
    lines = {each["name"]: each for each in told["checks"]}
    return Told(done.returncode, lines, done.stdout, done.stderr)


def admin(api: Api, namespace: str, file: Path) -> Shop:
    """A shop of who may do everything."""
    return Shop(api, namespace, file)


def with_rights(shop: Shop, account: str, needed: Iterable[Right]) -> Shop:
    """The same shop as an account that has exactly these rights in its namespace."""
    api, rules = shop.api, [_rule(right) for right in needed]
    token = token_of(api, shop.namespace, account)
    inside = f"{_ROLES}/namespaces/{shop.namespace}"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": shop.namespace}
    meta = {"metadata": {"name": account}}
    for path, body in (
        ("roles", {**meta, "rules": rules}),
        ("rolebindings", {**meta, "roleRef": reference, "subjects": [subject]}),
    ):
        code, answer = api.post(f"{inside}/{path}", body)
        assert code == 201, answer
    if rules:
        asked = _attributes(rules[-1], shop.namespace)
        eventually(lambda: _allowed(api.with_token(token), asked), "the role has no effect")
    folder = shop.kubeconfig.parent / account
    return replace(shop, kubeconfig=kubeconfig(folder, api, token))


def _rule(right: Right) -> dict[str, list[str]]:
    names = {"resourceNames": [right.name]} if right.name else {}
    rule = {"apiGroups": [right.group], "resources": [right.what], "verbs": [right.verb]}
    return {**rule, **names}


def _attributes(rule: dict[str, list[str]], namespace: str) -> dict[str, str]:
    resource, _, subresource = rule["resources"][0].partition("/")
    return {
        "namespace": namespace,
        "group": rule["apiGroups"][0],
        "resource": resource,
        "subresource": subresource,
        "verb": rule["verbs"][0],
        "name": "".join(rule.get("resourceNames", ())),
    }


def _allowed(api: Api, attributes: dict[str, str]) -> bool:
    code, answer = api.post(_REVIEWS, {"spec": {"resourceAttributes": attributes}})
    assert code == 201, answer
    allowed: bool = answer["status"]["allowed"]
    return allowed
