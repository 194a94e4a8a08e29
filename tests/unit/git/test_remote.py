"""What a remote may be: everything is checked before any program runs (contract 5)."""

from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.git.remote import Credentials, Remote

SSH = Credentials(ssh_key=Path("/keys/id"), known_hosts=Path("/keys/known_hosts"))
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("url", "credentials"),
    [
        pytest.param("https://git.example.com/shop/workflows.git", Credentials(), id="https"),
        pytest.param("https://git.example.com:8443/~dana/a%20b", Credentials(), id="port-escape"),
        pytest.param("https://[2001:db8::1]/shop.git", Credentials(), id="ipv6"),
        pytest.param("ssh://git@git.example.com:2222/shop.git", SSH, id="ssh"),
        pytest.param("ssh://git.example.com/~/shop.git", SSH, id="ssh-without-user"),
        pytest.param("file:///srv/git/shop.git", Credentials(), id="file"),
        pytest.param("http://127.0.0.1:8080/shop.git", Credentials(), id="http-to-loopback"),
        pytest.param("http://localhost/shop.git", Credentials(), id="http-to-localhost"),
        pytest.param("http://[::1]:8080/shop.git", Credentials(), id="http-to-ipv6-loopback"),
    ],
)
def test_a_repository_is_named_by_one_of_four_kinds_of_url(
    url: str, credentials: Credentials
) -> None:
    """Contract 5: https, ssh, file; http to loopback only."""
    assert Remote(url, credentials=credentials).url == url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://git.example.com/shop.git", id="http-to-elsewhere"),
        pytest.param("http://127.0.0.1.example.com/shop.git", id="http-to-a-name-like-loopback"),
        pytest.param("http://127.0.0.1@example.com/shop.git", id="loopback-as-user"),
        pytest.param("https://dana:hunter2@git.example.com/shop.git", id="password"),
        pytest.param("https://hunter2@git.example.com/shop.git", id="token-as-user"),
        pytest.param("https://git.example.com/shop.git?private_token=hunter2", id="query"),
        pytest.param("https://git.example.com/shop.git#hunter2", id="fragment"),
        pytest.param("ssh://git:hunter2@git.example.com/shop.git", id="ssh-password"),
        pytest.param("ssh://-oProxyCommand=touch%20x/shop.git", id="host-as-option"),
        pytest.param("ssh://-oProxyCommand@git.example.com/shop.git", id="user-as-option"),
        pytest.param("git@git.example.com:shop.git", id="scp-form"),
        pytest.param("--upload-pack=touch x", id="option"),
        pytest.param("-u touch", id="short-option"),
        pytest.param("ext::sh -c touch% x", id="ext-helper"),
        pytest.param("ext://sh -c touch", id="ext-scheme"),
        pytest.param("fd::17/shop", id="fd-helper"),
        pytest.param("https::https://git.example.com/shop", id="helper-prefix"),
        pytest.param("git://git.example.com/shop.git", id="git-protocol"),
        pytest.param("ftp://git.example.com/shop.git", id="ftp"),
        pytest.param("/srv/git/shop.git", id="bare-path"),
        pytest.param("file://server/srv/git/shop.git", id="file-with-host"),
        pytest.param("file:///srv/shop.git\n", id="newline-at-the-end"),
        pytest.param("https://git.example.com/shop.git\nx", id="newline"),
        pytest.param("https://git.example.com/sh%0aop.git", id="escaped-newline"),
        pytest.param("https://git.example.com/\N{CYRILLIC SMALL LETTER A}", id="not-ascii"),
        pytest.param("https://git.example.com", id="no-path"),
        pytest.param("https:///shop.git", id="no-host"),
        pytest.param("", id="nothing"),
    ],
)
def test_any_other_url_is_refused_without_being_repeated(url: str) -> None:
    """Contract 5, 8 (I9): what is refused may hold a password, and never reaches git."""
    with pytest.raises(UsageError, match=r"^--source-url must be ") as refused:
        Remote(url)
    assert "hunter2" not in str(refused.value)


def test_the_scp_form_is_answered_with_the_url_it_means() -> None:
    """The most common slip gets its own way out."""
    with pytest.raises(UsageError, match="ssh://git@host/path instead of git@host:path"):
        Remote("git@git.example.com:shop/workflows.git")


