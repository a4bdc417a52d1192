"""Puts a model where the service looks for one: as a whole, in the place of the one before."""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.lib import golden, model_folder
from scripts.lib.model_card import write_card
from shared.models import files
from shared.models.example import EXAMPLE_FILE
from shared.models.files import MLMODEL_FILE


def export_model(
    downloaded: Path,
    golden_rows: pd.DataFrame,
    sample: pd.DataFrame,
    input_example: Mapping[str, Any],
    destination: Path,
) -> None:
    """Write the artifact of one MLflow model, with its card, to `destination`, which is replaced as a whole.

    `golden_rows` has one column per feature of the model, with NaN or None where a value is missing; each row is stored
    with the score that the exported model gives it. `sample` has such rows too, over which the importance of the features is
    worked out. `input_example` is one row as a client would send it. Raises
    BadArtifact when the folder has no model that can be served, FileExistsError when the destination holds something that
    is not an artifact, ValueError when the rows or the example do not fit the model.
    """
    with replacing(destination) as staging:
        files.copy(downloaded, staging)
        model_folder.write_json(staging / EXAMPLE_FILE, dict(input_example))
        model = model_folder.load(staging)
        if model.input_example is None:
            raise ValueError("The input example does not fit the model.")
        rows, sampled = (golden.rows_of_frame(frame, model.contract) for frame in (golden_rows, sample))
        write_card(model_folder.complete(model, rows=rows, sample=sampled))


@contextmanager
def replacing(destination: Path) -> Iterator[Path]:
    """Give an empty folder that takes the destination's place when the block ends, or vanishes when it raises.

    Raises FileExistsError when the destination holds something that is not an artifact.
    """
    # A link is followed, so that its target is replaced and not the link.
    destination = destination.resolve()
    check_replaceable(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    staging = destination.with_name(f".{destination.name}.{uuid.uuid4().hex}")
    staging.mkdir()
    try:
        yield staging
        _swap(staging, destination)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_replaceable(destination: Path) -> None:
    """Raise FileExistsError unless `destination` is absent, empty, or an earlier artifact."""
    if not destination.exists():
        return
    if not destination.is_dir():
        raise FileExistsError(f"{destination} is a file; the export needs a folder.")
    if any(destination.iterdir()) and not (destination / MLMODEL_FILE).is_file():
        raise FileExistsError(f"{destination} holds files that are not a model; it is left as it is.")


def _swap(staging: Path, destination: Path) -> None:
    """Put a finished folder in the destination's place; between the two renames a reader finds no folder at all."""
    if not destination.exists():
        staging.rename(destination)
        return
    retired = staging.with_name(staging.name + ".old")
    try:
        destination.rename(retired)
        staging.rename(destination)
    finally:
        # Also when Ctrl-C came between the two.
        if retired.exists() and not destination.exists():
            retired.rename(destination)
        shutil.rmtree(retired, ignore_errors=True)
