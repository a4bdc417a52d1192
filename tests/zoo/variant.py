"""One kind of model that a team may have: how it comes about, and what the service must make of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shared.models.assumptions import NO_ASSUMPTIONS, Assumptions
from shared.models.threshold import DEFAULT, Threshold
from tests.zoo import artifact, training
from tests.zoo.applicants import NUMBERS, TARGET

Row = dict[str, Any]

INFERRED = "as infer_signature makes it of the data"
AS_LOGGED = "the first three rows of the data, as MLflow writes them"
FIRST_ROW = "the first row of the data"
STATES_NONE = Threshold(0.5, DEFAULT)
NO_GAPS: tuple[str, ...] = ()


def as_written(_: "Variant", __: Path) -> None:
    """Leave it so."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A kind; what is not said is as in the plainest one, which is served."""

    name: str
    """What docs/models.md calls it."""

    data: pd.DataFrame = field(default_factory=lambda: NUMBERS)
    """What it is trained on, and what clients send; gaps are as pandas has them."""
    target: Any = field(default_factory=lambda: TARGET)
    options: Mapping[str, Any] = field(default_factory=dict)
    train: training.Train = training.classifier
    prepare: Callable[[pd.DataFrame], Any] = lambda data: data
    """What the team does to the data before CatBoost sees them."""

    inputs: list[artifact.Column] | str | None = INFERRED
    """The columns of the signature; without any, MLmodel has none."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    example: Any = AS_LOGGED
    """What stands in `input_example.json`: a text, or what JSON can hold; None for no file."""
    finish: Callable[["Variant", Path], None] = as_written
    """Changes what was written."""
    assumptions: Assumptions = NO_ASSUMPTIONS

    rejected: str | None = None
    """The type of the reason not to serve it."""
    positive: Any = 1
    """The class that the score is the probability of, as CatBoost has it."""
    positive_class: str | None = None
    """How that is shown, if not as it is."""
    threshold: Threshold = STATES_NONE
    nullable: tuple[str, ...] = NO_GAPS
    """The features that may be missing."""
    told: tuple[str, ...] = ()
    """What is assumed or lacks, besides threshold, checksums and golden rows."""
    names: tuple[str, ...] | None = None
    """What clients call the features, if not as the data have it."""
    shown: Row | str | None = FIRST_ROW
    """The example that people see; None if there is none, or if it is of no use."""

    @cached_property
    def model(self) -> Any:
        """What CatBoost made."""
        return self.train(self.prepare(self.data), self.target, self.options)

    @property
    def columns(self) -> list[artifact.Column] | None:
        return artifact.inferred(self.data) if isinstance(self.inputs, str) else self.inputs

    def write(self, folder: Path) -> Path:
        """Write the folder, as MLflow does."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_model(str(folder / "model.cb"))
        artifact.write_mlmodel(folder, self.columns, self.metadata)
        example = artifact.split(self.rows[:3]) if self.example is AS_LOGGED else self.example
        if example is not None:
            text = example if isinstance(example, str) else json.dumps(example)
            (folder / "input_example.json").write_text(text, encoding="utf-8")
        self.finish(self, folder)
        return folder

    @property
    def is_stock(self) -> bool:
        """Whether `mlflow.catboost.log_model` writes just this, of signature and example made from the data."""
        return self.inputs in (INFERRED, None) and self.example in (AS_LOGGED, None) and self.finish is as_written

    @property
    def frame(self) -> pd.DataFrame:
        """What clients send."""
        return self.data.set_axis([*(self.names or map(str, self.data.columns))], axis=1)

    @cached_property
    def rows(self) -> list[Row]:
        """The same as JSON has it."""
        return [{str(name): _plain(value) for name, value in row.items()} for row in self.frame.to_dict("records")]

    @cached_property
    def scores(self) -> list[float]:
        """What CatBoost itself says of these rows, for the positive class."""
        column = [*self.model.classes_].index(self.positive)
        scores: list[float] = training.probabilities(self.model, self.prepare(self.data))[:, column].tolist()
        return scores

    @property
    def label(self) -> str:
        """The positive class, as it is shown."""
        return self.positive_class or str(self.positive)

    @property
    def verdict(self) -> str:
        """The words of docs/models.md."""
        if self.rejected:
            return f"rejected: `{self.rejected}`"
        words = ["served"]
        words += [f"the score is of `{self.label}`"] if self.label not in ("1", "true") else []
        words += [f"threshold from `{self.threshold.origin}`"] if self.threshold.origin != DEFAULT else []
        words += ["values may be missing"] if self.nullable else []
        words += [f"told: {', '.join(f'`{told}`' for told in self.told)}"] if self.told else []
        return "; ".join(words)


def _plain(value: Any) -> Any:
    """Give a value as JSON has it."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
