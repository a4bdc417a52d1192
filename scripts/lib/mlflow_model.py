"""Fetches a model that was logged in MLflow, whoever logged it, and exports it.

Importing MLflow takes seconds, so this module is imported only once a model is to come from there.
"""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib import mlflow_environment as mlflow_environment

# isort: split
import mlflow
import numpy as np
import pandas as pd
from catboost import CatBoostError
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from sqlalchemy.exc import SQLAlchemyError

from scripts.lib.command import CommandError
from scripts.lib.export import export_model
from shared.contract import mlmodel
from shared.contract.contract import FEATURE_TYPES
from shared.contract.mlmodel import MLmodel
from shared.errors import BadArtifact, PretError
from shared.models.files import GOLDEN_FILE, MLMODEL_FILE, MODEL_FILE

MAX_GOLDEN_ROWS = 50


def export(uri: str, tracking_uri: str, destination: Path) -> None:
    """Export the model that `uri` (`models:/…`, `runs:/…`) stands for now; raises PretError or CommandError with a sentence."""
    with TemporaryDirectory(prefix="pret-mlflow-") as temporary:
        with _store_errors(uri):
            mlflow.set_tracking_uri(tracking_uri)
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=temporary))
        for needed in (MLMODEL_FILE, MODEL_FILE):
            if not (folder / needed).is_file():
                raise CommandError(f"{uri} is not a CatBoost model in MLflow's format: it has no {needed}.")
        description = mlmodel.read(folder / MLMODEL_FILE)
        with _row_errors():
            rows = _golden_rows(folder, uri)
            export_model(folder, rows, _input_example(rows, description), destination)
        _compare_scores(folder / GOLDEN_FILE, destination / GOLDEN_FILE)


def _golden_rows(folder: Path, uri: str) -> pd.DataFrame:
    """Give the rows that the model brings along, or else those of its input example."""
    if (folder / GOLDEN_FILE).is_file():
        return pd.DataFrame(json.loads((folder / GOLDEN_FILE).read_bytes())["rows"], dtype=object)
    logged = Model.load(str(folder))
    example: Any = logged.load_input_example(str(folder))
    if example is None:
        raise CommandError(f"{uri} has no input example, and so no rows to test it with: log it with input_example=…")
    names = logged.signature.inputs.input_names() if logged.signature else None
    return _as_frame(example, names).head(MAX_GOLDEN_ROWS)


def _as_frame(example: Any, names: list[str] | None) -> pd.DataFrame:
    """Turn an example as MLflow gives it back (a row, rows, columns, a frame or a matrix) into a frame."""
    if isinstance(example, pd.DataFrame):
        return example
    if isinstance(example, np.ndarray):
        return pd.DataFrame(example, columns=names)
    if isinstance(example, dict) and not any(isinstance(value, list) for value in example.values()):
        return pd.DataFrame([example], dtype=object)
    return pd.DataFrame(example, dtype=object)


def _input_example(rows: pd.DataFrame, description: MLmodel) -> dict[str, Any]:
    """Write the first row as a client would send it."""
    types = {column.name: FEATURE_TYPES[column.type].python for column in description.signature.inputs}
    first = rows.iloc[0]
    return {name: None if pd.isna(first[name]) else kind(first[name]) for name, kind in types.items()}


def _compare_scores(brought: Path, exported: Path) -> None:
    """See that the scores which the model brought along are those that it gives."""
    if not brought.is_file():
        return
    expected, given = (json.loads(path.read_bytes()).get("scores") for path in (brought, exported))
    if expected != given:
        raise BadArtifact("golden-scores-differ", file=GOLDEN_FILE)


@contextlib.contextmanager
def _store_errors(uri: str) -> Iterator[None]:
    """Say what failed without the store's own words, which hold paths and passwords."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise CommandError(
            f"MLflow does not provide {uri}. Is it registered, and MLFLOW_TRACKING_URI right?"
        ) from error


@contextlib.contextmanager
def _row_errors() -> Iterator[None]:
    """Say that rows do not fit without repeating their values."""
    try:
        yield
    except (CommandError, PretError):
        raise
    except CatBoostError as error:
        raise CommandError(
            f"CatBoost cannot read {MODEL_FILE!r}, or cannot score the rows of the input example."
        ) from error
    except (ValueError, TypeError, KeyError, IndexError, MlflowException) as error:
        raise CommandError("The rows of the input example do not fit the model's signature.") from error
