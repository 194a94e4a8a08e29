"""Real servers: https, http on loopback, ssh; and what people are told when one refuses."""

import base64
import dataclasses
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.git.command import Limits
from reconciler.git.remote import Credentials
from tests.gitservers import Authority, HttpServer, Repository, SshServer, http_server
from tests.unit.git.reading import NO_CREDENTIALS, read, source, texts

FILES = {"a.yaml": "a: 1\n"}
TOKEN = "glpat-canary-0123456789"  # noqa: S105 - a canary


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str], Path]:
    """A file as a Secret is mounted, with the content given."""

    def write(content: str) -> Path:
        file = tmp_path / f"secret-{len(list(tmp_path.iterdir()))}"
        file.write_text(content)
        file.chmod(0o400)
        return file

    return write


# --- http and https -------------------------------------------------------------------------


def test_a_repository_is_read_over_http_on_loopback(git_http: HttpServer) -> None:
    """Contract 5: http to loopback only, for a forge in the same pod or a test."""
    commit = git_http.repository.commit(FILES)
    snapshot = read(source(git_http.url))
    assert (snapshot.commit, texts(snapshot)) == (commit, FILES)


def test_a_repository_is_read_over_https_with_a_ca_of_its_own(
    git_https: HttpServer, authority: Authority
) -> None:
    """Contract 9: --git-ca-file."""
    git_https.repository.commit(FILES)
    credentials = Credentials(ca_file=authority.file)
    assert texts(read(source(git_https.url, credentials=credentials))) == FILES


def test_a_certificate_that_nobody_vouches_for_is_refused(git_https: HttpServer) -> None:
    """Contract 7: exit 3, with the way out."""
    with pytest.raises(SourceError, match="certificate of localhost cannot be verified: give its"):
        source(git_https.url).resolve()


@pytest.mark.parametrize(
    ("user", "token"),
    [
        pytest.param(None, TOKEN, id="any-user"),
        pytest.param(None, f"{TOKEN}\n", id="newline-at-the-end"),
        pytest.param(None, f"{TOKEN}\r\n", id="line-end-of-windows"),
        pytest.param("dana", TOKEN, id="a-user"),
        pytest.param("dana\n", f"{TOKEN} $(id) `id` ' \"", id="no-shell-sees-it"),
    ],
)
def test_a_token_from_a_file_opens_a_repository(
    git_https: HttpServer,
    authority: Authority,
    secret: Callable[[str], Path],
    user: str | None,
    token: str,
) -> None:
    """Contract 5: credentials as files."""
    git_https.repository.commit(FILES)
    git_https.login = f"{(user or 'git').strip()}:{token.strip()}"
    credentials = Credentials(
        username_file=secret(user) if user else None,
        token_file=secret(token),
        ca_file=authority.file,
    )
    assert texts(read(source(git_https.url, credentials=credentials))) == FILES


@pytest.mark.parametrize(
    "given", [pytest.param(None, id="none"), pytest.param("wrong-canary", id="a-wrong-one")]
)
def test_refused_credentials_are_told_with_the_flag_that_gives_them(
    git_http: HttpServer, secret: Callable[[str], Path], given: str | None
) -> None:
    """Contract 7: exit 3; nobody is asked for a password on a terminal."""
    git_http.repository.commit(FILES)
    git_http.login = f"git:{TOKEN}"
    credentials = Credentials(token_file=secret(given)) if given else NO_CREDENTIALS
    with pytest.raises(SourceError, match=r"refuses the credentials.* --git-token-file") as told:
        source(git_http.url, credentials=credentials).resolve()
    assert "canary" not in str(told.value)


def test_a_token_that_the_server_repeats_is_in_no_message(
    git_http: HttpServer, secret: Callable[[str], Path]
) -> None:
    """Contract 8, I9: what a server says is shown, without what it was told."""
    git_http.complaint = (
        f"{TOKEN} may not read this, nor {base64.b64encode(TOKEN.encode()).decode()}"
    )
    credentials = Credentials(token_file=secret(f"{TOKEN}\n"))
    with pytest.raises(SourceError, match=r"remote error: .* may not read this") as told:
        source(git_http.url, credentials=credentials).resolve()
    assert "canary" not in str(told.value)
    assert str(told.value).count("[redacted]") == 2


