"""Runs one command and tells what it took, as one JSON line after all that the command printed.

A process of its own, and a small one: on Linux a program's peak memory is never told as less than
that of the process which started it.
"""

import os
import sys
import time


def main() -> int:
    command = sys.argv[1:]
    began = time.perf_counter()
    started = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(started, 0)
    wall = time.perf_counter() - began
    cpu = used.ru_utime + used.ru_stime  # of the processes it has waited for, too
    print(f'{{"wall": {wall}, "cpu": {cpu}, "peak": {used.ru_maxrss * 1024}}}', flush=True)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
