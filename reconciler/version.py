"""The version of this package, as it was installed: pyproject.toml is where it stands."""

import functools
import importlib.metadata


@functools.cache  # read from a file, and asked for in every pass
def version() -> str:
    return importlib.metadata.version("reconciler")
