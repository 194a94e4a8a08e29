"""Which programs are there, as the machine of the tests has them."""

import platform

from reconciler.git.programs import program


def test_a_program_says_its_version_in_one_line() -> None:
    """What support asks for."""
    assert (program("git") or "").startswith("git version 2.")
    assert (program("ssh") or "").startswith("OpenSSH_")
    assert program("python") == f"Python {platform.python_version()}"


def test_a_program_that_tells_no_version_is_there_all_the_same() -> None:
    """ssh-keygen has no such option, and would begin to make a key."""
    assert program("ssh-keygen") == "ssh-keygen"


def test_a_program_that_is_not_there_is_none() -> None:
    """Nothing is started."""
    assert program("no-such-program-at-all") is None
