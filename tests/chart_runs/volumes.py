"""The files of a pod, as a kubelet lays them down: contents, modes, and to whom they belong."""

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chart_runs.bubblewrap import Mount, Scratch
from tests.chart_runs.fields import Pod, field, known
from tests.controlplane import Api

_MODE = 0o644  # where nobody says
_OWNERS = 0o600  # a token's, where the pod says who it runs as
_GROUPS = 0o440  # what the pod's group may do with what nobody writes to
_SIZES = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "": 1}


@dataclass(frozen=True)
class File:
    """One file of a volume."""

    path: str
    content: bytes
    mode: int


@dataclass(frozen=True)
class Volumes:
    """Those of one pod, laid down under a folder."""

    api: Api
    pod: Pod
    folder: Path

    def mount(self, asked: Pod) -> Mount | Scratch:
        """What is to be seen at a mountPath."""
        known(asked, "name mountPath readOnly subPath recursiveReadOnly")
        (volume,) = [each for each in self.pod["spec"]["volumes"] if each["name"] == asked["name"]]
        if "emptyDir" in volume:
            return self._scratch(volume["emptyDir"], asked)
        home = self.folder / "volumes" / volume["name"]
        if not home.exists():
            self._lay(home, list(self._files(volume)))
        return Mount(home / asked.get("subPath", ""), asked["mountPath"].rstrip("/"))

    def _scratch(self, said: Pod, asked: Pod) -> Scratch:
        known(said, "sizeLimit medium")
        mounts = self.pod["spec"]["containers"][0]["volumeMounts"]
        if [each["name"] for each in mounts].count(asked["name"]) > 1 or "subPath" in asked:
            raise AssertionError(f"{asked['name']}: an emptyDir at two places: not played here")
        return Scratch(asked["mountPath"].rstrip("/"), _bytes(str(said.get("sizeLimit", "0"))))

    # --- contents ---------------------------------------------------------------------------

    def _files(self, volume: Pod) -> Iterator[File]:
        ((kind, said),) = [(key, volume[key]) for key in volume if key != "name"]
        if kind == "projected":
            for source in known(said, "sources defaultMode")["sources"]:
                ((part, more),) = source.items()
                yield from self._part(part, more, said.get("defaultMode", _MODE))
        elif kind in ("secret", "configMap"):
            known(said, "secretName name items optional defaultMode")
            yield from self._part(kind, said, said.get("defaultMode", _MODE))
        else:
            raise AssertionError(f"a volume of {kind} cannot be played here")

    def _part(self, kind: str, said: Pod, mode: int) -> Iterator[File]:
        match kind:
            case "secret" | "configMap":
                data = self.data(self.api, self.pod, kind, said)
                yield from _chosen(data, said, mode)
            case "downwardAPI":
                for item in said["items"]:
                    text = field(self.pod, item["fieldRef"]["fieldPath"])
                    yield File(item["path"], text.encode(), item.get("mode", mode))
            case "serviceAccountToken":
                security = self.pod["spec"].get("securityContext", {})
                stated = "runAsUser" in security or "fsGroup" in security
                yield File(said["path"], self._token(said).encode(), _OWNERS if stated else mode)
            case _:
                raise AssertionError(f"a volume of {kind} cannot be played here")

    @staticmethod
    def data(api: Api, pod: Pod, kind: str, reference: Pod) -> Mapping[str, bytes]:
        """Of a Secret or ConfigMap of the pod's namespace; none where it may be missing."""
        name = reference.get("secretName") or reference["name"]
        inside = f"/api/v1/namespaces/{pod['metadata']['namespace']}"
        code, found = api.get(f"{inside}/{kind.lower()}s/{name}")
        if code == 404 and reference.get("optional"):
            return {}
        assert code == 200, f"{kind} {name} of the pod: {found}"
        encoded = found.get("data", {}) if kind == "secret" else found.get("binaryData", {})
        plain = {} if kind == "secret" else found.get("data", {})
        return {key: text.encode() for key, text in plain.items()} | {
            key: base64.b64decode(text) for key, text in encoded.items()
        }

    def _token(self, said: Pod) -> str:
        """A token of the pod's account, for this pod alone, as the kubelet asks for one."""
        about = self.pod["metadata"]
        account = self.pod["spec"]["serviceAccountName"]
        bound = {"kind": "Pod", "apiVersion": "v1", "name": about["name"], "uid": about["uid"]}
        spec: dict[str, Any] = {
            "boundObjectRef": bound,
            "expirationSeconds": said["expirationSeconds"],
        }
        if "audience" in said:
            spec["audiences"] = [said["audience"]]
        path = f"/api/v1/namespaces/{about['namespace']}/serviceaccounts/{account}/token"
        code, answer = self.api.post(path, {"spec": spec})
        assert code == 201, answer
        return str(answer["status"]["token"])

    # --- on disk ----------------------------------------------------------------------------

    def _lay(self, home: Path, files: list[File]) -> None:
        home.mkdir(parents=True)
        for parent in (home.parent, home):
            parent.chmod(0o755)
        for file in files:
            at = home / file.path
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_bytes(file.content)
            self._give(at, file.mode)

    def _give(self, file: Path, mode: int) -> None:
        """To root, and to the pod's group; a token to the pod's user.

        Whoever is not root can give nothing away: then all belongs to the one user of the box.
        """
        security = self.pod["spec"].get("securityContext", {})
        group = security.get("fsGroup")
        if os.geteuid() != 0:
            file.chmod(mode & 0o700 | 0o400)
            return
        os.chown(file, security.get("runAsUser", 0) if mode == _OWNERS else 0, group or 0)
        file.chmod(mode | (_GROUPS if group is not None else 0))


def _chosen(data: Mapping[str, bytes], said: Pod, mode: int) -> Iterator[File]:
    """All keys, or the named ones under the names they are to have."""
    if "items" not in said:
        yield from (File(key, content, mode) for key, content in data.items())
    for item in said.get("items", ()) if data else ():
        assert item["key"] in data, f"no key {item['key']} for the pod's volume: {said}"
        yield File(item["path"], data[item["key"]], item.get("mode", mode))


def _bytes(size: str) -> int:
    number = size.rstrip("KMGi")
    return int(number) * _SIZES[size.removeprefix(number)]
