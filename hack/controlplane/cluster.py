"""Starts one control plane in one directory: etcd, Kubernetes, and KWOK with two nodes.

Everything listens on loopback alone, on ports chosen anew. The order below is the order of the
start; what can run at the same time does. It returns when pods can be scheduled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hack.controlplane import credentials, daemons
from hack.controlplane.api import Api
from hack.controlplane.binaries import Binaries
from hack.controlplane.credentials import Credentials
from hack.controlplane.daemons import Daemon
from hack.controlplane.manifests import apply, manifests
from hack.controlplane.places import MANIFESTS
from hack.controlplane.trouble import Trouble

_APISERVER = "kube-apiserver"
_POLL = 0.05  # seconds
_PATIENCE = 90.0  # seconds; a start takes 5, on a machine that is busy building much longer
_STAGES = "/apis/kwok.x-k8s.io/v1alpha1/stages"


@dataclass
class Cluster:
    """The files and daemons of one control plane; `pause` waits, and raises when it must end."""

    directory: Path
    binaries: Binaries
    pause: Callable[[float, Sequence[Daemon]], None]
    daemons: list[Daemon] = field(default_factory=list)
    etcd: str = ""  # its address, once it is started
    ready: Callable[[], bool] = lambda: False  # whether the server is, once started

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.directory / "audit.log"

    @property
    def certificates(self) -> Path:
        return self.directory / "certificates"

    @property
    def ca(self) -> Path:
        """The certificate of the authority, once kube-apiserver has made it."""
        return self.directory / "authority.crt"

    def start(self, told: Callable[[str], None]) -> str:
        """The server's address, once everything is up."""
        etcd, peer, secure, kwok = daemons.free_ports(4)
        self.etcd = f"http://127.0.0.1:{etcd}"
        server = f"https://127.0.0.1:{secure}"
        secrets = credentials.create(self.directory)
        api = Api(server, secrets.tokens[credentials.ADMIN], self.ca)
        told("etcd and kube-apiserver")
        self._daemon("etcd", self._etcd(peer))
        self._daemon(_APISERVER, self._apiserver(secure, secrets))
        self._until(self._authority, "kube-apiserver made no certificate")
        self.ready = lambda: api.answers("/readyz")
        self._until(self.ready, "kube-apiserver did not become ready")
        told("controllers, scheduler and nodes")
        for name, user in (
            ("kube-controller-manager", credentials.CONTROLLER_MANAGER),
            ("kube-scheduler", credentials.SCHEDULER),
        ):
            self._daemon(name, self._controller(name, self._login(user, server, secrets), secrets))
        self._nodes(api, self._login(credentials.KWOK_USER, server, secrets), kwok)
        self._until(lambda: _usable(api), "nodes and service accounts did not become ready")
        credentials.kubeconfig(self.kubeconfig, server, self.ca, credentials.ADMIN, api.token)
        return server

    def restart_apiserver(self) -> None:
        """Killed and started again, on the same port over the same etcd; ready when it returns."""
        (at,) = [at for at, each in enumerate(self.daemons) if each.name == _APISERVER]
        old = self.daemons[at]
        daemons.end([old])
        self.daemons[at] = daemons.start(_APISERVER, old.command, old.log)
        self._until(self.ready, f"{_APISERVER} did not become ready again")

    def _authority(self) -> bool:
        """Splits the authority, which comes last, from the server's own certificate."""
        made = self.certificates / "apiserver.crt"
        end = "-----END CERTIFICATE-----\n"
        blocks = made.read_text().split(end)[:-1] if made.exists() else []
        if len(blocks) > 1:
            self.ca.write_text(blocks[-1] + end)
        return len(blocks) > 1

    def _nodes(self, api: Api, login: Path, port: int) -> None:
        """KWOK's own kind, its stages, the nodes, and KWOK, which must find all of them."""
        for manifest in manifests(MANIFESTS / "stage-crd.yaml"):
            apply(api, manifest)
        self._until(lambda: api.answers(_STAGES), "the Stage kind was not established")
        files = ("node-stages.yaml", "pod-stages.yaml", "nodes.yaml")
        for manifest in manifests(*(MANIFESTS / file for file in files)):
            apply(api, manifest)
        self._daemon("kwok", self._kwok(login, port))

    def _daemon(self, name: str, flags: Mapping[str, str | Path]) -> None:
        command = [
            str(self.binaries[name]),
            *(f"--{flag}={value}" for flag, value in flags.items()),
        ]
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        self.daemons.append(daemons.start(name, command, logs / f"{name}.log"))

    def _until(self, reached: Callable[[], bool], complaint: str) -> None:
        waited = 0.0
        while not reached():
            if waited > _PATIENCE:
                tails = "\n".join(
                    f"--- {daemon.log.name}\n{daemon.tail}" for daemon in self.daemons
                )
                raise Trouble(
                    f"{complaint} within {_PATIENCE:.0f} s; the ends of the logs:\n{tails}"
                )
            self.pause(_POLL, self.daemons)
            waited += _POLL

    def _login(self, user: str, server: str, secrets: Credentials) -> Path:
        file = self.directory / f"{user.removeprefix('system:')}.kubeconfig"
        return credentials.kubeconfig(file, server, self.ca, user, secrets.tokens[user])

    def _etcd(self, peer: int) -> Mapping[str, str | Path]:
        return {
            "data-dir": self.directory / "etcd",
            "unsafe-no-fsync": "true",  # nobody needs this data after a power cut
            "log-level": "warn",
            "listen-client-urls": self.etcd,
            "advertise-client-urls": self.etcd,
            "listen-peer-urls": f"http://127.0.0.1:{peer}",
            "initial-advertise-peer-urls": f"http://127.0.0.1:{peer}",
            "initial-cluster": f"default=http://127.0.0.1:{peer}",
        }

    def _apiserver(self, port: int, secrets: Credentials) -> Mapping[str, str | Path]:
        return {
            "etcd-servers": self.etcd,
            "bind-address": "127.0.0.1",
            "secure-port": str(port),
            # Loopback may not be advertised; a documentation address needs no network to be found.
            "advertise-address": "192.0.2.1",
            "endpoint-reconciler-type": "none",
            "cert-dir": self.certificates,
            "authorization-mode": "RBAC",
            "token-auth-file": secrets.token_file,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": secrets.signing_key,
            "service-account-signing-key-file": secrets.signing_key,
            "service-cluster-ip-range": "10.0.0.0/24",
            "audit-policy-file": MANIFESTS / "audit-policy.yaml",
            "audit-log-path": self.audit_log,
            "audit-log-mode": "blocking",  # complete when a call has returned
            "audit-log-maxsize": "4000",  # megabytes; rotation would lose the beginning
        }

    def _controller(self, name: str, login: Path, secrets: Credentials) -> Mapping[str, str | Path]:
        flags: dict[str, str | Path] = {
            "kubeconfig": login,
            "authentication-kubeconfig": login,
            "authorization-kubeconfig": login,
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "secure-port": "0",  # nobody asks it anything
            "kube-api-qps": "500",  # at the default, 20, its own start takes 5 seconds
            "kube-api-burst": "1000",
        }
        if name == "kube-controller-manager":
            flags |= {
                "controllers": "*",
                "use-service-account-credentials": "true",
                "service-account-private-key-file": secrets.signing_key,
                "root-ca-file": self.ca,
            }
        return flags

    def _kwok(self, login: Path, port: int) -> Mapping[str, str | Path]:
        return {
            "kubeconfig": login,
            "manage-all-nodes": "true",
            "enable-crds": "Stage",
            "server-address": f"127.0.0.1:{port}",
        }


def _usable(api: Api) -> bool:
    """Pods can be made in the default namespace, and run on every node."""
    if not api.answers("/api/v1/namespaces/default/serviceaccounts/default"):
        return False
    nodes = api.get("/api/v1/nodes")[1]["items"]
    return all(_ready(node) and not node["spec"].get("taints") for node in nodes)


def _ready(node: Mapping[str, Mapping[str, list[Mapping[str, str]]]]) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
