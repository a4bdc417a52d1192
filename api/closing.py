"""Shutdown notice for endless responses: the server waits for every response to finish, so streams must check it."""

import signal
import threading
from types import FrameType


class Closing:
    """False until the process receives SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self._asked = False

    def __bool__(self) -> bool:
        return self._asked

    def watch(self) -> None:
        """Handle SIGTERM and SIGINT before the existing handlers. Does nothing outside the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._watch(number)

    def _watch(self, number: int) -> None:
        handler = signal.getsignal(number)

        def note(number: int, frame: FrameType | None) -> None:
            self._asked = True
            if callable(handler):
                handler(number, frame)

        # Leave a signal that is ignored or has the default action as it is.
        if callable(handler):
            signal.signal(number, note)