def test_a_token_that_cannot_be_read_is_an_error_of_the_source(
    git_http: HttpServer, tmp_path: Path
) -> None:
    """Contract 7: a Secret that is rotated away must not stop what runs already."""
    credentials = Credentials(token_file=tmp_path / "gone")
    with pytest.raises(SourceError, match="gone of --git-username-file or --git-token-file cannot"):
        source(git_http.url, credentials=credentials).resolve()


def test_a_redirection_to_another_host_is_not_followed(
    git_http: HttpServer, secret: Callable[[str], Path]
) -> None:
    """Contract 5, 8 (I9): the other host would be shown the token."""
    with http_server(git_http.repository) as other:
        git_http.repository.commit(FILES)
        git_http.elsewhere = other.url
        credentials = Credentials(token_file=secret(TOKEN))
        with pytest.raises(SourceError, match="answers with a redirection, which is not followed"):
            source(git_http.url, credentials=credentials).resolve()
        assert other.seen == []


def test_a_repository_that_the_server_does_not_have_is_told(git_http: HttpServer) -> None:
    """Contract 7: exit 3."""
    with pytest.raises(SourceError, match="there is no repository at this address"):
        source(git_http.url.replace("shop", "other")).resolve()


def test_a_server_of_the_older_protocol_gives_the_head_of_a_branch(git_http: HttpServer) -> None:
    """Contract 5: a server that gives no commit by its id still gives a ref by its name."""
    git_http.speaks_v2 = False
    first = git_http.repository.commit(FILES)
    git_http.repository.git("tag", "--annotate", "--message", "first", "v1", first)
    second = git_http.repository.commit({"a.yaml": "a: 2\n"}, parent=first)
    assert read(source(git_http.url, "main")).commit == second
    assert read(source(git_http.url, "v1")).commit == first


def test_a_branch_that_moves_on_such_a_server_is_left_to_the_next_run(
    git_http: HttpServer,
) -> None:
    """Contract 1, stage 2: what is fetched is what was resolved, or nothing."""
    git_http.speaks_v2 = False
    first = git_http.repository.commit(FILES)
    asked = source(git_http.url)
    resolved = asked.resolve()
    git_http.repository.commit({"a.yaml": "a: 2\n"}, parent=first)
    with pytest.raises(SourceError, match="the next run looks again"):
        asked.fetch(resolved)


