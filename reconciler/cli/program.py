"""`reconciler COMMAND`: finds the command, knows nothing of what it does.

A command is imported when it is called: `version` and `crds` never load the Kubernetes client.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_HELP = ("-h", "--help", "help")
_USAGE = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its line in the help, and what runs it on its own arguments."""

    summary: str
    main: Callable[[Sequence[str]], int]


def main(argv: Sequence[str]) -> int:
    """The exit code of the command."""
    word, rest = (argv[0], argv[1:]) if argv else ("help", [])
    if word in _HELP:
        print(_help(), end="")
        return 0
    if word == "--version":
        word = "version"
    if word not in COMMANDS:
        print(f"reconciler: {_unknown(word)}", file=sys.stderr)
        return _USAGE
    return COMMANDS[word].main(rest)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {entry.summary}\n" for name, entry in COMMANDS.items()]
    return (
        "reconciler COMMAND [flags]\n\n"
        "Reads workflows from git and carries them out on Kubernetes, one run at a time.\n\n"
        f"commands:\n{''.join(lines)}\n"
        "reconciler COMMAND --help tells the flags of a command.\n"
    )


def _unknown(word: str) -> str:
    import difflib

    close = difflib.get_close_matches(word, COMMANDS, n=1)
    guess = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}"
    kind = "flag" if word.startswith("-") else "command"
    return f"unknown {kind} {word!r}; {guess} (see reconciler --help)"


def _run(argv: Sequence[str]) -> int:
    from reconciler.cli import run

    return run.main(argv)


def _check(argv: Sequence[str]) -> int:
    from reconciler.cli import check

    return check.main(argv)


def _crds(argv: Sequence[str]) -> int:
    from reconciler.cli import crds

    return crds.main(argv)


def _version(argv: Sequence[str]) -> int:
    from reconciler.cli import version

    return version.main(argv)


COMMANDS: Mapping[str, Entry] = {
    "run": Entry("one run: read git, apply, start what is ready (the CronJob)", _run),
    "check": Entry("whether a run can do its work here, and what to do where not", _check),
    "crds": Entry("print the CRDs, for kubectl apply --server-side -f -", _crds),
    "version": Entry("print the version", _version),
}
