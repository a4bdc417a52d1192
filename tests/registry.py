"""An MLflow registry in a SQLite file, filled by MLflow itself in a process of its own, as a team's own pipeline would."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd
from catboost import CatBoostClassifier

from shared.models.mlflow_source import Ask, answer_of
from tests.factories import Kit, Row
from tests.processes import ROOT

NAME = "credit"

LOG = """
import json, sys
import pandas as pd, mlflow
from catboost import CatBoostClassifier
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, Schema
folder, name, models = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = mlflow.MlflowClient()
experiment = mlflow.get_experiment_by_name("test")
mlflow.set_experiment(experiment_id=experiment.experiment_id if experiment else
    mlflow.create_experiment("test", artifact_location=folder + "/artifacts"))

def of_columns(inputs, rows, metadata):
    columns = [ColSpec(DataType[each["type"]], each["name"], each["required"]) for each in inputs]
    return dict(signature=ModelSignature(Schema(columns)), input_example=rows and pd.DataFrame(rows), metadata=metadata)

def of_frame(frame, target, has_example):
    X = pd.read_parquet(frame)
    y = X.pop(target)
    return dict(signature=infer_signature(X, y), input_example=X.head() if has_example else None)

for each in models:
    stated = of_columns(*each["columns"]) if "columns" in each else of_frame(*each["frame"])
    with mlflow.start_run() as run:
        mlflow.log_params(each["parameters"])
        mlflow.catboost.log_model(
            CatBoostClassifier().load_model(each["file"]), name="model", pip_requirements=["catboost==1.2.10"],
            registered_model_name=name, **stated)
    print(run.info.run_id)
    version = max(int(version.version) for version in client.search_model_versions(f"name='{name}'"))
    for alias in each["aliases"]:
        client.set_registered_model_alias(name, alias, str(version))
"""

ANSWER = """
import io, json, sys
from contextlib import redirect_stdout
from shared.models import mlflow_program
for question in sys.stdin:
    with redirect_stdout(io.StringIO()) as printed:
        code = mlflow_program.main(*json.loads(question))
    print(json.dumps([code, printed.getvalue()]), flush=True)
"""

TARGET = "target"
"""The column of a frame that holds what its model was trained to tell."""


def tracking_uri(folder: Path) -> str:
    """Name the registry in a folder."""
    return f"sqlite:///{folder}/mlflow.db"


def logged(
    kit: Kit, file: Path, rows: list[Row] | None = None, aliases: tuple[str, ...] = ("champion",)
) -> dict[str, Any]:
    """Say what `log_models` is to log: the kit's classifier, from a file that is written now."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kit.classifier.save_model(str(file))
    columns = (kit.inputs, rows, kit.metadata)
    return {"file": str(file), "columns": columns, "aliases": aliases, "parameters": {}}


def logged_as_stock(
    classifier: CatBoostClassifier,
    data: pd.DataFrame,
    target: npt.NDArray[Any],
    file: Path,
    *,
    has_example: bool = True,
    aliases: tuple[str, ...] = ("champion",),
    parameters: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Say what `log_models` is to log as MLflow's own pages do: `infer_signature(X, y)`, `X.head()`, and nothing else.

    `parameters` are those of the run.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    classifier.save_model(str(file))
    frame = file.with_suffix(".parquet")
    data.assign(**{TARGET: target}).to_parquet(frame)
    about = {"aliases": aliases, "parameters": parameters or {}}
    return {"file": str(file), "frame": (str(frame), TARGET, has_example), **about}


@contextmanager
def asking() -> Iterator[Ask]:
    """Ask MLflow what the service asks it, but of one process: to import MLflow takes seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", ANSWER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        questions, answers = process.stdin, process.stdout

        def ask(*arguments: str) -> str:
            questions.write(f"{json.dumps(arguments)}\n")
            questions.flush()
            return answer_of(*json.loads(answers.readline()))

        yield ask
        questions.close()


def log_models(folder: Path, *models: dict[str, Any]) -> list[str]:
    """Log and register models in turn, as the next versions of one name; give the ids of their runs."""
    done = subprocess.run(
        [sys.executable, "-c", LOG, str(folder), NAME, json.dumps(models)],
        cwd=folder,
        env={**os.environ, "MLFLOW_TRACKING_URI": tracking_uri(folder)},
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.stdout.split()
