"""A Pushgateway and a Prometheus that scrapes it, beside the fixtures of a real API server.

One of each for all tests: a test has a namespace of its own, and with it a group of its own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver.conftest import alone, shop
from tests.apiserver.pushgateways import serving
from tests.metrics.programs import Prometheus, scraping, tool

__all__ = ["alone", "shop"]


@pytest.fixture(scope="session")
def shared_pushgateway() -> Iterator[str]:
    """The URL of a Pushgateway."""
    with serving(tool("pushgateway")) as url:
        yield url


@pytest.fixture(scope="session")
def prometheus(
    shared_pushgateway: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """One that looks at that Pushgateway; it takes 5 seconds until it looks for the first time."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with scraping(shared_pushgateway, folder) as server:
        yield server
