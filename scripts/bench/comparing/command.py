"""What the commands have in common: they print tables, perhaps into a page, and end in order when interrupted."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from scripts.bench.comparing.load import require_wrk
from scripts.bench.comparing.page import around, rewrite
from scripts.lib import command
from scripts.lib.command import ROOT


def run(name: str, page: Path | None, measure: Callable[[], list[str]]) -> int:
    """Print the lines that the command of this name measures, and put them into a page if there is one.

    Returns 0 for success, 2 if it is not possible, and 130 if it was interrupted.
    """
    os.chdir(ROOT)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    return command.run(lambda: _run(name, page, measure))


def _run(name: str, page: Path | None, measure: Callable[[], list[str]]) -> int:
    require_wrk()
    if page is not None:
        # What is measured for minutes must have its place.
        around(page, name)
    content = "\n".join(measure())
    print(f"\n{content}")
    if page is not None:
        rewrite(page, name, content)
    return 0
