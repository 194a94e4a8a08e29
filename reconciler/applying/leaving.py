"""Of stage 3, its end: older runs are asked to make way, and runs that may go are deleted (I8).

Each is looked at whole before the fence, and what is sent is for exactly what was seen. While any
of it may still land the head says so, as for an apply.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.core.orders import Order, Sighting
from reconciler.core.outcome import Rule
from reconciler.core.retention import Departure, Departures, leaves, too_early
from reconciler.core.source import SourceView
from reconciler.core.verdicts import live
from reconciler.errors import ClusterError, Conflict, Refused
from reconciler.seams import Cluster, Precondition

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leaver:
    """A run that goes, as it was read."""

    departure: Departure
    seen: Sighting


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a cancel or a DELETE of what was `seen`.

    `answered`: it will not land later.
    """

    answered: bool
    seen: tuple[Sighting, ...]
    rule: Rule | None = None


def looked_at(
    cluster: Cluster, view: SourceView, departure: Departure
) -> tuple[Leaver | None, bool]:
    """A run that may go, once its object says so too; and whether all is known about it by now."""
    try:
        raw = cluster.raw_workflow(*departure.key)
    except Refused as error:
        _log.warning("%s/%s could not be looked at: %s", *departure.key, error)
        return None, True
    except ClusterError as error:
        _log.info("%s/%s is looked at by the next run: %s", *departure.key, error)
        return None, False
    seen = live(raw) if raw else None
    if seen is None or not leaves(view, departure, seen):
        return None, seen is None or not too_early(view, seen)
    return Leaver(departure, Sighting(departure.key, seen.uid, seen.version)), True


def tell_held(found: Departures) -> None:
    if found.held:
        _log.warning("nothing is pruned: %s", found.held)


def tell_dry(leaver: Leaver) -> None:
    key, why = leaver.seen.key, leaver.departure.why
    _log.info("%s/%s would be deleted (%s): %s", *key, leaver.departure.rule, why)


def make_way(cluster: Cluster, order: Order) -> Sent:
    """Asks the older runs of a document to end, once the run that replaces them is there."""
    done = [_answered(cluster.cancel_workflow, each, "asked to end") for each in order.asks]
    return Sent(all(answered for answered, _ in done), order.asks)


def deleted(cluster: Cluster, leaver: Leaver) -> Sent:
    answered, done = _answered(cluster.delete_workflow, leaver.seen, "deleted")
    if not done:
        return Sent(answered, (leaver.seen,))
    rule = leaver.departure.rule
    _log.info("%s/%s was deleted (%s): %s", *leaver.seen.key, rule, leaver.departure.why)
    return Sent(answered, (leaver.seen,), rule)


def _answered(
    act: Callable[[str, str, Precondition], None], seen: Sighting, done: str
) -> tuple[bool, bool]:
    """Whether it was answered for good, and whether it was done."""
    try:
        act(*seen.key, Precondition(seen.uid, seen.version))
    except Conflict as error:
        _log.info("%s/%s has changed and is looked at by the next run: %s", *seen.key, error)
        return False, False
    except Refused as error:
        _log.warning("%s/%s could not be %s: %s", *seen.key, done, error)
        return True, False
    except ClusterError as error:
        _log.info("%s/%s is %s by the next run: %s", *seen.key, done, error)
        return False, False
    return True, True
