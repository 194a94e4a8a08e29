"""Stage 1: the Lease saves work, safety never rests on it (contract 1).

Taken by resourceVersion for the deadline and ten seconds more; whether it has expired is what the
API server's clock says. Released at the end, best effort: a run that was killed holds it until
then.
"""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus

from reconciler.errors import AlreadyExists, ClusterError, Conflict, DeadlinePassed, Refused
from reconciler.seams import Lease, LeaseRead, World

_log = logging.getLogger(__name__)

_MARGIN = timedelta(seconds=10)  # one push and the release itself come after the deadline
_RELEASE_TIMEOUT = 2.0  # seconds; a run ends within its deadline plus 5


@dataclass(frozen=True, slots=True)
class Held:
    """What came of it: ours, somebody else's, or (neither) none to be had."""

    ours: Lease | None = None
    elsewhere: str = ""


def take(world: World, name: str) -> Held:
    """The Lease, unless somebody holds it.

    Raises:
        Unreachable, Refused: no answer, or one to nobody; there is nothing for this run to do.
    """
    try:
        read = world.cluster.lease(name)
        holder = read.held_by(world.clock.now())
        if holder:
            return Held(elsewhere=holder)
        try:
            return Held(ours=world.cluster.write_lease(_mine(world, name, read)))
        except (Conflict, AlreadyExists):
            return _faster(world, name)
    except Refused as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise
        _log.warning("going on without the Lease: %s", error)
        return Held()


def release(world: World, lease: Lease) -> None:
    """Lets the next run start at once; without it that one waits for the Lease to expire."""
    try:
        world.cluster.write_lease(
            replace(lease, holder="", duration=timedelta(seconds=1)), timeout=_RELEASE_TIMEOUT
        )
    except (ClusterError, DeadlinePassed) as error:
        _log.info("the Lease was not released and expires by itself: %s", error)


def _faster(world: World, name: str) -> Held:
    """Who was: another run, or this one, when the answer to its own write was lost."""
    lease = world.cluster.lease(name).lease
    if lease is not None and lease.holder == world.identity:
        return Held(ours=lease)
    return Held(elsewhere=lease.holder if lease and lease.holder else "a run that was faster")


def _mine(world: World, name: str, read: LeaseRead) -> Lease:
    now = read.at or world.clock.now()
    before = read.lease
    return Lease(
        name=name,
        holder=world.identity,
        duration=timedelta(seconds=round(world.deadline.remaining)) + _MARGIN,
        acquired=now,
        renewed=now,
        transitions=before.transitions + 1 if before else 0,
        version=before.version if before else "",
    )
