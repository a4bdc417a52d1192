"""What the commands have in common: they print tables, perhaps into a page, and end in order when interrupted."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.bench.comparing.environments import CannotCompare
from scripts.bench.comparing.load import require_wrk
from scripts.bench.comparing.page import around, rewrite

ROOT = Path(__file__).resolve().parents[3]


def run(command: str, page: Path | None, measure: Callable[[], list[str]]) -> int:
    """Print the lines that are measured, and put them into a page if there is one.

    Returns 0 for success, 2 if it is not possible, and 130 if it was interrupted.
    """
    os.chdir(ROOT)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        _run(command, page, measure)
    except CannotCompare as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped before its end.", file=sys.stderr)
        return 130
    return 0


def _run(command: str, page: Path | None, measure: Callable[[], list[str]]) -> None:
    require_wrk()
    if page is not None:
        # What is measured for minutes must have its place.
        around(page, command)
    content = "\n".join(measure())
    print(f"\n{content}")
    if page is not None:
        rewrite(page, command, content)
