"""Writes a demo portfolio of any size as CSV, Parquet, NDJSON or Arrow, with an id for each applicant.

Run: .venv/bin/python scripts/bench/make_portfolio.py --rows 5000000 --output portfolio.parquet

The same arguments give the same rows, whatever the format. Only the first 131,072 applicants are drawn; after them the same
ones come again, from another one on each time and with new ids, so that a file of any size is written quickly and in little
memory. The model makes no difference between an applicant and the same one again.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.lib.demo_portfolio import DEMO_SEED, demo_data

DRAWN_ROWS = 2**17
"""Applicants that are drawn, and rows that are written in one go."""

ID_COLUMN = "SK_ID_CURR"
FIRST_ID = 100_001

BAD_COLUMN, BAD_VALUE = "YEARS_BIRTH", 12
"""What makes a row break the contract of the demo model: a minor."""

LINES_AT_ONCE = 2**14

Write = Callable[[pa.RecordBatch], object]
Numbers = npt.NDArray[np.int64]


def main() -> None:
    """Write the file that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, required=True, help=f"the ending is one of {', '.join(WRITERS)}")
    parser.add_argument("--seed", type=int, default=DEMO_SEED)
    parser.add_argument("--bad", type=int, default=0, help="rows that break the feature contract, spread over the file")
    options = parser.parse_args()
    if options.output.suffix not in WRITERS:
        parser.error(f"the output must end in one of {', '.join(WRITERS)}")
    if not (options.rows > 0 and 0 <= options.bad <= options.rows):
        parser.error("--rows must be at least 1, and --bad from 0 to --rows")
    write_portfolio(options.output, options.rows, options.seed, options.bad)
    print(f"{options.output}: {options.rows:,} rows, {options.output.stat().st_size / 1e6:,.0f} MB")


def write_portfolio(path: Path, rows: int, seed: int = DEMO_SEED, bad: int = 0) -> None:
    """Write a portfolio in the format that the ending of the path says."""
    batches = portfolio(rows, seed, bad)
    first = next(batches)
    with WRITERS[path.suffix](path, first.schema) as write:
        write(first)
        for batch in batches:
            write(batch)


def portfolio(rows: int, seed: int = DEMO_SEED, bad: int = 0) -> Iterator[pa.RecordBatch]:
    """Give the rows in order, `DRAWN_ROWS` at a time: the id, then the features; null where a value is missing."""
    drawn = pa.RecordBatch.from_pandas(demo_data(min(rows, DRAWN_ROWS), seed).rows, preserve_index=False)
    rng = np.random.default_rng(seed)
    twice = pa.concat_batches([drawn, drawn])
    bad_rows = _bad_rows(rows, bad, rng)
    for start in range(0, rows, DRAWN_ROWS):
        count = min(DRAWN_ROWS, rows - start)
        piece = twice.slice(int(rng.integers(drawn.num_rows)) if start else 0, count)
        piece = _spoiled(piece, bad_rows[(bad_rows >= start) & (bad_rows < start + count)] - start)
        ids = pa.array(np.arange(FIRST_ID + start, FIRST_ID + start + count))
        yield pa.RecordBatch.from_arrays([ids, *piece.columns], names=[ID_COLUMN, *piece.schema.names])


def _bad_rows(rows: int, bad: int, rng: np.random.Generator) -> Numbers:
    if not bad:
        return np.empty(0, dtype=np.int64)
    return np.arange(bad) * rows // bad + int(rng.integers(rows // bad))


def _spoiled(batch: pa.RecordBatch, numbers: Numbers) -> pa.RecordBatch:
    if not len(numbers):
        return batch
    values = batch.column(BAD_COLUMN).to_numpy().copy()
    values[numbers] = BAD_VALUE
    return batch.set_column(batch.schema.get_field_index(BAD_COLUMN), BAD_COLUMN, pa.array(values))


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pq.ParquetWriter(path, schema) as writer:
        yield writer.write_batch


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pacsv.CSVWriter(path, schema) as writer:
        yield writer.write_batch


@contextmanager
def _arrow_file(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pa.ipc.new_file(path, schema) as writer:
        yield writer.write_batch


@contextmanager
def _arrow_stream(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with pa.ipc.new_stream(path, schema) as writer:
        yield writer.write_batch


@contextmanager
def _ndjson(path: Path, _: pa.Schema) -> Iterator[Write]:
    with path.open("wb") as file:

        def write(batch: pa.RecordBatch) -> None:
            for start in range(0, batch.num_rows, LINES_AT_ONCE):
                file.write(_json_lines(batch.slice(start, LINES_AT_ONCE)))

        yield write


def _json_lines(batch: pa.RecordBatch) -> bytes:
    """Write a JSON object a line, all rows of a column at once; every column is of numbers or booleans."""
    parts: list[object] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        parts += [f',"{name}":', pc.fill_null(pc.cast(column, pa.string()), "null")]
    parts[0] = f'{{"{batch.schema.names[0]}":'
    lines = pc.binary_join_element_wise(*parts, "}\n", "")
    content: bytes = lines.buffers()[2].to_pybytes()
    return content


WRITERS: dict[str, Callable[[Path, pa.Schema], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".ndjson": _ndjson,
    ".arrow": _arrow_file,
    ".arrows": _arrow_stream,
}


if __name__ == "__main__":
    main()