@pytest.mark.parametrize(
    ("ref", "names"),
    [
        pytest.param("main", ("refs/heads/main", "refs/tags/main"), id="short"),
        pytest.param("rel/1.2+a@b", ("refs/heads/rel/1.2+a@b", "refs/tags/rel/1.2+a@b"), id="odd"),
        pytest.param("refs/heads/main", ("refs/heads/main",), id="full-branch"),
        pytest.param("refs/tags/v1.2.3", ("refs/tags/v1.2.3",), id="full-tag"),
        pytest.param("refs/pull/7/head", ("refs/pull/7/head",), id="any-full-name"),
        pytest.param("HEAD", ("HEAD",), id="the-default-branch"),
    ],
)
def test_a_ref_is_looked_for_under_its_full_names_only(ref: str, names: tuple[str, ...]) -> None:
    """Contract 5: branch, tag or full commit id."""
    remote = Remote("file:///srv/shop.git", ref)
    assert (remote.names, remote.fixed) == (names, False)


@pytest.mark.parametrize(
    "ref", [pytest.param(COMMIT, id="sha1"), pytest.param(COMMIT[:32] * 2, id="sha256")]
)
def test_a_full_commit_id_stands_where_it_stands(ref: str) -> None:
    """Contract 5: no server has to be asked where it is."""
    assert Remote("file:///srv/shop.git", ref).fixed


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param("--upload-pack=touch x", id="option"),
        pytest.param("-f", id="short-option"),
        pytest.param("main:refs/heads/other", id="refspec"),
        pytest.param("+main", id="forced-refspec"),
        pytest.param("main..other", id="range"),
        pytest.param("main@{1}", id="reflog"),
        pytest.param("main^", id="parent"),
        pytest.param("main~1", id="ancestor"),
        pytest.param("refs/heads/../../config", id="path-upwards"),
        pytest.param("a//b", id="empty-part"),
        pytest.param("a/.b", id="hidden-part"),
        pytest.param("a.lock", id="lock-file"),
        pytest.param("a.lock/b", id="lock-folder"),
        pytest.param("main/", id="slash-at-the-end"),
        pytest.param("main\n", id="newline"),
        pytest.param("ma in", id="blank"),
        pytest.param("main*", id="pattern"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_name_of_a_ref_is_refused(ref: str) -> None:
    """Contract 5: a ref must not become an option, a refspec or a path."""
    with pytest.raises(UsageError, match=r"^--source-ref must be "):
        Remote("file:///srv/shop.git", ref)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/etc", id="absolute"),
        pytest.param("../shop", id="upwards"),
        pytest.param("a/../../b", id="upwards-within"),
        pytest.param("./a", id="here"),
        pytest.param("a//b", id="empty-part"),
        pytest.param("a/", id="slash-at-the-end"),
        pytest.param("-r", id="option"),
        pytest.param("a\nb", id="newline"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_path_that_leaves_the_repository_is_refused(path: str) -> None:
    """Contract 5: path prefixes inside the repository."""
    with pytest.raises(UsageError, match=r"^--source-path must be "):
        Remote("file:///srv/shop.git", paths=("workflows", path))


FILE = Path("/keys/file")


@pytest.mark.parametrize(
    ("url", "credentials", "flag"),
    [
        pytest.param(
            "ssh://git@h/x", Credentials(), "--git-ssh-key and --git-known-hosts", id="ssh-alone"
        ),
        pytest.param(
            "ssh://git@h/x",
            Credentials(ssh_key=FILE),
            "--git-ssh-key and --git-known-hosts",
            id="key-shown-to-anybody",
        ),
        pytest.param(
            "ssh://git@h/x",
            Credentials(ssh_key=FILE, known_hosts=Path("/a b")),
            "--git-known-hosts",
            id="path-that-ssh-would-split",
        ),
        pytest.param(
            "ssh://git@h/x",
            Credentials(ssh_key=Path("/k%h"), known_hosts=FILE),
            "--git-ssh-key",
            id="path-that-ssh-would-expand",
        ),
        pytest.param(
            "ssh://git@h/x",
            Credentials(ssh_key=FILE, known_hosts=FILE, token_file=FILE),
            "--git-token-file",
            id="token-for-ssh",
        ),
        pytest.param(
            "https://h/x",
            Credentials(ssh_key=FILE, known_hosts=FILE),
            "--git-known-hosts",
            id="key-for-https",
        ),
        pytest.param(
            "https://h/x",
            Credentials(username_file=FILE),
            "--git-token-file",
            id="user-without-token",
        ),
        pytest.param(
            "http://localhost/x", Credentials(ca_file=FILE), "--git-ca-file", id="ca-for-http"
        ),
        pytest.param(
            "file:///x", Credentials(token_file=FILE), "--git-token-file", id="token-for-file"
        ),
    ],
)
def test_credentials_that_do_not_belong_to_the_url_are_refused(
    url: str, credentials: Credentials, flag: str
) -> None:
    """Contract 5: credentials as files; nothing that is given is silently not used."""
    with pytest.raises(UsageError, match=f"^{flag} must be "):
        Remote(url, credentials=credentials)
