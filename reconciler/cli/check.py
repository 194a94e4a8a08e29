"""`reconciler check`: whether a run can do its work, and what to do where not (contract 9).

The command that an operator runs first, `helm test` in the cluster, and support asks for. The
report goes to stdout; it holds no secret.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence

from reconciler.process import Stop

_FAILED, _USAGE = 1, 2


def main(argv: Sequence[str]) -> int:
    stop = Stop().listen()  # before the imports, as for a run
    from reconciler import settings
    from reconciler.errors import UsageError
    from reconciler.flags import CHECK

    try:
        return _report(settings.parse(argv, command=CHECK), stop)
    except UsageError as error:
        print(f"reconciler check: {error}", file=sys.stderr)
        return _USAGE


def _report(values: Namespace, stop: Stop) -> int:
    from reconciler import logs
    from reconciler.app import RealClock
    from reconciler.checks.perform import perform
    from reconciler.checks.result import Report
    from reconciler.checks.table import checks
    from reconciler.seams import Deadline
    from reconciler.version import version
    from reconciler.wiring import Process, real_ground

    clock, redact = RealClock(stop), logs.Redactor()
    deadline = Deadline(clock, values.deadline)
    stop.tells(deadline.stop)
    logs.configure(redact, form=values.log_format, verbosity=values.verbose)
    ground = real_ground(values, Process(clock, deadline, "check", redact))
    told = checks(ground.settings, pre=values.pre)
    report = Report(perform(ground, told, redact), version())
    print(report.json() if values.output == "json" else report.table())
    return 0 if report.ok else _FAILED
