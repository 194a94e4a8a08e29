"""A Pushgateway in memory: groups, and POST as the real one takes it (contract 10)."""

from collections.abc import Mapping, Sequence

from reconciler.seams import GatewayError, Gauge

Group = frozenset[tuple[str, str]]
Sample = tuple[str, frozenset[tuple[str, str]]]


class MemoryGateway:
    """Keeps what was pushed. POST replaces each family that it brings, and keeps the others."""

    def __init__(self) -> None:
        self._groups: dict[Group, dict[str, Gauge]] = {}
        self._failure = ""

    def fail(self, why: str) -> None:
        """From now on every push is refused."""
        self._failure = why

    def push(self, gauges: Sequence[Gauge], grouping: Mapping[str, str]) -> None:
        if self._failure:
            raise GatewayError(self._failure)
        group = self._groups.setdefault(frozenset(grouping.items()), {})
        group.update({gauge.name: gauge for gauge in gauges})

    def samples(self, grouping: Mapping[str, str]) -> Mapping[Sample, float]:
        """What a scrape of this group would see: name and own labels to value."""
        group = self._groups.get(frozenset(grouping.items()), {})
        return {
            (gauge.name, frozenset(zip(gauge.labels, values, strict=True))): number
            for gauge in group.values()
            for values, number in gauge.samples.items()
        }

    @property
    def groups(self) -> frozenset[Group]:
        return frozenset(self._groups)
