"""`verify.commit` in the layout of a container: no home, nothing to write to but /tmp."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.apiserver.objects import Body
from tests.apiserver.repository import document
from tests.apiserver.runs import steps
from tests.chart_runs.world import World
from tests.signing import GpgKey, SshKey, gpg_home, signed, ssh_key

pytestmark = pytest.mark.apiserver

Signer = Callable[[World], tuple[SshKey | GpgKey, Body]]


@pytest.fixture
def ssh(tmp_path: Path) -> Signer:
    """A key that the allowed signers name, in a Secret."""
    key = ssh_key(tmp_path, "signer")

    def told(world: World) -> tuple[SshKey, Body]:
        secret = {"allowed_signers": key.allowed("dana@example.org")}
        name = world.given("secrets", "signers", secret)
        return key, {"commit": True, "allowedSigners": {"secretName": name}}

    return told


@pytest.fixture
def gpg() -> Iterator[Signer]:
    """A key of a keyring, in a Secret."""
    with gpg_home() as home:
        key = home.key("Dana <dana@example.org>")

        def told(world: World) -> tuple[GpgKey, Body]:
            secret = {"keyring.gpg": key.exported().decode()}
            name = world.given("secrets", "signers", secret)
            return key, {"commit": True, "gpgKeyring": {"secretName": name}}

        yield told


@pytest.mark.parametrize("signer", [pytest.param("ssh", id="ssh"), pytest.param("gpg", id="gpg")])
def test_what_is_signed_runs_and_what_is_not_changes_nothing(
    world: World, request: pytest.FixtureRequest, signer: str
) -> None:
    """Contract 5: ssh-keygen and gpg find what they need on a root that nobody writes to."""
    make: Signer = request.getfixturevalue(signer)
    key, verify = make(world)
    values = world.by_https() | {"verify": verify}
    values["source"]["firstRun"] = "run"
    files = {"one.yaml": document("one", *steps("a"))}
    commit = signed(world.https.repository, key, files)
    release = world.releases("helm")
    release.helm.install(values)
    ended = release.run_now("signed")
    assert ended.code == 0, ended.log
    assert world.workflow()["metadata"]["annotations"]["kubernaut.ai/commit"] == commit

    world.https.repository.commit(files | {"two.yaml": document("two", *steps("a"))})
    ended = release.run_now("unsigned")
    assert ended.code == 3, ended.log
    assert "signed" in ended.log
    assert world.workflow()["metadata"]["annotations"]["kubernaut.ai/commit"] == commit
