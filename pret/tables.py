"""Tables of pandas, polars, pyarrow and others as what can be sent, without importing any of them before one is used."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from io import BytesIO
from typing import Any, Protocol, TypeGuard

from pret.uploads import Upload, upload_of

TABLE_FORMATS = ("parquet", "csv")
"""What a table is sent as: the first where a library can write it."""

_HAS_COLUMNS = ("columns", "column_names", "schema")
_HAS_ROWS = ("to_csv", "write_csv", "to_batches", "read_all", "to_pylist", "__arrow_c_stream__")


class Table(Protocol):
    """A table of pandas, polars, pyarrow or another library that writes CSV or speaks Arrow."""

    @property
    def columns(self) -> Any:
        """Its columns, or their names."""


def is_table(source: object) -> TypeGuard[Table]:
    """Whether it is a table. Asks its type: a table may have a column of any name."""
    kind = type(source)
    return any(hasattr(kind, name) for name in _HAS_COLUMNS) and any(hasattr(kind, name) for name in _HAS_ROWS)


def table_upload(table: Any, format: str | None = None) -> tuple[Upload, str]:
    """Make a body of a table and name its format: Parquet if pyarrow or the table itself can write that, else CSV.

    A named index becomes columns, another is left out. Raises ValueError for another format.
    """
    if format not in (None, *TABLE_FORMATS):
        raise ValueError(f"A table is sent as {' or '.join(TABLE_FORMATS)}, not as {format!r}.")
    content = None if format == "csv" else _parquet(table)
    if content is not None:
        return upload_of(content), "parquet"
    if format == "parquet":
        raise ValueError(
            "This table cannot be written as Parquet. Is pyarrow installed? Leave out the format to send CSV."
        )
    return upload_of(_csv(table)), "csv"


def rows_of(rows: Iterable[Mapping[str, Any]] | Table) -> list[Mapping[str, Any]]:
    """Give the rows of a table, or of anything else that has rows."""
    if not is_table(rows):
        return list(map(row_of, rows))  # type: ignore[arg-type]
    for method, arguments in (("to_dicts", ()), ("to_pylist", ()), ("to_dict", ("records",))):
        if hasattr(type(rows), method):
            return list(getattr(rows, method)(*arguments))
    raise TypeError(f"The rows of a {type(rows).__name__} cannot be read: give a list of mappings.")


def row_of(row: Any) -> Mapping[str, Any]:
    """Give one row as a mapping; a Series of pandas is one by its `to_dict`."""
    made: Mapping[str, Any] = row.to_dict() if hasattr(type(row), "to_dict") else row
    return made


def _parquet(table: Any) -> bytes | None:
    """Write Parquet; None where that is not possible."""
    file = BytesIO()
    if hasattr(type(table), "write_parquet"):
        table.write_parquet(file)
        return file.getvalue()
    arrow = _module("pyarrow")
    if arrow is None:
        return None
    try:
        import_module("pyarrow.parquet").write_table(_arrow_table(table, arrow), file)
    except (arrow.ArrowException, TypeError):
        # Such as a column of numbers and texts; CSV takes it. What Arrow says would repeat a value.
        if not _writes_csv(table):
            raise TypeError(f"This {type(table).__name__} has columns that cannot be written as Parquet.") from None
        return None
    return file.getvalue()


def _arrow_table(table: Any, arrow: Any) -> Any:
    if hasattr(type(table), "iloc"):
        return arrow.Table.from_pandas(table, preserve_index=_has_named_index(table))
    for method in ("to_table", "read_all"):
        if hasattr(type(table), method):
            return getattr(table, method)()
    return arrow.Table.from_batches([table]) if isinstance(table, arrow.RecordBatch) else arrow.table(table)


def _csv(table: Any) -> bytes:
    if hasattr(type(table), "write_csv"):
        file = BytesIO()
        table.write_csv(file)
        return file.getvalue()
    if not _writes_csv(table):
        raise TypeError(f"A {type(table).__name__} needs pyarrow to be sent.")
    text: str = table.to_csv(index=_has_named_index(table))
    return text.encode()


def _writes_csv(table: Any) -> bool:
    return hasattr(type(table), "to_csv") or hasattr(type(table), "write_csv")


def _has_named_index(table: Any) -> bool:
    names = getattr(getattr(table, "index", None), "names", ())
    return bool(names) and all(name is not None for name in names)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
