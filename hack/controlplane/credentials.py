"""Who may speak to a control plane: users with random tokens, and the service accounts' key.

All of it is made anew for each control plane, lies in its directory, readable by its user alone,
and is worth nothing once that directory is gone.
"""

import base64
import secrets
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
KWOK_USER = "kwok"

# The roles of the two system users come with Kubernetes; they prove that RBAC is on.
_GROUPS = {ADMIN: "system:masters", KWOK_USER: "system:masters"}

# The order of the curve P-256: a private key is any number from 1 to below it.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# RFC 5915: SEQUENCE {INTEGER 1, OCTET STRING of 32 bytes, [0] {OBJECT IDENTIFIER prime256v1}}.
_KEY_HEAD = bytes.fromhex("303102010104 20".replace(" ", ""))
_KEY_TAIL = bytes.fromhex("a00a06082a8648ce3d030107")


@dataclass(frozen=True)
class Credentials:
    """The files that kube-apiserver reads, and each user's token."""

    signing_key: Path
    token_file: Path
    tokens: Mapping[str, str]


def create(folder: Path) -> Credentials:
    """Fresh credentials in this folder."""
    users = (ADMIN, CONTROLLER_MANAGER, SCHEDULER, KWOK_USER)
    tokens = {user: secrets.token_urlsafe(24) for user in users}
    rows = [f'{tokens[user]},{user},{user},"{_GROUPS.get(user, "")}"\n' for user in users]
    return Credentials(
        signing_key=_private(folder / "service-accounts.key", signing_key()),
        token_file=_private(folder / "tokens.csv", "".join(rows)),
        tokens=tokens,
    )


def signing_key() -> str:
    """A fresh ECDSA key in PEM; Go works out its public half, so no cryptography is needed."""
    number = secrets.randbelow(_ORDER - 1) + 1
    encoded = base64.b64encode(_KEY_HEAD + number.to_bytes(32, "big") + _KEY_TAIL).decode()
    lines = "\n".join(textwrap.wrap(encoded, 64))
    return f"-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n"


def kubeconfig(path: Path, server: str, ca: Path, user: str, token: str) -> Path:
    """A kubeconfig with the certificate inside, so that the file can be copied."""
    authority = base64.b64encode(ca.read_bytes()).decode()
    return _private(
        path,
        textwrap.dedent(f"""\
            apiVersion: v1
            kind: Config
            current-context: reconciler
            clusters:
              - name: reconciler
                cluster:
                  server: {server}
                  certificate-authority-data: {authority}
            users:
              - name: {user}
                user:
                  token: {token}
            contexts:
              - name: reconciler
                context:
                  cluster: reconciler
                  user: {user}
                  namespace: default
            """),
    )


def _private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path
