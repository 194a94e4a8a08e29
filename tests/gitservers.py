"""Pytest plugin: real git repositories, and real servers that give them out on loopback.

`git_repository` is one repository on disk, made with the git program. `git_http` and `git_https`
serve it through `git http-backend`, `git_ssh` through an sshd of its own, out of PATH or of
Debian's package; where none can be had a test fails and says what to do. Nothing outlives the
session, and no configuration of the machine is read or written.
"""

import base64
import contextlib
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from hack.controlplane.tools import Debian, unpacked
from hack.controlplane.trouble import Trouble

_PATIENCE = 15.0  # seconds until an sshd listens
_NOBODY = (
    65534  # who serves ssh where root runs the tests: an sshd of root's needs an installed one
)
# The sshd ends when its stdin does, however pytest ends.
_WHILE_WATCHED = '"$@" & read -r _; kill $!; wait $!'
_COMMITTED = "2026-01-02T03:04:05Z"
IDENTITY: Mapping[str, str] = {
    "GIT_AUTHOR_NAME": "Dana",
    "GIT_AUTHOR_EMAIL": "dana@example.org",
    "GIT_COMMITTER_NAME": "Dana",
    "GIT_COMMITTER_EMAIL": "dana@example.org",
    "GIT_AUTHOR_DATE": _COMMITTED,
    "GIT_COMMITTER_DATE": _COMMITTED,
}


@dataclass(frozen=True)
class Repository:
    """A bare repository, written to without a work tree, so that it can hold anything."""

    folder: Path

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def git(self, *arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments],
            input=given,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_DIR": str(self.folder),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "HOME": str(self.folder),
                **IDENTITY,
            },
        )
        return done.stdout.decode().strip()

    def commit(
        self,
        files: Mapping[str, str | bytes],
        *,
        branch: str = "main",
        links: Mapping[str, str] | None = None,
        submodules: Mapping[str, str] | None = None,
        parent: str | None = None,
    ) -> str:
        """A commit that holds exactly these entries; the branch stands at it from now on."""
        entries = [("100644", "blob", self._blob(data), path) for path, data in files.items()]
        for path, target in (links or {}).items():
            entries.append(("120000", "blob", self._blob(target), path))
        for path, commit in (submodules or {}).items():
            entries.append(("160000", "commit", commit, path))
        lines = "".join(f"{mode} {id_}\t{path}\n" for mode, _, id_, path in entries)
        index = self.folder / "index"
        index.unlink(missing_ok=True)
        self.git("update-index", "--add", "--index-info", given=lines.encode())
        above = ("-p", parent) if parent else ()
        commit = self.git("commit-tree", self.git("write-tree"), *above, "-m", "a commit")
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def _blob(self, data: str | bytes) -> str:
        content = data if isinstance(data, bytes) else data.encode()
        return self.git("hash-object", "-w", "--stdin", given=content)


def new_repository(folder: Path, *options: str) -> Repository:
    """An empty repository whose default branch is main."""
    repository = Repository(folder)
    folder.mkdir(parents=True)
    repository.git("init", "--quiet", "--bare", "--initial-branch=main", *options)
    return repository


@pytest.fixture
def git_repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path / "shop.git")


# --- http and https -------------------------------------------------------------------------


