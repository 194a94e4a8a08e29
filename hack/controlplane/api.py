"""Just enough of a Kubernetes client to start a control plane: JSON over HTTPS with a token.

It never retries and knows no kind; a refused connection is status 0, so that a caller can poll.
"""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

APPLY = "application/apply-patch+yaml"  # kube-apiserver takes YAML here, so nobody parses it
_TIMEOUT = 10.0  # seconds a call
_OK = 200


@dataclass(frozen=True)
class Api:
    """One server, as one user."""

    server: str
    token: str
    ca: Path

    def get(self, path: str) -> tuple[int, Any]:
        return self.call("GET", path)

    def answers(self, path: str) -> bool:
        return self.get(path)[0] == _OK

    def apply(self, path: str, manifest: str) -> tuple[int, Any]:
        """Server-side apply: makes the object, or makes it so."""
        query = "?fieldManager=hack-cluster&force=true"
        return self.call("PATCH", path + query, manifest.encode(), APPLY)

    def call(
        self, method: str, path: str, body: bytes | None = None, content: str = "application/json"
    ) -> tuple[int, Any]:
        """Status and body; the body is parsed when it is JSON, else text."""
        request = urllib.request.Request(  # noqa: S310  # the address is ours, on loopback
            self.server + path,
            data=body,
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": content},
        )
        try:
            context = ssl.create_default_context(cafile=self.ca)
            with urllib.request.urlopen(request, timeout=_TIMEOUT, context=context) as answer:  # noqa: S310
                return answer.status, _parsed(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _parsed(refusal.read())
        except OSError:  # not there yet, or no certificate yet
            return 0, None


def _parsed(body: bytes) -> Any:  # noqa: ANN401  # JSON is any of them
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
