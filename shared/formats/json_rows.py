"""JSON request bodies to rows: a single row, or slices small enough not to block the process for long."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
from msgspec.structs import astuple
from pydantic import ValidationError

from shared.contract.columns import validate_columns
from shared.contract.contract import Contract, Row, RowValues
from shared.contract.matching import match_columns
from shared.contract.objects import object_type
from shared.contract.validated import Validated
from shared.errors import InputTooLarge, InvalidRows, MalformedInput, Report
from shared.formats.json_by_column import Column, Part
from shared.formats.json_columns import JsonRows, validated_packed
from shared.formats.json_extract import LARGE_ROW_BYTES, extract, may_underflow
from shared.formats.json_flat import flat_columns, flat_split
from shared.formats.json_matrix import MatrixRows
from shared.formats.json_nan import with_nan
from shared.formats.json_packed import PackedRows, packed_columns
from shared.formats.json_parts import decoded, elements_of, fields_of, not_json, texts_of
from shared.formats.json_pieces import (
    BETWEEN_ARRAYS,
    BETWEEN_OBJECTS,
    BETWEEN_VALUES,
    MAX_ROW_BYTES,
    NOT_IN_BULK,
    begins_at,
    elements_in_pieces,
)
from shared.formats.json_slices import LARGE_SLICE_BYTES, SLICE_ROWS, Readers, validated_array
from shared.formats.source import ReadOptions
from shared.reasons import InvalidValue

CHECKED_ROWS = 5 * SLICE_ROWS
"""Rows of columns that are decoded already, and are checked at a time."""

MAX_KEYS = 100_000
"""Columns that a document may name, and colons up to which its keys are listed: more of them are not looked at."""

SHAPES = ("dataframe_split", "dataframe_records", "columns")


def row_from_json(body: bytes, contract: Contract) -> Row:
    """Read one row from a JSON object; raises MalformedInput or InvalidRows."""
    text, omitted = extract(body, contract.names_known, contract.whole_numbers)
    try:
        row = contract.row_adapter.validate_json(text)
    except ValidationError as error:
        raise _rejection(contract.findings(error), omitted) from None
    if invalid := contract.unordered(row):
        raise InvalidRows(Report.of_row(invalid))
    return row


def values_from_json(body: bytes, contract: Contract) -> RowValues:
    """Read one row as the values of all features; raises as `row_from_json` does, which reads what is not plainly valid."""
    decoder = contract.quick_decoder
    if decoder is not None and len(body) <= LARGE_ROW_BYTES and not (contract.whole_numbers and may_underflow(body)):
        try:
            values = list(astuple(decoder.decode(body)))
        except NOT_IN_BULK:
            """Perhaps it is only written in another way."""
        else:
            if contract.is_ordered(values):
                return values
    row = row_from_json(body, contract)
    return list(map(row.get, contract.names))


def validated_from_json(
    body: bytes, contract: Contract, options: ReadOptions, *, ignore_extra: bool
) -> Iterator[Validated]:
    """Validate a JSON array of objects, in slices; raises MalformedInput if it is not such an array.

    Unknown keys that are not kept are forbidden; with `ignore_extra` only in a row that lacks a feature. Absent kept values
    are null. A kept column has the type that `options` say, or the common one of its values in this slice.
    """
    rows = JsonRows(contract, options, ignore_extra=ignore_extra)
    yield from validated_array(body, rows.readers, BETWEEN_OBJECTS)
    rows.names.check()


def validated_from_document(
    body: bytes, contract: Contract, options: ReadOptions, *, ignore_extra: bool = True
) -> Iterator[Validated]:
    """Validate rows in any of the JSON shapes of a job: an array, or an object with one of the keys in SHAPES.

    The results are those of `validated_from_json`. Raises MalformedInput for another shape or for columns of unequal length,
    and WrongColumns for the columns of a shape that names them once for all rows.
    """
    if not body.startswith(b"{", begins_at(body)):
        return validated_from_json(body, contract, options, ignore_extra=ignore_extra)
    if not options.keep and (checked := _validated_flat(body, contract)) is not None:
        return checked
    if (opened := _opened(body)) is not None:
        read, parts = opened
        return read(parts, JsonRows(contract, options, ignore_extra=True), contract, options.keep)
    try:
        [(shape, content)] = fields_of(body, _Document).items()
    except (msgspec.ValidationError, ValueError):
        decoded(body, msgspec.Raw)  # raises if it is not even JSON
        raise MalformedInput("json-shape-unknown", accepted=list(SHAPES)) from None
    if shape == "dataframe_records":
        return validated_from_json(content, contract, options, ignore_extra=ignore_extra)
    rows = JsonRows(contract, options, ignore_extra=True)
    if not content.startswith(b"{"):
        raise MalformedInput("json-not-an-object")
    if shape == "columns":
        return _validated_columns(_columns(content, rows), rows, contract, options.keep)
    try:
        return _validated_split(fields_of(content, _Split), rows, contract, options.keep)
    except msgspec.ValidationError:
        raise MalformedInput("split-keys") from None


def row_text(body: bytes, number: int, contract: Contract, options: ReadOptions) -> bytes:
    """Return one row of a document that was read by `validated_from_document` as the text of an object; raises IndexError."""
    if not body.startswith(b"{", begins_at(body)):
        return _element(body, number)
    [(shape, content)] = fields_of(body, _Document).items()
    if shape == "dataframe_records":
        return _element(content, number)
    if shape == "columns":
        columns = _columns(content, JsonRows(contract, options, ignore_extra=True))
        return _row_text({name: _element(column, number) for name, column in columns.items()})
    split = fields_of(content, _Split)
    values = elements_of(_element(split["data"], number)) or []
    return _row_text(dict(zip(_split_names(split["columns"]), values, strict=True)))


def _element(array: bytes, number: int) -> bytes:
    """Return the text of one element of an array."""
    elements = elements_in_pieces(array, msgspec.json.Decoder(list[msgspec.Raw]).decode, BETWEEN_VALUES)
    try:
        found = list(map(bytes, islice(elements, number, number + 1)))
    except NOT_IN_BULK:
        found = (elements_of(array) or [])[number : number + 1]
    return found[0]


class _Document(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The shapes of a document, of which it has one; the names are those of SHAPES."""

    dataframe_split: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    dataframe_records: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    columns: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Split(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The keys of `dataframe_split`."""

    columns: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    index: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Opened(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A document with its columns, or the keys of its `dataframe_split`."""

    dataframe_split: _Split | msgspec.UnsetType = msgspec.UNSET
    columns: dict[str, msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


def _validated_flat(body: bytes, contract: Contract) -> Iterator[Validated] | None:
    """Validate a document whose values are all numbers or booleans, the rows of `dataframe_split` in one slice; None for others."""
    columns = flat_columns(body, contract.names_known)
    if columns is not None and (arrays := _packed(contract, columns)):
        return _checked(arrays, contract)
    if len(body) <= LARGE_SLICE_BYTES and (split := flat_split(body)):
        names, data = split
        if (checked := validated_packed(_reader_of_arrays(contract, names), data, 0)) is not None:
            return iter((checked,))
    return None


OPENED = msgspec.json.Decoder(_Opened)

ReadParts = Callable[[dict[str, bytes], JsonRows, Contract, Sequence[str]], Iterator[Validated]]


def _opened(body: bytes) -> tuple[ReadParts, dict[str, bytes]] | None:
    """Take a document of columns or of `dataframe_split` apart in one go; None if it is another one, or has a fault."""
    if body.count(b":") > MAX_KEYS:
        return None
    try:
        found = OPENED.decode(body)
    except NOT_IN_BULK:
        return None
    split, columns = found.dataframe_split, found.columns
    if isinstance(split, _Split) and columns is msgspec.UNSET:
        return _validated_split, texts_of(split)
    if isinstance(columns, dict) and split is msgspec.UNSET:
        return _validated_columns, {name: bytes(text) for name, text in columns.items()}
    return None


def _columns(text: bytes, rows: JsonRows) -> dict[str, bytes]:
    """Take an object of columns apart; of very many, those that are not wanted are passed over."""
    if text.count(b":") <= MAX_KEYS:
        columns, has_nan = decoded(text, dict[str, msgspec.Raw])
        return {name: with_nan(bytes(raw)) if has_nan else bytes(raw) for name, raw in columns.items()}
    wanted = dict.fromkeys(rows.types, msgspec.Raw | msgspec.UnsetType)
    kind = object_type(wanted, dict.fromkeys(wanted, msgspec.UNSET), takes_others=True)
    if kind is None:
        raise InputTooLarge("json-too-many-columns", limit=MAX_KEYS)
    return fields_of(text, kind)


def _validated_split(
    document: dict[str, bytes], rows: JsonRows, contract: Contract, keep: Sequence[str]
) -> Iterator[Validated]:
    if not {"columns", "data"} <= document.keys():
        raise MalformedInput("split-keys")
    names = _split_names(document["columns"])
    match_columns(contract, names, keep)
    row_type: Any = tuple[tuple(rows.types.get(name, msgspec.Raw) for name in names)]  # type: ignore[misc]
    decoder = msgspec.json.Decoder(list[row_type])
    packed = None if keep else _reader_of_arrays(contract, names)

    def in_bulk(array: bytes, start: int) -> Validated | None:
        if (checked := validated_packed(packed, array, start)) is not None:
            return checked
        if rows.may_underflow(array):
            return None
        try:
            lines = elements_in_pieces(array, decoder.decode, BETWEEN_ARRAYS)
            columns = dict(zip(names, zip(*lines, strict=True), strict=True))
        except NOT_IN_BULK:
            return None
        return rows.from_named_values(columns, start)

    def one_by_one(texts: Sequence[bytes], start: int) -> Validated:
        wanted = [(i, name) for i, name in enumerate(names) if name in rows.types]

        def as_object(text: bytes, number: int) -> bytes:
            if len(text) > MAX_ROW_BYTES:
                return text  # is reported as too long, whatever it contains
            values = elements_of(text)
            if values is None or len(values) != len(names):
                raise MalformedInput("split-row", row=number, expected=len(names))
            return _row_text({name: values[i] for i, name in wanted})

        return rows.from_rows([as_object(text, number) for number, text in enumerate(texts, start)], start)

    without_objects = None if packed is None else partial(validated_packed, packed)
    yield from validated_array(document["data"], Readers(without_objects, in_bulk, one_by_one), BETWEEN_ARRAYS)


def _reader_of_arrays(contract: Contract, names: Sequence[str]) -> MatrixRows | PackedRows | None:
    return MatrixRows.of(contract, names) or PackedRows.of_arrays(contract, names)


def _split_names(text: bytes) -> list[str]:
    if text.count(b'"') > 2 * MAX_KEYS:
        raise InputTooLarge("json-too-many-columns", limit=MAX_KEYS)
    try:
        return msgspec.json.decode(text, type=list[str])
    except NOT_IN_BULK:
        raise MalformedInput("split-columns") from None


def _validated_columns(
    document: dict[str, bytes], rows: JsonRows, contract: Contract, keep: Sequence[str]
) -> Iterator[Validated]:
    match_columns(contract, list(document), keep)
    if not keep and (arrays := _packed(contract, document)):
        yield from _checked(arrays, contract)
        return
    # Columns that are not needed are not even decoded.
    columns = {name: Column(name, text, rows) for name, text in document.items() if name in rows.types}
    start = 0
    while count := _common_count(parts := {name: column.take(SLICE_ROWS) for name, column in columns.items()}):
        yield _validated_parts(parts, rows, start)
        start += count
    if not start:
        raise MalformedInput("no-rows")


def _checked(arrays: Sequence[pa.Array], contract: Contract) -> Iterator[Validated]:
    """Validate the columns of all features."""
    if len(set(map(len, arrays))) != 1:
        raise MalformedInput("column-lengths")
    batch = pa.RecordBatch.from_arrays(arrays, contract.names)
    if not batch.num_rows:
        raise MalformedInput("no-rows")
    for start in range(0, batch.num_rows, CHECKED_ROWS):
        yield validate_columns(contract, batch.slice(start, CHECKED_ROWS), start)


def _validated_parts(parts: dict[str, Part], rows: JsonRows, start: int) -> Validated:
    values = {name: part.values() for name, part in parts.items()}
    known = {name: each for name, each in values.items() if each is not None}
    if len(known) == len(parts) and (checked := rows.from_named_values(known, start)) is not None:
        return checked
    lines = zip(*(part.texts() for part in parts.values()), strict=True)
    return rows.from_rows([_row_text(dict(zip(parts, line, strict=True))) for line in lines], start)


def _common_count(parts: dict[str, Part]) -> int:
    """Return the number of values, which all columns must have in common."""
    if not parts:
        raise MalformedInput("no-rows")
    counts = {part.count for part in parts.values()}
    if len(counts) != 1:
        raise MalformedInput("column-lengths")
    return counts.pop()


def _packed(contract: Contract, columns: dict[str, bytes]) -> list[pa.Array] | None:
    with suppress(*NOT_IN_BULK):
        return packed_columns(contract, columns)
    return None


def _row_text(values: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(json.dumps(name).encode() + b":" + value for name, value in values.items()) + b"}"


def _rejection(invalid: Sequence[InvalidValue], omitted: int) -> MalformedInput | InvalidRows:
    """Distinguish invalid JSON from JSON that is not a row of the contract."""
    first = invalid[0]
    return not_json(**first.params) if first.type == "json_invalid" else InvalidRows(Report.of_row(invalid, omitted))
