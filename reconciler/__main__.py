"""The process: `reconciler`, `python -m reconciler`. Runs one command and leaves fast.

Never prints a traceback because a reader of stdout went away.
"""

import gc
import sys
from typing import NoReturn

from reconciler.cli.program import main as program
from reconciler.process import leave

_PIPE_CLOSED = 141  # 128 + SIGPIPE, as a shell says it


def main() -> NoReturn:
    """Never returns: the exit code is the command's."""
    # A batch process that holds what it lists gains nothing from the cyclic collector, and pays
    # for it on every growth of the heap: three times the time to read 50,000 children. The memory
    # goes back when the process does.
    gc.disable()
    try:
        code = program(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        code = _PIPE_CLOSED
    leave(code)


if __name__ == "__main__":
    main()