@dataclass
class HttpServer:
    """What the server does is set by the test; `seen` holds the headers of each request."""

    repository: Repository
    url: str = ""
    login: str = ""  # user:password that it asks for
    elsewhere: str = ""  # where it redirects to
    silent: bool = False  # whether it takes requests, of whom it knows, and never answers
    complaint: str = ""  # what it refuses every request with, in git's own protocol
    speaks_v2: bool = True
    seen: list[Mapping[str, str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)  # bytes of each answer
    asked: threading.Event = field(default_factory=threading.Event)  # while it is silent
    over: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: HttpServer

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        told = self.told
        told.seen.append(dict(self.headers.items()))
        if told.elsewhere:
            self._answer(302, {"Location": told.elsewhere + self.path.partition(".git")[2]})
        elif told.login and self.headers.get("Authorization") != _basic(told.login):
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'})
        elif told.complaint:
            line = f"ERR {told.complaint}"
            body = f"001e# service=git-upload-pack\n0000{len(line) + 4:04x}{line}".encode()
            kind = "application/x-git-upload-pack-advertisement"
            self._answer(200, {"Content-Type": kind}, body)
        elif told.silent:
            told.asked.set()
            told.over.wait()
        else:
            self._backend()

    do_POST = do_GET  # noqa: N815 - its name there

    def _backend(self) -> None:
        """Git's own server, as a CGI program."""
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        protocol = self.headers.get("Git-Protocol", "") if self.told.speaks_v2 else ""
        done = subprocess.run(
            ["git", "http-backend"],
            input=self.rfile.read(length),
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.told.repository.folder.parent),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": protocol,
            },
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, body)

    def _answer(self, code: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.told.sent.append(len(body))


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


@contextlib.contextmanager
def http_server(
    repository: Repository, context: ssl.SSLContext | None = None
) -> Iterator[HttpServer]:
    """Serves the repository while the block runs; with a context over TLS."""
    served = HttpServer(repository)
    handler = type("Handler", (_Handler,), {"told": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https" if context else "http"
        host = "localhost" if context else "127.0.0.1"
        served.url = f"{scheme}://{host}:{server.server_port}/{repository.folder.name}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield served
        finally:
            served.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def git_http(git_repository: Repository) -> Iterator[HttpServer]:
    with http_server(git_repository) as server:
        yield server


@dataclass(frozen=True)
class Authority:
    """A certificate authority that nobody trusts unless told to, and a server's context by it."""

    file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    import trustme  # noqa: PLC0415 - slow to import; only who speaks TLS pays

    ca = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    return Authority(file, context)


@pytest.fixture
def git_https(git_repository: Repository, authority: Authority) -> Iterator[HttpServer]:
    with http_server(git_repository, authority.context) as server:
        yield server


# --- ssh ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SshServer:
    """An sshd on loopback: who may ask, what it is known by, and where its user can read."""

    folder: Path
    port: int
    user: str
    key: Path
    stranger: Path  # a key that it does not accept
    known_hosts: Path

    def url(self, repository: Repository) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}{repository.folder}"

    def repository(self, files: Mapping[str, str | bytes]) -> tuple[Repository, str]:
        """A repository that belongs to the server's user, and its one commit."""
        repository = new_repository(Path(tempfile.mkdtemp(dir=self.folder)) / "shop.git")
        commit = repository.commit(files)
        _give(repository.folder.parent)
        return repository, commit


def _give(path: Path) -> None:
    """To the user of the server: git reads no repository of somebody else's."""
    if os.geteuid() == 0:
        for each in (path, *path.rglob("*")):
            os.chown(each, _NOBODY, _NOBODY)


@pytest.fixture(scope="session")
def git_ssh() -> Iterator[SshServer]:
    with tempfile.TemporaryDirectory(prefix="reconciler-sshd-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # its user is not always the one who runs the tests
        server = _prepared(folder)
        with _sshd(folder, server.port):
            yield server


def _prepared(folder: Path) -> SshServer:
    """Keys, accounts and configuration; nothing of the machine's is read."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for key in ("host", "key", "stranger"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True
        )
    for public in (folder / "key.pub", folder / "host.pub"):
        public.chmod(0o644)
    kind, known, *_ = (folder / "host.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {known}\n")
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/key.pub\nUsePAM no\nStrictModes no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    root = os.geteuid() == 0
    if root:
        shutil.chown(folder / "host", _NOBODY, _NOBODY)
        (folder / "passwd").write_text(f"git:x:{_NOBODY}:{_NOBODY}::{folder}:/bin/sh\n")
        (folder / "group").write_text(f"git:x:{_NOBODY}:\n")
    return SshServer(
        folder,
        port,
        "git" if root else pwd.getpwuid(os.geteuid()).pw_name,
        folder / "key",
        folder / "stranger",
        folder / "known_hosts",
    )


@contextlib.contextmanager
def _sshd(folder: Path, port: int) -> Iterator[None]:
    program, environment = _program(folder)
    root = os.geteuid() == 0
    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["sh", "-c", _WHILE_WATCHED, "sh", program, "-D", "-e", "-f", folder / "config"],
            env=environment,
            stdin=subprocess.PIPE,
            stderr=said,
            user=_NOBODY if root else None,
            group=_NOBODY if root else None,
            extra_groups=[] if root else None,
        )
    try:
        _listens(process, port, log)
        yield
    finally:
        process.communicate()


def _listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail(f"the sshd of the tests did not start: {log.read_text()}")


def _program(folder: Path) -> tuple[Path, Mapping[str, str]]:
    """An sshd, and the environment that it runs in; copied to where any user may run it."""
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    environment = {"PATH": os.environ["PATH"]}
    try:
        if found is None:
            found = str(_copied(folder, "openssh-server", "usr/sbin") / "sshd")
            environment["LD_LIBRARY_PATH"] = str(
                _library(folder, "libwrap0", "libwrap.so.0").parent
            )
        if os.geteuid() == 0:
            # An sshd that root starts needs an account and a folder that only an installation
            # makes. As another user it needs that user to have a name and a shell: so it is told.
            environment["LD_PRELOAD"] = str(_library(folder, "libnss-wrapper", "libnss_wrapper.so"))
            environment["NSS_WRAPPER_PASSWD"] = str(folder / "passwd")
            environment["NSS_WRAPPER_GROUP"] = str(folder / "group")
    except Trouble as trouble:
        pytest.fail(f"{trouble}\nOr: apt-get install openssh-server libnss-wrapper")
    return Path(found), environment


def _copied(folder: Path, package: str, part: str) -> Path:
    copy = folder / package
    shutil.copytree(unpacked(package, Debian(package, part)), copy, symlinks=True)
    return copy


def _library(folder: Path, package: str, name: str) -> Path:
    """A library out of a package; which folder it is in depends on the machine's processor."""
    return next(_copied(folder, package, "usr/lib").rglob(name))
