"""Logs and registers a trained model in MLflow, and fetches it back from the registry.

Importing MLflow takes seconds, so this module is imported only once there is a model to log.
"""

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.models import mlflow_environment as mlflow_environment

# isort: split
import catboost
import mlflow
import mlflow.catboost
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from sqlalchemy.exc import SQLAlchemyError

from scripts.lib.training import TrainedModel
from scripts.lib.training_data import TrainingData, TrainingError

EXPERIMENT = "pret-a-depenser"
ALIAS = "champion"
SQLITE = "sqlite:///"


@dataclass(frozen=True)
class RegisteredModel:
    """Where a model stands in the registry."""

    name: str
    version: str
    run_id: str


def register(
    data: TrainingData, trained: TrainedModel, metadata: dict[str, Any], name: str, store: str
) -> RegisteredModel:
    """Log the model with its parameters and figures, register it under `name`, and make it the champion.

    `store` is an MLflow tracking URI.
    """
    _quieten()
    if store.startswith(SQLITE):
        _sqlite_folder(store).mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(store)
    with _silent_prints(), mlflow.start_run(experiment_id=_experiment(store), run_name=name) as run:
        mlflow.log_params(dict(trained.parameters) | {"threshold": trained.threshold})
        mlflow.log_metrics(dict(trained.metrics))
        mlflow.set_tags({"data": data.origin, "positive_class": "1"})
        logged = mlflow.catboost.log_model(
            trained.classifier,
            name="model",
            signature=_signature(data),
            input_example=data.input_example,
            metadata=metadata,
            # Stated, because inferring them loads the model in another process.
            pip_requirements=[f"catboost=={catboost.__version__}", f"numpy=={np.__version__}"],
            registered_model_name=name,
        )
        version = str(logged.registered_model_version)
        mlflow.MlflowClient().set_registered_model_alias(name, ALIAS, version)
    return RegisteredModel(name=name, version=version, run_id=run.info.run_id)


@contextlib.contextmanager
def downloaded(model: RegisteredModel) -> Iterator[Path]:
    """Yield a temporary folder that holds the registered model's files."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"models:/{model.name}/{model.version}"
        yield Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Turn what a store raises when it rejects the model or is away into a TrainingError of one sentence, without passwords."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise TrainingError(f"The model could not be stored: {re.sub(r'//[^/@ ]*@', '//', reason)}.") from error


def _signature(data: TrainingData) -> ModelSignature:
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType[feature.type], feature.name, feature.required) for feature in data.features
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([ColSpec(DataType.long)]))


def _experiment(store: str) -> str:
    """Return the experiment's id; the files of a SQLite store lie beside it, not in whatever the working folder is."""
    found = mlflow.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    location = (_sqlite_folder(store) / "artifacts").as_uri() if store.startswith(SQLITE) else None
    return str(mlflow.create_experiment(EXPERIMENT, artifact_location=location))


def _sqlite_folder(store: str) -> Path:
    return Path(store.removeprefix(SQLITE)).absolute().parent


def _quieten() -> None:
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextlib.contextmanager
def _silent_prints() -> Iterator[None]:
    """Swallow what MLflow prints on stderr besides its log; an error still comes as an exception."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield
