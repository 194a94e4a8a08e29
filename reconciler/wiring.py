"""Settings -> World, out of the real adapters: the one place that knows them all (contract 9).

What the adapters hold as credentials is told to the redaction before anything is sent.
"""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kubernetes.client.configuration import Configuration

from reconciler import settings
from reconciler.checks.ground import Ground
from reconciler.git.command import Limits
from reconciler.git.environment import DEFAULT_USERNAME
from reconciler.git.programs import program
from reconciler.git.remote import Credentials, Remote
from reconciler.git.repository import GitSource
from reconciler.git.signatures import Trust
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.config import access
from reconciler.kube.inquiry import KubeInquiry
from reconciler.kube.transport import ApiTransport
from reconciler.logs import Redactor
from reconciler.pushgateway import PushGateway
from reconciler.seams import Clock, Deadline, Source, World
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class Process:
    """What a World is built in: the clock, the time the run has, its name, what it must hide."""

    clock: Clock
    deadline: Deadline
    identity: str
    redact: Redactor


def real_world(values: Namespace, process: Process) -> tuple[World, Settings]:
    """Everything real, and the settings, which only the kubeconfig completes. Sends nothing.

    Raises:
        UsageError: no kubeconfig, no context of that name, no namespace for the state, or a
            source that no git could read.
    """
    calls, told, _ = _connected(values, process)
    world = World(
        cluster=KubeCluster(calls, state_namespace=told.state_namespace, identity=process.identity),
        clock=process.clock,
        deadline=process.deadline,
        source=_source(told, process.deadline),
        gateway=PushGateway(told.pushgateway_url) if told.pushgateway_url else None,
        identity=process.identity,
    )
    return world, told


def real_ground(values: Namespace, process: Process) -> Ground:
    """What the checks of such a run stand on. Raises and sends as above."""
    calls, told, host = _connected(values, process)
    return Ground(
        settings=told,
        cluster=KubeCluster(calls, state_namespace=told.state_namespace, identity=process.identity),
        server=KubeInquiry(calls, host),
        clock=process.clock,
        deadline=process.deadline,
        program=program,
        source=_source(told, process.deadline),
        gateway=PushGateway(told.pushgateway_url) if told.pushgateway_url else None,
    )


def _connected(values: Namespace, process: Process) -> tuple[Calls, Settings, str]:
    """The calls to the cluster, the settings, and the server's address."""
    home = access(values.kubeconfig and str(values.kubeconfig), values.context)
    told = settings.settle(values, home)
    process.redact.add(*_secrets_of(told), *_credentials_of(home.configuration))
    transport = ApiTransport(home.configuration)
    calls = Calls(transport, process.clock, process.deadline, timeout=told.request_timeout)
    return calls, told, str(home.configuration.host)


def _source(told: Settings, deadline: Deadline) -> Source | None:
    if told.source_url is None:
        return None
    credentials = Credentials(
        username_file=told.git_username_file,
        token_file=told.git_token_file,
        ca_file=told.git_ca_file,
        ssh_key=told.git_ssh_key,
        known_hosts=told.git_known_hosts,
    )
    remote = Remote(told.source_url, told.source_ref, told.source_paths, credentials)
    trust = None
    if told.allowed_signers or told.gpg_keyring:
        trust = Trust(told.allowed_signers, told.gpg_keyring)
    limits = Limits(
        file_bytes=told.source_max_file_size,
        files=told.source_max_files,
        total_bytes=told.source_max_size,
        fetched_bytes=told.source_max_fetch,
    )
    return GitSource(remote, deadline, limits, trust)


def _secrets_of(told: Settings) -> Iterator[str]:
    """Of the source and the Pushgateway, in the forms that a message could hold them in."""
    token = _content(told.git_token_file)
    username = _content(told.git_username_file) or DEFAULT_USERNAME
    yield from (token, f"{username}:{token}" if token else "")  # as basic authentication sends it
    for url in (told.source_url, told.pushgateway_url):
        parts = urlsplit(url or "")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        yield from (password, parts.password or "", f"{user}:{password}" if password else "")


def _credentials_of(configuration: Configuration) -> Iterator[str]:
    """Of the cluster: not every bearer token looks like one."""
    yield str(configuration.password or "")
    for key in (configuration.api_key or {}).values():
        yield str(key).removeprefix("Bearer ")


def _content(path: Path | None) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip() if path else ""
