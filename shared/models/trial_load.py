"""A model is loaded for the first time in a process of its own: a damaged file may crash whoever loads it.

Run as `python -m shared.models.trial_load FOLDER VERSION ASSUMPTIONS [prove]`, of which the third is JSON; where the model must
not serve, its last line is the reason, as JSON. With `prove` a fast evaluator is tried too, once the model is known to be good:
then the last line says what came of that.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from shared.errors import BadArtifact
from shared.models import artifact, proof
from shared.models.artifact import NO_ASSUMPTIONS, UNTRIED, Assumptions
from shared.reasons import Reason

TIMEOUT = 120.0
"""Seconds; loading takes a few even on a slow machine."""

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
    command = [sys.executable, "-P", "-m", __name__, *arguments]
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


def main(folder: str, version: str, assumptions: str, prove: str | None = None) -> int:
    """Try the model; the exit code tells."""
    try:
        model = artifact.load(Path(folder), version, Assumptions(**json.loads(assumptions)))
    except BadArtifact as error:
        _say(json.dumps(error.reason.as_dict()))
        return REJECTED
    if prove:
        _say(GOOD)
        # Even native code that does not return is ended by the signals.
        signal.setitimer(signal.ITIMER_PROF, PROOF_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
        _say(json.dumps(proof.prove(model).as_dict()))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"\n{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
