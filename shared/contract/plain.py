"""Arrow columns without the encodings that hold the same values in less space."""

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types


def plain(column: pa.Array) -> pa.Array:
    """Decode dictionaries and the like, and convert all text to `string`."""
    column = _decoded(column)
    if types.is_large_string(column.type) or types.is_string_view(column.type):
        return pc.cast(column, pa.string())
    return column


def _decoded(column: pa.Array) -> pa.Array:
    """Decode dictionaries and run-end encoding, also within each other."""
    if types.is_dictionary(column.type):
        return pc.take(_decodable(column.dictionary), column.indices)
    if types.is_run_end_encoded(column.type):
        values = _decodable(column.values)
        kind = pa.run_end_encoded(column.type.run_end_type, values.type)
        children = [column.run_ends, values]
        runs = pa.RunEndEncodedArray.from_buffers(kind, len(column), [None], 0, column.offset, children)
        return pc.run_end_decode(runs)
    return column


def _decodable(values: pa.Array) -> pa.Array:
    """Decode encoded values, and replace the one type of scalars that Arrow can neither take nor repeat."""
    values = _decoded(values)
    return pc.cast(values, pa.large_string()) if types.is_string_view(values.type) else values
