"""Row numbers as displayed; the service counts from 0. `format` is that of the file."""


def line_of(format: str | None, row: int) -> int:
    """Count from 1, and include the header if there is one, as a spreadsheet does."""
    return row + (2 if format == "csv" else 1)


def line_name(format: str | None) -> str:
    """Return the key of the heading for these numbers, `portfolio.…`."""
    return "file_line" if format == "csv" else "row"
