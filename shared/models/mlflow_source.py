"""Models straight from an MLflow registry, for teams without a Hub.

MLflow is not installed where models are only served, and is never imported there: a process of its own asks and downloads. An
alias is resolved to the version of the registry that it stands for now, which is the origin of our model version; the id of
that comes from its content, so it is known once it is downloaded.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from shared.errors import SourceUnavailable, UnknownRevision, VersionUnavailable
from shared.models import files
from shared.models.version import Resolution
from shared.reasons import Reason

MODELS, RUNS = SCHEMES = ("models:/", "runs:/")

PROGRAM = "shared.models.mlflow_program"
ROOT = Path(__file__).resolve().parents[2]

FAILED = 3
"""Exit code of the program where its last line is the reason not to answer, as JSON."""

TIMEOUT = 300.0
"""Seconds for a download."""

Ask = Callable[[str, str, str], str]
"""Answers what the program is asked by its arguments; raises SourceUnavailable, UnknownRevision."""


class MlflowSource:
    """One model URI, such as `models:/name@alias`."""

    is_slow: ClassVar[bool] = True

    def __init__(self, uri: str, tracking_uri: str | None, ask: Ask | None = None) -> None:
        self._uri = uri
        self._tracking_uri = tracking_uri
        self._ask = ask or ask_mlflow

    @property
    def name(self) -> str:
        """The URI; of the server, whose address may hold a password, only a digest is shown."""
        server = hashlib.sha256((self._tracking_uri or "").encode()).hexdigest()[:12]
        return f"mlflow:{server}:{self._uri}"

    def resolve(self, revision: str | None) -> Resolution:
        """Ask the registry which version is meant; a revision is another `models:/…` or `runs:/…` URI."""
        uri = revision or self._uri
        if not uri.startswith(SCHEMES):
            raise UnknownRevision("revision-not-mlflow")
        return Resolution(None, self._ask(uri, "", self._tracking_uri or ""))

    def fetch(self, found: Resolution, folder: Path) -> None:
        """Download what was resolved."""
        if found.origin is None:
            raise VersionUnavailable("version-gone", version=found.version)
        with TemporaryDirectory(prefix="pret-mlflow-") as downloaded:
            files.copy(Path(self._ask(found.origin, downloaded, self._tracking_uri or "")), folder)


def ask_mlflow(uri: str, folder: str, tracking_uri: str) -> str:
    """Run the program, and give its answer; raises SourceUnavailable, or UnknownRevision for what MLflow does not have."""
    # Nothing in the working folder may stand in for a module.
    command = [sys.executable, "-P", "-m", PROGRAM, uri, folder, tracking_uri]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailable("mlflow-timed-out") from error
    if "No module named 'mlflow'" in done.stderr:
        raise SourceUnavailable("mlflow-not-installed")
    return answer_of(done.returncode, done.stdout)


def answer_of(code: int, printed: str) -> str:
    """Take the answer from an exit code and what was printed; raises SourceUnavailable or UnknownRevision."""
    if code not in (0, FAILED):
        raise SourceUnavailable("mlflow-failed", fault=f"exit code {code}")
    # What MLflow prints itself comes before.
    last = printed.splitlines()[-1]
    if code == 0:
        return last
    reason = Reason.from_dict(json.loads(last))
    raise (UnknownRevision if reason.type == "mlflow-model-unknown" else SourceUnavailable).of(reason)
