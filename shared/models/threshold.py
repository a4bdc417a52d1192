"""The threshold of a model, and who stated it."""

import json
from dataclasses import dataclass
from pathlib import Path

from shared.contract.mlmodel import MLmodel
from shared.errors import BadArtifact
from shared.models.files import REGISTRY_FILE

DEFAULT = "DEFAULT_THRESHOLD"


@dataclass(frozen=True)
class Threshold:
    """The score from which applicants are refused, and where it was stated, in words that name the place."""

    value: float
    origin: str


def choose_threshold(
    folder: Path, description: MLmodel, of_second_class: float | None, positive: int, default: float
) -> Threshold:
    """Take the first that is stated: in the metadata, in the CatBoost file, by the registry; else the default.

    CatBoost keeps one for the second of its classes; `positive` is the place of the class that the score is of. Raises
    BadArtifact for one of the registry's that is no probability.
    """
    if (stated := description.metadata.stated_threshold) is not None:
        return Threshold(stated.value, f"metadata.{stated.key}")
    if of_second_class is not None:
        value = of_second_class if positive else 1.0 - of_second_class
        return Threshold(value, "set_probability_threshold of the CatBoost model")
    return of_registry(folder) or Threshold(default, DEFAULT)


def of_registry(folder: Path) -> Threshold | None:
    """Return the threshold that the registry states, if it was noted when the model was fetched; raises BadArtifact."""
    try:
        said = json.loads((folder / REGISTRY_FILE).read_bytes())["threshold"]
        text, origin = str(said["value"]), str(said["origin"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        # There is none, or a team has a file of this name for something else.
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BadArtifact("threshold-invalid", place=origin)
    return Threshold(value, origin)
