"""How many units of one job may be in progress at a time."""

import time
from contextlib import suppress

from shared.errors import RedisUnavailable
from shared.fleet.records import Fleet
from shared.jobs.queue import CHUNKS

SMALLEST_WINDOW = 4
PER_SLOT = 2
"""Units per scoring process: one in progress, and one waiting."""

LOOK_INTERVAL = 3.0


class Window:
    """Follows the number of live workers, so that a job keeps all of them busy and its messages do not pile up."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._size = SMALLEST_WINDOW
        self._looked_at = -LOOK_INTERVAL

    def __call__(self) -> int:
        """Return the number of units."""
        if time.monotonic() - self._looked_at > LOOK_INTERVAL:
            with suppress(RedisUnavailable):
                self._size = max(SMALLEST_WINDOW, PER_SLOT * self._fleet.slots(CHUNKS))
            self._looked_at = time.monotonic()
        return self._size
