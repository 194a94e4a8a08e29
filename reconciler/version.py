"""The version of this package, as it was installed: pyproject.toml is where it stands."""

import importlib.metadata


def version() -> str:
    return importlib.metadata.version("reconciler")
