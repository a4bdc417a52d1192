"""The jobs of a soak: a function of the seed and of nothing else."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from shared.formats.format import ENCODING_ENDINGS, ENCODINGS, Encoding, Format
from shared.jobs.job import OnInvalid

BASE_ROWS = 2**17
"""Rows that there are; each order is some of them, one after the other."""

JSON_ROWS = 3000
"""Most rows of an order whose rows the soak writes as JSON, which is slow to make."""

ENDING_OF = {encoding: ending for ending, encoding in ENCODING_ENDINGS.items()}

PACKINGS: tuple[Encoding | None, ...] = (None, *ENCODINGS)
PACKING_WEIGHTS = (6, 3, 3, 1, 1, 1)
"""The slow ones of the compressions, which come last, are rare."""


class Way(StrEnum):
    """How the rows come to the service."""

    BODY = "body"
    FORM = "form"
    ADDRESS = "address"  # of a file that the service reads itself
    ARRAY = "array"  # to /multiple_score
    WAITED = "waited"  # the same, and the answer holds the scores if they are there in time


@dataclass(frozen=True)
class Order:
    """One job as its client wants it."""

    number: int
    way: Way
    format: Format
    encoding: Encoding | None
    first: int
    rows: int
    bad: int
    """Rows that break the contract, spread over all."""
    on_invalid: OnInvalid
    keep: bool
    """Whether the id comes back with each score."""
    key: bool
    repeats: int
    """How often a client with a key sends it again."""
    webhook: bool
    cancels: bool
    slowly: bool
    """Whether the body is sent in pieces with pauses."""
    results: Format
    output: bool
    """Whether the service also writes the results to an address."""

    @property
    def name(self) -> str:
        """The name of the job, where the way of sending has room for one; that of a file at an address has an ending besides."""
        return f"order-{self.number:06d}"

    @property
    def file_name(self) -> str:
        """The name of the file of its rows, which tells the format and the compression."""
        packing = f".{ENDING_OF[self.encoding]}" if self.encoding else ""
        return f"{self.name}.{self.format}{packing}"

    @property
    def is_rejected_at_once(self) -> bool:
        """Whether the answer is that rows are invalid, and there is no job."""
        return bool(self.bad) and self.on_invalid == "reject" and self.format is Format.JSON

    @property
    def fails(self) -> bool:
        """Whether the job fails for its rows."""
        return bool(self.bad) and self.on_invalid == "reject"

    @property
    def kind(self) -> str:
        """What is counted in the table."""
        return f"{self.way} {self.format}" + (f" {self.encoding}" if self.encoding else "")


def orders_of(seed: int) -> Iterator[Order]:
    """Give the orders of a soak, without an end."""
    rng = random.Random(f"orders {seed}")
    for number in count(1):
        yield _order(number, rng)


def _order(number: int, rng: random.Random) -> Order:
    way = rng.choices(tuple(Way), (10, 3, 2, 3, 2))[0]
    format = Format.JSON if way in (Way.ARRAY, Way.WAITED) else rng.choice(tuple(Format))
    if way in (Way.FORM, Way.ADDRESS) and format is Format.JSON:
        format = Format.CSV
    encoding = rng.choices(PACKINGS, PACKING_WEIGHTS)[0] if way not in (Way.ARRAY, Way.WAITED) else None
    if encoding == "zip" and format is Format.JSON:
        encoding = None
    rows = int(10 ** rng.uniform(0, 4.8))
    if format in (Format.JSON, Format.NDJSON):
        rows = min(rows, JSON_ROWS)
    bad = min(rows, rng.randint(1, 20)) if rng.random() < 0.2 else 0
    has_options = way in (Way.BODY, Way.FORM)
    key = way is not Way.WAITED and rng.random() < 0.5
    results = rng.choice(tuple(Format) if rows <= JSON_ROWS else (Format.PARQUET, Format.CSV, Format.ARROW))
    return Order(
        number=number,
        way=way,
        format=format,
        encoding=encoding,
        first=rng.randrange(BASE_ROWS - rows),
        rows=rows,
        bad=bad,
        on_invalid=rng.choice(("flag", "flag", "reject")) if has_options else "reject",
        keep=has_options and rng.random() < 0.6,
        key=key,
        repeats=rng.choice((0, 1, 2)) if key else 0,
        webhook=has_options and rng.random() < 0.2,
        cancels=rng.random() < 0.07,
        slowly=way is Way.BODY and format is not Format.JSON and rng.random() < 0.15,
        results=results,
        output=way is Way.ADDRESS and results is not Format.JSON and rng.random() < 0.6,
    )
