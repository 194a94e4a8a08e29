"""The same hypothesis profiles as in tests/properties."""

import tests.properties.conftest  # noqa: F401  # it registers and loads them
