"""The check that asks the Pushgateway whether it is ready; nothing is pushed (contract 10)."""

from reconciler.checks.ground import Ground
from reconciler.checks.result import Found, failed, ok, skipped
from reconciler.seams import GatewayError


def pushgateway(ground: Ground) -> Found:
    if ground.gateway is None:
        return skipped("no --pushgateway-url")
    try:
        ground.gateway.ready()
    except GatewayError as error:
        return failed(
            str(error),
            "look at --pushgateway-url, and whether a network policy lets this pod through; runs "
            "go on without it, but nobody sees their gauges",
        )
    return ok("ready")
