"""Whether the process has been asked to end. The server waits for every answer to end, so those without an end must look."""

import signal
import threading
from types import FrameType


class Closing:
    """False until a signal to end has come."""

    def __init__(self) -> None:
        self._asked = False

    def __bool__(self) -> bool:
        return self._asked

    def watch(self) -> None:
        """Look out for the signals, before what else handles them; only the main thread can, elsewhere nothing is done."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._watch(number)

    def _watch(self, number: int) -> None:
        handler = signal.getsignal(number)

        def note(number: int, frame: FrameType | None) -> None:
            self._asked = True
            if callable(handler):
                handler(number, frame)

        # One that is ignored or left to the system is not ours to change.
        if callable(handler):
            signal.signal(number, note)
