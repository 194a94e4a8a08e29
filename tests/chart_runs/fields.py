"""What a pod says, read field by field; what is not known is refused."""

import re
from typing import Any

Pod = dict[str, Any]  # a pod or any part of one

_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


def known(part: Pod, names: str) -> Pod:
    """The part, of which nothing is left unread.

    Raises:
        AssertionError: it says something that changes how a container runs, and we cannot do.
    """
    unknown = set(part) - set(names.split())
    if unknown:
        raise AssertionError(f"{', '.join(sorted(unknown))}: cannot be played here")
    return part


def field(pod: Pod, path: str) -> str:
    """A field of the pod itself, as the downward API gives it; not there: empty."""
    keyed = _KEYED.fullmatch(path)
    if keyed:
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    found: Any = pod
    for name in path.split("."):
        found = found.get(name, {})
    return str(found or "")