def test_a_server_on_this_machine_is_not_asked_through_a_proxy(
    git_https: HttpServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contract 9: the proxies of the environment are for what is elsewhere."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    git_https.repository.commit(FILES)
    credentials = Credentials(ca_file=authority.file)
    assert texts(read(source(git_https.url, credentials=credentials))) == FILES


def test_a_server_elsewhere_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract 9: in many networks there is no other way out."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(SourceError, match=r"port 1\b"):
        source("https://git.invalid/shop.git").resolve()


# --- no answer ------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_told(git_http: HttpServer) -> None:
    """Contract 7: exit 3; the next run tries again."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/shop.git"
        with pytest.raises(SourceError, match=r"127.0.0.1 cannot be reached, or broke off"):
            source(url).resolve()


def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract 7: exit 3."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SourceError, match=r"the name git.invalid cannot be resolved"):
        source("https://git.invalid/shop.git").resolve()


def test_a_server_that_never_answers_costs_half_of_the_time_that_is_left(
    git_http: HttpServer,
) -> None:
    """Contract 1, stage 3: a source failure skips its step; the rest of the run needs time too."""
    git_http.silent = True
    began = time.monotonic()
    with pytest.raises(SourceError, match="git ls-remote took longer than 1 s"):
        source(git_http.url, seconds=2).resolve()
    assert (
        time.monotonic() - began < 1.9
    )  # of the 2 s; a deadline that has passed is no SourceError


def test_one_command_has_a_bound_of_its_own(git_http: HttpServer) -> None:
    """Contract 7: 60 s, however long the deadline; here 0.3 s."""
    git_http.silent = True
    with pytest.raises(SourceError, match="git ls-remote took longer than 0 s"):
        source(git_http.url, limits=Limits(seconds=0.3)).resolve()


# --- ssh ------------------------------------------------------------------------------------


def test_a_repository_is_read_over_ssh(git_ssh: SshServer) -> None:
    """Contract 5: ssh with a key and strict known hosts."""
    repository, commit = git_ssh.repository(FILES)
    snapshot = read(source(git_ssh.url(repository), credentials=_key(git_ssh)))
    assert (snapshot.commit, texts(snapshot)) == (commit, FILES)


def test_a_key_that_the_server_does_not_know_is_told(git_ssh: SshServer) -> None:
    """Contract 7: exit 3, with the way out."""
    repository, _ = git_ssh.repository(FILES)
    credentials = dataclasses.replace(_key(git_ssh), ssh_key=git_ssh.stranger)
    with pytest.raises(SourceError, match=r"127.0.0.1 does not accept the key: register"):
        source(git_ssh.url(repository), credentials=credentials).resolve()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="unknown"),
        pytest.param("[127.0.0.1]:{port} ssh-ed25519 {other}", id="changed"),
    ],
)
def test_a_host_whose_key_is_not_the_known_one_is_refused(
    git_ssh: SshServer, tmp_path: Path, line: str
) -> None:
    """Contract 5: no trust on first use; the answer would come from anybody."""
    repository, _ = git_ssh.repository(FILES)
    other = (git_ssh.folder / "stranger.pub").read_text().split()[1]
    known = tmp_path / "known_hosts"
    known.write_text(line.format(port=git_ssh.port, other=other) + "\n")
    credentials = dataclasses.replace(_key(git_ssh), known_hosts=known)
    with pytest.raises(SourceError, match=r"the host key of 127.0.0.1 is not the one in --git-kn"):
        source(git_ssh.url(repository), credentials=credentials).resolve()
    assert known.read_text() == line.format(port=git_ssh.port, other=other) + "\n"


def test_a_key_that_others_can_read_is_told(git_ssh: SshServer, tmp_path: Path) -> None:
    """Contract 7: ssh's own rule, with the way out."""
    repository, _ = git_ssh.repository(FILES)
    key = tmp_path / "id"
    key.write_bytes(git_ssh.key.read_bytes())
    key.chmod(0o644)
    credentials = dataclasses.replace(_key(git_ssh), ssh_key=key)
    with pytest.raises(SourceError, match="chmod 600 the file of --git-ssh-key"):
        source(git_ssh.url(repository), credentials=credentials).resolve()


def test_what_is_no_key_is_told(git_ssh: SshServer, tmp_path: Path) -> None:
    """Contract 7, 8 (I9): and nothing of the file is shown."""
    repository, _ = git_ssh.repository(FILES)
    key = tmp_path / "id"
    key.write_text("canary, not a key\n")
    key.chmod(0o600)
    credentials = dataclasses.replace(_key(git_ssh), ssh_key=key)
    with pytest.raises(SourceError, match="is no private key that ssh can use") as told:
        source(git_ssh.url(repository), credentials=credentials).resolve()
    assert "canary" not in str(told.value)


def test_a_missing_repository_on_an_ssh_server_is_told(git_ssh: SshServer) -> None:
    """Contract 7: exit 3."""
    gone = Repository(git_ssh.folder / "gone.git")
    with pytest.raises(SourceError, match="there is no repository at this address"):
        source(git_ssh.url(gone), credentials=_key(git_ssh)).resolve()


def _key(server: SshServer) -> Credentials:
    return Credentials(ssh_key=server.key, known_hosts=server.known_hosts)
