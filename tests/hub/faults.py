"""What can be made to go wrong, with which calls, how often."""

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args

from tests.hub.accounts import Refusal, invalid_token

What = Literal["stall", "lose", "truncate", "corrupt", "drip"]
"""stall: the call waits for `seconds`, or until `heal`, before anything is done, and nothing is done if the client has gone by
then; lose: it is done, and the connection closed without an answer; truncate: half of the body is sent under the length of
the whole, then the connection is closed; corrupt: one bit of the body is flipped; drip: the body takes `seconds`. A number
stands for an answer with that status, and nothing done; a 429 asks to wait for `seconds`."""

DEFAULT_SECONDS = 1.0
"""How long a drip takes and a 429 asks to wait."""

CODES = {"info": "RepoNotFound", "tree": "RepoNotFound", "metadata": "EntryNotFound", "download": "EntryNotFound"}


@dataclass
class Fault:
    """One fault; `kind` None means all calls, `times` None means until healed, `path` is a pattern for the URL's path."""

    what: What | int
    kind: str | None = None
    times: int | None = None
    seconds: float | None = None
    path: str = "*"
    over: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.what, int) and self.what not in get_args(What):
            raise ValueError(f"There is no fault '{self.what}'; use a status or one of {', '.join(get_args(What))}.")

    def matches(self, kind: str, path: str) -> bool:
        return self.times != 0 and self.kind in (None, kind) and fnmatchcase(path, self.path)

    def refusal(self, kind: str) -> Refusal:
        """Give the answer to send in the place of the true one."""
        match self.what:
            case 401:
                return invalid_token()
            case 404:
                return Refusal(404, "Not found", CODES.get(kind))
            case 429:
                wait = int(self.seconds or DEFAULT_SECONDS)
                return Refusal(429, "Too many requests", headers={"RateLimit": f'"api";r=0;t={wait}'})
            case int(status):
                return Refusal(status, f"Told to answer {status}")
            case _:
                raise ValueError(f"'{self.what}' is no status")


class Faults:
    """The faults that are switched on; the first that matches a call takes effect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def take(self, kind: str, path: str) -> Fault | None:
        """Give the fault for this call, and count it."""
        with self._lock:
            fault = next((fault for fault in self._faults if fault.matches(kind, path)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
            return fault

    def heal(self) -> None:
        """Switch all faults off; calls that a fault holds up go on at once."""
        with self._lock:
            for fault in self._faults:
                fault.over.set()
            self._faults.clear()
