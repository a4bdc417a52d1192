"""The `Prefer` header (RFC 7240); the one supported preference is `wait=SECONDS`."""

import re

from fastapi import Request

PREFERENCES = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
"""One element of a comma-separated list; commas within quotes do not separate."""
LONGEST_HEADER = 1000
"""Characters; a longer header is ignored, since matching its quotes takes quadratic time."""
WAIT = re.compile(r'wait\s*=\s*(?:"(\d+)"|(\d+))', re.IGNORECASE)


def wait_seconds(request: Request, longest: float) -> float | None:
    """Return the seconds that the client is willing to wait, at most `longest`; None if not given.

    Preferences may be spread over several headers and in any case; the first of a repeated one counts; unknown or malformed
    ones are ignored, as the RFC requires.
    """
    for header in request.headers.getlist("prefer"):
        if len(header) > LONGEST_HEADER:
            continue
        for preference in PREFERENCES.findall(header):
            if found := WAIT.fullmatch(preference.partition(";")[0].strip()):
                return min(float(found[1] or found[2]), longest)
    return None
