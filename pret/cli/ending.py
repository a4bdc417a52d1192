"""How a command ends: its exit code, and a sentence instead of a traceback for expected errors."""

import sys
from collections.abc import Callable

from pret.cli import show
from pret.errors import InvalidRows, JobFailed, PretError

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

EXIT_CODES = "exit codes: 0 done; 1 rejected or failed; 2 wrong usage; 130 interrupted"


class Interrupted(Exception):
    """Ctrl-C, with a sentence about what continues without the command."""


class WrongUsage(Exception):
    """The arguments do not fit together."""


def run(command: Callable[[], None]) -> int:
    """Run a command and return its exit code."""
    try:
        command()
        sys.stdout.flush()
    except (PretError, WrongUsage, Interrupted, ValueError, OSError, KeyboardInterrupt) as error:
        return _explain(error)
    return DONE


def _explain(error: BaseException) -> int:
    if isinstance(error, BrokenPipeError):
        # The reader of the output closed it; without this, Python would complain when it flushes stdout at exit.
        sys.stdout = None
        return FAILED
    print(_sentence(error), file=sys.stderr)
    if isinstance(error, InvalidRows):
        show.invalid_values(error.errors, error.invalid_values)
    if isinstance(error, JobFailed) and error.job.report:
        show.invalid_values(error.job.report.errors, error.job.report.invalid_values)
    if isinstance(error, PretError) and error.problem and error.problem.processes:
        show.table(show.PROCESSES, show.process_rows(error.problem.processes), sys.stderr)
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return INTERRUPTED
    return WRONG_USAGE if isinstance(error, WrongUsage | ValueError) else FAILED


def _sentence(error: BaseException) -> str:
    # TimedOut is an OSError too, since TimeoutError is one.
    if isinstance(error, OSError) and not isinstance(error, PretError):
        what = f"{error.filename}: " if error.filename else ""
        return f"{what}{error.strerror or type(error).__name__}"
    return str(error) or "Interrupted."
