"""The `Range` header (RFC 9110), as needed to resume a download: a single byte range."""

import re

from api.errors import RangeNotSatisfiable

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def requested_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first and last requested byte; None if the header must be ignored according to the RFC.

    Raises RangeNotSatisfiable if the range lies outside the file.
    """
    found = RANGE.fullmatch(header.strip().lower())
    if not found or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        start, end = max(0, size - int(last)), size - 1
        if int(last) == 0:
            raise RangeNotSatisfiable(size)
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < int(first):
            return None
    if start >= size:
        raise RangeNotSatisfiable(size)
    return start, end
