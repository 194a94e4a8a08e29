"""Who may sign, with real keys: good is good now, anything else stops the source (contract 5)."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.core.signer import Signer
from reconciler.errors import SourceError, UsageError
from reconciler.git.repository import GitSource
from reconciler.git.signatures import Trust
from tests.gitservers import HttpServer, Repository
from tests.signing import (
    GpgHome,
    GpgKey,
    SshKey,
    gpg_home,
    signed,
    signed_for,
    ssh_key,
    stored,
)
from tests.unit.git.reading import read, source, texts

FILES: dict[str, str | bytes] = {"a.yaml": "a: 1\n"}
DANA = "dana@example.org"


@dataclass(frozen=True)
class Keys:
    """Made once: Dana signs, Sam is somebody else."""

    dana: SshKey
    sam: SshKey
    home: GpgHome
    gpg_dana: GpgKey
    gpg_sam: GpgKey
    gpg_old: GpgKey


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    folder = tmp_path_factory.mktemp("keys")
    with gpg_home() as home:
        yield Keys(
            ssh_key(folder, "dana"),
            ssh_key(folder, "sam"),
            home,
            home.key(f"Dana <{DANA}>"),
            home.key("Sam <sam@example.org>"),
            home.key("Old <old@example.org>", expired=True),
        )


def trusting(url: str, trust: Trust) -> GitSource:
    return source(url, trust=trust)


def allowed(folder: Path, *lines: str) -> Trust:
    file = folder / "allowed"
    file.write_text("".join(lines))
    return Trust(allowed_signers=file)


def keyring(folder: Path, *exported: bytes) -> Trust:
    file = folder / "keyring"
    file.write_bytes(b"".join(exported))
    return Trust(gpg_keyring=file)


def refusal(repository: Repository, trust: Trust) -> str:
    """Why the commit is refused; it is when it is read, and when it is only looked at again."""
    asked = trusting(repository.url, trust)
    commit = asked.resolve()
    with pytest.raises(SourceError) as first:
        asked.fetch(commit)
    with pytest.raises(SourceError) as again:
        asked.verify(commit)
    assert str(first.value) == str(again.value)
    assert "Nothing new is applied" in str(first.value)
    assert commit in str(first.value)
    return str(first.value)


# --- good -----------------------------------------------------------------------------------


def test_a_commit_of_an_allowed_signer_is_read_and_tells_who_signed(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: principal and fingerprint go onto the objects."""
    commit = signed(git_repository, keys.dana, FILES)
    asked = trusting(git_repository.url, allowed(tmp_path, keys.dana.allowed(DANA)))
    snapshot = read(asked)
    assert (snapshot.commit, texts(snapshot)) == (commit, FILES)
    assert snapshot.signer == Signer(DANA, keys.dana.fingerprint)
    asked.verify(commit)


@pytest.mark.parametrize("armor", [pytest.param(True, id="armour"), pytest.param(False, id="raw")])
def test_a_commit_of_a_key_in_the_keyring_is_read_and_tells_who_signed(
    git_repository: Repository, keys: Keys, tmp_path: Path, *, armor: bool
) -> None:
    """Contract 5: the keyring as `gpg --export` writes it, of several people too."""
    signed(git_repository, keys.gpg_dana, FILES)
    both = (keys.gpg_sam.exported(armor=armor), keys.gpg_dana.exported(armor=armor))
    snapshot = read(trusting(git_repository.url, keyring(tmp_path, *both)))
    assert snapshot.signer == Signer(f"Dana <{DANA}>", keys.gpg_dana.fingerprint)


