"""What the model commands share: settings, exit codes, and errors told in a sentence instead of a traceback."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import Field, ValidationError

from scripts.lib import loopback, terminal
from shared.errors import PretError
from shared.settings import Settings, sentences

ROOT = Path(__file__).resolve().parents[2]

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130

EXIT_CODES = "exit codes: 0 done, or nothing to do; 1 rejected or failed; 2 wrong options or settings; 130 interrupted"


class CommandError(Exception):
    """Ends a command with a sentence on stderr and an exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class CommandSettings(Settings):
    """The settings of the service, and what only commands read."""

    mlflow_model_uri: str | None = Field(None, description="MLflow model to publish where no other is named.")


def read_settings() -> CommandSettings:
    """Read environment, `.devenv` and `.env`, those of the working folder before those of the project."""
    files = [folder / name for folder in (ROOT, Path.cwd()) for name in (".devenv", ".env")]
    try:
        return CommandSettings(_env_file=files)
    except ValidationError as error:
        raise CommandError("\n".join(sentences(error)), WRONG_USAGE) from error


def run(command: Callable[[], int]) -> int:
    """Run the command and give its exit code; what it raises becomes a sentence on stderr."""
    terminal.use_plain_letters()
    loopback.exempt(os.environ)
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has enough of it; Python would complain once more at its own end.
        sys.stdout = None
        return FAILED
    except CommandError as error:
        return tell(str(error), error.code)
    except PretError as error:
        return tell(str(error), FAILED)
    except OSError as error:
        return tell(f"A file could not be read or written: {error.strerror or type(error).__name__}.", FAILED)
    except KeyboardInterrupt:
        return tell("Interrupted.", INTERRUPTED)
    return code


def tell(message: str, code: int) -> int:
    """Say on stderr why the command ends, and give the code back."""
    print(message, file=sys.stderr)
    return code


def clean_up_when_terminated() -> None:
    """Take SIGTERM like Ctrl-C, so that temporary folders are removed then too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def shown_path(path: Path) -> str:
    """Name a path from the working folder, and one that lies elsewhere by its last part alone."""
    absolute = path.resolve()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else absolute.name
