"""Values as JSON."""

import json
import math
from collections.abc import Mapping
from typing import Any

MISSING = frozenset({"NAType", "NaTType"})
"""Types of what pandas writes for a missing value, besides NaN."""


def dump(value: Any) -> bytes:
    """Encode as JSON, with NaN as null and scalars of numpy as numbers; raises ValueError for an infinite number."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError:
        text = json.dumps(_without_nan(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _plain(value: Any) -> Any:
    if type(value).__name__ in MISSING:
        return None
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"A value of type {type(value).__name__} cannot be sent as JSON.")


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    if not isinstance(value, str | int | float | None):
        return _without_nan(_plain(value))
    return None if isinstance(value, float) and math.isnan(value) else value
