"""Slices of a file against the whole of it."""

from functools import reduce
from typing import Any

import pyarrow as pa

from shared.contract.columns import validate_columns
from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.errors import Report
from shared.formats.source import ReadOptions


def assert_same(slices: list[Validated], data: pa.Table, contract: Contract, options: ReadOptions) -> None:
    """See that the slices are what the contract says of the whole table."""
    [batch] = data.combine_chunks().to_batches()
    whole = validate_columns(contract, batch, 0, options.keep, options.kept_as_text)
    assert pa.Table.from_batches([piece.batch for piece in slices]).combine_chunks().to_batches() == [whole.batch]
    if whole.kept is not None:
        kept = [piece.kept for piece in slices]
        assert pa.Table.from_batches(kept).combine_chunks().to_batches() == [whole.kept]
    for told in ("words", "details"):
        expected = getattr(whole, told)
        found: list[Any] = []
        for piece in slices:
            part = getattr(piece, told)
            found += part.to_pylist() if part is not None else [None] * piece.batch.num_rows
        assert found == (expected.to_pylist() if expected is not None else [None] * batch.num_rows)
    assert reduce(Report.joined, (piece.report for piece in slices)) == whole.report
