"""The file MLmodel, edited: what is said of the model comes in, what only the machine that wrote it understands goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shared.contract import mlmodel
from shared.contract.mlmodel import THRESHOLD_KEYS
from shared.models.example import EXAMPLE_FILE
from shared.models.files import MLMODEL_FILE

Content = dict[str, Any]

KEPT_KEYS = (
    "flavors",
    "metadata",
    "mlflow_version",
    "model_id",
    "model_size_bytes",
    "model_uuid",
    "run_id",
    "signature",
    "utc_time_created",
)
"""What travels with a model: `artifact_path`, for one, is an absolute path of the machine that trained."""

RECORD_EXAMPLE = {"artifact_path": EXAMPLE_FILE, "type": "json_object"}
"""How MLflow notes an example that is one object."""


@dataclass(frozen=True)
class Stated:
    """What somebody says of a model, to be written into its metadata; None leaves what stands there."""

    threshold: float | None = None
    positive_class: str | None = None


def content_of(folder: Path) -> Content:
    """Read the file as a mapping; raises BadArtifact if it is none that serving could read."""
    mlmodel.read(folder / MLMODEL_FILE)
    content: Content = yaml.safe_load((folder / MLMODEL_FILE).read_bytes())
    return content


def metadata_of(content: Content) -> Content:
    """Give the metadata, of which there may be none."""
    metadata = content.get("metadata")
    return dict(metadata) if isinstance(metadata, Mapping) else {}


def state(folder: Path, stated: Stated) -> None:
    """Write into the metadata what is stated."""
    _edit(folder, lambda content: _with_metadata(content, stated))


def make_portable(folder: Path, model_file: str, home: Path) -> None:
    """Leave out paths of this machine, name the model file, and note the record example if there is one in `folder`.

    What else MLflow notes by a file's name stays if the file is in `home`, where the model will lie.
    """
    has_example = (folder / EXAMPLE_FILE).is_file()
    _edit(folder, lambda content: _portable(content, model_file, home, has_example=has_example))


def _edit(folder: Path, change: Callable[[Content], Content]) -> None:
    content = content_of(folder)
    changed = change(content)
    # A file that says the same already keeps its bytes, and the model its version.
    if changed != content:
        text = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True, width=120)
        (folder / MLMODEL_FILE).write_text(text, encoding="utf-8")


def _with_metadata(content: Content, stated: Stated) -> Content:
    metadata = metadata_of(content)
    if stated.threshold is not None:
        # Under any other name it would speak against this one.
        metadata = {key: value for key, value in metadata.items() if key not in THRESHOLD_KEYS}
        metadata[THRESHOLD_KEYS[0]] = stated.threshold
    if stated.positive_class is not None:
        metadata["positive_class"] = stated.positive_class
    return {**content, "metadata": metadata} if metadata else content


def _portable(content: Content, model_file: str, home: Path, *, has_example: bool) -> Content:
    kept = {key: content[key] for key in KEPT_KEYS if key in content}
    if "flavors" in kept or model_file != mlmodel.DEFAULT_DATA:
        kept["flavors"] = _flavours(kept.get("flavors"), model_file, home)
    example = RECORD_EXAMPLE if has_example else content.get("saved_input_example_info")
    if has_example or (example is not None and (home / EXAMPLE_FILE).is_file()):
        kept["saved_input_example_info"] = example
    return kept


def _flavours(given: Any, model_file: str, home: Path) -> Content:
    stated = given if isinstance(given, Mapping) else {}
    flavours = {name: dict(flavour) for name, flavour in stated.items() if isinstance(flavour, Mapping)}
    flavours.setdefault("catboost", {})["data"] = model_file
    if (function := flavours.get("python_function")) is not None:
        function |= {"data": model_file} if "data" in function else {}
        environment = _environment(function.pop("env", None), home)
        function |= {"env": environment} if environment else {}
    return flavours


def _environment(given: Any, home: Path) -> Any:
    """Keep those files of the environment that come along; older versions of MLflow name a single one."""
    if isinstance(given, Mapping):
        return {kind: name for kind, name in given.items() if (home / str(name)).is_file()}
    return given if given and (home / str(given)).is_file() else None
