"""The environment and the folder that git runs in (contract 5): nothing of the machine's own.

No configuration of the system or the user is read, no hook, filter, helper or other protocol can
run. Credentials are handed over as files: by an askpass program that reads them, or to ssh. They
stand in no URL, argument, variable or configuration.
"""

import contextlib
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.git import signatures
from reconciler.git.remote import Credentials, Remote
from reconciler.git.signatures import Trust

_ASKPASS = """\
#!/bin/sh
case "$1" in
  Username*) if [ -n "$RECONCILER_GIT_USERNAME_FILE" ]
             then exec cat -- "$RECONCILER_GIT_USERNAME_FILE"
             else echo git
             fi ;;
  *) exec cat -- "$RECONCILER_GIT_TOKEN_FILE" ;;
esac
"""
# Any name does where a token is the password; this one is what git's own URLs say.
DEFAULT_USERNAME = "git"

_CONFIG: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "core.fsync": "none",  # the folder does not outlive the run
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",  # it would carry the credentials to another host
    "maintenance.auto": "false",
    "protocol.version": "2",  # lets a commit be asked for by its id
    "safe.bareRepository": "explicit",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "transfer.fsckObjects": "true",
    "transfer.unpackLimit": "1",  # one pack, whose size can be watched
}
_SSH_OPTIONS: Mapping[str, str] = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ForwardAgent": "no",
    "GlobalKnownHostsFile": "/dev/null",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "PermitLocalCommand": "no",
    "PreferredAuthentications": "publickey",
    "ProxyCommand": "none",
    "ServerAliveCountMax": "3",
    "ServerAliveInterval": "5",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
}


@contextlib.contextmanager
def own_folder(
    remote: Remote, trust: Trust | None = None
) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """A fresh folder and the environment for git in it; both are gone afterwards.

    Raises:
        OSError: there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="reconciler-git-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if remote.credentials.token_file:
            helper = folder / "askpass"
            helper.write_text(_ASKPASS, encoding="ascii")
            helper.chmod(0o700)
        yield folder, _environment(folder, remote, trust)


def _environment(folder: Path, remote: Remote, trust: Trust | None) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "TMPDIR": str(folder),  # git writes the signature that it checks to a file
        "LANGUAGE": "C",
        "LC_ALL": "C",
        # Named even where it is not there yet: git must not find one around the folder.
        "GIT_DIR": str(folder / "repository"),
        "GIT_ALLOW_PROTOCOL": remote.scheme,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
        "GIT_HTTP_LOW_SPEED_TIME": "20",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **_configuration(remote, signatures.configuration(folder, trust) if trust else {}),
        **_credentials(folder, remote.credentials),
        **(signatures.variables(folder, trust) if trust else {}),
    }


def _configuration(remote: Remote, more: Mapping[str, str]) -> dict[str, str]:
    """What git would read from files, as the variables that stand in for them."""
    stated = {**_CONFIG, **more}
    if remote.credentials.ca_file:
        stated["http.sslCAInfo"] = str(remote.credentials.ca_file)
    if remote.loopback:
        stated["http.proxy"] = ""
    variables = {"GIT_CONFIG_COUNT": str(len(stated))}
    for number, (key, value) in enumerate(stated.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _credentials(folder: Path, given: Credentials) -> dict[str, str]:
    """Names of files, never what is in them."""
    variables: dict[str, str] = {}
    if given.token_file:
        variables["GIT_ASKPASS"] = str(folder / "askpass")
        variables["RECONCILER_GIT_TOKEN_FILE"] = str(given.token_file.absolute())
    if given.username_file:
        variables["RECONCILER_GIT_USERNAME_FILE"] = str(given.username_file.absolute())
    if given.ssh_key and given.known_hosts:
        options = {
            **_SSH_OPTIONS,
            "IdentityFile": str(given.ssh_key.absolute()),
            "UserKnownHostsFile": str(given.known_hosts.absolute()),
        }
        stated = (part for key, value in options.items() for part in ("-o", f"{key}={value}"))
        variables["GIT_SSH_COMMAND"] = shlex.join(("ssh", "-F", "/dev/null", *stated))
        variables["GIT_SSH_VARIANT"] = "ssh"
    return variables
