"""What a soak has seen: counts, times, violations. Every thread of it writes here."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept."""

    what: str
    """The promise, in the same words each time."""
    detail: str
    during: str
    """The event before it."""


@dataclass
class Record:
    """All that the table and the exit code are made from. Times are of the monotonic clock, in seconds."""

    faults: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    """Moments that did not come while they were waited for."""
    events: int = 0
    jobs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind and end."""
    rows: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    """By the status of the answer, or the kind of error."""
    reloads: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    """What is no violation, but worth a line."""
    recoveries: list[tuple[float, str]] = field(default_factory=list)
    pauses: list[tuple[float, str]] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    history: list[tuple[float, str, tuple[str, ...]]] = field(default_factory=list)
    """When each event began, its label, and the kinds of its faults."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def violation(self, what: str, detail: str) -> None:
        """Note that a promise was not kept."""
        with self._lock:
            during = self.history[-1][1] if self.history else "before the first event"
            self.violations.append(Violation(what, detail, during))
        print(f"VIOLATION {what}: {detail} (after: {during})", flush=True)

    def count(self, counter: "Counter[str]", *names: str) -> None:
        """Add one to each."""
        with self._lock:
            counter.update(names)

    def job(self, kind: str, end: str, rows: int) -> None:
        """Note the end of a job that was looked at."""
        with self._lock:
            self.jobs[kind, end] += 1
            self.rows += rows

    def begin(self, label: str, kinds: tuple[str, ...]) -> None:
        """Note an event that happens now."""
        with self._lock:
            self.events += 1
            self.faults.update(kinds)
            self.history.append((time.monotonic(), label, kinds))

    def recovered(self, seconds: float, label: str) -> None:
        """Note how long a job of a few rows took from the end of an event on, first refusals included."""
        with self._lock:
            self.recoveries.append((seconds, label))

    def paused(self, seconds: float) -> None:
        """Note a time in which no single score came."""
        with self._lock:
            self.pauses.append((seconds, self.history[-1][1] if self.history else "the start"))

    def events_since(self, moment: float) -> list[tuple[str, ...]]:
        """Give the kinds of faults of each event from a moment on, and of the one before it, which may still have lasted."""
        with self._lock:
            earlier = sum(at < moment for at, _, _ in self.history)
            return [kinds for _, _, kinds in self.history[max(earlier - 1, 0) :]]
