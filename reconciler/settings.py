"""Flags and environment -> one frozen `Settings` (contract 9); nobody else reads the environment.

Flags win over `RECONCILER_<FLAG>`. A value that cannot be meant is a UsageError that names the flag
and says what is allowed. What this version cannot do is refused, never silently ignored.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything `reconciler run` can be told, checked; times are seconds.

    `namespace` None means all of them. `lease_name` None means without a Lease. `source_url` None
    means without a source: stages 2 and 3 are skipped.
    """

    source_url: str | None = None
    source_ref: str = "main"
    source_paths: tuple[str, ...] = ()
    source_name: str = "default"
    source_moved: bool = False

    git_ssh_key: Path | None = None
    git_known_hosts: Path | None = None
    git_username_file: Path | None = None
    git_token_file: Path | None = None
    git_ca_file: Path | None = None

    first_run: Literal["run"] = "run"

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = "default"
    state_namespace: str = "default"
    selector: str = ""
    request_timeout: float = 30.0

    max_concurrent_steps: int = 5
    deadline: float = 50.0
    interval: float = 0.0
    lease_name: str | None = "reconciler-default"
    strict: bool = False
    dry_run: bool = False

    pushgateway_url: str | None = None
    pushgateway_job: str = "reconciler"

    log_format: Literal["text", "json"] = "text"
    verbosity: int = 0
