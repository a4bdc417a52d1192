"""A CatBoost file, loaded, and what it says of itself: what kind of model it is, its classes, features and threshold."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from catboost import CatBoostClassifier, CatBoostError

from shared.contract.derivation import ModelFeatures
from shared.errors import BadArtifact
from shared.reasons import cut_names

LOSSES = ("Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll")
"""Losses whose models give a probability for each class."""

OWN_OBJECTIVE = "PythonUserDefinedPerObject"
"""What CatBoost calls an objective that somebody wrote; of a classifier, it makes probabilities as of Logloss."""

FORMATS = ("cbm", "json")
"""Formats of CatBoost's that it can score from."""

LFS_POINTER = b"version https://git-lfs"
"""How the text begins that lies in the place of a large file where Git LFS did not fetch it."""

NO_GAPS = "AsIs"
"""How CatBoost treats a missing value of a feature that had none in training."""

STORED_THRESHOLD = "binclass_probability_threshold"
"""Where CatBoost keeps what `set_probability_threshold` was told."""


def load(file: Path, save_format: str = "cbm") -> CatBoostClassifier:
    """Load a classifier of two classes; raises BadArtifact for what is none, or not one that can be scored here."""
    if save_format not in FORMATS:
        raise BadArtifact("model-format", kind=save_format, accepted=list(FORMATS))
    if _is_pointer(file):
        raise BadArtifact("model-file-pointer", file=file.name)
    try:
        classifier = CatBoostClassifier().load_model(str(file), format=save_format)
    except CatBoostError as error:
        raise BadArtifact("model-file-unreadable", file=file.name) from error
    _check(classifier)
    return classifier


def labels_of(classifier: CatBoostClassifier) -> list[Any]:
    """Give the two labels, in CatBoost's order, which is that of the columns of `predict_proba`."""
    labels: list[Any] = classifier.classes_.tolist()
    return labels


def features_of(classifier: CatBoostClassifier) -> ModelFeatures:
    """Give what the model knows of its features."""
    categories = frozenset(classifier.get_cat_feature_indices())
    # Not documented, but what CatBoost itself asks when it makes a pool for a model.
    treatments: dict[int, str] = classifier._object._get_nan_treatments()
    gaps = frozenset(i for i, treatment in treatments.items() if treatment != NO_GAPS) - categories
    return ModelFeatures(tuple(classifier.feature_names_), categories, gaps)


def threshold_of(classifier: CatBoostClassifier) -> float | None:
    """Give the threshold for the second class that was stored in the model, if one was."""
    text = _metadata(classifier).get(STORED_THRESHOLD)
    return None if text is None else float(text)


def loss_of(classifier: CatBoostClassifier) -> str:
    """Name the loss, without its options; empty where the file does not say."""
    with suppress(CatBoostError):
        return str(classifier.get_all_params().get("loss_function", "")).partition(":")[0]
    # A sum of models has no options of a training.
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        return str(json.loads(_metadata(classifier)["loss_function"])["type"])
    return ""


def _is_pointer(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(len(LFS_POINTER)) == LFS_POINTER


def _metadata(classifier: CatBoostClassifier) -> dict[str, str]:
    return dict(classifier.get_metadata().items())


def _check(classifier: CatBoostClassifier) -> None:
    loss, labels = loss_of(classifier), labels_of(classifier)
    # CatBoost would answer `predict_proba` of a regressor too, with numbers that mean nothing.
    if not labels or (loss and loss not in (*LOSSES, OWN_OBJECTIVE)):
        raise BadArtifact("model-not-a-classifier", kind=loss or "unknown", accepted=list(LOSSES))
    if len(labels) != 2:
        raise BadArtifact("model-classes", count=len(labels))
    unsupported = [*classifier.get_text_feature_indices(), *classifier.get_embedding_feature_indices()]
    if unsupported:
        raise BadArtifact(
            "features-unsupported", columns=cut_names([classifier.feature_names_[i] for i in unsupported])
        )
