"""What people call the features of a model: a YAML file with `features` and `groups`, as in the metadata of MLmodel."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from scripts.lib.training_data import TrainingData, TrainingError
from shared.contract.derivation import ModelFeatures, derive
from shared.contract.mlmodel import MLmodel
from shared.errors import BadArtifact

KEYS = ("features", "groups")


def with_notes(data: TrainingData, path: Path) -> TrainingData:
    """Add the notes of a file to the data; raises TrainingError for a file that no model could be served with."""
    notes = _read(path)
    noted = replace(data, feature_notes=notes.get("features", {}), groups=notes.get("groups", {}))
    names = tuple(feature.name for feature in data.features)
    texts = frozenset(i for i, feature in enumerate(data.features) if feature.type == "string")
    try:
        derive(MLmodel.model_validate({"metadata": notes}), ModelFeatures(names, texts))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"][1:]))
        raise TrainingError(f"{path} cannot be used: {place}: {first['msg']}.") from error
    except BadArtifact as error:
        raise TrainingError(f"{path} cannot be used. {error}") from error
    return noted


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is not YAML.") from error
    if not isinstance(content, Mapping) or not content.keys() <= {*KEYS} or not all(map(_is_notes, content.values())):
        raise TrainingError(f"{path} cannot be used: it must hold {' and '.join(KEYS)}, each with notes by name.")
    return content


def _is_notes(given: Any) -> bool:
    return isinstance(given, Mapping) and all(isinstance(notes, Mapping) for notes in given.values())
