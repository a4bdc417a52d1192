"""The types by which msgspec reads JSON objects that have features, or other columns, as keys."""

from collections.abc import Mapping
from typing import Any

import msgspec


def object_type(
    types: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *,
    takes_others: bool = False,
    is_array: bool = False,
) -> Any | None:
    """Make the type of an object with these keys, in this order; those with a default may be absent.

    None where msgspec cannot write one of the names, as it has a quote or a backslash in it. With `is_array`, the type is that of
    an array of the values instead.
    """
    # A key may be any text, the name of a field may not.
    keys = {f"f{i}": key for i, key in enumerate(types)}
    fields = [
        (name, types[key], defaults[key]) if key in defaults else (name, types[key]) for name, key in keys.items()
    ]
    try:
        return msgspec.defstruct(
            "Row",
            fields,
            rename=keys,
            forbid_unknown_fields=not takes_others,
            array_like=is_array,
            kw_only=True,
            gc=False,
        )
    except ValueError:
        return None
