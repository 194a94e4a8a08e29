"""What the cluster does for one run of a CronJob, whatever the run itself does.

A real CronJob of the chart's shape, once a minute; KWOK plays its pods. What every controller asks
of the server for it, from the creation of one Job to that of the next, is counted in the audit log:
no clock comes into it. The first Jobs come before history limits delete any, and do not count.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from bench.measure import Broken
from bench.options import Options
from bench.place import WRITES, Place
from bench.result import Figure

NAME = "bill"
_NAMESPACE = "bill"
_KEPT = 1  # Jobs: fewer than by default, so that the usual state comes sooner
_JOBS = 4
_PATIENCE = 60.0 * (_JOBS + 2)  # seconds
_RUNS_A_DAY = 24 * 60
_CRONJOBS = f"/apis/batch/v1/namespaces/{_NAMESPACE}/cronjobs"


def play(place: Place, options: Options) -> Iterator[Figure]:
    if not options.bill:
        return
    place.namespace(_NAMESPACE)
    mark = place.audit.mark()
    code, answer = place.api.post(_CRONJOBS, _cronjob())
    if code != 201:  # noqa: PLR2004  # created
        raise Broken(f"the CronJob was not made: {answer}")
    counts = _one_run(_until(place, mark))
    place.api.delete(f"{_CRONJOBS}/reconciler")
    written = {what: count for what, count in counts.items() if what.split()[0] in WRITES}
    for what, count in sorted(written.items()):
        yield Figure(NAME, f"{what}, a run", count, "")
    yield Figure(NAME, "writes a run, by the cluster's own controllers", sum(written.values()), "")
    yield Figure(NAME, "requests a run, by them", sum(counts.values()), "")
    every = sum(written.values()) * _RUNS_A_DAY
    yield Figure(NAME, "writes a day at a run a minute, by them", every, "")
    yield Figure(NAME, "writes a day of our own, with nothing to do", 2 * _RUNS_A_DAY + 24, "")


def _cronjob() -> dict[str, object]:
    container = {"name": "reconciler", "image": "reconciler", "command": ["reconciler", "run"]}
    pod = {"restartPolicy": "Never", "automountServiceAccountToken": False}
    job = {"backoffLimit": 0, "template": {"spec": {**pod, "containers": [container]}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "reconciler"},
        "spec": {
            "schedule": "* * * * *",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 30,
            "successfulJobsHistoryLimit": _KEPT,
            "jobTemplate": {"spec": job},
        },
    }


def _until(place: Place, mark: int) -> Sequence[dict[str, Any]]:
    """What was asked of the namespace since the mark, as soon as there were enough Jobs."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        entries = [
            entry
            for entry in place.audit.entries(mark)
            if entry.get("objectRef", {}).get("namespace") == _NAMESPACE
        ]
        if sum(map(_begins, entries)) >= _JOBS:
            return entries
        if time.monotonic() > give_up:
            raise Broken("the CronJob made no Jobs")
        time.sleep(5)


def _begins(entry: dict[str, Any]) -> bool:
    return bool(entry["verb"] == "create" and entry["objectRef"]["resource"] == "jobs")


def _one_run(entries: Sequence[dict[str, Any]]) -> Counter[str]:
    """From the creation of the last Job but one to that of the last."""
    begins = [at for at, entry in enumerate(entries) if _begins(entry)]
    found: Counter[str] = Counter()
    for entry in entries[begins[-2] : begins[-1]]:
        about = entry["objectRef"]
        parts = [about[key] for key in ("resource", "subresource") if key in about]
        found[f"{entry['verb']} {'/'.join(parts)}"] += 1
    return found
