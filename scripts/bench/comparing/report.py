"""What came of the rounds: tables of medians, ratios beside their aims, what they were measured on."""

import os
import platform
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from scripts.bench.comparing.environments import CATBOOST, PINS
from scripts.bench.comparing.load import Load
from scripts.bench.comparing.rounds import BATCH_ROWS, BESIDE, CLIENTS, PROGRAMS, SINGLE, SQUEEZED, Key, Samples
from scripts.bench.comparing.servers import SERVERS

Measure = Callable[[Load], float]


def rate(load: Load) -> float:
    """Give answers a second."""
    return load.rate


def p50(load: Load) -> float:
    """Give the median time in seconds."""
    return load.p50


def p99(load: Load) -> float:
    """Give the 99th percentile of times in seconds."""
    return load.p99


@dataclass(frozen=True)
class Ratio:
    """One figure divided by another of the same round, and what it should be."""

    what: str
    over: tuple[Key, Measure]
    under: tuple[Key, Measure]
    aim: str

    def values(self, samples: Samples) -> list[float]:
        """Give the ratio of each round; none if one of the two was not measured."""
        pairs = zip(samples.get(self.over[0], []), samples.get(self.under[0], []), strict=False)
        return [self.over[1](ours) / self.under[1](theirs) for ours, theirs in pairs]


def single_ratios(most_p50: float, least_rate: float) -> list[Ratio]:
    """Give the ratios of one row to the bare app."""
    rates = (
        Ratio(
            f"one row, requests/s at {connections} connections, of the bare app's",
            (("ours", SINGLE, connections), rate),
            (("bare", SINGLE, connections), rate),
            f"≥ {least_rate:.2f}",
        )
        for connections in (16, 64)
    )
    return [
        Ratio(
            "one row, p50 at 1 connection, of the bare app's",
            (("ours", SINGLE, 1), p50),
            (("bare", SINGLE, 1), p50),
            f"≤ {most_p50:.1f}",
        ),
        *rates,
        Ratio(
            "one row, p99 at 16 connections, of its own p50",
            (("ours", SINGLE, 16), p99),
            (("ours", SINGLE, 16), p50),
            "≤ 3",
        ),
    ]


FLAT = (("mlserver", "flat V2 tensor", 1), rate)
BATCH_RATIOS = [
    *(
        Ratio(f"{BATCH_ROWS:,} rows as {what}, rows/s, of MLServer's flat tensor", (("ours", what, 1), rate), FLAT, aim)
        for what, aim in (("records", "≥ 0.75"), ("columns", "≥ 1.2"), ("dataframe_split", "≥ 1.2"))
    ),
    Ratio(
        f"one row, p99 while {CLIENTS} clients send {BATCH_ROWS:,} records each, of its p99 alone",
        (("ours", BESIDE, 1), p99),
        (("ours", SINGLE, 1), p99),
        "≤ 5",
    ),
    Ratio(
        f"one row, p99 while {PROGRAMS} programs compute that do nothing else, of its p99 alone",
        (("ours", SQUEEZED, 1), p99),
        (("ours", SINGLE, 1), p99),
        "",
    ),
]


def tables(demo: Samples, german: Samples, machine: str) -> list[str]:
    """Give the lines of all tables."""
    return [
        machine,
        "",
        *ratio_table("demo model", [*single_ratios(2.0, 0.60), *BATCH_RATIOS], demo),
        "",
        *ratio_table("German credit, with categories", single_ratios(2.5, 0.50), german),
        "",
        *single_table("demo model", demo),
        "",
        *single_table("German credit", german),
        "",
        *batch_table(demo),
    ]


def ratio_table(title: str, ratios: Sequence[Ratio], samples: Samples) -> Iterator[str]:
    """Give the medians of ratios, with the lowest and the highest of a round."""
    yield from (f"| {title} | ratio | of the rounds | aim |", "|---|---|---|---|")
    for ratio in ratios:
        if values := ratio.values(samples):
            spread = f"{min(values):.2f} to {max(values):.2f}"
            yield f"| {ratio.what} | {statistics.median(values):.2f} | {spread} | {ratio.aim} |"


def single_table(title: str, samples: Samples) -> Iterator[str]:
    """Tell how fast each server answers single rows."""
    yield f"| one row, {title} | p50, 1 connection | requests/s, 16 | requests/s, 64 | p50, p99 at 16 |"
    yield "|---|---|---|---|---|"
    for name in _measured(samples, SINGLE):
        alone, some, many = (samples[name, SINGLE, connections] for connections in (1, 16, 64))
        times = f"{_milliseconds(some, p50)}, {_milliseconds(some, p99)}"
        rates = f"{_median(some, rate):,.0f} | {_median(many, rate):,.0f}"
        yield f"| {SERVERS[name].title} | {_milliseconds(alone, p50)} | {rates} | {times} |"


def batch_table(samples: Samples) -> Iterator[str]:
    """Tell how fast each server answers a batch."""
    yield from (f"| {BATCH_ROWS:,} rows, 1 connection | as | rows/s | p50 |", "|---|---|---|---|")
    for name, what, _ in samples:
        if what not in (SINGLE, BESIDE, SQUEEZED):
            loads = samples[name, what, 1]
            speed = BATCH_ROWS * _median(loads, rate)
            yield f"| {SERVERS[name].title} | {what} | {speed:,.0f} | {_milliseconds(loads, p50)} |"


def machine(rounds: int, seconds: int) -> str:
    """Tell what was measured on, and how."""
    versions = ", ".join(pins[0].replace("==", " ") for pins in ([CATBOOST], *PINS.values()))
    return (
        f"{date.today():%-d %B %Y}; {os.cpu_count()} cores of {_processor()}, {platform.system()}, "
        f"Python {platform.python_version()}; {versions}. Median of {rounds} rounds, {seconds} s for each figure."
    )


def _measured(samples: Samples, what: str) -> list[str]:
    return list(dict.fromkeys(name for name, sent, _ in samples if sent == what))


def _median(loads: Sequence[Load], measure: Measure) -> float:
    return statistics.median(map(measure, loads))


def _milliseconds(loads: Sequence[Load], measure: Measure) -> str:
    return f"{1000 * _median(loads, measure):.3g} ms"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines: Mapping[str, str] = (
        dict(line.partition(":")[::2] for line in info.read_text().splitlines()) if info.is_file() else {}
    )
    names = [value.strip() for name, value in lines.items() if name.strip() == "model name"]
    return names[0] if names else platform.machine()
