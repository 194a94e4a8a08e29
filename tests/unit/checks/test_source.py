"""The lines about the source and its programs, each good and bad (contract 5)."""

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.checks.result import Status
from reconciler.seams import SkippedFile
from tests.signing import gpg_home, ssh_key
from tests.unit.checks.scene import PLAIN, SOURCED, Scene, file

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG4rT3vTt99Ox5kndS4HmgTrKBT8SzzhK4rhGkEVGlCI"


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.source.commit({"shop.yaml": "a: 1\n"})
    return scene


# --- programs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "program"),
    [
        pytest.param("https://git.example.com/shop.git", "git", id="any-source-needs-git"),
        pytest.param("ssh://git@git.example.com/shop.git", "ssh", id="ssh-needs-ssh"),
    ],
)
def test_a_program_that_is_missing_is_named(scene: Scene, url: str, program: str) -> None:
    """And the ref, which nobody can ask for then, is skipped."""
    del scene.programs[program]
    told = replace(SOURCED, source_url=url)
    line = scene.line("programs", told)
    assert (line.status, line.found.startswith(f"{program} not found")) == (Status.FAILED, True)
    assert scene.line("git", told).found == "needs programs"


def test_signatures_need_the_program_that_checks_them(scene: Scene, tmp_path: Path) -> None:
    """Contract 5: fails closed, so it is told before."""
    keyring = file(tmp_path, "keyring", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    del scene.programs["gpg"]
    assert scene.line("programs", replace(SOURCED, gpg_keyring=keyring)).status is Status.FAILED
    assert scene.line("programs", SOURCED).status is Status.OK


def test_without_a_source_nothing_of_git_is_asked(scene: Scene) -> None:
    """Contract 1: stages 2 and 3 are skipped."""
    scene.programs.clear()
    scene.programs["python"] = "Python 3.11.7"
    assert scene.bad(PLAIN) == {}
    assert scene.source.fetched == []


# --- the ref --------------------------------------------------------------------------------


def test_the_ref_is_told_with_the_commit_that_it_stands_at(scene: Scene) -> None:
    """Contract 1, stage 2."""
    commit = scene.source.commit({"shop.yaml": "a: 2\n"})
    assert scene.line("git").found.endswith(f"is at {commit[:10]}")
    assert scene.line("files").found == f"1 YAML file under the repository at {commit[:10]}"


def test_a_source_that_cannot_be_read_is_told_in_gits_words(scene: Scene) -> None:
    """Contract 7: what a run would log, with what to do; the cluster is looked at all the same."""
    scene.source.trouble = "cannot read it: the host key is not the one in --git-known-hosts"
    line = scene.line("git")
    assert line.found == scene.source.trouble
    assert line.advice
    assert scene.bad() == {
        "git": Status.FAILED,
        "signature": Status.SKIPPED,
        "files": Status.SKIPPED,
    }


def test_files_that_are_not_read_are_a_warning(scene: Scene) -> None:
    """Contract 5: one bad file harms itself alone."""
    scene.source.commit({"a.yaml": ""}, skipped=(SkippedFile("b.yaml", "a symlink"),))
    line = scene.line("files")
    assert (line.status, line.advice) == (Status.WARNING, "b.yaml: a symlink")


def test_a_commit_without_workflows_is_a_warning(scene: Scene) -> None:
    """Nothing is wrong, and nothing will run."""
    scene.source.commit({})
    assert scene.line("files").status is Status.WARNING


# --- signers --------------------------------------------------------------------------------


def test_a_commit_that_nobody_may_have_signed_fails_before_a_run_refuses_it(
    scene: Scene, tmp_path: Path
) -> None:
    """Contract 5: fails closed."""
    told = replace(SOURCED, allowed_signers=file(tmp_path, "signers", f"dana {ED25519}\n"))
    assert scene.line("signature", told).status is Status.OK
    scene.source.untrusted = "the commit is signed by the key X, which is not allowed"
    line = scene.line("signature", told)
    assert (line.status, line.found) == (Status.FAILED, scene.source.untrusted)
    assert scene.line("files", told).found == "needs signature"


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        pytest.param(f"dana {ED25519}\n", Status.OK, "1 in --allowed-signers", id="a-name-a-key"),
        pytest.param(
            f'# ours\n\ndana,eve namespaces="git",valid-after="20260101" {ED25519} laptop\n',
            Status.OK,
            "1 in",
            id="options-comments-and-blank-lines",
        ),
        pytest.param(
            f"dana {ED25519}\neve\n", Status.FAILED, "line 2 of", id="one-line-without-a-key"
        ),
        pytest.param(f"{ED25519}\n", Status.FAILED, "line 1 of", id="a-key-without-a-name"),
        pytest.param("dana ssh-ed25519 AAAA\n", Status.FAILED, "line 1 of", id="half-a-key"),
        pytest.param("dana ssh-rsa !!\n", Status.FAILED, "line 1 of", id="no-base64"),
        pytest.param(
            f"dana ssh-rsa {ED25519.split()[1]}\n", Status.FAILED, "line 1", id="another-kind"
        ),
        pytest.param("# nobody yet\n", Status.FAILED, "names nobody", id="nobody"),
    ],
)
def test_allowed_signers_must_parse(
    scene: Scene, tmp_path: Path, text: str, status: Status, told: str
) -> None:
    """ssh-keygen passes over what it cannot read, and the commit is refused for no reason told."""
    line = scene.line("signers", replace(SOURCED, allowed_signers=file(tmp_path, "file", text)))
    assert line.status is status
    assert told in line.found


def test_a_keyring_must_hold_public_keys(scene: Scene, tmp_path: Path) -> None:
    """What gpg imports, armoured or not."""
    bad = scene.line("signers", replace(SOURCED, gpg_keyring=file(tmp_path, "none", "a secret\n")))
    assert (bad.status, "--gpg-keyring" in bad.found) == (Status.FAILED, True)
    with gpg_home() as home:
        key = home.key("Dana <dana@example.org>")
        for number, exported in enumerate((key.exported(), key.exported(armor=False))):
            keyring = tmp_path / f"keyring-{number}"
            keyring.write_bytes(exported)
            assert scene.line("signers", replace(SOURCED, gpg_keyring=keyring)).status is Status.OK


def test_a_key_that_ssh_keygen_made_is_a_key(scene: Scene, tmp_path: Path) -> None:
    """Not only the one of the table above."""
    allowed = ssh_key(tmp_path, "key").allowed("dana@example.org", 'namespaces="git"')
    told = replace(SOURCED, allowed_signers=file(tmp_path, "signers", allowed))
    assert scene.line("signers", told).status is Status.OK
