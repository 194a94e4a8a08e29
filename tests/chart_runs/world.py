"""What stands around a release: a git server, a Pushgateway, and what the values name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.apiserver.objects import Body
from tests.apiserver.pushgateways import scraped
from tests.apiserver.runs import Shop
from tests.chart_runs.releases import Releases
from tests.controlplane import Api
from tests.gitservers import Authority, HttpServer, Repository, SshServer

LOGIN = ("robot", "t0ken")


@dataclass(frozen=True)
class World:
    """One namespace; `releases` makes the release of a Helm, of which nothing is installed yet."""

    api: Api
    namespace: str
    releases: Releases
    https: HttpServer
    authority: Authority
    pushgateway: str

    @property
    def shop(self) -> Shop:
        """The objects of the namespace, and who ends the children."""
        return Shop(self.api, self.namespace, Path())

    def workflow(self) -> Body:
        """The one that there is."""
        (workflow,) = self.shop.listed(self.shop.workflows)
        return workflow

    def gauge(self, name: str, shard: str = "0-1", **labels: str) -> float:
        """What a scrape sees of the release's runs."""
        grouping = {
            "job": "reconciler",
            "namespace": self.namespace,
            "source": "reconciler",
            "shard": shard,
        }
        seen = scraped(self.pushgateway, grouping)
        return seen[f"reconciler_{name}", frozenset(labels.items())]

    # --- values, and what they name ---------------------------------------------------------

    def by_https(self) -> Body:
        """Values for a repository behind a login and a certificate of its own authority."""
        self.https.login = ":".join(LOGIN)
        login = dict(zip(("username", "password"), LOGIN, strict=True))
        trusted = {"ca.crt": self.authority.file.read_text()}
        return {
            "suspend": True,
            "source": {"url": self.https.url},
            "git": {
                "https": {"secretName": self.given("secrets", "git-login", login)},
                "ca": {"configMapName": self.given("configmaps", "git-ca", trusted)},
            },
            "pushgateway": {"url": self.pushgateway},
        }

    def by_ssh(self, server: SshServer, repository: Repository) -> Body:
        """Values for a repository behind a key, at a host that is known."""
        key = {"ssh-privatekey": server.key.read_text()}
        hosts = {"known_hosts": server.known_hosts.read_text()}
        return {
            "suspend": True,
            "source": {"url": server.url(repository), "firstRun": "run"},
            "git": {
                "ssh": {"secretName": self.given("secrets", "git-key", key)},
                "knownHosts": {"configMapName": self.given("configmaps", "git-hosts", hosts)},
            },
        }

    def given(self, kind: str, name: str, data: Mapping[str, str]) -> str:
        """A Secret or ConfigMap, made by whoever installs the chart; its name."""
        field = "stringData" if kind == "secrets" else "data"
        body = {"metadata": {"name": name}, field: data}
        code, answer = self.api.post(f"/api/v1/namespaces/{self.namespace}/{kind}", body)
        assert code == 201, answer
        return name