def test_with_signers_and_a_keyring_each_vouches_for_its_own_kind(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 9: either is enough."""
    trust = Trust(
        allowed(tmp_path, keys.dana.allowed(DANA)).allowed_signers,
        keyring(tmp_path, keys.gpg_dana.exported()).gpg_keyring,
    )
    found = []
    for key in (keys.dana, keys.gpg_dana):
        signed(git_repository, key, FILES)
        found.append(read(trusting(git_repository.url, trust)).signer)
    assert found == [
        Signer(DANA, keys.dana.fingerprint),
        Signer(f"Dana <{DANA}>", keys.gpg_dana.fingerprint),
    ]


def test_the_ancestors_of_a_signed_commit_are_not_asked(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: who signs vouches for what the commit holds; branch protection for the rest."""
    unsigned = git_repository.commit({"b.yaml": "b: 1\n"})
    signed(git_repository, keys.dana, FILES, parent=unsigned)
    trust = allowed(tmp_path, keys.dana.allowed(DANA))
    assert texts(read(trusting(git_repository.url, trust))) == FILES


def test_without_verification_nobody_is_asked_and_nobody_told(
    git_repository: Repository, keys: Keys
) -> None:
    """Contract 5: off by default, and then it costs no request."""
    signed(git_repository, keys.dana, FILES)
    assert read(source(git_repository.url)).signer is None
    source("file:///nowhere").verify("1" * 40)


# --- refused --------------------------------------------------------------------------------


def test_a_commit_that_nobody_signed_is_refused(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: fails closed."""
    git_repository.commit(FILES)
    trust = allowed(tmp_path, keys.dana.allowed(DANA))
    told = refusal(git_repository, trust)
    assert "is not signed. " in told
    assert told.endswith(
        "Add the signer to --allowed-signers, or have somebody who is in it commit on top"
    )


def test_an_unsigned_commit_on_a_signed_one_is_refused(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: the exact commit that is used."""
    parent = signed(git_repository, keys.dana, FILES)
    git_repository.commit({"a.yaml": "a: 2\n"}, parent=parent)
    assert "is not signed" in refusal(git_repository, allowed(tmp_path, keys.dana.allowed(DANA)))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param(
            lambda keys: keys.sam.allowed("sam@example.org"),
            "which is not allowed",
            id="a-stranger",
        ),
        pytest.param(lambda _: "", "which is not allowed", id="nobody-is-allowed"),
        pytest.param(lambda _: "dana rubbish\n", "which is not allowed", id="an-unreadable-file"),
        pytest.param(
            lambda keys: keys.dana.allowed(DANA, 'valid-before="20260103"'),
            "which is not allowed any more: its entry has expired",
            id="good-at-the-time-that-the-commit-tells-and-expired-now",
        ),
        pytest.param(
            lambda keys: keys.dana.allowed(DANA, 'valid-after="20990101"'),
            "which is not allowed",
            id="not-yet",
        ),
    ],
)
def test_an_ssh_key_that_is_not_allowed_now_is_refused_by_its_fingerprint(
    git_repository: Repository,
    keys: Keys,
    tmp_path: Path,
    line: Callable[[Keys], str],
    why: str,
) -> None:
    """Contract 5: a refusal names the signer that was seen."""
    signed(git_repository, keys.dana, FILES)
    told = refusal(git_repository, allowed(tmp_path, line(keys)))
    assert f"is signed by the key {keys.dana.fingerprint}, {why}" in told


