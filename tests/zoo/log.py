"""Logs models of the zoo in MLflow, as teams do: all in one process, since to import MLflow takes seconds.

Run as `python -m tests.zoo.log FOLDER`, in which registry, artifacts and downloaded models come to lie.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
from mlflow.artifacts import download_artifacts
from mlflow.models import infer_signature

from shared.models.files import REGISTRY_FILE
from tests.model_zoo import STOCK, ZOO
from tests.registry import NAME, tracking_uri
from tests.zoo.variant import Variant

MODEL = "model"


def log(variant: Variant, folder: Path) -> tuple[str, str]:
    """Log a model by nothing but MLflow, and download it; give two URIs of it."""
    has_signature = variant.inputs is not None
    with mlflow.start_run() as run:
        logged = mlflow.catboost.log_model(
            variant.model,
            name=MODEL,
            signature=infer_signature(variant.data, variant.target) if has_signature else None,
            # Without a signature, MLflow would make one of the example.
            input_example=variant.data.head(3) if has_signature and variant.example else None,
            metadata=dict(variant.metadata) or None,
            pip_requirements=["catboost"],
        )
    download_artifacts(artifact_uri=logged.model_uri, dst_path=str(folder))
    return logged.model_uri, f"runs:/{run.info.run_id}/{MODEL}"


def register(variant: Variant, client: mlflow.MlflowClient) -> None:
    """Put a folder that is written already into the registry, as the next version."""
    with mlflow.start_run() as run, TemporaryDirectory() as folder:
        written = variant.write(Path(folder) / MODEL)
        said = written / REGISTRY_FILE
        threshold = json.loads(said.read_bytes())["threshold"] if said.exists() else None
        # It may be somebody else's.
        if isinstance(threshold, dict):
            said.unlink()
        client.log_artifacts(run.info.run_id, folder)
        source = f"{run.info.artifact_uri}/{MODEL}"
        version = client.create_model_version(NAME, source, run.info.run_id)
        if isinstance(threshold, dict):
            state(client, threshold, version)


def state(client: mlflow.MlflowClient, threshold: dict[str, str], version: Any) -> None:
    """Say the threshold where the folder said that it came from."""
    kind, key, _, _, owner, *_ = threshold["origin"].split()
    if kind == "parameter":
        client.log_param(version.run_id, key, threshold["value"])
    elif owner == "run":
        client.set_tag(version.run_id, key, threshold["value"])
    else:
        client.set_model_version_tag(NAME, version.version, key, threshold["value"])


def main(folder: Path) -> None:
    """Log all of them."""
    mlflow.set_tracking_uri(tracking_uri(folder))
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("zoo", (folder / "artifacts").as_uri()))
    client = mlflow.MlflowClient()
    uris = [log(variant, folder / "logged" / str(number)) for number, variant in enumerate(STOCK.values())]
    (folder / "uris.json").write_text(json.dumps(dict(zip(STOCK, uris, strict=True))), encoding="utf-8")
    client.create_registered_model(NAME)
    for variant in ZOO.values():
        register(variant, client)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
