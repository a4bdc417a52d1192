"""The `Prefer` header (RFC 7240), as far as this service knows preferences: `wait=SECONDS`."""

import re

from fastapi import Request

PREFERENCES = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
"""What stands between commas; a comma within quotes is none."""
WAIT = re.compile(r'wait\s*=\s*(?:"(\d+)"|(\d+))', re.IGNORECASE)


def wait_seconds(request: Request, longest: float) -> float | None:
    """Read how long the client would wait for the answer, at most `longest`; None if it does not say.

    Preferences may come in several headers and any case; of one that comes twice the first counts; unknown or unreadable
    ones are passed over, as the RFC asks.
    """
    for header in request.headers.getlist("prefer"):
        for preference in PREFERENCES.findall(header):
            if found := WAIT.fullmatch(preference.partition(";")[0].strip()):
                return min(float(found[1] or found[2]), longest)
    return None
