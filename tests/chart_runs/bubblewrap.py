"""bubblewrap in place of a container runtime: one process, with the files that a container has.

The root file system is made for it: the machine's /usr and Python, the image's program, the pod's
volumes, and nothing of anybody's home. Read-only, user, groups, capabilities and privilege
escalation are as the pod says. Run by root the user is a real one; run by anybody else the box is
a user namespace, and the files in it belong to the one user there is.

Not there: a network of its own, seccomp, limits of memory and processor.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from hack.controlplane.tools import Debian, unpacked
from hack.controlplane.trouble import Trouble

_REMEDY = "Or: apt-get install bubblewrap. Inside a container it needs --privileged."
_LINKS = ("bin", "lib", "lib32", "lib64", "sbin")  # of /usr, as in every Debian today
_MACHINE = ("resolv.conf", "hosts", "nsswitch.conf", "ssl", "ld.so.cache")  # out of /etc


@dataclass(frozen=True)
class Mount:
    """A folder or file of the machine, at a path of the container."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Scratch:
    """An empty folder that everybody may write to, of at most so many bytes; 0: of any size."""

    target: str
    size: int = 0


@dataclass(frozen=True)
class Box:
    """What a container's process is given beside its command and environment."""

    mounts: Sequence[Mount | Scratch]
    user: int
    group: int
    groups: Sequence[int] = ()
    read_only: bool = False
    capabilities: bool = True  # the runtime's default ones: to a user other than root, none
    escalation: bool = True
    workdir: str = "/"
    hostname: str = "container"


@cache
def bwrap() -> str:
    """The program, tried once; a machine on which it cannot work fails the test, and says why."""
    found = shutil.which("bwrap")
    try:
        found = found or str(unpacked("bwrap", Debian("bubblewrap", "usr/bin/bwrap")))
    except Trouble as trouble:
        pytest.fail(f"{trouble}\n{_REMEDY}")
    user = () if os.geteuid() == 0 else ("--unshare-user",)
    tried = subprocess.run(
        [found, *user, "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        pytest.fail(
            "no mount namespace for a container's files on this machine: "
            f"{tried.stderr.strip()}\nRun the tests as root, or allow user namespaces. {_REMEDY}"
        )
    return found


def started(
    box: Box, command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """The command as the first process of its box, which ends with it, and with us."""
    return subprocess.Popen(
        [bwrap(), *_options(box), "--", *_as_user(box), *command],
        env=environment,  # not as options: a secret has no place in an argument
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o022,
    )


def _options(box: Box) -> Iterator[str]:
    yield from ("--die-with-parent", "--new-session", "--as-pid-1")
    yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", box.hostname)
    if os.geteuid() != 0:
        yield from ("--unshare-user", "--uid", str(box.user), "--gid", str(box.group))
    yield from ("--perms", "0755", "--dir", "/tmp")  # noqa: S108  # the container's
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from _system()
    for mount in sorted(box.mounts, key=lambda each: each.target.count("/")):
        yield from _parents(mount.target)
        yield from _mounted(mount)
    if box.read_only:
        yield from ("--remount-ro", "/")
    yield from ("--chdir", box.workdir)


def _system() -> Iterator[str]:
    """What the base image and its packages would hold."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _LINKS:
        if Path("/", name).is_symlink():
            yield from ("--symlink", f"usr/{name}", f"/{name}")
    yield from _parents("/etc/any")
    for name in _MACHINE:
        if Path("/etc", name).exists():
            yield from ("--ro-bind", str(Path("/etc", name).resolve()), f"/etc/{name}")
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        yield from _parents(sys.base_prefix)
        yield from ("--ro-bind", sys.base_prefix, sys.base_prefix)


def _parents(target: str) -> Iterator[str]:
    """Left to itself, bubblewrap makes folders that no other user can pass through."""
    for parent in reversed(Path(target).parents[:-1]):
        yield from ("--perms", "0755", "--dir", str(parent))


def _mounted(mount: Mount | Scratch) -> Sequence[str]:
    match mount:
        case Scratch(target, size):
            sized = ("--size", str(size)) if size else ()
            return ("--perms", "0777", *sized, "--tmpfs", target)
        case Mount(source, target, read_only):
            return ("--ro-bind" if read_only else "--bind", str(source), target)


def _as_user(box: Box) -> Sequence[str]:
    """The last step before the command: root becomes who the container runs as."""
    options = [] if box.escalation else ["--no-new-privs"]
    if os.geteuid() == 0:
        groups = ",".join(map(str, (box.group, *box.groups)))
        options += [f"--reuid={box.user}", f"--regid={box.group}", f"--groups={groups}"]
        options += [] if box.capabilities else ["--bounding-set=-all", "--inh-caps=-all"]
    return ["setpriv", *options] if options else []
