"""Contract 9: which cluster, as whom; and never a credential in a message (I9)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.kube.config import access

TOKEN = "s3cr3t-t0k3n"  # noqa: S105  # what no message may hold


def kubeconfig(folder: Path, **changed: Any) -> str:  # noqa: ANN401  # any YAML
    """Two contexts of one cluster; JSON is YAML."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "two", "context": {"cluster": "c", "user": "u"}},
        ],
        **changed,
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return str(file)


def test_the_current_context_is_used(tmp_path: Path) -> None:
    """Its namespace is the default of -n."""
    found = access(kubeconfig(tmp_path))
    assert found.configuration.host == "https://127.0.0.1:6443"
    assert found.configuration.api_key == {"BearerToken": f"Bearer {TOKEN}"}
    assert found.namespace == "shop"
    assert not found.in_pod


def test_another_context_can_be_named(tmp_path: Path) -> None:
    """--context; one without a namespace says none."""
    assert access(kubeconfig(tmp_path), "two").namespace == ""


def test_the_access_never_writes_to_the_kubeconfig(tmp_path: Path) -> None:
    """It belongs to its user."""
    file = kubeconfig(tmp_path)
    before = Path(file).read_bytes()
    access(file)
    assert Path(file).read_bytes() == before


def test_a_token_in_a_file_is_read(tmp_path: Path) -> None:
    """Relative to the kubeconfig."""
    (tmp_path / "token").write_text(TOKEN)
    users = [{"name": "u", "user": {"tokenFile": "token"}}]
    found = access(kubeconfig(tmp_path, users=users))
    assert found.configuration.api_key == {"BearerToken": f"Bearer {TOKEN}"}


def test_a_credential_plugin_is_asked(tmp_path: Path) -> None:
    """As the client supports them."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": TOKEN},
    }
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "echo",
        "args": [json.dumps(answer)],
    }
    users = [{"name": "u", "user": {"exec": plugin}}]
    found = access(kubeconfig(tmp_path, users=users))
    assert found.configuration.api_key == {"BearerToken": f"Bearer {TOKEN}"}


def test_a_kubeconfig_that_is_not_there_is_told_with_the_remedy(tmp_path: Path) -> None:
    """Exit 2: wrong usage."""
    with pytest.raises(UsageError, match=r"no kubeconfig at .*--kubeconfig"):
        access(str(tmp_path / "none"))


def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    """Names are no secrets."""
    with pytest.raises(UsageError, match="no context 'three'; it has one, two"):
        access(kubeconfig(tmp_path), "three")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"current-context": None}, id="no-current-context"),
        pytest.param({"current-context": "three"}, id="a-current-context-that-is-not-there"),
        pytest.param({"clusters": []}, id="no-cluster"),
        pytest.param({"contexts": None}, id="no-contexts"),
        pytest.param({"users": [{"user": {"token": TOKEN}}]}, id="a-user-without-a-name"),
        pytest.param({"users": {"token": TOKEN}}, id="users-that-are-no-list"),
        pytest.param({"clusters": [{"name": "c", "cluster": {}}]}, id="no-server"),
        pytest.param(
            {
                "clusters": [
                    {
                        "name": "c",
                        "cluster": {"server": "https://a", "certificate-authority": "none.pem"},
                    }
                ]
            },
            id="an-authority-that-is-not-there",
        ),
    ],
)
def test_a_kubeconfig_that_is_wrong_is_told_without_what_is_in_it(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    """I9: the client's own messages repeat the user, token and all."""
    file = kubeconfig(tmp_path, **changed)
    with pytest.raises(UsageError) as raised:
        access(file)
    assert file in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_a_credential_plugin_that_gives_nothing_is_told(tmp_path: Path) -> None:
    """Else the API server would be asked by nobody, and would blame the roles."""
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}
    users = [{"name": "u", "user": {"exec": plugin}}]
    with pytest.raises(UsageError, match="credential plugin"):
        access(kubeconfig(tmp_path, users=users))


def test_a_user_without_credentials_is_taken_as_it_is(tmp_path: Path) -> None:
    """As of `kubectl proxy`."""
    assert access(kubeconfig(tmp_path, users=[{"name": "u", "user": {}}])).namespace == "shop"


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="on-a-laptop"),
        pytest.param(
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"},
            id="in-a-pod-without-a-token",
        ),
    ],
)
def test_where_there_is_neither_pod_nor_kubeconfig_both_remedies_are_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Contract 9: in a pod without --kubeconfig the service account is used."""
    program = "from reconciler.kube.config import access; access()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    (*_, last) = done.stderr.splitlines()
    assert "UsageError: no kubeconfig at ~/.kube/config: give --kubeconfig FILE" in last
    assert "service account token" in last


@pytest.mark.parametrize("text", ["", "- a", "a: [", "\0", "token: " + TOKEN])
def test_what_is_no_kubeconfig_is_told_the_same_way(tmp_path: Path, text: str) -> None:
    """YAML's messages repeat the line."""
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        access(str(file))
    assert TOKEN not in str(raised.value)
