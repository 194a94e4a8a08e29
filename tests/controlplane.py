"""Pytest plugin: a real Kubernetes API server for the tests that ask for one.

`control_plane` is one empty cluster a session, from `RECONCILER_TEST_KUBECONFIG` when that is set,
else from `hack/cluster run`, which ends with pytest however pytest ends. Where none can be had the
test fails and says what to do; it never skips. `Api` looks at the server with the standard
library alone, so that a test never has to trust the client that it tests.
"""

import base64
import functools
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
CRDS = ROOT / "charts" / "reconciler" / "files" / "crds"

_APPLY = "application/apply-patch+yaml"
_TIMEOUT = 30.0  # seconds a call
_PATIENCE = 30.0  # seconds until the server has done what it was asked for

# The child lives until pytest closes its stdin, or is gone: then so is the control plane.
_CHILD = 'printf "%s\\n" "$KUBECONFIG" "$RECONCILER_AUDIT_LOG"; exec cat >/dev/null'


@dataclass(frozen=True)
class ControlPlane:
    """A cluster for tests; the audit log is known only of one that we started."""

    kubeconfig: Path
    audit_log: Path | None


@dataclass(frozen=True)
class Api:
    """A server and a user of it; a refusal is an answer, (status, parsed body), never raised."""

    server: str
    context: ssl.SSLContext
    token: str = ""

    @classmethod
    def of(cls, kubeconfig: Path) -> "Api":
        """The current context of a kubeconfig: token or client certificate."""
        loaded = YAML(typ="safe", pure=True).load(kubeconfig.read_text())
        context = _named(loaded["contexts"], loaded["current-context"], "context")
        cluster = _named(loaded["clusters"], context["cluster"], "cluster")
        user = _named(loaded["users"], context["user"], "user")
        return cls(cluster["server"], _context(cluster, user), user.get("token", ""))

    def with_token(self, token: str) -> "Api":
        """The same server as somebody else: no client certificate is sent."""
        context = ssl.create_default_context()
        for authority in self.context.get_ca_certs(binary_form=True):
            context.load_verify_locations(cadata=authority)
        return Api(self.server, context, token)

    def get(self, path: str) -> tuple[int, Any]:
        return self.call("GET", path)

    def post(self, path: str, body: object) -> tuple[int, Any]:
        return self.call("POST", path, body)

    def put(self, path: str, body: object) -> tuple[int, Any]:
        return self.call("PUT", path, body)

    def patch(
        self, path: str, body: object, content: str = "application/merge-patch+json"
    ) -> tuple[int, Any]:
        return self.call("PATCH", path, body, content)

    def delete(self, path: str, body: object = None) -> tuple[int, Any]:
        return self.call("DELETE", path, body)

    def apply(self, path: str, body: object, manager: str = "tests") -> tuple[int, Any]:
        """Forced server-side apply."""
        return self.call("PATCH", f"{path}?fieldManager={manager}&force=true", body, _APPLY)

    def call(
        self, method: str, path: str, body: object = None, content: str = "application/json"
    ) -> tuple[int, Any]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  # the address is the test cluster's
            self.server + path, data=data, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT, context=self.context) as answer:  # noqa: S310
                return answer.status, _parsed(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _parsed(refusal.read())


@dataclass(frozen=True)
class Audit:
    """What the server was asked, by its own account."""

    log: Path

    def mark(self) -> int:
        """Here and now, for a later `since`."""
        return self.log.stat().st_size

    def __call__(self, since: int, user: str | None = None) -> list[tuple[str, str]]:
        """(verb, resource path) of every finished call since the mark, of one user or of all."""
        return [
            (entry["verb"], urllib.parse.urlsplit(entry["requestURI"]).path)
            for entry in self.entries(since, user)
        ]

    def entries(self, since: int, user: str | None = None) -> list[dict[str, Any]]:
        """The same as audit.k8s.io/v1 Events, with query, code and user agent."""
        with self.log.open("rb") as log:
            log.seek(since)
            entries = [json.loads(line) for line in log if line.endswith(b"\n")]
        return [each for each in entries if user in {None, each["user"].get("username")}]


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """One cluster for all tests of the session; a test keeps to a namespace of its own."""
    given = os.environ.get("RECONCILER_TEST_KUBECONFIG", "")
    if not given:
        with fresh(request) as started:
            yield started
        return
    if not Path(given).is_file():
        pytest.fail(f"RECONCILER_TEST_KUBECONFIG: there is no file {given}")
    yield ControlPlane(Path(given), None)


@contextmanager
def fresh(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """An empty cluster of our own; it ends with the block, or with pytest."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "hack" / "cluster", "run", "--", "sh", "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    with process:
        # The first start ever builds for minutes, and tells on stderr how far it is.
        with _uncaptured(request):
            kubeconfig, audit_log = (process.stdout.readline().strip() for _ in range(2))
        if not audit_log:
            pytest.fail(
                f"no control plane: hack/cluster ended with {process.wait()}, see above.\n"
                "Run `hack/cluster build`, or set RECONCILER_TEST_KUBECONFIG to a cluster that"
                " tests may use."
            )
        yield ControlPlane(Path(kubeconfig), Path(audit_log))
        process.stdin.close()


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> Api:
    """The server, as cluster admin."""
    return Api.of(control_plane.kubeconfig)


@pytest.fixture
def audit(control_plane: ControlPlane) -> Audit:
    """The server's own account of who asked for what."""
    if control_plane.audit_log is None:
        pytest.fail("needs the audit log: run it without RECONCILER_TEST_KUBECONFIG")
    return Audit(control_plane.audit_log)


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace for one test, ready for pods; what is in it goes some time after the test."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    status, answer = api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    assert status == 201, answer
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    eventually(lambda: api.get(account)[0] == 200, f"no default service account in {name}")
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def crds(api: Api) -> Sequence[str]:
    """The names of our CRDs, applied from the chart and served."""
    names = [
        apply_crd(api, document)
        for file in sorted(CRDS.glob("*.yaml"))
        for document in YAML(typ="safe", pure=True).load_all(file.read_text())
    ]
    assert names, f"no CRDs in {CRDS}"
    return names


def apply_crd(api: Api, document: Mapping[str, Any]) -> str:
    """The CRD's name, once it is established and its objects can be asked for."""
    name: str = document["metadata"]["name"]
    status, answer = api.apply(
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", document
    )
    assert status in {200, 201}, answer
    served(api, document)
    return name


def served(api: Api, crd: Mapping[str, Any]) -> None:
    """Waits until the objects of a CRD can be asked for.

    To be done before a CRD is deleted, too: a kind that nobody has asked for yet is often not
    ready when the server lists what is to go with it, and then the server forgets the CRD until
    the next resync, five minutes later. (crd_finalizer.go of Kubernetes 1.37: the retry meets a
    stale copy and counts on an update, which is then taken for its own.)
    """
    spec = crd["spec"]
    for version in spec["versions"]:
        path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
        complaint = f"{crd['metadata']['name']} is not served"
        eventually(functools.partial(_answers, api, path), complaint)


def eventually(
    reached: Callable[[], bool], complaint: str = "did not happen", patience: float = _PATIENCE
) -> None:
    """Waits until it is so: a server does most things some time after it was asked."""
    give_up = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < give_up, complaint
        time.sleep(0.05)


def _answers(api: Api, path: str) -> bool:
    return api.get(path)[0] == 200


def _uncaptured(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    """Lets stderr through to the terminal for a while."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    return capture.global_and_fixture_disabled() if capture else nullcontext()


def _context(cluster: Mapping[str, str], user: Mapping[str, str]) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data", "")
    context = ssl.create_default_context(
        cafile=cluster.get("certificate-authority") or None,
        cadata=base64.b64decode(authority).decode() if authority else None,
    )
    if "client-certificate-data" in user:
        with tempfile.TemporaryDirectory() as folder:  # ssl takes client certificates as files only
            pair = Path(folder) / "pair.pem"
            pair.touch(mode=0o600)
            pair.write_bytes(
                base64.b64decode(user["client-certificate-data"])
                + b"\n"
                + base64.b64decode(user["client-key-data"])
            )
            context.load_cert_chain(pair)
    elif "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    return context


def _named(entries: Sequence[Mapping[str, Any]], name: str, key: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(entry[key] for entry in entries if entry["name"] == name)
    return found


def _parsed(body: bytes) -> Any:  # noqa: ANN401  # JSON is any of them
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
