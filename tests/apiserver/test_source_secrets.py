"""I9 on real servers: a token for git is in nothing that a run says, writes, pushes or asks."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver.repository import document
from tests.apiserver.runs import Shop, steps
from tests.controlplane import Audit
from tests.gitservers import HttpServer

pytestmark = [pytest.mark.apiserver]

CANARY = "c4n4ry-0f-a-t0ken"
_GROUPS = {
    "/api/v1": ("configmaps", "events"),
    "/apis/events.k8s.io/v1": ("events",),
    "/apis/coordination.k8s.io/v1": ("leases",),
    "/apis/workflowexecution.kubernaut.ai/v1alpha1": ("workflowexecutions", "workflowrecords"),
    "/apis/kubernetesexecution.kubernaut.ai/v1alpha1": ("kubernetesexecutions",),
}


def stored(shop: Shop) -> Iterator[str]:
    """Every object of every kind that a run writes, whole."""
    for group, kinds in _GROUPS.items():
        for kind in kinds:
            code, answer = shop.api.get(f"{group}/namespaces/{shop.namespace}/{kind}")
            assert code == 200, answer
            assert isinstance(answer, dict)
            yield from map(json.dumps, answer["items"])


def test_a_token_is_in_no_log_object_event_or_metric(
    shop: Shop, git_http: HttpServer, pushgateway: str, audit: Audit, tmp_path: Path
) -> None:
    """I9: when it opens the repository, when the server repeats it, and when it sends us away."""
    token = tmp_path / "token"
    token.write_text(CANARY)
    git_http.repository.commit({"shop.yaml": document("shop", *steps("a"))})
    git_http.login = f"git:{CANARY}"
    source = ("--source-url", git_http.url, "--git-token-file", str(token), "-v")
    flags = (*source, "--pushgateway-url", pushgateway)
    mark = audit.mark()
    said = [shop.done(*flags).log]
    git_http.complaint = f"no, not with {CANARY}"
    refused = shop.run(*flags)
    git_http.complaint, git_http.elsewhere = "", f"http://127.0.0.1:1/{CANARY}.git"
    sent_away = shop.run(*flags)
    assert (refused.code, sent_away.code) == (3, 3)
    said += [refused.log, sent_away.log]
    objects = list(stored(shop))
    assert any('"kind": "Event"' in each or '"regarding"' in each for each in objects)
    with urllib.request.urlopen(f"{pushgateway}/metrics", timeout=5) as answer:  # noqa: S310  # ours
        metrics = answer.read().decode()
    assert "reconciler_source_ready" in metrics
    asked = [json.dumps(each) for each in audit.entries(mark, shop.user)]
    assert asked
    assert not [each for each in (*said, *objects, metrics, *asked) if CANARY in each]
