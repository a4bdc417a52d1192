"""JSON request bodies to rows: a single row, or slices small enough not to block the process for long."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import GenericAlias
from typing import Any

import msgspec
import pydantic_core
from pydantic import ValidationError

from shared.contract.contract import Contract, Row
from shared.contract.findings import json_fault
from shared.contract.matching import match_columns
from shared.contract.validated import Validated
from shared.errors import InvalidRows, MalformedInput, Report
from shared.formats.json_columns import NOT_IN_BULK, JsonRows
from shared.formats.json_extract import extract
from shared.formats.source import ReadOptions
from shared.reasons import InvalidValue, cut

SLICE_ROWS = 2000
"""Approximate number of rows validated at a time; takes some 3 ms, during which no other thread of the process runs."""

FIRST_SLICE_BYTES = 2**16
MAX_SLICE_BYTES = 2**20
"""Maximum size of a slice, unless a single row is larger."""

CUT_ATTEMPTS = 3
"""False row boundaries that are tried before the rest of a body is treated as one slice."""

BETWEEN_OBJECTS = re.compile(rb"\}[ \t\r\n]*(,)[ \t\r\n]*\{")
BETWEEN_ARRAYS = re.compile(rb"\][ \t\r\n]*(,)[ \t\r\n]*\[")

ARRAY_BEGINS = re.compile(rb"[ \t\r\n]*\[")

SHAPES = ("dataframe_split", "dataframe_records", "columns")


def row_from_json(body: bytes, contract: Contract) -> Row:
    """Read one row from a JSON object; raises MalformedInput or InvalidRows."""
    try:
        text, omitted = extract(body, contract.names_known, contract.whole_numbers)
    except NOT_IN_BULK as error:
        raise _not_json(*json_fault(str(error), len(body))) from None
    try:
        row = contract.row_adapter.validate_json(text)
    except ValidationError as error:
        raise _rejection(contract.findings(error), omitted) from None
    if invalid := contract.unordered(row):
        raise InvalidRows(Report.of_row(invalid))
    return row


def validated_from_json(
    body: bytes, contract: Contract, options: ReadOptions, *, ignore_extra: bool
) -> Iterator[Validated]:
    """Validate a JSON array of objects, in slices of about SLICE_ROWS rows; raises MalformedInput if it is not such an array.

    Unknown keys that are not kept are forbidden; with `ignore_extra` only in a row that lacks a feature. Absent kept values
    are null. A kept column has the type of its values in this slice, or is text if they have several types.
    """
    rows = JsonRows(contract, options, ignore_extra=ignore_extra)
    yield from _validated_array(body, rows.from_array, rows.from_rows, BETWEEN_OBJECTS)
    rows.names.check()


def validated_from_document(
    body: bytes, contract: Contract, options: ReadOptions, *, ignore_extra: bool = True
) -> Iterator[Validated]:
    """Validate rows in any of the JSON shapes of a job: an array, or an object with one of the keys in SHAPES.

    The results are those of `validated_from_json`. Raises MalformedInput for another shape or for columns of unequal length,
    and WrongColumns for the columns of a shape that names them once for all rows.
    """
    if not body.lstrip(b" \t\r\n").startswith(b"{"):
        return validated_from_json(body, contract, options, ignore_extra=ignore_extra)
    document = _object(body)
    shape, content = next(iter(document.items()), ("", b""))
    if len(document) != 1 or shape not in SHAPES:
        raise MalformedInput("json-shape-unknown", accepted=list(SHAPES))
    if shape == "dataframe_records":
        return validated_from_json(content, contract, options, ignore_extra=ignore_extra)
    rows = JsonRows(contract, options, ignore_extra=True)
    of_shape = _validated_split if shape == "dataframe_split" else _validated_columns
    return of_shape(_object(content), rows, contract, options.keep)


def _validated_array(
    array: bytes,
    in_bulk: Callable[[bytes, int], Validated | None],
    one_by_one: Callable[[Sequence[bytes], int], Validated],
    between: re.Pattern[bytes],
) -> Iterator[Validated]:
    """Cut the text of an array at commas between its elements, and validate one piece at a time, in bulk if possible.

    A matching comma may be within a string or nested deeper. But if a piece is a valid JSON array once enclosed in brackets,
    it was cut between elements, since the state of a parser at the cut depends only on the text before.
    """
    start, size = 0, FIRST_SLICE_BYTES
    position: int | None = _first_position(array)
    while position is not None:
        found, end = _next_piece(array, position, size, start, in_bulk, between)
        rows = found.batch.num_rows if isinstance(found, Validated) else len(found)
        if isinstance(found, Validated):
            yield found
        else:
            for i in range(0, rows, SLICE_ROWS):
                yield one_by_one(found[i : i + SLICE_ROWS], start + i)
        length = (len(array) if end is None else end) - position
        size = min(length * SLICE_ROWS // max(rows, 1), MAX_SLICE_BYTES)
        start += rows
        position = None if end is None else end + 1
    if not start:
        raise MalformedInput("no-rows")


def _first_position(array: bytes) -> int:
    """Return the position after the opening bracket; raises MalformedInput if the text does not begin with one."""
    if begins := ARRAY_BEGINS.match(array):
        return begins.end()
    _parsed(array)
    raise MalformedInput("json-not-an-array")


def _next_piece(
    array: bytes,
    position: int,
    size: int,
    start: int,
    in_bulk: Callable[[bytes, int], Validated | None],
    between: re.Pattern[bytes],
) -> tuple[Validated | list[bytes], int | None]:
    """Return the next rows, validated or raw, and the position of the comma after them; None if they are the last."""
    commas = (found.start(1) for found in between.finditer(array, position + size))
    for end in (*islice(commas, CUT_ATTEMPTS), None):
        piece = b"[" + array[position:end] + (b"" if end is None else b"]")
        if (checked := in_bulk(piece, start)) is not None:
            return checked, end
        _check_elements(piece, between)
        if (rows := _elements(piece)) is not None:
            return rows, end
    return _all_elements(array)[start:], None


class _AnyObject(msgspec.Struct, gc=False):
    """Any JSON object; its content is discarded."""


class _AnyArray(msgspec.Struct, array_like=True, gc=False):
    """Any JSON array; its content is discarded."""


def _check_elements(array: bytes, between: re.Pattern[bytes]) -> None:
    """Raise MalformedInput if a large array contains anything other than rows: numbers take a hundred times their size."""
    if len(array) <= 2 * MAX_SLICE_BYTES:
        return
    row: Any = _AnyObject if between is BETWEEN_OBJECTS else _AnyArray
    try:
        msgspec.json.decode(array, type=list[row])
    except msgspec.ValidationError:
        raise MalformedInput("json-not-rows") from None
    except NOT_IN_BULK:
        """Invalid JSON, or NaN: both are reported by the next reader."""


def _elements(array: bytes) -> list[bytes] | None:
    """Split an array; None if it is not one. NaN and Infinity are not JSON but occur: the rows with them can be identified."""
    try:
        return list(map(bytes, msgspec.json.decode(array, type=list[msgspec.Raw])))
    except NOT_IN_BULK:
        try:
            return _all_elements(array)
        except MalformedInput:
            return None


def _all_elements(array: bytes) -> list[bytes]:
    elements = _parsed(array)
    if not isinstance(elements, list):
        raise MalformedInput("json-not-an-array")
    if len(array) > 2 * MAX_SLICE_BYTES and not all(isinstance(element, dict | list) for element in elements):
        raise MalformedInput("json-not-rows")
    return [json.dumps(element).encode() for element in elements]


def _object(text: bytes) -> dict[str, bytes]:
    """Split an object."""
    try:
        return {name: bytes(raw) for name, raw in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items()}
    except NOT_IN_BULK:
        value = _parsed(text)
    if not isinstance(value, dict):
        raise MalformedInput("json-not-an-object")
    return {name: json.dumps(part).encode() for name, part in value.items()}


def _parsed(text: bytes) -> Any:
    try:
        return pydantic_core.from_json(text, allow_inf_nan=True)
    except ValueError as error:
        raise _not_json(*json_fault(str(error))) from None


def _validated_split(
    document: dict[str, bytes], rows: JsonRows, contract: Contract, keep: Sequence[str]
) -> Iterator[Validated]:
    if not {"columns", "data"} <= document.keys() <= {"columns", "data", "index"}:
        raise MalformedInput("split-keys")
    try:
        names = msgspec.json.decode(document["columns"], type=list[str])
    except NOT_IN_BULK:
        raise MalformedInput("split-columns") from None
    match_columns(contract, names, keep)
    row_type: Any = tuple[tuple(rows.types.get(name, msgspec.Raw) for name in names)]  # type: ignore[misc]
    decoder = msgspec.json.Decoder(list[row_type])

    def in_bulk(array: bytes, start: int) -> Validated | None:
        if rows.may_underflow(array):
            return None
        try:
            columns = dict(zip(names, zip(*decoder.decode(array), strict=True), strict=True))
        except NOT_IN_BULK:
            return None
        return rows.from_named_values(columns, start)

    def one_by_one(texts: Sequence[bytes], start: int) -> Validated:
        parts = [_elements(text) for text in texts]
        for number, values in enumerate(parts, start):
            if values is None or len(values) != len(names):
                raise MalformedInput("split-row", row=number, expected=len(names))
        wanted = [(i, name) for i, name in enumerate(names) if name in rows.types]
        return rows.from_rows([_row_text({name: values[i] for i, name in wanted}) for values in parts if values], start)

    yield from _validated_array(document["data"], in_bulk, one_by_one, BETWEEN_ARRAYS)


def _validated_columns(
    document: dict[str, bytes], rows: JsonRows, contract: Contract, keep: Sequence[str]
) -> Iterator[Validated]:
    match_columns(contract, list(document), keep)
    columns: dict[str, Sequence[Any]] = {}
    texts: dict[str, list[bytes]] = {}
    # Columns that are not needed are not even decoded.
    for name in (name for name in document if name in rows.types):
        text = document[name]
        try:
            if rows.may_underflow(text):
                raise ArithmeticError
            columns[name] = msgspec.json.decode(text, type=GenericAlias(list, rows.types[name]))
        except NOT_IN_BULK:
            if (elements := _elements(text)) is None:
                raise MalformedInput("column-not-a-list", column=cut(name)) from None
            texts[name] = columns[name] = elements
    counts = {len(values) for values in columns.values()}
    if counts == {0}:
        raise MalformedInput("no-rows")
    if len(counts) != 1:
        raise MalformedInput("column-lengths")
    for start in range(0, counts.pop(), SLICE_ROWS):
        part = {name: values[start : start + SLICE_ROWS] for name, values in columns.items()}
        checked = rows.from_named_values(part, start) if not texts else None
        if checked is None:
            for name in part.keys() - texts.keys():
                texts[name] = _elements(document[name]) or []
            lines = zip(*(texts[name][start : start + SLICE_ROWS] for name in part), strict=True)
            checked = rows.from_rows([_row_text(dict(zip(part, line, strict=True))) for line in lines], start)
        yield checked


def _row_text(values: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(json.dumps(name).encode() + b":" + value for name, value in values.items()) + b"}"


def _rejection(invalid: Sequence[InvalidValue], omitted: int) -> MalformedInput | InvalidRows:
    """Distinguish invalid JSON from JSON that is not a row of the contract."""
    first = invalid[0]
    return _not_json(**first.params) if first.type == "json_invalid" else InvalidRows(Report.of_row(invalid, omitted))


def _not_json(fault: str, line: int, character: int) -> MalformedInput:
    return MalformedInput("json-invalid", fault=fault, line=line, character=character)
