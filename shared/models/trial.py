"""The process of a trial load.

Run as `python -m shared.models.trial FOLDER VERSION ASSUMPTIONS [prove]`, of which the third is JSON; where the model must not
serve, its last line is the reason, as JSON. With `prove` a fast evaluator is tried too, once the model is known to be good: then
the last line says what came of that.
"""

import json
import signal
import sys
from pathlib import Path

from catboost import CatBoostError

from shared.errors import BadArtifact
from shared.models import artifact, proof
from shared.models.artifact import Model
from shared.models.assumptions import Assumptions
from shared.models.trial_load import GOOD, HANG_SECONDS, PROOF_SECONDS, REJECTED
from shared.reasons import Reason


def main(folder: str, version: str, assumptions: str, prove: str | None = None) -> int:
    """Try the model; the exit code tells."""
    try:
        model = artifact.load(Path(folder), version, Assumptions(**json.loads(assumptions)))
        _score(model)
    except BadArtifact as error:
        return _reject(error.reason)
    except CatBoostError as error:
        return _reject(Reason("trial-failed", {"fault": type(error).__name__}))
    if prove:
        _say(GOOD)
        # Even native code that does not return is ended by the signals.
        signal.setitimer(signal.ITIMER_PROF, PROOF_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
        _say(json.dumps(proof.prove(model).as_dict()))
    return 0


def _score(model: Model) -> None:
    """Score a row of zeros and unknown categories: with some models that load, CatBoost raises, or ends the process."""
    row = ["0" if place in model.scorer.categories else 0.0 for place in range(len(model.contract.names))]
    model.scorer.evaluator.score_table([row])


def _reject(reason: Reason) -> int:
    _say(json.dumps(reason.as_dict()))
    return REJECTED


def _say(line: str) -> None:
    sys.stdout.write(f"\n{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
