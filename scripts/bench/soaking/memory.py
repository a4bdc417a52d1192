"""Whether the processes of a service grow."""

import statistics
import threading
from collections import defaultdict
from contextlib import suppress

import psutil

from scripts.bench.soaking.record import Record
from scripts.bench.soaking.site import PARTS, Site

INTERVAL = 2.0
FEWEST = 60
"""Samples of a kind below which nothing can be said: two minutes."""

GROWTH, SLACK = 1.4, 60e6
"""A kind has grown if its last quarter lies by this factor, and by so many bytes, above its second: the first warms up."""


class Memory:
    """Reads the resident memory of every process, by its kind, until it is stopped; Redis's is what it says itself."""

    def __init__(self, site: Site, record: Record, stop: threading.Event) -> None:
        self._site = site
        self._record = record
        self._stop = stop
        self._samples: defaultdict[str, list[int]] = defaultdict(list)
        threading.Thread(target=self._run, daemon=True).start()

    def quarters(self) -> dict[str, tuple[float, float]]:
        """Give the median of the second quarter and of the last one, in bytes, of each kind that was seen often enough."""
        return {
            kind: (
                statistics.median(samples[len(samples) // 4 : len(samples) // 2]),
                statistics.median(samples[-len(samples) // 4 :]),
            )
            for kind, samples in sorted(self._samples.items())
            if len(samples) >= FEWEST
        }

    def check(self) -> None:
        """Note what has grown."""
        for kind, (early, late) in self.quarters().items():
            if late > early * GROWTH and late > early + SLACK:
                self._record.violation("no process grows", f"{kind}: from {early / 1e6:.0f} to {late / 1e6:.0f} MB")

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            for part in PARTS:
                with suppress(psutil.Error):
                    self._sample(part, self._site.parents(part))
                    self._sample(f"{part} child", self._site.children(part))

    def _sample(self, kind: str, processes: list[psutil.Process]) -> None:
        if sizes := [process.memory_info().rss for process in processes]:
            self._samples[kind].append(max(sizes))
