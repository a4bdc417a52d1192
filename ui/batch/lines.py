"""How a row is numbered for a person; the service counts from 0."""

from pret import Job


def line_of(job: Job, row: int) -> int:
    """Count from 1, and from the header on where the file has one, as a spreadsheet does."""
    return row + (2 if job.format == "csv" else 1)


def line_name(job: Job) -> str:
    """Give the heading of such a number, `portfolio.…`."""
    return "file_line" if job.format == "csv" else "row"
