"""JSON objects to columns: in bulk if all are valid, else row by row with pydantic, which identifies the errors.

Both paths give the same result. The fast one gives up in any case of doubt.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from types import GenericAlias, NoneType
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pydantic_core
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple
from pydantic import ValidationError

from shared.contract.columns import validate_columns
from shared.contract.contract import Contract, Row
from shared.contract.kept import common_type
from shared.contract.matching import SeenNames
from shared.contract.objects import object_type
from shared.contract.validated import Validated, Write
from shared.errors import MalformedInput, Report
from shared.formats.json_extract import extract, may_underflow
from shared.formats.json_matrix import MatrixRows
from shared.formats.json_packed import PackedRows
from shared.formats.json_pieces import BETWEEN_OBJECTS, MAX_ROW_BYTES, NOT_IN_BULK, elements_in_pieces
from shared.formats.json_slices import Readers
from shared.formats.source import ReadOptions
from shared.reasons import MAX_REPORTED, InvalidValue, cut

Values = Sequence[Any]
"""The values of one column, as decoded."""

NEGATIVE_ZERO = np.iinfo(np.int64).min
"""The bits of -0.0."""

FAST_TYPES: dict[type, Any] = {float: float, int: int | float, bool: bool, str: str}
MIXED_NUMBERS = (int | float, int | float | None)
KEPT_TYPE = int | float | bool | str | None
KEPT_TYPES = {NoneType: pa.null(), bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
"""Of a value of JSON; one that is nested has none."""


class JsonRows:
    """Reader of JSON rows for a contract and kept columns. Unknown keys are forbidden, or ignored if nothing is missing."""

    def __init__(self, contract: Contract, options: ReadOptions, *, ignore_extra: bool) -> None:
        self._contract = contract
        self._keep = tuple(dict.fromkeys(options.keep))
        kinds = options.kept_types or (None,) * len(self._keep)
        self._kept_types = [None if kind is None else pa.type_for_alias(kind) for kind in kinds]
        self._ignore_extra = ignore_extra
        self._features = set(contract.names)
        self._required = {feature.name for feature in contract.features if feature.required}
        self.names = SeenNames(contract, self._keep)
        """The names seen in the rows, to be checked at the end."""
        self.types: dict[str, Any] = {
            feature.name: self._type_of(feature.kind.python, feature.name, feature.nullable)
            for feature in contract.features
        } | {name: KEPT_TYPE for name in self._keep if name not in self._features}
        """The msgspec type of each wanted column: features in the order of the contract, then kept columns."""

    # These are made when needed, as that takes longer than to read some hundred rows.
    @cached_property
    def _packed(self) -> PackedRows | None:
        return None if self._keep else PackedRows.of_objects(self._contract)

    @cached_property
    def _decoders(self) -> list[Any]:
        return [msgspec.json.Decoder(GenericAlias(list, row)) for row in self._row_types]

    @cached_property
    def _row_decoders(self) -> list[Any]:
        return [msgspec.json.Decoder(row) for row in self._row_types]

    def _type_of(self, python: type, name: str, nullable: bool) -> Any:
        fast = int | float if python is float and name in self._keep else FAST_TYPES[python]
        return fast | None if nullable else fast

    @cached_property
    def _row_types(self) -> list[Any]:
        """Make a type with optional fields that forbids unknown ones; if extra keys are ignored, also one for the reverse."""
        # UNSET marks an absent kept column, to record whether any row has it.
        optional = {name: UNSET if name in self._keep else None for name in self.types if name not in self._required}
        types = {name: kind | UnsetType if optional.get(name) is UNSET else kind for name, kind in self.types.items()}
        made = [object_type(types, optional)]
        if self._ignore_extra:
            made.append(object_type(self.types, {}, takes_others=True))
        return [kind for kind in made if kind]

    @property
    def readers(self) -> Readers:
        """Return the ways to read an array of objects."""
        return Readers(self._from_packed if self._packed else None, self.from_array, self.from_rows)

    def _from_packed(self, array: bytes, start: int) -> Validated | None:
        if (checked := validated_packed(self._packed, array, start)) is not None:
            self.names.note_fitting()
        return checked

    def from_array(self, array: bytes, start: int) -> Validated | None:
        """Validate a JSON array of objects in bulk; None if that is impossible, as for an empty array."""
        if (checked := self._from_packed(array, start)) is not None:
            return checked
        if self._keep and not start:
            with suppress(*NOT_IN_BULK, IndexError):
                self._note_first(msgspec.json.decode(array, type=list[msgspec.Raw])[0])
        decoders = [partial(elements_in_pieces, array, decoder.decode, BETWEEN_OBJECTS) for decoder in self._decoders]
        return self._in_bulk(decoders, array, start)

    def from_lines(self, lines: Sequence[bytes], start: int) -> Validated | None:
        """Validate objects, each a separate JSON text, in bulk; None if that is impossible."""
        if self._keep and not start:
            self._note_first(lines[0])
        decoders = [partial(map, decoder.decode, lines) for decoder in self._row_decoders]
        return self._in_bulk(decoders, b"\n".join(lines), start)

    def _in_bulk(self, decoders: Sequence[Callable[[], Iterable[Any]]], text: bytes, start: int) -> Validated | None:
        if self.may_underflow(text):
            return None
        for i, decode in enumerate(decoders):
            try:
                columns = list(zip(*map(astuple, decode()), strict=True))
                if i and not text.isascii():
                    text.decode()  # msgspec does not validate text that it skips
            except NOT_IN_BULK:
                continue
            if columns:
                self.names.note_fitting()
                return self.from_values(list(map(self._there, self.types, columns)) if self._keep else columns, start)
            break
        return None

    def _there(self, name: str, values: Values) -> Values:
        """Replace absent values of a kept column by null, and record whether there are any present."""
        if name not in self._keep:
            return values
        kinds = set(map(type, values))
        if kinds != {UnsetType}:
            self.names.note_kept(name)
        return [None if value is UNSET else value for value in values] if UnsetType in kinds else values

    def may_underflow(self, text: bytes) -> bool:
        """Whether a whole number may be written as a fraction that is too small for a float, which would be read as 0."""
        return bool(self._contract.whole_numbers) and may_underflow(text)

    def from_values(self, columns: Sequence[Values], start: int) -> Validated | None:
        """Validate columns decoded with `types`, in that order; None if that is impossible."""
        try:
            arrays = [
                _numbers(values) if self.types[feature.name] in MIXED_NUMBERS else pa.array(values, feature.kind.arrow)
                for feature, values in zip(self._contract.features, columns, strict=False)
            ]
        except NOT_IN_BULK:
            return None
        if any(_has_negative_zero(array) for array in arrays):
            return None
        checked = validate_columns(self._contract, pa.RecordBatch.from_arrays(arrays, self._contract.names), start)
        return replace(checked, kept=self._kept(dict(zip(self.types, columns, strict=True))))

    def from_named_values(self, columns: Mapping[str, Values], start: int) -> Validated | None:
        """Do the same if optional columns may be absent and there may be unknown ones."""
        if not columns:
            return None
        rows = len(next(iter(columns.values())))
        return self.from_values([columns.get(name, [None] * rows) for name in self.types], start)

    def from_rows(self, rows: Sequence[bytes], start: int) -> Validated:
        """Validate rows, each the text of one JSON value, one by one."""
        good: list[Row] = []
        kept: list[Row] = []
        found: list[list[InvalidValue]] = []
        for number, text in enumerate(rows, start):
            row, extra, invalid = self._one(text, number)
            good.append(row)
            kept.append(extra)
            found.append(invalid)
        columns: dict[str, Values] = {name: [row.get(name) for row in kept] for name in self._keep}
        report = _report(found)
        told = partial(_told, found) if report.invalid_rows else None
        return Validated(self._contract.to_batch(good), self._kept(columns), report, told)

    def _one(self, text: bytes, number: int) -> tuple[Row, Row, list[InvalidValue]]:
        """Return the features, kept values and invalid values of a row; an invalid row has no features."""
        if len(text) > MAX_ROW_BYTES:
            return {}, {}, [InvalidValue(number, None, "too_long", {"limit": MAX_ROW_BYTES})]
        plain = not self._ignore_extra and not self._keep
        adapter = self._contract.row_adapter if plain else self._contract.features_adapter
        row: Row = {}
        invalid: list[InvalidValue] = []
        try:
            text, _ = extract(text, self.types, self._contract.whole_numbers)
        except MalformedInput as error:
            fault, line, character = (error.reason.params[name] for name in ("fault", "line", "character"))
            place = InvalidValue(number, None, "json_invalid", {"fault": fault, "line": line, "character": character})
            return {}, {}, [place]
        try:
            row = adapter.validate_json(text)
        except ValidationError as error:
            invalid = self._contract.findings(error, number)
        kept: Row = {}
        if not plain and not (invalid and invalid[0].type == "json_invalid"):
            value = pydantic_core.from_json(text, allow_inf_nan=True)
            if isinstance(value, dict):
                kept = {name: value.get(name) for name in self._keep}
                unknown = self._unknown(value, number)
                self._note(value, fits=not unknown and self._required <= value.keys())
                invalid += unknown
                invalid += _nested(kept, number, {each.column for each in invalid})
        invalid = invalid or self._contract.unordered(row, number)
        return {} if invalid else row, kept, invalid

    def _note_first(self, row: bytes | msgspec.Raw) -> None:
        """Record the names of one row: a kept column may be misspelt in all rows."""
        with suppress(*NOT_IN_BULK):
            self.names.note(msgspec.json.decode(row, type=dict[str, msgspec.Raw]))

    def _note(self, row: dict[str, Any], *, fits: bool) -> None:
        for name in self._keep:
            if name in row:
                self.names.note_kept(name)
        if fits:
            self.names.note_fitting()
        self.names.note(row)

    def _unknown(self, value: dict[str, Any], number: int) -> list[InvalidValue]:
        if self._ignore_extra and self._features <= value.keys():
            return []
        unknown = [name for name in value if name not in self.types]
        # One row may have a million of them.
        return [InvalidValue(number, cut(name), "extra_forbidden") for name in unknown[:MAX_REPORTED]]

    def _kept(self, columns: dict[str, Values]) -> pa.RecordBatch | None:
        if not self._keep:
            return None
        arrays = [kept_array(columns[name], kind) for name, kind in zip(self._keep, self._kept_types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, list(self._keep))


def validated_packed(packed: PackedRows | MatrixRows | None, array: bytes, start: int) -> Validated | None:
    """Validate an array of rows that are all complete and numeric; None if that is impossible."""
    try:
        return packed.validated(array, start) if packed else None
    except NOT_IN_BULK:
        return None


def _report(found: Sequence[Sequence[InvalidValue]]) -> Report:
    """Count the invalid rows and values found row by row, and list the first ones."""
    first: list[InvalidValue] = []
    for each in found:
        first.extend(each[: MAX_REPORTED - len(first)])
    return Report(sum(map(bool, found)), sum(map(len, found)), tuple(first))


def _told(found: Sequence[Sequence[InvalidValue]], write: Write, separator: str) -> pa.StringArray:
    """Write the invalid values row by row, as `Validated.told` specifies."""
    return pa.array([separator.join(map(write, each)) if each else None for each in found], pa.string())


def kept_array(values: Values, kind: pa.DataType | None = None) -> pa.Array:
    """Return scalars as one column of this type, or of their common one; as JSON text if it does not hold them all.

    Nested values become null.
    """
    kinds = {*map(type, values)}
    own = common_type(KEPT_TYPES.get(each, pa.string()) for each in kinds)
    kind = common_type([own, kind]) if kind else own
    if kind != pa.string() or kinds <= {str, NoneType}:
        try:
            return pa.array(values, kind)
        except NOT_IN_BULK:
            """A whole number that is too large, or that no float is equal to."""
    return pa.array([_as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) else None


def _nested(kept: Row, number: int, wrong: Iterable[str | None]) -> list[InvalidValue]:
    """Report nested values, unless their column is already among `wrong`."""
    nested = [name for name, value in kept.items() if isinstance(value, list | dict) and cut(name) not in wrong]
    return [InvalidValue(number, cut(name), "kept_type") for name in nested]


def _numbers(values: Values) -> pa.Array:
    """Return numbers as int64, or as float64 if one is a float; raises an error of NOT_IN_BULK if one does not fit exactly."""
    return pa.array(values, pa.float64() if float in set(map(type, values)) else pa.int64())


def _has_negative_zero(array: pa.Array) -> bool:
    """Find -0.0, which msgspec also returns for the integer -0, unlike pydantic."""
    bits = array.buffers()[1] if pa.types.is_float64(array.type) else None
    return bits is not None and bool((np.frombuffer(bits, np.int64) == NEGATIVE_ZERO).any())
