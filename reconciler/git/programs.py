"""The programs that a run needs, and which version of each is there."""

import platform
import shutil
import subprocess

_VERSION = {"ssh": "-V", "git": "--version", "gpg": "--version"}  # ssh-keygen tells none
_LONGEST = 5.0  # seconds
_SHOWN = 60  # characters


def program(name: str) -> str | None:
    """The first line that it says of its version, its name where it says none; None: not there."""
    if name == "python":
        return f"Python {platform.python_version()}"
    found = shutil.which(name)
    if found is None:
        return None
    if name not in _VERSION:
        return name
    try:
        done = subprocess.run(  # noqa: S603 - a program of the table, by its full path
            [found, _VERSION[name]], capture_output=True, timeout=_LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = (done.stdout or done.stderr).decode("utf-8", "replace").splitlines()
    return said[0][:_SHOWN] if said and done.returncode == 0 else name
