"""The one exception that people see: what is wrong, and what to do about it.

Everything in this package that a person can put right is raised as Trouble; the command line
prints it without a traceback. Anything else that escapes is a bug, and shows one.
"""


class Trouble(Exception):  # noqa: N818  # it reads as what it says
    """What is wrong in one sentence, and a remedy where there is one."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)
