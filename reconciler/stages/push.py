"""Stage 9: the gauges of one run, in one push (contract 1, 10).

A push that failed changes neither the exit code nor any state: it is a warning. What may be said
is decided in `gauges.py`; a run without the Lease says nothing.
"""

import logging
from collections.abc import Mapping

from reconciler.core.outcome import Outcome
from reconciler.gauges import gauges
from reconciler.seams import GatewayError, World
from reconciler.settings import Settings
from reconciler.version import version

_log = logging.getLogger(__name__)

_ALL_NAMESPACES = "_all"  # no namespace can be called so
_NO_SOURCE = "none"  # no source may be called so


def push(world: World, settings: Settings, outcome: Outcome) -> None:
    """Pushes what this run may say; without a gateway, nothing."""
    if world.gateway is None:
        return
    said = gauges(outcome, version())
    if not said:
        return
    try:
        world.gateway.push(said, grouping(settings))
    except GatewayError as error:
        _log.warning("no gauges were pushed: %s", error, extra={"stage": "push"})


def grouping(settings: Settings) -> Mapping[str, str]:
    """Whose gauges these are: two releases that share a Pushgateway never overwrite each other."""
    return {
        "job": settings.pushgateway_job,
        "namespace": settings.namespace or _ALL_NAMESPACES,
        "source": settings.source_name if settings.source_url else _NO_SOURCE,
        "shard": settings.shard.label,
    }
