"""Which rows of a job a caller looks for: the parameters `id` and `column` of its results."""

from collections.abc import Sequence

from api.parameters import invalid, rejected


def column_to_search(kept: Sequence[str], value: str | None, column: str | None, *, is_json: bool) -> str:
    """Return the kept column in which to look for the value; raises InvalidParameters."""
    if value is None:
        raise rejected("id", invalid("lookup_id"))
    if not is_json:
        raise rejected("format", invalid("lookup_format"))
    if not kept:
        raise rejected("id", invalid("lookup_nothing_kept"))
    chosen = kept[0] if column is None and len(kept) == 1 else column
    if chosen is None or chosen not in kept:
        raise rejected("column", invalid("lookup_column", columns=list(kept)))
    return chosen
