"""The supervisor: runs the programs of `./scripts/up`, and starts each again that dies."""

import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO

from scripts.lib.programs import STOP_SECONDS

LINE_HEAD = re.compile(r"^\S+ \S+ [A-Z]+ ")
"""Date, time and level, which begin every line of the supervisor's log."""


def _say(line: str) -> None:
    print(line, flush=True)


class Supervisor:
    """A running supervisor. It is given a configuration file, and its programs inherit this process's environment.

    `tell` is called with a line for each program that has died.
    """

    def __init__(self, configuration: Path, tell: Callable[[str], None] = _say) -> None:
        self._tell = tell
        # A session of its own: Ctrl-C reaches the script alone, which then ends the others in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.lib.supervisord", "-n", "-c", str(configuration)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=_environment(),
            start_new_session=True,
        )
        self._deaths: Counter[str] = Counter()
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        threading.Thread(target=self._relay, args=(self._process.stdout,), daemon=True).start()

    @property
    def pid(self) -> int:
        """Its number as a process; the programs are its children."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.poll() is not None

    def deaths(self, program: str) -> int:
        """Tell how often the processes of a program have ended so far."""
        return self._deaths[program]

    def stop(self) -> None:
        """End the programs and then itself."""
        self._process.terminate()
        try:
            self._process.wait(2 * STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _relay(self, log: IO[str]) -> None:
        """Say when a process dies and is started again; the rest of the supervisor's log is not worth a user's time."""
        with log:
            for line in log:
                event = LINE_HEAD.sub("", line).strip()
                if event.startswith("exited:"):
                    self._deaths[event.split()[1].partition("-")[0]] += 1
                    self._tell(f"{event}; it is started again")
                elif event.startswith("gave up:"):
                    self._tell(f"{event}; see .local/logs/")


def _environment() -> dict[str, str]:
    """Give the programs UTF-8, whatever the terminal has: they write to files."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
    return {**inherited, "PYTHONUTF8": "1"}
