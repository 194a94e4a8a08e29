"""The control plane under measure: its kubeconfig, its API, its etcd, and its account of requests.

Inside of `hack/cluster run`, which sets the variables that are read here.
"""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.measure import ROOT, Broken, Spent, spend
from bench.proxy import Proxy
from tests.controlplane import Api, Audit, apply_crd

OURS = "reconciler"  # user agents, as the audit log tells them
BARE = "bench-bare"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_AT_ONCE = 100  # puts a transaction; etcd takes 128


@dataclass(frozen=True)
class Etcd:
    """The store behind the server, by its JSON gateway."""

    address: str

    def values(self, prefix: str) -> dict[str, bytes]:
        """Key and value of all that begins so."""
        answer = self._ask("range", {"key": _coded(prefix), "range_end": _coded(_end(prefix))})
        return {
            base64.b64decode(each["key"]).decode(): base64.b64decode(each["value"])
            for each in answer.get("kvs", ())
        }

    def put(self, values: Sequence[tuple[str, bytes]]) -> None:
        for start in range(0, len(values), _AT_ONCE):
            puts = [
                {"requestPut": {"key": _coded(key), "value": base64.b64encode(value).decode()}}
                for key, value in values[start : start + _AT_ONCE]
            ]
            self._ask("txn", {"success": puts})

    def delete(self, prefix: str) -> None:
        self._ask("deleterange", {"key": _coded(prefix), "range_end": _coded(_end(prefix))})

    def _ask(self, what: str, body: object) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  # the address is of our own control plane
            f"{self.address}/v3/kv/{what}", data=json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310  # the same
            told: dict[str, Any] = json.load(answer)
            return told


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _end(prefix: str) -> str:
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


@dataclass(frozen=True)
class Place:
    """Everything a scenario needs of a control plane; `folder` is its own and goes with it."""

    kubeconfig: Path
    api: Api
    etcd: Etcd
    audit: Audit
    folder: Path

    @classmethod
    def here(cls, folder: Path) -> "Place":
        """The one that this process was started in, with our kinds."""
        given = Path(os.environ["KUBECONFIG"])
        state = given.parent / "state.json"
        if not state.is_file():
            raise Broken("the bench looks into etcd: run it with a control plane of hack/cluster")
        kubeconfig = folder / "kubeconfig"  # JSON: a bare script reads it without a YAML library
        kubeconfig.write_text(json.dumps(YAML(typ="safe", pure=True).load(given.read_text())))
        api = Api.of(given)
        text = (ROOT / "charts" / "reconciler" / "files" / "crds").glob("*.yaml")
        for file in sorted(text):
            for document in YAML(typ="safe", pure=True).load_all(file.read_text()):
                apply_crd(api, document)
        return cls(
            kubeconfig,
            api,
            Etcd(json.loads(state.read_text())["etcd"]),
            Audit(Path(os.environ["RECONCILER_AUDIT_LOG"])),
            folder,
        )

    @property
    def version(self) -> str:
        """Of Kubernetes."""
        told: str = self.api.get("/version")[1]["gitVersion"]
        return told

    def namespace(self, name: str) -> str:
        code, answer = self.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        if code not in (201, 409):
            raise Broken(f"namespace {name}: {answer}")
        return name

    def spend(self, command: Sequence[str | Path]) -> Spent:
        return spend(command, {"KUBECONFIG": str(self.kubeconfig)})

    def run(self, *flags: str) -> Spent:
        """`reconciler run`, the whole process."""
        return self.spend([sys.executable, "-m", "reconciler", "run", *flags])

    def body(self, *flags: str) -> Spent:
        """The same run, which tells its body."""
        return self.spend([sys.executable, "-m", "bench.peers.ours", *flags])

    def bare(self, what: str, namespace: str) -> Spent:
        script = ROOT / "bench" / "peers" / "bare.py"
        return self.spend([sys.executable, script, what, namespace])

    @contextmanager
    def counted(self) -> Iterator["Counted"]:
        """What the server was asked within the block, and how many bytes went over the wire."""
        loaded = json.loads(self.kubeconfig.read_text())
        cluster = loaded["clusters"][0]["cluster"]
        with Proxy.before(cluster["server"]) as proxy:
            cluster["server"] = proxy.address
            through = self.folder / "kubeconfig-counted"
            through.write_text(json.dumps(loaded))
            counted = Counted(replace(self, kubeconfig=through), self.audit.mark(), proxy)
            yield counted


@dataclass(frozen=True)
class Counted:
    """A place whose traffic is counted."""

    place: Place
    mark: int
    proxy: Proxy

    def calls(self, agent: str) -> Mapping[str, int]:
        """`verb resource[/subresource]` and how often, by one user agent."""
        return calls(self.place.audit, self.mark, agent)


def calls(audit: Audit, since: int, agent: str) -> Counter[str]:
    """`verb resource[/subresource]` and how often a user agent that begins so asked it."""
    found: Counter[str] = Counter()
    for entry in audit.entries(since):
        if entry.get("userAgent", "").startswith(agent):
            about = entry.get("objectRef", {})
            parts = [about[key] for key in ("resource", "subresource") if key in about]
            found[f"{entry['verb']} {'/'.join(parts)}"] += 1
    return found


def writes(counts: Mapping[str, int]) -> dict[str, int]:
    """Those that write, without the Lease."""
    return {
        what: count
        for what, count in counts.items()
        if what.split()[0] in WRITES and not what.endswith(" leases")
    }


def reconcile(place: Place, *flags: str) -> None:
    """One untimed run."""
    command = [sys.executable, "-m", "reconciler", "run", *flags]
    done = subprocess.run(
        command,
        env=os.environ | {"KUBECONFIG": str(place.kubeconfig), "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Broken(f"reconciler run ended with {done.returncode}:\n{done.stderr[-2000:]}")
