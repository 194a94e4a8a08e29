"""Flags and files -> a World of real adapters, which sends nothing yet and hides what it holds."""

import base64
import json
from pathlib import Path

import pytest

from reconciler.errors import SourceError, UsageError
from reconciler.logs import HIDDEN, Redactor
from reconciler.pushgateway import PushGateway
from reconciler.seams import Deadline, World
from reconciler.settings import Settings, parse
from reconciler.wiring import Process, real_ground, real_world
from tests.fakes.clock import FrozenClock
from tests.gitservers import new_repository

TOKEN = "canary-of-the-forge"  # noqa: S105  # canaries, all of them
BEARER = "canary-of-the-cluster"
PASSWORD = "canary/of the gateway"  # noqa: S105


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A kubeconfig and a token, as files."""
    (tmp_path / "kubeconfig").write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": BEARER}}],
                "contexts": [
                    {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}
                ],
                "current-context": "c",
            }
        )
    )
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return tmp_path


def built(folder: Path, *flags: str) -> tuple[World, Settings, Redactor]:
    clock, redact = FrozenClock(), Redactor()
    process = Process(clock, Deadline(clock, 50.0), "here", redact)
    values = parse(["--kubeconfig", str(folder / "kubeconfig"), *flags], {})
    return *real_world(values, process), redact


def test_a_world_has_what_the_flags_ask_for(folder: Path) -> None:
    """Contract 9: no URL, no source; no Pushgateway, no push."""
    world, settings, _ = built(folder)
    assert (world.source, world.gateway, world.identity) == (None, None, "here")
    assert settings.namespace == "shop"
    gateway = "http://pushgateway:9091"
    world, _, _ = built(folder, "--source-url", "file:///shop.git", "--pushgateway-url", gateway)
    assert world.source is not None
    assert world.gateway == PushGateway(gateway)


def test_building_it_asks_nobody_anything(folder: Path) -> None:
    """The first request is the Lease's."""
    world, _, _ = built(folder, "--source-url", "https://127.0.0.1:1/shop.git")
    assert world.cluster.requests() == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TOKEN, id="the-token-of-the-source"),
        pytest.param(
            base64.b64encode(f"git:{TOKEN}".encode()).decode(), id="as-git-sends-the-token"
        ),
        pytest.param(BEARER, id="the-token-of-the-cluster"),
        pytest.param(PASSWORD, id="the-password-of-the-gateway"),
        pytest.param("canary%2Fof%20the%20gateway", id="as-its-url-spells-it"),
        pytest.param(
            base64.b64encode(f"me:{PASSWORD}".encode()).decode(), id="as-the-push-sends-it"
        ),
    ],
)
def test_what_it_holds_as_a_credential_is_hidden_from_the_log(folder: Path, text: str) -> None:
    """Invariant I9: known before anything is sent."""
    source = ("--source-url", "https://127.0.0.1:1/x", "--git-token-file", str(folder / "token"))
    gateway = ("--pushgateway-url", "http://me:canary%2Fof%20the%20gateway@127.0.0.1:1")
    _, _, redact = built(folder, *source, *gateway)
    assert redact(f"before {text} after") == f"before {HIDDEN} after"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param(("--context", "nowhere"), "has no context 'nowhere'; it has c", id="context"),
        pytest.param(
            ("--source-url", "ssh://git@host/shop.git"),
            "--git-ssh-key and --git-known-hosts must be given, both, with ssh://",
            id="ssh-to-an-unknown-host",
        ),
    ],
)
def test_what_cannot_be_built_is_wrong_usage(
    folder: Path, flags: tuple[str, ...], message: str
) -> None:
    """Contract 7: exit 2, before anything is sent."""
    with pytest.raises(UsageError) as refused:
        built(folder, *flags)
    assert message in str(refused.value)


def test_limits_reach_the_source_that_they_bound(folder: Path) -> None:
    """Contract 5: a repository that is larger is refused whole, with the flag's number."""
    repository = new_repository(folder / "shop.git")
    repository.commit({f"{number}.yaml": "a: 1\n" for number in range(3)})
    world, _, _ = built(folder, "--source-url", repository.url, "--source-max-files", "2")
    assert world.source is not None
    with pytest.raises(SourceError, match="more than the limit of 2 files"):
        world.source.fetch(world.source.resolve())


def test_signers_reach_the_source_that_they_vouch_for(folder: Path) -> None:
    """Contract 5: fails closed."""
    repository = new_repository(folder / "shop.git")
    repository.commit({"a.yaml": "a: 1\n"})
    (folder / "allowed").touch()
    flags = ("--verify", "commit", "--allowed-signers", str(folder / "allowed"))
    world, _, _ = built(folder, "--source-url", repository.url, *flags)
    assert world.source is not None
    with pytest.raises(SourceError, match="is not signed"):
        world.source.fetch(world.source.resolve())


def test_the_ground_of_a_check_is_a_run_that_sends_nothing(folder: Path) -> None:
    """Contract 9: the same settings and seams, and what it holds is hidden as well."""
    clock, redact = FrozenClock(), Redactor()
    values = parse(
        [
            *("--kubeconfig", str(folder / "kubeconfig"), "--source-url", "file:///shop.git"),
            *("--pushgateway-url", "http://pushgateway:9091"),
        ],
        {},
    )
    ground = real_ground(values, Process(clock, Deadline(clock, 50.0), "here", redact))
    assert ground.server.address == "https://127.0.0.1:1"
    assert ground.settings.namespace == "shop"
    assert ground.source is not None
    assert ground.gateway == PushGateway("http://pushgateway:9091")
    assert ground.cluster.requests() == {}
    assert redact(BEARER) == HIDDEN
