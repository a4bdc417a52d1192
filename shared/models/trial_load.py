"""A model is loaded for the first time in a process of its own: a damaged file may crash whoever loads it.

Run as `python -m shared.models.trial_load FOLDER VERSION ASSUMPTIONS`, of which the last is JSON; where the model must not
serve, its last line is the reason, as JSON.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from shared.errors import BadArtifact
from shared.models import artifact
from shared.models.artifact import NO_ASSUMPTIONS, Assumptions
from shared.reasons import Reason

TIMEOUT = 120.0
"""Seconds; loading takes a few even on a slow machine."""

ROOT = Path(__file__).resolve().parents[2]
REJECTED = 3


def check(folder: Path, version: str, assumptions: Assumptions = NO_ASSUMPTIONS) -> None:
    """Load and verify the artifact in another process; raises BadArtifact if it must not serve, or the process dies."""
    # Nothing in the working folder may stand in for a module.
    command = [sys.executable, "-P", "-m", __name__, str(folder.resolve()), version, json.dumps(asdict(assumptions))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise BadArtifact("trial-timed-out") from error
    if done.returncode == REJECTED:
        raise BadArtifact.of(Reason.from_dict(json.loads(done.stdout.splitlines()[-1])))
    if done.returncode:
        raise BadArtifact("trial-crashed", code=done.returncode)


def main(folder: str, version: str, assumptions: str) -> int:
    """Try the model; the exit code tells."""
    try:
        artifact.load(Path(folder), version, Assumptions(**json.loads(assumptions)))
    except BadArtifact as error:
        sys.stdout.write(f"\n{json.dumps(error.reason.as_dict())}")
        return REJECTED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
