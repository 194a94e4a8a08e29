"""Flags and environment -> one frozen `Settings` (contract 9); nobody else reads the environment.

A value that cannot be meant is a UsageError that names the flag and says what is allowed. What this
version cannot do is refused, never silently ignored.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from reconciler import commandline
from reconciler.core.shards import Shard
from reconciler.errors import UsageError
from reconciler.flags import RUN

_ANY = ("https", "ssh", "file", "http")
_BELONGS_TO: Mapping[str, tuple[str, ...]] = {
    "source_path": _ANY,
    "source_moved": _ANY,
    "adopt": _ANY,
    "cluster": _ANY,
    "prune": _ANY,
    "git_ssh_key": ("ssh",),
    "git_known_hosts": ("ssh",),
    "git_username_file": ("https", "http"),
    "git_token_file": ("https", "http"),
    "git_ca_file": ("https",),
    "allowed_signers": _ANY,
    "gpg_keyring": _ANY,
}
_ALONE = Shard()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything `reconciler run` can be told, checked; times are seconds.

    `namespace` None means all of them. `lease_name` None means without a Lease. `source_url` None
    means without a source: stages 2 and 3 are skipped. `max_active_steps` None means as many as
    each workflow may have.
    """

    source_url: str | None = None
    source_ref: str = "main"
    source_paths: tuple[str, ...] = ()
    source_max_files: int = 1_000
    source_max_file_size: int = 256 << 10
    source_max_size: int = 8 << 20
    source_max_fetch: int = 256 << 20
    source_name: str = "default"
    source_moved: bool = False

    git_ssh_key: Path | None = None
    git_known_hosts: Path | None = None
    git_username_file: Path | None = None
    git_token_file: Path | None = None
    git_ca_file: Path | None = None
    allowed_signers: Path | None = None  # with one of these two the commit must be signed
    gpg_keyring: Path | None = None

    first_run: Literal["run", "record"] = "run"
    adopt: bool = False
    cluster: str = ""
    prune: bool = False

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = "default"
    state_namespace: str = "default"
    selector: str = ""
    request_timeout: float = 30.0

    max_concurrent_steps: int = 5
    max_active_steps: int | None = None
    shard: Shard = _ALONE
    deadline: float = 50.0
    interval: float = 0.0
    lease_name: str | None = "reconciler-default"
    strict: bool = False
    dry_run: bool = False

    pushgateway_url: str | None = None
    pushgateway_job: str = "reconciler"

    log_format: Literal["text", "json"] = "text"
    verbosity: int = 0


class Home(Protocol):
    """Where the cluster's credentials come from, and the namespace they name, empty for none."""

    @property
    def namespace(self) -> str: ...

    @property
    def in_pod(self) -> bool: ...


def parse(
    argv: Sequence[str],
    environment: Mapping[str, str] = os.environ,
    command: commandline.Command = RUN,
) -> argparse.Namespace:
    """Every flag of a run with its value, each by itself and all together possible.

    `command` is one that takes the flags of a run, and maybe more.

    Raises:
        UsageError: what is wrong, where, and what is allowed.
    """
    values = commandline.given(command, argv, environment)
    _check_source(values)
    return values


def settle(values: argparse.Namespace, home: Home) -> Settings:
    """The settings of one run: flags, and for the namespaces that were not named, its home.

    Raises:
        UsageError: nothing says where the state of the run lives.
    """
    namespace = None if values.all_namespaces else values.namespace or home.namespace or "default"
    return Settings(
        source_url=values.source_url,
        source_ref=values.source_ref,
        source_paths=tuple(dict.fromkeys(path for path in values.source_path if path)),
        source_max_files=values.source_max_files,
        source_max_file_size=values.source_max_file_size,
        source_max_size=values.source_max_size,
        source_max_fetch=values.source_max_fetch,
        source_name=values.source_name,
        source_moved=values.source_moved,
        first_run=values.first_run,
        adopt=values.adopt,
        cluster=values.cluster,
        prune=values.prune and not values.no_prune,
        git_ssh_key=values.git_ssh_key,
        git_known_hosts=values.git_known_hosts,
        git_username_file=values.git_username_file,
        git_token_file=values.git_token_file,
        git_ca_file=values.git_ca_file,
        allowed_signers=values.allowed_signers,
        gpg_keyring=values.gpg_keyring,
        kubeconfig=values.kubeconfig,
        context=values.context,
        namespace=namespace,
        state_namespace=_state_namespace(values, home, namespace),
        selector=values.selector,
        request_timeout=values.request_timeout,
        max_concurrent_steps=values.max_concurrent_steps,
        max_active_steps=values.max_active_steps or None,
        shard=values.shard,
        deadline=values.deadline,
        interval=values.interval,
        lease_name=_lease_name(values),
        strict=values.strict,
        dry_run=values.dry_run,
        pushgateway_url=None if values.dry_run else values.pushgateway_url,
        pushgateway_job=values.pushgateway_job,
        log_format=values.log_format,
        verbosity=values.verbose,
    )


def _lease_name(values: argparse.Namespace) -> str | None:
    if values.no_lease or values.dry_run:
        return None
    name = str(values.lease_name or f"reconciler-{values.source_name}")
    # One each; no name of a source holds a dot, so no other run has a Lease of this name.
    return name if values.shard.alone else f"{name}.{values.shard.index}"


def _state_namespace(values: argparse.Namespace, home: Home, namespace: str | None) -> str:
    """Where Lease, head and pause live: named, else the pod's own, else the run's."""
    own = home.namespace if home.in_pod else ""
    state = values.state_namespace or own or namespace
    if state is None:
        raise UsageError(
            "--all-namespaces outside a pod needs --state-namespace: "
            "the namespace that holds the Lease and the head of the source"
        )
    return str(state)


def _check_source(values: argparse.Namespace) -> None:
    """Source flags belong to a source, credentials to an URL that takes them."""
    scheme = (values.source_url or "").partition(":")[0]
    for field, schemes in _BELONGS_TO.items():
        option = f"--{field.replace('_', '-')}"
        if not getattr(values, field):
            continue
        if not scheme:
            raise UsageError(f"{option} needs --source-url: without one no source is read")
        if scheme not in schemes:
            told = " or ".join(f"{each}://" for each in schemes)
            raise UsageError(f"{option} needs a --source-url that begins with {told}")
    if bool(values.git_ssh_key) != bool(values.git_known_hosts):
        raise UsageError(
            "--git-ssh-key and --git-known-hosts belong together: an unknown host is never trusted"
        )
    if values.git_username_file and not values.git_token_file:
        raise UsageError("--git-username-file needs --git-token-file")
    _check_signatures(values)


def _check_signatures(values: argparse.Namespace) -> None:
    """Who may sign, and that somebody must: neither is meant without the other."""
    given = bool(values.allowed_signers or values.gpg_keyring)
    if values.verify == "commit" and not values.source_url:
        raise UsageError("--verify commit needs --source-url: without one no source is read")
    if values.verify == "commit" and not given:
        raise UsageError(
            "--verify commit needs --allowed-signers (ssh) or --gpg-keyring (gpg): who may sign"
        )
    if values.verify == "off" and given:
        raise UsageError(
            "--allowed-signers and --gpg-keyring need --verify commit: without it no signature "
            "is looked at"
        )
