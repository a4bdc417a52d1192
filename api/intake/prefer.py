"""The `Prefer` header (RFC 7240), as far as this service knows preferences: `wait=SECONDS`."""

import re

from fastapi import Request

PREFERENCES = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
"""What stands between commas; a comma within quotes is none."""
LONGEST_HEADER = 1000
"""Characters; a longer header is passed over, since telling its quotes apart takes time that grows with its square."""
WAIT = re.compile(r'wait\s*=\s*(?:"(\d+)"|(\d+))', re.IGNORECASE)


def wait_seconds(request: Request, longest: float) -> float | None:
    """Read how long the client would wait for the answer, at most `longest`; None if it does not say.

    Preferences may come in several headers and any case; of one that comes twice the first counts; unknown or unreadable
    ones are passed over, as the RFC asks.
    """
    for header in request.headers.getlist("prefer"):
        if len(header) > LONGEST_HEADER:
            continue
        for preference in PREFERENCES.findall(header):
            if found := WAIT.fullmatch(preference.partition(";")[0].strip()):
                return min(float(found[1] or found[2]), longest)
    return None
