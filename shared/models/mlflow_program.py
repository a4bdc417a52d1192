"""What MLflow is asked, in a process of its own: which version a URI stands for, and its files.

Run as `python -m shared.models.mlflow_program URI FOLDER TRACKING_URI`. Without a folder, its last line is what the URI stands for;
with one, it downloads that, with the threshold that the registry states, and its last line is the model's folder. Where there is
no answer, its last line is the reason, as JSON.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.models import mlflow_environment as mlflow_environment

# isort: split
import mlflow
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import get_model_name_and_version

from shared.contract.mlmodel import THRESHOLD_KEYS
from shared.models.files import REGISTRY_FILE
from shared.models.mlflow_source import FAILED, MODELS, RUNS
from shared.reasons import Reason

UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")
"""The error codes of MLflow for what it does not have, and for what cannot be a name."""


def main(uri: str, folder: str, tracking_uri: str) -> int:
    """Answer one question; the exit code tells whether the last line is the answer, or why there is none."""
    if tracking_uri:
        mlflow.set_tracking_uri(tracking_uri)
    try:
        answer = download(uri, folder) if folder else resolve(uri)
    # Registries and stores of artifacts raise what their own libraries do.
    except Exception as error:
        sys.stdout.write(f"\n{json.dumps(_reason_of(error).as_dict())}\n")
        return FAILED
    sys.stdout.write(f"\n{answer}\n")
    return 0


def _reason_of(error: Exception) -> Reason:
    """Say why there is no answer, without the message, which may hold addresses and keys."""
    if isinstance(error, ModuleNotFoundError):
        return Reason("mlflow-module-missing", {"module": error.name})
    if not isinstance(error, MlflowException):
        return Reason("mlflow-failed", {"fault": type(error).__name__})
    if error.error_code in UNKNOWN:
        return Reason("mlflow-model-unknown")
    return Reason("mlflow-failed", {"fault": error.error_code})


def resolve(uri: str) -> str:
    """Name the version that an alias or a stage stands for; a run stands for itself."""
    if not uri.startswith(MODELS):
        return uri
    return MODELS + "/".join(_found(mlflow.MlflowClient(), uri))


def download(uri: str, folder: str) -> str:
    """Download the model, which of a run comes in a folder of its own; give the path of its folder."""
    path = Path(download_artifacts(artifact_uri=uri, dst_path=folder))
    # Of a folder that is not there, as on another machine, MLflow gives an empty one.
    if not any(path.iterdir()):
        raise FileNotFoundError
    if threshold := stated_threshold(uri):
        (path / REGISTRY_FILE).write_text(json.dumps({"threshold": threshold}), encoding="utf-8")
    return str(path)


def stated_threshold(uri: str) -> dict[str, Any] | None:
    """Find the threshold that the registry or the run states, with its place."""
    for place, values in _stated(uri):
        for key in THRESHOLD_KEYS:
            if key in values:
                return {"value": values[key], "origin": place % key}
    return None


def _stated(uri: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Give what is said of the model besides its files, each with its place; the most particular first."""
    client = mlflow.MlflowClient()
    if uri.startswith(MODELS):
        found = _found(client, uri)
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
        run_id = uri.removeprefix(RUNS).partition("/")[0]
    if run_id:
        run = client.get_run(run_id)
        yield "tag %s of the run", run.data.tags
        yield "parameter %s of the run", run.data.params


def _found(client: mlflow.MlflowClient, uri: str) -> list[str]:
    """Give name and version of a registered model, or the id alone of one that was only logged."""
    return [*map(str, get_model_name_and_version(client, uri))]  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
