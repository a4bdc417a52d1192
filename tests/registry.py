"""An MLflow registry in a SQLite file, filled by MLflow itself in a process of its own, as a team's own pipeline would."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.factories import Kit, Row

NAME = "credit"

LOG = """
import json, sys
import pandas as pd, mlflow
from catboost import CatBoostClassifier
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
folder, name, models = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = mlflow.MlflowClient()
experiment = mlflow.get_experiment_by_name("test")
mlflow.set_experiment(experiment_id=experiment.experiment_id if experiment else
    mlflow.create_experiment("test", artifact_location=folder + "/artifacts"))
for each in models:
    signature = ModelSignature(Schema([ColSpec(DataType[i["type"]], i["name"], i["required"]) for i in each["inputs"]]))
    mlflow.catboost.log_model(
        CatBoostClassifier().load_model(each["file"]), name="model", signature=signature, metadata=each["metadata"],
        input_example=each["rows"] and pd.DataFrame(each["rows"]), pip_requirements=["catboost==1.2.10"],
        registered_model_name=name)
    version = max(int(version.version) for version in client.search_model_versions(f"name='{name}'"))
    for alias in each["aliases"]:
        client.set_registered_model_alias(name, alias, str(version))
"""


def tracking_uri(folder: Path) -> str:
    """Name the registry in a folder."""
    return f"sqlite:///{folder}/mlflow.db"


def logged(
    kit: Kit, file: Path, rows: list[Row] | None = None, aliases: tuple[str, ...] = ("champion",)
) -> dict[str, Any]:
    """Say what `log_models` is to log: the kit's classifier, from a file that is written now."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kit.classifier.save_model(str(file))
    return {"file": str(file), "inputs": kit.inputs, "metadata": kit.metadata, "rows": rows, "aliases": aliases}


def log_models(folder: Path, *models: dict[str, Any]) -> None:
    """Log and register models in turn, as the next versions of one name."""
    subprocess.run(
        [sys.executable, "-c", LOG, str(folder), NAME, json.dumps(models)],
        cwd=folder,
        env={**os.environ, "MLFLOW_TRACKING_URI": tracking_uri(folder)},
        check=True,
        capture_output=True,
        timeout=100,
    )
