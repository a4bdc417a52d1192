"""Models straight from an MLflow registry, for teams without a Hub.

MLflow is not installed where models are only served, and is never imported there: a process of its own asks and downloads. An
alias is resolved to the version of the registry that it stands for now, which is the origin of our model version; the id of
that comes from its content, so it is known once it is downloaded.
"""

import hashlib
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from shared.contract.mlmodel import THRESHOLD_KEYS
from shared.errors import SourceUnavailable, UnknownRevision, VersionUnavailable
from shared.models import files
from shared.models.version import Resolution

SCHEMES = ("models:/", "runs:/")

PROGRAM = (
    f"""
import json, os, sys
import mlflow
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import get_model_name_and_version
uri, folder, tracking_uri = sys.argv[1:]
if tracking_uri:
    mlflow.set_tracking_uri(tracking_uri)
REGISTRY_FILE, KEYS = {files.REGISTRY_FILE!r}, {THRESHOLD_KEYS!r}
"""
    + """
def stated():
    # What the registry and the run say of the model, each with its place; the most particular first.
    client = mlflow.MlflowClient()
    run_id = None
    if uri.startswith("models:/"):
        found = get_model_name_and_version(client, uri)
        if len(found) == 2:
            version = client.get_model_version(*found)
            yield "tag %s of the model version", version.tags
            run_id = version.run_id
        else:
            logged = client.get_logged_model(found[0])
            yield "tag %s of the logged model", logged.tags
            yield "parameter %s of the logged model", logged.params
            run_id = logged.source_run_id
    else:
        run_id = uri.removeprefix("runs:/").partition("/")[0]
    if run_id:
        run = client.get_run(run_id)
        yield "tag %s of the run", run.data.tags
        yield "parameter %s of the run", run.data.params

def threshold_of(uri):
    for place, values in stated():
        for key in KEYS:
            if key in values:
                return {"value": values[key], "origin": place % key}

try:
    if folder:
        from mlflow.artifacts import download_artifacts
        path = download_artifacts(artifact_uri=uri, dst_path=folder)
        said = threshold_of(uri)
        if said:
            with open(os.path.join(path, REGISTRY_FILE), "w") as file:
                json.dump({"threshold": said}, file)
        print(path)
    elif uri.startswith("models:/"):
        found = get_model_name_and_version(mlflow.MlflowClient(), uri)
        print("models:/" + "/".join(str(part) for part in found))
    else:
        print(uri)
except MlflowException as error:
    sys.exit(3 if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND") else 1)
"""
)
"""Prints what a URI stands for; or downloads that, with the threshold that the registry states, and prints the model's folder."""

UNKNOWN = 3
"""Exit code for what the registry does not have."""

TIMEOUT = 300.0
"""Seconds for a download."""


class MlflowSource:
    """One model URI, such as `models:/name@alias`."""

    is_slow: ClassVar[bool] = True

    def __init__(self, uri: str, tracking_uri: str | None) -> None:
        self._uri = uri
        self._tracking_uri = tracking_uri

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
        return Resolution(None, self._run(uri, ""))

    def fetch(self, found: Resolution, folder: Path) -> None:
        """Download what was resolved."""
        if found.origin is None:
            raise VersionUnavailable("version-gone", version=found.version)
        with TemporaryDirectory(prefix="pret-mlflow-") as downloaded:
            # Of a run, the model comes in a folder of its own.
            files.copy(Path(self._run(found.origin, downloaded)), folder)

    def _run(self, uri: str, folder: str) -> str:
        # Nothing in the working folder may stand in for a module.
        command = [sys.executable, "-P", "-c", PROGRAM, uri, folder, self._tracking_uri or ""]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise SourceUnavailable("mlflow-timed-out") from error
        if "No module named 'mlflow'" in done.stderr:
            raise SourceUnavailable("mlflow-not-installed")
        if done.returncode == UNKNOWN:
            raise UnknownRevision("mlflow-model-unknown")
        if done.returncode:
            raise SourceUnavailable("mlflow-failed")
        # What MLflow prints itself comes before.
        return done.stdout.splitlines()[-1].strip()
