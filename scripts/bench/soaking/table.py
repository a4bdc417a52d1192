"""The table that a soak ends with."""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from scripts.bench.soaking.memory import Memory
from scripts.bench.soaking.record import Record

Line = tuple[str, str]

WORST = 3


def lines_of(record: Record, memory: Memory, deaths: Counter[str], seconds: float) -> Iterator[Line]:
    """Give the lines, each a name and a figure."""
    yield "duration", f"{seconds / 60:.1f} min"
    yield "events", f"{record.events}, with {sum(record.faults.values())} faults of {len(record.faults)} kinds"
    yield from ((f"  {kind}", str(count)) for kind, count in sorted(record.faults.items()))
    yield from ((f"  not reached: {name}", str(count)) for name, count in sorted(record.missed.items()))
    yield "jobs", f"{sum(record.jobs.values())}, with {record.rows:,} rows"
    yield from _by_kind(record.jobs)
    yield "requests", _listed(record.requests)
    yield "reloads", _listed(record.reloads)
    yield "recovery after an event", _spread(record.recoveries)
    yield from (
        (f"  {label}", f"{seconds:.1f} s") for seconds, label in sorted(record.recoveries, reverse=True)[:WORST]
    )
    yield "pauses of single scoring", _spread(record.pauses)
    yield from ((f"  {label}", f"{seconds:.1f} s") for seconds, label in sorted(record.pauses, reverse=True)[:WORST])
    yield from (
        (f"memory of {kind}", f"{early / 1e6:.0f} MB, then {late / 1e6:.0f} MB")
        for kind, (early, late) in memory.quarters().items()
    )
    yield from ((f"ended by itself: {name}", str(count)) for name, count in sorted(deaths.items()))
    yield from ((name, str(count)) for name, count in sorted(record.notes.items()))
    yield "violations", str(len(record.violations))
    counted = Counter(violation.what for violation in record.violations)
    yield from ((f"  {what}", str(count)) for what, count in counted.most_common())


def print_table(lines: Sequence[Line]) -> None:
    """Print the lines in two columns."""
    width = max(len(name) for name, _ in lines)
    print()
    for name, figure in lines:
        print(f"{name:{width}}  {figure}".rstrip())


def _by_kind(jobs: "Counter[tuple[str, str]]") -> Iterator[Line]:
    kinds = sorted({kind for kind, _ in jobs})
    for kind in kinds:
        ends = Counter({end: count for (of, end), count in jobs.items() if of == kind})
        yield f"  {kind}", _listed(ends)


def _listed(counts: "Counter[str]") -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def _spread(times: Sequence[tuple[float, str]]) -> str:
    if not times:
        return "none"
    seconds = sorted(each for each, _ in times)
    p50, p95 = statistics.median(seconds), seconds[int(0.95 * len(seconds))]
    return f"{len(seconds)}: p50 {p50:.1f} s, p95 {p95:.1f} s, longest {seconds[-1]:.1f} s"