def test_a_key_that_is_allowed_for_something_else_is_refused(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: an entry's `namespaces` are obeyed."""
    signed(git_repository, keys.dana, FILES)
    told = refusal(git_repository, allowed(tmp_path, keys.dana.allowed(DANA, 'namespaces="file"')))
    assert "or by a key that is not allowed for git" in told


def test_a_signature_that_was_made_for_something_else_is_refused(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: a signed file, or a login, is no signed commit."""
    signed_for(git_repository, keys.dana, "file", git_repository.commit(FILES))
    told = refusal(git_repository, allowed(tmp_path, keys.dana.allowed(DANA)))
    assert "is signed for something else than git" in told


@pytest.mark.parametrize("kind", [pytest.param("ssh", id="ssh"), pytest.param("gpg", id="gpg")])
def test_a_signature_of_another_content_is_refused(
    git_repository: Repository, keys: Keys, tmp_path: Path, kind: str
) -> None:
    """Contract 5: a signature that was copied signs nothing."""
    key = keys.dana if kind == "ssh" else keys.gpg_dana
    trust = (
        allowed(tmp_path, keys.dana.allowed(DANA))
        if kind == "ssh"
        else keyring(tmp_path, keys.gpg_dana.exported())
    )
    text = git_repository.git("cat-file", "commit", signed(git_repository, key, FILES))
    stored(git_repository, f"{text} more\n".encode())
    assert "has a signature that is not good" in refusal(git_repository, trust)


def test_a_gpg_key_that_is_not_in_the_keyring_is_refused_by_its_id(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: as of a merge that a hosting service signed with a key of its own."""
    signed(git_repository, keys.gpg_sam, FILES)
    told = refusal(git_repository, keyring(tmp_path, keys.gpg_dana.exported()))
    key = keys.gpg_sam.fingerprint[-16:]
    assert f"is signed by the key {key}, which the keyring does not hold" in told
    assert "Add the signer to --gpg-keyring" in told


def test_a_gpg_key_that_has_expired_is_refused_though_it_was_good_when_it_signed(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: git's own exit code would let it pass."""
    signed(git_repository, keys.gpg_old, FILES)
    told = refusal(git_repository, keyring(tmp_path, keys.gpg_old.exported()))
    fingerprint = keys.gpg_old.fingerprint
    assert f"by Old <old@example.org> with the key {fingerprint}, which has expired" in told


@pytest.mark.parametrize(
    "content", [pytest.param(b"", id="empty"), pytest.param(b"rubbish", id="no-keyring")]
)
def test_a_keyring_without_keys_vouches_for_nobody(
    git_repository: Repository, keys: Keys, tmp_path: Path, content: bytes
) -> None:
    """Contract 5: fails closed."""
    signed(git_repository, keys.gpg_dana, FILES)
    assert "which the keyring does not hold" in refusal(git_repository, keyring(tmp_path, content))


@pytest.mark.parametrize("kind", [pytest.param("ssh", id="ssh"), pytest.param("gpg", id="gpg")])
def test_a_signature_of_a_kind_that_no_file_vouches_for_is_refused(
    git_repository: Repository, keys: Keys, tmp_path: Path, kind: str
) -> None:
    """Contract 5: and the keyring of whoever runs it is not asked."""
    signed(git_repository, keys.dana if kind == "ssh" else keys.gpg_dana, FILES)
    trust = (
        keyring(tmp_path, keys.gpg_dana.exported())
        if kind == "ssh"
        else allowed(tmp_path, keys.dana.allowed(DANA))
    )
    told = refusal(git_repository, trust)
    assert f"is signed with {'an ssh key' if kind == 'ssh' else 'a gpg key'}. Nothing" in told


def test_text_in_a_message_that_looks_like_a_signature_is_none(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: only what stands in the head of the commit is one."""
    text = git_repository.git("cat-file", "commit", signed(git_repository, keys.dana, FILES))
    head, _, message = text.partition("\n\n")
    lines = head.split("\n")
    start = next(at for at, line in enumerate(lines) if line.startswith("gpgsig "))
    moved = "\n".join((*lines[:start], "", message, *lines[start:], ""))
    stored(git_repository, moved.encode())
    assert "is not signed" in refusal(git_repository, allowed(tmp_path, keys.dana.allowed(DANA)))


# --- revoked --------------------------------------------------------------------------------


def test_a_signer_who_is_taken_off_the_list_stops_the_next_run(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: evaluated again at every run, though the ref has not moved."""
    commit = signed(git_repository, keys.dana, FILES)
    trust = allowed(tmp_path, keys.dana.allowed(DANA))
    trusting(git_repository.url, trust).fetch(commit)
    allowed(tmp_path, keys.sam.allowed("sam@example.org"))
    with pytest.raises(SourceError, match="which is not allowed"):
        trusting(git_repository.url, trust).verify(commit)


def test_a_gpg_key_that_was_revoked_stops_the_next_run(
    git_repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: once the keyring says so."""
    commit = signed(git_repository, keys.gpg_dana, FILES)
    trust = keyring(tmp_path, keys.gpg_dana.exported())
    trusting(git_repository.url, trust).verify(commit)
    keyring(tmp_path, keys.gpg_dana.revoked())
    fingerprint = keys.gpg_dana.fingerprint
    with pytest.raises(SourceError, match=f"Dana .* {fingerprint}, which was revoked"):
        trusting(git_repository.url, trust).verify(commit)


def test_to_look_again_one_commit_is_fetched_and_nothing_that_it_holds(
    git_http: HttpServer, keys: Keys, tmp_path: Path
) -> None:
    """Contract 5: where the server can leave it out."""
    repository = git_http.repository
    repository.git("config", "uploadpack.allowFilter", "true")
    commit = signed(repository, keys.dana, {"a.yaml": os.urandom(1 << 20)})
    asked = trusting(git_http.url, allowed(tmp_path, keys.dana.allowed(DANA)))
    asked.resolve()
    git_http.sent.clear()
    asked.verify(commit)
    assert sum(git_http.sent) < 1 << 16


# --- what is around -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pytest.param("ssh", id="ssh"), pytest.param("gpg", id="gpg")])
def test_a_program_that_is_not_there_refuses_every_commit(
    git_repository: Repository,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """Contract 5: fails closed, and says what to install."""
    commit = signed(git_repository, keys.dana if kind == "ssh" else keys.gpg_dana, FILES)
    both = Trust(
        allowed(tmp_path, keys.dana.allowed(DANA)).allowed_signers,
        keyring(tmp_path, keys.gpg_dana.exported()).gpg_keyring,
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("env", "git", "sh"):
        (programs / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(programs))
    program = "ssh-keygen" if kind == "ssh" else "gpg"
    with pytest.raises(SourceError, match=f"{program} was not found, so no signature"):
        trusting(git_repository.url, both).verify(commit)


def test_no_key_agent_or_configuration_of_the_machine_is_used_or_left(
    git_repository: Repository,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Contract 5: a key in the home of whoever runs it vouches for nothing."""
    signed(git_repository, keys.gpg_sam, FILES)
    monkeypatch.setenv("HOME", str(keys.home.folder))
    monkeypatch.setenv("GNUPGHOME", str(keys.home.folder))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = _agents()
    assert "does not hold" in refusal(git_repository, keyring(tmp_path, keys.gpg_dana.exported()))
    assert _agents() <= before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["keyring", "shop.git"]


def _agents() -> set[str]:
    names = set()
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # no process, or one that has ended
            continue
        if b"gpg-agent" in words[0] or b"keyboxd" in words[0] or b"dirmngr" in words[0]:
            names.add(folder.name)
    return names


def test_somebody_must_be_named() -> None:
    """Contract 9: nobody may sign is not meant."""
    with pytest.raises(UsageError, match="--allowed-signers or --gpg-keyring"):
        Trust()
