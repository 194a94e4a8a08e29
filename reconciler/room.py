"""How many steps a pass may still start across all its workflows (`--max-active-steps`).

Worked out anew in each pass, from what the server holds. The cap of one workflow is kept by the
compare-and-swap of its status; this one is kept by one pass: of two runs that overlap each keeps
it by itself.
"""

import threading


class Room:
    """Shared by the threads of one pass."""

    def __init__(self, steps: int) -> None:
        self._lock = threading.Lock()
        self._left = max(0, steps)

    def take(self, wanted: int) -> int:
        """As much of it as there is, and it is gone: also where a write is lost later."""
        with self._lock:
            granted = min(wanted, self._left)
            self._left -= granted
            return granted
