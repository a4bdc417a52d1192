"""A model folder, made whole: the one way in which every command loads, completes and signs it."""

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from scripts.lib import golden, mlmodel_file
from scripts.lib.mlmodel_file import Stated
from shared.contract.contract import Row
from shared.errors import BadArtifact, NotExplainable
from shared.importance import Importance, importance_of
from shared.models import artifact, files, trial_load
from shared.models.artifact import Model
from shared.models.assumptions import NO_ASSUMPTIONS, Assumptions
from shared.models.example import EXAMPLE_FILE, SERVING_EXAMPLE_FILE
from shared.models.files import (
    CHECKSUM_FILE,
    GOLDEN_FILE,
    IMPORTANCE_FILE,
    MLMODEL_FILE,
    REGISTRY_FILE,
    REQUIREMENTS_FILE,
)
from shared.models.labels import positive_index, word
from shared.models.threshold import of_registry

REQUIRED_PACKAGES = ("catboost", "numpy")

METADATA, SETTING, LABELS = "metadata.positive_class", "POSITIVE_CLASS", "plain from the classes"
"""Who may state the positive class."""

WRITTEN_FILES = (MLMODEL_FILE, GOLDEN_FILE, IMPORTANCE_FILE, EXAMPLE_FILE)
"""What completing a model writes, besides the checksums."""


def load(folder: Path, assumptions: Assumptions = NO_ASSUMPTIONS) -> Model:
    """Load and verify a model as a server would, in a process of its own first; raises BadArtifact if it must not serve."""
    version = files.folder_version(folder)
    trial_load.check(folder, version, assumptions)
    return artifact.load(folder, version, assumptions)


def who_states_the_class(model: Model) -> str:
    """Say what tells the class that the score is the probability of: the metadata, the labels themselves, or else a setting."""
    if model.mlmodel.metadata.positive_class is not None:
        return METADATA
    try:
        plain = positive_index(model.classes, None, None)
    except BadArtifact:
        return SETTING
    return LABELS if word(model.classes[plain]) == model.positive_class else SETTING


def state(folder: Path, stated: Stated) -> None:
    """Write into the metadata what is stated, and sign anew what was signed; raises BadArtifact for a damaged folder."""
    if stated == Stated():
        return
    files.verify_checksums(folder)
    mlmodel_file.state(folder, stated)
    if (folder / CHECKSUM_FILE).is_file():
        write_checksums(folder)


def complete(
    model: Model,
    assumptions: Assumptions = NO_ASSUMPTIONS,
    *,
    rows: Sequence[Row] | None = None,
    sample: Sequence[Row] | None = None,
    model_file: str | None = None,
    home: Path | None = None,
) -> Model:
    """Complete the folder that the model was loaded from, and load it again.

    It gets golden rows (`rows`, or else those that it has, or those of its example), the importance of its features over a
    `sample` of the training (or else what it has, or that over the golden rows), the example as one object, an MLmodel that
    means the same on every machine, and checksums; the CatBoost file is named `model_file`. `home` is the folder that the
    files will lie in, if it is another one.
    """
    folder = model.folder
    mlmodel_file.state(folder, _said_elsewhere(model))
    (folder / REGISTRY_FILE).unlink(missing_ok=True)
    tested = golden.scored(model, golden.rows_of(model) if rows is None else rows)
    if tested["rows"]:
        write_json(folder / GOLDEN_FILE, tested)
    _write_importance(model, sample)
    _write_example(model)
    name = _rename(model, model_file)
    mlmodel_file.make_portable(folder, name, home or folder)
    _pin_requirements(folder)
    write_checksums(folder)
    return artifact.load(folder, files.folder_version(folder), assumptions)


def install(folder: Path, destination: Path) -> None:
    """Put what completing a model has written into the folder that it was copied from, and sign that.

    While the files are replaced, there are no checksums that could speak against one of them.
    """
    partial = f".{uuid4().hex}"
    written = [name for name in WRITTEN_FILES if (folder / name).is_file()]
    try:
        for name in written:
            shutil.copyfile(folder / name, destination / f"{name}{partial}")
        (destination / CHECKSUM_FILE).unlink(missing_ok=True)
        for name in written:
            (destination / f"{name}{partial}").replace(destination / name)
    finally:
        for name in written:
            (destination / f"{name}{partial}").unlink(missing_ok=True)
    write_checksums(destination)


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS over what serves; raises BadArtifact if there is no model."""
    signed = [name for name in files.served_files(folder) if name not in (CHECKSUM_FILE, REGISTRY_FILE)]
    lines = [f"{files.sha256(folder / name)}  {name}\n" for name in sorted(signed) if (folder / name).is_file()]
    (folder / CHECKSUM_FILE).write_text("".join(lines), encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people; raises ValueError for NaN, which is none."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _said_elsewhere(model: Model) -> Stated:
    """Give what the registry or a setting says of the model, which only this machine would know."""
    of_this_registry = model.chosen_threshold == of_registry(model.folder)
    of_a_setting = who_states_the_class(model) == SETTING
    return Stated(model.threshold if of_this_registry else None, model.positive_class if of_a_setting else None)


def _write_importance(model: Model, sample: Sequence[Row] | None) -> None:
    """Write how much the features weigh; nothing for a model that cannot be explained, or of which no row is known."""
    with suppress(NotExplainable):
        over = None if sample is None else model.contract.to_batch(sample)
        found = importance_of(model) if over is None else Importance.over(model, over, "training")
        write_json(model.folder / IMPORTANCE_FILE, msgspec.to_builtins(found))


def _write_example(model: Model) -> None:
    """Write the example as one object; one that is of no use does not come along."""
    for name in (EXAMPLE_FILE, SERVING_EXAMPLE_FILE):
        (model.folder / name).unlink(missing_ok=True)
    if model.input_example is not None:
        write_json(model.folder / EXAMPLE_FILE, golden.typed(model.input_example, model.contract))


def _rename(model: Model, wanted: str | None) -> str:
    """Give the CatBoost file the name that is wanted, if one is; return its name."""
    name = model.file.relative_to(model.folder).as_posix()
    if wanted is None or wanted == name:
        return name
    (model.folder / wanted).parent.mkdir(parents=True, exist_ok=True)
    model.file.rename(model.folder / wanted)
    return wanted


def _pin_requirements(folder: Path) -> None:
    """Keep the versions that the model was made with; the rest of such a list may hold addresses and paths."""
    path = folder / REQUIREMENTS_FILE
    if not path.is_file():
        return
    listed = [line.split(";")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pins = [line for line in listed if line.partition("==")[0].strip() in REQUIRED_PACKAGES and "==" in line]
    if not pins:
        path.unlink()
        return
    path.write_text("".join(f"{line}\n" for line in sorted(pins)), encoding="utf-8")
