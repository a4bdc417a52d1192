"""Give all running processes of the service a new model, without a restart: all of them, or none.

Takes what REVISION stands for in the model source of the service: a branch, tag or commit on Hugging Face Hub where
HF_REPO_ID is set (HF_REVISION without one), models:/NAME@ALIAS, models:/NAME/VERSION or runs:/… where MODEL_URI is (MODEL_URI
without one), the content of the folder MODEL_DIR otherwise. Every process gets it ready and
checks it first; only then do all of them switch. It is the same as POST /reload_model, but needs Redis and not the API.
The table shows what each process served before and serves after, and how long it took to get ready.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# The project is not installed: its packages are found from its folder, wherever this is run from.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib import command
from scripts.lib.command import ROOT
from shared.errors import ReloadFailed
from shared.fleet.records import Fleet
from shared.fleet.reload import PREVIOUS, Coordinator, ProcessOutcome
from shared.redis import connect

BY = "script"
"""How the history of versions names whoever ran this."""

HEADER = ("kind", "host", "pid", "before", "after", "seconds", "error")
SHA_LENGTH = 40
SHOWN_LENGTH = 12
EPILOG = f"""settings, from the environment, .devenv or .env in the project's folder, where the service runs:
  REDIS_URL                      Redis or Valkey server of the service
  HF_REPO_ID, HF_REVISION, HF_TOKEN, HF_FILENAME, HF_ENDPOINT, MODEL_DIR, MODEL_URI
                                 where models come from
  RELOAD_TIMEOUT                 seconds that the processes have to get ready

{command.EXIT_CODES}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = parse(arguments)
    return command.run(lambda: reload(options))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; prints the usage and exits on an unknown or malformed one."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "revision",
        nargs="?",
        metavar="REVISION",
        help="branch, tag or commit, or an MLflow address (default: the configured one)",
    )
    parser.add_argument("--rollback", action="store_true", help="return to the version before this one; needs no Hub")
    options = parser.parse_args(arguments)
    if options.rollback and options.revision is not None:
        parser.error("--rollback returns to the version before this one, so it takes no revision")
    return options


def reload(options: argparse.Namespace) -> int:
    """Run the protocol and report; raises CommandError or PretError with a sentence."""
    # Relative paths among the settings start where the service runs.
    os.chdir(ROOT)
    settings = command.read_settings()
    coordinator = Coordinator.from_settings(settings, Fleet(connect(settings.redis_url)))
    try:
        outcome = coordinator.reload(PREVIOUS if options.rollback else options.revision, BY)
    except ReloadFailed as error:
        print_table(error.processes)
        raise
    print_table(outcome.processes)
    if outcome.status == "unchanged":
        print(f"Unchanged: {outcome.version} is the active version already.")
    else:
        print(f"Reloaded: {outcome.version_before or 'no version'} -> {outcome.version}")
    return 0


def print_table(processes: Sequence[ProcessOutcome]) -> None:
    """Print one line a process, in columns."""
    if not processes:
        print("No process of the service is running.")
        return
    rows = [HEADER, *map(_row, processes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(process: ProcessOutcome) -> tuple[str, ...]:
    seconds = "-" if process.seconds is None else f"{process.seconds:.1f}"
    versions = (_short(process.version_before), _short(process.version))
    return (
        process.kind,
        process.host,
        str(process.pid),
        *versions,
        seconds,
        process.error.message if process.error else "-",
    )


def _short(version: str | None) -> str:
    if version is None:
        return "-"
    return version[:SHOWN_LENGTH] if len(version) == SHA_LENGTH else version


if __name__ == "__main__":
    command.clean_up_when_terminated()
    sys.exit(main())
