"""Artifacts that older versions of MLflow and CatBoost wrote; tests/data says how they were made."""

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from shared.models.threshold import Threshold
from tests.zoo.variant import Row, Variant

DATA = Path(__file__).resolve().parents[1] / "data"
METADATA = Threshold(0.3, "metadata.best_threshold")


@dataclass(frozen=True, eq=False)
class Older(Variant):
    """A folder as it was written then, with the scores that CatBoost gave then."""

    folder: str = ""

    is_stock = False

    def write(self, folder: Path) -> Path:
        """Copy it."""
        ignored = shutil.ignore_patterns("scores.json")
        return Path(shutil.copytree(DATA / self.folder, folder, dirs_exist_ok=True, ignore=ignored))

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)

    @cached_property
    def rows(self) -> list[Row]:
        return [*json.loads((DATA / self.folder / "scores.json").read_bytes())["rows"]]

    @cached_property
    def scores(self) -> list[float]:
        return [*json.loads((DATA / self.folder / "scores.json").read_bytes())["scores"]]


VARIANTS = (
    Older("CatBoost 0.26, with MLflow 1.20", folder="catboost-0.26", nullable=("debt",)),
    Older("CatBoost 1.0, with MLflow 1.26", folder="catboost-1.0", nullable=("debt",)),
    Older("MLflow 1.30", folder="mlflow-1.30", nullable=("debt",)),
    Older("MLflow 2.9, with CatBoost 1.2", folder="mlflow-2.9", threshold=METADATA, nullable=("debt",)),
    Older("MLflow 2.22", folder="mlflow-2.22", threshold=METADATA, nullable=("debt",)),
    Older("MLflow 3.1", folder="mlflow-3.1", threshold=METADATA, nullable=("debt",)),
)
