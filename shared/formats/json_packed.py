"""JSON rows of numbers and booleans to columns, without looking at them one by one.

msgspec writes the rows that it has decoded as MessagePack, where a number takes nine bytes and a boolean one. So all rows are
equally long, and NumPy reads a column from them as it would from a matrix.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import GenericAlias
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.contract.columns import validate_columns
from shared.contract.contract import Contract, Feature
from shared.contract.objects import object_type
from shared.contract.validated import Validated
from shared.formats.json_extract import may_underflow
from shared.formats.json_numbers import MISSING, Decode, column, is_simdjson_installed, taking_null, vector
from shared.formats.json_pieces import BETWEEN_ARRAYS, BETWEEN_OBJECTS, BETWEEN_VALUES, flat_pieces

TRUE = 0xC3
"""A boolean as MessagePack."""

BOOLEAN = np.dtype([("value", "u1")])
NUMBER = np.dtype([("type", "u1"), ("value", ">f8")])
"""A value as MessagePack."""


class PackedRows:
    """Reader of rows that have the features of a contract and nothing else: objects, or arrays in the order of `names`."""

    def __init__(self, contract: Contract, names: Sequence[str], row_type: Any, *, are_arrays: bool) -> None:
        self._contract = contract
        decode: Decode = msgspec.json.Decoder(GenericAlias(list, row_type)).decode
        # Where null can only be a value.
        takes_null = are_arrays or not any("null" in name for name in names)
        self._packed = partial(_packed, taking_null(decode) if takes_null else decode)
        self._between = BETWEEN_ARRAYS if are_arrays else BETWEEN_OBJECTS
        self._layout = _layout(contract, names, are_arrays=are_arrays)
        places = {name: _field(i) for i, name in enumerate(names)}
        self._fields = [(places[feature.name], feature) for feature in contract.features]
        """For each feature of the contract, its field in a packed row."""

    @classmethod
    def of_objects(cls, contract: Contract) -> Self | None:
        """Make a reader of objects; None if a feature is text, or has a name that msgspec cannot handle."""
        return cls._of(contract, contract.names, are_arrays=False)

    @classmethod
    def of_arrays(cls, contract: Contract, names: Sequence[str]) -> Self | None:
        """Make a reader of arrays; None if a feature is text, or the names are not exactly the features."""
        return cls._of(contract, names, are_arrays=True) if sorted(names) == sorted(contract.names) else None

    @classmethod
    def _of(cls, contract: Contract, names: Sequence[str], *, are_arrays: bool) -> Self | None:
        features = {feature.name: feature for feature in contract.features}
        if any(feature.kind.python is str for feature in contract.features):
            return None
        types = {name: bool if features[name].kind.python is bool else float for name in names}
        may_be_absent = (name for name, kind in types.items() if kind is float and not features[name].required)
        defaults = {} if are_arrays else dict.fromkeys(may_be_absent, MISSING)
        row_type = object_type(types, defaults, is_array=are_arrays)
        return cls(contract, names, row_type, are_arrays=are_arrays) if row_type else None

    def validated(self, array: bytes, start: int) -> Validated | None:
        """Validate a JSON array of such rows; None if there are none, or a number may not be exact.

        Raises an error of msgspec for anything else, such as text.
        """
        if self._contract.whole_numbers and may_underflow(array):
            return None
        content = b"".join(flat_pieces(array, self._packed, self._between))
        if not content:
            return None
        packed = np.frombuffer(content, self._layout)
        arrays = [_column(packed[field], feature) for field, feature in self._fields]
        if any(values is None for values in arrays):
            return None
        return validate_columns(self._contract, pa.RecordBatch.from_arrays(arrays, self._contract.names), start)


def packed_columns(contract: Contract, columns: Mapping[str, bytes]) -> list[pa.Array] | None:
    """Read all features, each from the text of an array; None if one is text or absent, or a number may not be exact.

    Raises an error of msgspec for anything else, such as text.
    """
    if any(feature.kind.python is str or feature.name not in columns for feature in contract.features):
        return None
    arrays = []
    for feature in contract.features:
        kind = feature.kind.python
        text = columns[feature.name]
        if kind is int and may_underflow(text):
            return None
        values = np.concatenate(list(flat_pieces(text, _numbers_of(kind), BETWEEN_VALUES)))
        if (array := _column(values, feature)) is None:
            return None
        arrays.append(array)
    return arrays


def _numbers_of(kind: type) -> Callable[[bytes], npt.NDArray[Any]]:
    """Make a reader of a JSON array of numbers, or of booleans as MessagePack has them."""
    if kind is not bool and is_simdjson_installed():
        return taking_null(vector)
    decode = taking_null(msgspec.json.Decoder(list[bool] if kind is bool else list[float]).decode)
    packed_as = BOOLEAN if kind is bool else NUMBER
    return lambda array: np.frombuffer(_packed(decode, array), packed_as)["value"]


def _column(values: npt.NDArray[Any], feature: Feature) -> pa.Array | None:
    return pa.array(values == TRUE) if feature.kind.python is bool else column(values, feature)


def _field(place: int) -> str:
    return f"f{place}"


def _packed(decode: Decode, array: bytes) -> memoryview:
    """Write the elements of an array as MessagePack, without what precedes the first one."""
    elements = decode(array)
    return memoryview(msgspec.msgpack.encode(elements))[_header(len(elements)) :]


def _layout(contract: Contract, names: Sequence[str], *, are_arrays: bool) -> np.dtype[Any]:
    """Say where in a packed row the values are; an object has each name before its value."""
    kinds = {feature.name: feature.kind.python for feature in contract.features}
    position = _header(len(names))
    offsets = []
    for name in names:
        position += 0 if are_arrays else len(msgspec.msgpack.encode(name))
        # Before the eight bytes of a number is one for its type; a boolean is its type.
        offsets.append(position if kinds[name] is bool else position + 1)
        position += 1 if kinds[name] is bool else 9
    formats = ["u1" if kinds[name] is bool else ">f8" for name in names]
    fields = [_field(i) for i in range(len(names))]
    return np.dtype({"names": fields, "formats": formats, "offsets": offsets, "itemsize": position})


def _header(length: int) -> int:
    """Return the number of bytes before the elements of an array or a map of this length."""
    return 1 if length < 2**4 else 3 if length < 2**16 else 5
