"""A run as `reconciler run` makes it, which also tells how long it took from its first request on.

Takes the flags of `reconciler run`. Nothing is replaced: the same wiring, the same collector that
is off, the same log. What is left out is the start, which the scenario `start` measures.
"""

import gc
import json
import sys
import time


def main() -> int:
    gc.disable()  # as the entry point does
    from reconciler import logs, settings
    from reconciler.app import RealClock
    from reconciler.logs import Redactor
    from reconciler.run import run
    from reconciler.seams import Deadline
    from reconciler.wiring import Process, real_world

    values = settings.parse(sys.argv[1:])
    clock, redact = RealClock(), Redactor()
    logs.configure(redact, form=values.log_format, verbosity=values.verbose, run_id="bench")
    process = Process(clock, Deadline(clock, values.deadline), "bench", redact)
    world, told = real_world(values, process)
    began, used = time.perf_counter(), time.process_time()
    outcome = run(world, told)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu": cpu,
                "workflows": sum(outcome.work.phases.values()),
                "created": outcome.work.created,
                "stages": {stage.value: took for stage, took in outcome.stage_seconds.items()},
            }
        ),
        flush=True,
    )
    return int(outcome.exit_code)


if __name__ == "__main__":
    sys.exit(main())
