"""What a repository, a server or the machine around may hold, and what must come of it: nothing.

Contract 5: never follow symlinks, submodules, LFS, hooks, filters. Contract 8, I9: no secret in an
argument, a variable or a message.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.app import RealClock
from reconciler.errors import DeadlinePassed, SourceError
from reconciler.git.command import Git
from reconciler.git.environment import own_folder
from reconciler.git.messages import Told
from reconciler.git.remote import Credentials, Remote
from reconciler.git.repository import GitSource
from reconciler.logs import Redactor
from reconciler.seams import Deadline
from tests.gitservers import HttpServer, Repository, SshServer
from tests.unit.git.reading import LIMITS, read, skipped, source, texts

FILES = {"a.yaml": "a: 1\n"}
CANARY = "glpat-canary-0123456789"
_SOON = 10.0  # seconds


# --- the repository -------------------------------------------------------------------------


def test_a_symlink_out_of_the_repository_shows_nothing_of_the_machine(
    git_repository: Repository,
) -> None:
    """Contract 5: the object is read, never what a path on this machine would be."""
    git_repository.commit(FILES, links={"passwd.yaml": "/etc/passwd", "up.yaml": "../../x.yaml"})
    snapshot = read(source(git_repository.url))
    assert texts(snapshot) == FILES
    assert set(skipped(snapshot)) == {"passwd.yaml", "up.yaml"}


def test_a_submodule_is_named_and_its_address_never_asked(git_repository: Repository) -> None:
    """Contract 5: .gitmodules is a file as any other."""
    modules = '[submodule "x"]\n\tpath = vendor\n\turl = ext::sh -c "touch pwned"\n'
    git_repository.commit({**FILES, ".gitmodules": modules}, submodules={"vendor": "1" * 40})
    snapshot = read(source(git_repository.url))
    assert (texts(snapshot), set(skipped(snapshot))) == (FILES, {"vendor"})


def test_odd_names_are_read_or_told_and_never_obeyed(git_repository: Repository) -> None:
    """Contract 5: a name is data: no option, no pattern, no line, no path of this machine."""
    file = git_repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n").encode()
    names = (b"--output=x.yaml", b"-r.yaml", b":(top).yaml", b" .yaml", b"\xc3\xa4.yaml")
    bad = (b"a\nb.yaml", b"bell\x07.yaml", b"latin\xe9.yaml")
    entries = b"".join(b"100644 blob %s\t%s\0" % (file, name) for name in (*names, *bad))
    tree = git_repository.git("mktree", "-z", given=entries)
    commit = git_repository.git("commit-tree", tree, "-m", "odd names")
    git_repository.git("update-ref", "refs/heads/main", commit)
    snapshot = read(source(git_repository.url))
    assert set(texts(snapshot)) == {name.decode() for name in names}
    assert skipped(snapshot) == dict.fromkeys(
        ("a\\nb.yaml", "bell\\x07.yaml", "latin\\udce9.yaml"),
        "has a name that is not printable text: rename it",
    )


@pytest.mark.parametrize(
    "name", [pytest.param(b"..", id="upwards"), pytest.param(b".git", id="git-folder")]
)
def test_a_tree_that_would_leave_its_folder_is_refused(
    git_repository: Repository, name: bytes
) -> None:
    """Contract 5: git checks what it is sent, object by object."""
    file = git_repository.git("hash-object", "-w", "--stdin", given=b"a: 1\n")
    entry = b"100644 %s\0%s" % (name, bytes.fromhex(file))
    tree = git_repository.git(
        "hash-object", "-t", "tree", "-w", "--literally", "--stdin", given=entry
    )
    commit = git_repository.git("commit-tree", tree, "-m", "upwards")
    git_repository.git("update-ref", "refs/heads/main", commit)
    with pytest.raises(SourceError, match="objects that git refuses as malformed"):
        read(source(git_repository.url))


def test_filters_and_attributes_of_a_repository_change_nothing(
    git_repository: Repository,
) -> None:
    """Contract 5: objects are read as they are; nothing is checked out."""
    attributes = "*.yaml filter=lfs text eol=crlf export-subst working-tree-encoding=UTF-16\n"
    git_repository.commit({"a.yaml": "a: $Format:%an$\n", ".gitattributes": attributes})
    assert texts(read(source(git_repository.url))) == {"a.yaml": "a: $Format:%an$\n"}


# --- the machine around ---------------------------------------------------------------------


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that is set up to run a program whenever git looks anywhere; the file tells."""
    sprung = tmp_path / "sprung"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{sprung}'\nexit 1\n")
    program.chmod(0o755)
    home = tmp_path / "home"
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "reference-transaction").symlink_to(program)
    home.mkdir()
    configured = (
        f"[core]\n\tsshCommand = {program}\n\tfsmonitor = {program}\n\thooksPath = {hooks}\n"
        f"\taskPass = {program}\n[credential]\n\thelper = {program}\n"
        f'[url "ext::{program}"]\n\tinsteadOf = file://\n\tinsteadOf = ssh://\n'
        "[protocol]\n\tallow = always\n"
    )
    (home / ".gitconfig").write_text(configured)
    variables: Mapping[str, object] = {
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "GIT_CONFIG_GLOBAL": home / ".gitconfig",
        "GIT_CONFIG_SYSTEM": home / ".gitconfig",
        "GIT_CONFIG_PARAMETERS": f"'core.sshCommand'='{program}'",
        "GIT_ASKPASS": program,
        "SSH_ASKPASS": program,
        "GIT_SSH": program,
        "GIT_SSH_COMMAND": program,
        "GIT_PROXY_COMMAND": program,
        "GIT_TEMPLATE_DIR": hooks.parent,
        "GIT_EXTERNAL_DIFF": program,
        "GIT_EXEC_PATH": tmp_path,
        "GIT_OBJECT_DIRECTORY": tmp_path / "objects",
        "GIT_DIR": tmp_path / "elsewhere",
        "GIT_WORK_TREE": tmp_path,
        "GIT_NAMESPACE": "elsewhere",
        "GIT_TRACE": tmp_path / "trace",
        "GIT_TRACE_CURL": tmp_path / "trace",
        "GIT_CEILING_DIRECTORIES": "/",
        "GIT_ALLOW_PROTOCOL": "ext:file:ssh",
        "PAGER": program,
        "EDITOR": program,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    return sprung


def test_nothing_that_the_machine_is_set_up_with_reaches_git(
    git_repository: Repository, trap: Path
) -> None:
    """Contract 5: hooks, filters and helpers are those of nobody."""
    git_repository.commit(FILES)
    assert texts(read(source(git_repository.url))) == FILES
    assert not trap.exists()
    assert not (trap.parent / "trace").exists()


def test_nothing_that_the_machine_is_set_up_with_reaches_ssh(
    git_ssh: SshServer, trap: Path
) -> None:
    """Contract 5: the ssh that runs is the one of PATH, with our options."""
    repository, _ = git_ssh.repository(FILES)
    credentials = Credentials(ssh_key=git_ssh.key, known_hosts=git_ssh.known_hosts)
    assert texts(read(source(git_ssh.url(repository), credentials=credentials))) == FILES
    assert not trap.exists()


def test_a_repository_around_the_temporary_folder_is_not_asked(
    git_repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contract 5: git would look for a repository upwards of where it runs, and obey it."""
    around = Repository(tmp_path / "around" / ".git")
    around.folder.mkdir(parents=True)
    around.git("init", "--quiet", "--bare")
    around.git("config", "core.bare", "false")
    around.git("config", f"url.file://{tmp_path}/nothing/.insteadOf", "file://")
    monkeypatch.setattr("tempfile.tempdir", str(around.folder.parent))
    git_repository.commit(FILES)
    assert texts(read(source(git_repository.url))) == FILES


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("ext::sh -c 'touch pwned'", "transport 'ext' not allowed", id="ext"),
        pytest.param("fd::0", "transport 'fd' not allowed", id="fd"),
        pytest.param("http://127.0.0.1:1/x", "transport 'http' not allowed", id="http"),
        pytest.param("ssh://git@127.0.0.1:1/x", "transport 'ssh' not allowed", id="ssh"),
        pytest.param("--upload-pack=touch pwned", "strange pathname .* blocked", id="option"),
    ],
)
def test_git_itself_knows_no_other_protocol_than_that_of_the_url(url: str, said: str) -> None:
    """Contract 5: two locks; should an odd URL ever pass the first, this is the second."""
    with _git("file:///srv/shop.git") as (git, folder):
        with pytest.raises(SourceError, match=said):
            git.run("ls-remote", "--", url)
        assert not (folder / "pwned").exists()


def test_what_git_sees_of_the_machine_is_its_path_and_its_proxies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Contract 5: an environment from scratch; contract 9: behind a proxy a run still works."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("SECRET_OF_THE_POD", CANARY)
    with _git("file:///srv/shop.git") as (git, folder):
        seen = git.run("-c", "alias.seen=!env", "seen").decode()
    names = {line.partition("=")[0] for line in seen.splitlines()}
    assert "HTTPS_PROXY=http://proxy:3128" in seen
    assert CANARY not in seen
    assert f"HOME={folder}" in seen
    assert {name for name in names if not name.startswith("GIT_")} <= {
        *(
            "HOME",
            "TMPDIR",
            "PATH",
            "PWD",
            "OLDPWD",
            "SHLVL",
            "_",
            "LANGUAGE",
            "LC_ALL",
            "HTTPS_PROXY",
        ),
        *("https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY"),
    }


# --- secrets and time -----------------------------------------------------------------------


def test_a_token_is_in_no_argument_variable_file_or_message(
    git_http: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contract 8, I9: looked for in every process while git waits for the server."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    token = tmp_path / "token"
    token.write_text(CANARY)
    git_http.login, git_http.silent = f"git:{CANARY}", True
    with _reading(git_http, Credentials(token_file=token)) as (answer, deadline):
        seen = _processes()
        left = b"".join(
            file.read_bytes() for file in tmp_path.glob("reconciler-git-*/**/*") if file.is_file()
        )
        deadline.stop()
        with pytest.raises(DeadlinePassed):
            answer.result(_SOON)
    assert any(b"remote-http" in each for each in seen), "no git was at work: nothing was looked at"
    assert not [each for each in seen if CANARY.encode() in each]
    assert b"askpass" not in left
    assert CANARY.encode() not in left


def test_a_run_that_is_told_to_stop_ends_git_and_all_that_it_started(git_http: HttpServer) -> None:
    """Contract 7: SIGTERM is the same as the deadline; no process outlives the run."""
    git_http.silent = True
    port = git_http.url.split(":")[2].partition("/")[0].encode()
    with _reading(git_http, Credentials()) as (answer, deadline):
        assert [each for each in _processes() if port in each]
        deadline.stop()
        with pytest.raises(DeadlinePassed):
            answer.result(_SOON)
    ends = time.monotonic() + _SOON
    while left := [each for each in _processes() if port in each]:  # killed, and not yet gone
        assert time.monotonic() < ends, left


@contextmanager
def _reading(
    server: HttpServer, credentials: Credentials
) -> Iterator[tuple[Future[str], Deadline]]:
    """A source that is being resolved, from the moment on that its server is asked."""
    deadline = Deadline(RealClock(), 120.0)
    asked = GitSource(Remote(server.url, credentials=credentials), deadline)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asked.resolve)
        try:
            assert server.asked.wait(_SOON)
            yield answer, deadline
        finally:
            deadline.stop()


def _processes() -> list[bytes]:
    """Arguments and environment of every process but this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                found.append((folder / "cmdline").read_bytes() + (folder / "environ").read_bytes())
            except OSError:  # gone, or somebody else's
                continue
    return found


@contextmanager
def _git(url: str) -> Iterator[tuple[Git, Path]]:
    """The program as a GitSource of that URL would run it."""
    deadline = Deadline(RealClock(), 60.0)
    with own_folder(Remote(url)) as (folder, environment):
        yield Git(folder, environment, deadline, LIMITS, Told(url, "", Redactor())), folder


def test_two_sources_are_read_beside_each_other(git_repository: Repository) -> None:
    """Contract 1: stage 2 may run in a thread beside the lists."""
    git_repository.commit(FILES)
    barrier = threading.Barrier(4)

    def one() -> Mapping[str, str]:
        barrier.wait(_SOON)
        return texts(read(source(git_repository.url)))

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(one) for _ in range(4)]
        assert [answer.result() for answer in answers] == [FILES] * 4
