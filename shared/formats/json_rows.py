"""Bodies of requests to rows: one row, or record batches small enough that no step holds up the process for long."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa
import pydantic_core
from pydantic import ValidationError

from shared.errors import MAX_REPORTED_ROW_ERRORS, InvalidRows, MalformedInput, RowError, cut
from shared.models.signature import Contract, Row

SLICE_ROWS = 1000
"""Rows checked in one go; some 3 ms, during which no other thread of the process runs."""


def row_from_json(body: bytes, contract: Contract) -> Row:
    """Read one row from a JSON object; raises MalformedInput or InvalidRows."""
    try:
        row = contract.row_adapter.validate_json(body)
    except ValidationError as error:
        raise _refusal(_row_errors(error, None)) from None
    if errors := contract.order_errors(row):
        raise InvalidRows(errors)
    return row


def batches_from_json(body: bytes, contract: Contract) -> Iterator[pa.RecordBatch]:
    """Read a JSON array of objects as record batches of the contract's schema, of SLICE_ROWS rows at most.

    Raises MalformedInput if the body is not such an array. If rows are bad, reads on to count them all, then raises
    InvalidRows; what was read until then is of no use.
    """
    errors: list[RowError] = []
    total = 0
    for start, raw in _slices(body):
        try:
            batch, found = _checked(raw, contract, start)
        except ValidationError as error:
            # Once enough errors are told, the others are only counted: telling them apart costs far more.
            enough = len(errors) >= MAX_REPORTED_ROW_ERRORS
            batch, found = None, [] if enough else _errors_of_raw_rows(raw, contract, start)
            total += error.error_count() if enough else 0
        if batch is not None and not errors:
            yield batch
        total += len(found)
        errors.extend(found[: MAX_REPORTED_ROW_ERRORS - len(errors)])
    if errors:
        raise InvalidRows(errors, total)


def _checked(raw: list[msgspec.Raw], contract: Contract, start: int) -> tuple[pa.RecordBatch | None, list[RowError]]:
    """Give the rows as columns, or name those out of order; raises pydantic's ValidationError for all else."""
    rows = contract.rows_adapter.validate_json(b"[" + b",".join(raw) + b"]")
    batch = contract.to_batch(rows)
    unordered = contract.unordered_rows(batch)
    if unordered:
        return None, [error for i in unordered for error in contract.order_errors(rows[i], start + i)]
    return batch, []


def _errors_of_raw_rows(raw: list[msgspec.Raw], contract: Contract, start: int) -> list[RowError]:
    return [error for i, row in enumerate(raw) for error in _errors_of_raw_row(row, contract, start + i)]


def _slices(body: bytes) -> Iterator[tuple[int, list[msgspec.Raw]]]:
    """Cut the array into its elements without reading them, and give them with the number of the first one."""
    try:
        elements = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        elements = _elements_beyond_json(body)
    if not elements:
        raise MalformedInput("The array is empty; send at least one row.")
    for start in range(0, len(elements), SLICE_ROWS):
        yield start, elements[start : start + SLICE_ROWS]


def _elements_beyond_json(body: bytes) -> list[msgspec.Raw]:
    """Read an array that has NaN or Infinity in it, which are no JSON but happen: the rows they stand in can be named."""
    try:
        elements: Any = pydantic_core.from_json(body, allow_inf_nan=True)
    except ValueError as error:
        raise MalformedInput(f"The body is not JSON: {error}.") from None
    if not isinstance(elements, list):
        raise MalformedInput("The body is not a JSON array of objects.")
    return [msgspec.Raw(json.dumps(element).encode()) for element in elements]


def _errors_of_raw_row(raw: msgspec.Raw, contract: Contract, number: int) -> list[RowError]:
    try:
        row = contract.row_adapter.validate_json(bytes(raw))
    except ValidationError as error:
        return _row_errors(error, number)
    return contract.order_errors(row, number)


def _row_errors(error: ValidationError, number: int | None) -> list[RowError]:
    """Translate pydantic's findings; none of its messages repeats the input once `input` and `ctx` are left out."""
    details = error.errors(include_input=False, include_context=False, include_url=False)
    return [RowError(number, _feature_name(detail["loc"]), detail["msg"], detail["type"]) for detail in details]


def _feature_name(location: tuple[int | str, ...]) -> str | None:
    return cut(str(location[0])) if location else None


def _refusal(errors: list[RowError]) -> MalformedInput | InvalidRows:
    """Tell what is no JSON at all from what is JSON but not a row of the contract."""
    first = errors[0]
    if first.type == "json_invalid":
        return MalformedInput(f"The body is not JSON: {first.reason.removeprefix('Invalid JSON: ')}.")
    return InvalidRows([replace(error, row=None) for error in errors])
