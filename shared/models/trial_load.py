"""A model is loaded for the first time in a process of its own, `trial.py`: a damaged file may crash whoever loads it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from shared.errors import BadArtifact
from shared.models.assumptions import NO_ASSUMPTIONS, Assumptions
from shared.models.verdict import UNTRIED
from shared.reasons import Reason

TIMEOUT = 120.0
"""Seconds; loading takes a few even on a slow machine."""

PROGRAM = "shared.models.trial"

PROOF_SECONDS = 2
"""Of processor time, by which a start and a reload may become longer; the proof of a usual model takes a quarter of that."""

HANG_SECONDS = 6
"""Of the clock, on which a busy machine takes longer over a proof."""

LIMIT = TIMEOUT + HANG_SECONDS

GOOD = "The model may serve."
"""Is printed before the proof begins, which may end the process."""

ROOT = Path(__file__).resolve().parents[2]
REJECTED = 3
OUT_OF_TIME = (-signal.SIGPROF, -signal.SIGALRM)


def check(folder: Path, version: str, assumptions: Assumptions = NO_ASSUMPTIONS) -> None:
    """Load and verify the artifact in another process; raises BadArtifact if it must not serve, or the process dies."""
    _run(folder, version, assumptions)


def check_and_prove(folder: Path, version: str, assumptions: Assumptions = NO_ASSUMPTIONS) -> Reason:
    """Do as `check`, then try the fast evaluator; says what came of that. If it takes the process with it, CatBoost may serve."""
    return _run(folder, version, assumptions, "prove")


def _run(folder: Path, version: str, assumptions: Assumptions, *prove: str) -> Reason:
    # Nothing in the working folder may stand in for a module.
    arguments = [str(folder.resolve()), version, json.dumps(asdict(assumptions)), *prove]
    command = [sys.executable, "-P", "-m", PROGRAM, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False, env=environment)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise BadArtifact("trial-timed-out") from error
    said = done.stdout.splitlines()
    if done.returncode == REJECTED:
        raise BadArtifact.of(Reason.from_dict(json.loads(said[-1])))
    if done.returncode and GOOD not in said:
        raise BadArtifact("trial-crashed", code=done.returncode)
    if done.returncode in OUT_OF_TIME:
        return Reason("evaluator-slow", {"limit": PROOF_SECONDS})
    if done.returncode:
        return Reason("evaluator-crashed", {"code": done.returncode})
    return Reason.from_dict(json.loads(said[-1])) if prove else UNTRIED
