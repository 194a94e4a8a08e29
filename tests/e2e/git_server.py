"""A git server for a pod of the reconciler's own image: the files of a folder, as one commit.

    python git_server.py FILES CERTIFICATE PORT

Standard library and git alone: git's own `http-backend` speaks the protocol, over TLS. The user is
`git`, the token is GIT_TOKEN's. It is sent into the cluster as it stands here.
"""

import base64
import os
import ssl
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_HOME = Path("/tmp/git")  # noqa: S108  # the pod's own
_REPOSITORY = _HOME / "shop.git"
_GIT = {
    "PATH": os.environ["PATH"],
    "GIT_AUTHOR_NAME": "e2e",
    "GIT_AUTHOR_EMAIL": "e2e@example.org",
    "GIT_COMMITTER_NAME": "e2e",
    "GIT_COMMITTER_EMAIL": "e2e@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def committed(files: Path) -> None:
    """A bare repository whose main branch holds these files."""
    work = _HOME / "work"
    work.mkdir(parents=True)
    for file in files.iterdir():
        if file.is_file():  # a ConfigMap has folders of its own
            (work / file.name).write_bytes(file.read_bytes())
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        ("commit", "--quiet", "--message=a commit"),
        ("clone", "--quiet", "--bare", ".", str(_REPOSITORY)),
    ):
        subprocess.run(["git", *arguments], cwd=work, env=_GIT, check=True)


class Handler(BaseHTTPRequestHandler):
    """Asks for a login, then lets git answer."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != self._expected():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            capture_output=True,
            check=True,
            env={
                **_GIT,
                "GIT_PROJECT_ROOT": str(_HOME),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  # http.server's name

    def _expected(self) -> str:
        login = f"git:{os.environ['GIT_TOKEN']}"
        return f"Basic {base64.b64encode(login.encode()).decode()}"


if __name__ == "__main__":
    committed(Path(sys.argv[1]))
    server = ThreadingHTTPServer(("", int(sys.argv[3])), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
