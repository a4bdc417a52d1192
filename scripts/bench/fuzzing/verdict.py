"""What counts as a fault of the service, and what was found."""

import json
import re
import threading
from email.message import Message
from pathlib import Path

from scripts.bench.fuzzing.requests import Request

PROBLEM = "application/problem+json"
BAD_LINE = re.compile(r"Traceback|Fatal Python error|\S+ \S+ (ERROR|CRITICAL) |(ERROR|CRITICAL):")
SHOWN = 10
"""Faults of a kind that are shown in full."""


class Verdict:
    """The faults that were found, by kind. Every thread writes here."""

    def __init__(self) -> None:
        self.faults: dict[str, list[bytes]] = {}
        self._lock = threading.Lock()

    def note(self, what: str, example: bytes = b"") -> None:
        """Note a fault, with what led to it."""
        with self._lock:
            examples = self.faults.setdefault(what, [])
            examples.append(example)
            if len(examples) <= SHOWN:
                print(f"FAULT {what}: {example[:2000]!r}{' …' if len(example) > 2000 else ''}", flush=True)

    def look_at_logs(self, folder: Path) -> None:
        """Note every error in the logs."""
        for path in sorted(folder.glob("*.log*")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if BAD_LINE.match(line):
                    self.note(f"an error in the log of {path.stem}", line.encode())


def fault_in(request: Request, status: int, headers: Message, body: bytes) -> str | None:
    """Tell what is wrong with an answer; None if nothing is."""
    if request.is_valid and status != 200:
        return f"a valid row is answered with {status}"
    if status == 500:
        return "500"
    if status < 400:
        return None
    if headers.get_content_type() != PROBLEM or headers["X-Content-Type-Options"] != "nosniff":
        return f"an answer {status} is no problem document, or has no security headers"
    if request.method != "HEAD" and not json.loads(body)["type"]:
        return f"an answer {status} has no type"
    return None
