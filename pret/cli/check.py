"""`pret model check`: a script of the project does it, which reads models as the service does; the client cannot."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from pret.cli.ending import WRONG_USAGE

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_model.py"
NEEDED = "catboost"

ABSENT = "`pret model check` needs the project and its environment: call scripts/pret in the project's folder."


def check_model(arguments: Sequence[str], script: Path = SCRIPT) -> int:
    """Run the script and return its exit code, or say what it needs."""
    if not script.is_file() or find_spec(NEEDED) is None:
        print(ABSENT, file=sys.stderr)
        return WRONG_USAGE
    with subprocess.Popen([sys.executable, "-P", str(script), *arguments]) as running:  # noqa: S603 - a script of our own
        # Ctrl-C reaches the script too, which ends by itself when it has cleaned up.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return running.wait()
        finally:
            signal.signal(signal.SIGINT, before)
