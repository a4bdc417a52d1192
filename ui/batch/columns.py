"""Whether the columns of a file are those that the model takes, by the rules of the service."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import pyarrow as pa
from pyarrow import types

from pret import ModelSignature

MAX_LIKELY = 200
"""Missing features, and unknown columns, that are compared to find misspelt names."""
KEPT_AT_FIRST = 10
"""Unknown columns that are kept by default: an identifier is among the first."""
PLAIN_KINDS: tuple[Callable[[pa.DataType], bool], ...] = (
    types.is_null,
    types.is_boolean,
    types.is_integer,
    types.is_floating,
    types.is_decimal,
    types.is_string,
    types.is_large_string,
    types.is_string_view,
    types.is_date,
    types.is_time,
    types.is_timestamp,
)
"""Types of columns that can be kept. The service rejects others too (`kept-column-type`), but only once the file is sent: with
this list they are neither kept by default nor offered. The preview does not decompress them, as they may be of any size."""


@dataclass(frozen=True)
class ColumnCheck:
    """The columns of a file against the features of the model."""

    missing: tuple[str, ...]
    """Required features that the file does not have."""
    absent: tuple[str, ...]
    """Optional features that the file does not have: they count as missing in every row."""
    unknown: tuple[str, ...]
    """Columns that are not features."""
    twice: tuple[str, ...]
    """Features that the file has more than once."""
    likely: dict[str, str] = field(default_factory=dict)
    """Features that the file does not have, with the unknown column that may be meant."""

    def suspects(self, keep: Collection[str]) -> tuple[str, ...]:
        """Return the unknown columns that may be misspelt features: with them, not even an optional feature may be missing."""
        if not (self.missing or self.absent):
            return ()
        return tuple(name for name in self.unknown if name not in keep)

    def kept_at_first(self, keepable: Collection[str]) -> tuple[str, ...]:
        """Return the columns kept by default: none if there may be a misspelt feature, which would go unnoticed if kept."""
        if self.missing or self.absent:
            return ()
        return tuple(name for name in self.unknown if name in keepable)[:KEPT_AT_FIRST]

    def is_rejected(self, keep: Collection[str]) -> bool:
        """Whether the service will reject the file because of its columns."""
        return bool(self.missing or self.twice or self.suspects(keep))


def check_columns(signature: ModelSignature, columns: Sequence[str]) -> ColumnCheck:
    """Compare the columns of a file with the signature."""
    there, features = set(columns), {column.name for column in signature.columns}
    not_there = [column for column in signature.columns if column.name not in there]
    unknown = tuple(name for name in dict.fromkeys(columns) if name not in features)
    return ColumnCheck(
        tuple(column.name for column in not_there if column.required),
        tuple(column.name for column in not_there if not column.required),
        unknown,
        _twice(columns, features),
        _likely([column.name for column in not_there], unknown),
    )


def keepable(columns: Sequence[str], features: Collection[str], taken: Collection[str] = ()) -> tuple[str, ...]:
    """Return the columns that may be kept beside the scores, those that are not features first; `taken` names are excluded."""
    names = dict.fromkeys(name for name in columns if name and name not in taken)
    return tuple(sorted(names, key=lambda name: name in features))


def odd_columns(schema: pa.Schema) -> frozenset[str]:
    """Return the columns of a type that cannot be kept: nested, binary and the like."""
    return frozenset(column.name for column in schema if not _is_plain(column.type))


def _is_plain(kind: pa.DataType) -> bool:
    while types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        kind = kind.value_type
    return any(is_kind(kind) for is_kind in PLAIN_KINDS)


def _twice(columns: Sequence[str], features: Collection[str]) -> tuple[str, ...]:
    counts = Counter(columns)
    return tuple(name for name, count in counts.items() if count > 1 and name in features)


def _likely(features: Sequence[str], unknown: Sequence[str]) -> dict[str, str]:
    folded = {name.strip().casefold(): name for name in unknown[:MAX_LIKELY]}
    found = {name: get_close_matches(name.casefold(), folded, n=1, cutoff=0.75) for name in features[:MAX_LIKELY]}
    return {name: folded[close[0]] for name, close in found.items() if close}
