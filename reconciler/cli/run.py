"""`reconciler run`: one run, as the CronJob makes it (contract 1, 9)."""

import sys
from collections.abc import Sequence

from reconciler.process import Stop

_USAGE = 2


def main(argv: Sequence[str]) -> int:
    stop = Stop().listen()  # before the imports: they take most of a second on a busy node
    from reconciler import settings
    from reconciler.errors import UsageError

    try:
        values = settings.parse(argv)
    except UsageError as error:
        print(f"reconciler run: {error}", file=sys.stderr)
        return _USAGE
    from reconciler import app  # the flags are right: now the Kubernetes client is worth loading

    return app.main(values, stop)
