"""Turns the folder of an MLflow CatBoost model into the artifact that the service loads."""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from catboost import CatBoostClassifier

from shared.contract.contract import FEATURE_TYPES
from shared.contract.mlmodel import DEFAULT_MISSING_CATEGORY
from shared.models.example import EXAMPLE_FILE
from shared.models.files import CARD_FILE, CHECKSUM_FILE, GOLDEN_FILE, MLMODEL_FILE, MODEL_FILE, sha256

# `artifact_path` is an absolute path of the machine that trained, and the environment files it names are not exported.
KEPT_MLMODEL_KEYS = (
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
REQUIREMENTS_FILE = "requirements.txt"
REQUIRED_PACKAGES = ("catboost", "numpy")

FeatureInput = Mapping[str, Any]
"""One entry of the signature's inputs: `name`, `type` (a key of FEATURE_TYPES) and `required`."""


def export_model(
    model_folder: Path, golden_rows: pd.DataFrame, input_example: Mapping[str, Any], destination: Path
) -> None:
    """Write the artifact of one MLflow model to `destination`, which is replaced as a whole.

    `model_folder` is the model as MLflow downloads it. `golden_rows` has one column per feature of the signature, with
    NaN or None where a value is missing; each row is stored with the score that the exported model gives it.
    `input_example` is one row as a client would send it. Raises FileNotFoundError when the model folder is incomplete,
    FileExistsError when the destination holds something that is not an artifact, ValueError when the model has no
    signature or the golden rows do not fit it.
    """
    with replacing(destination) as staging:
        for needed in (MLMODEL_FILE, MODEL_FILE):
            if not (model_folder / needed).is_file():
                raise FileNotFoundError(f"{model_folder} is not an MLflow CatBoost model: it has no {needed}.")
        _write_artifact(model_folder, golden_rows, input_example, staging)


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


def signature_inputs(mlmodel: Mapping[str, Any]) -> list[FeatureInput]:
    """Return the features of an MLmodel document in order; raises ValueError when it has no signature."""
    encoded = (mlmodel.get("signature") or {}).get("inputs")
    if not encoded:
        raise ValueError("The MLmodel has no signature, so its features are not known.")
    inputs: list[FeatureInput] = json.loads(encoded)
    return inputs


def catboost_frame(rows: pd.DataFrame, inputs: Sequence[FeatureInput], missing_category: str) -> pd.DataFrame:
    """Return `rows` as CatBoost takes them, with one column per input and in that order.

    Numbers and booleans become float64 with NaN where missing; text stays text, `missing_category` where missing.
    """
    columns = {}
    for feature in inputs:
        is_text = feature["type"] == "string"
        column = rows[feature["name"]].astype(object)
        filled = column.where(column.notna(), missing_category if is_text else float("nan"))
        columns[feature["name"]] = filled if is_text else filled.astype("float64")
    return pd.DataFrame(columns)


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS over all other files of the folder but the card, also those in folders below it."""
    left_out = (folder / CHECKSUM_FILE, folder / CARD_FILE)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in left_out)
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / CHECKSUM_FILE).write_text("".join(lines), encoding="utf-8")


def _write_artifact(
    model_folder: Path, golden_rows: pd.DataFrame, input_example: Mapping[str, Any], folder: Path
) -> None:
    mlmodel = yaml.safe_load((model_folder / MLMODEL_FILE).read_text(encoding="utf-8"))
    shutil.copyfile(model_folder / MODEL_FILE, folder / MODEL_FILE)
    golden = _golden(folder / MODEL_FILE, golden_rows, mlmodel)
    _write_json(folder / GOLDEN_FILE, golden)
    _write_json(folder / EXAMPLE_FILE, dict(input_example))
    exported = yaml.safe_dump(_portable(mlmodel), sort_keys=False, allow_unicode=True, width=120)
    (folder / MLMODEL_FILE).write_text(exported, encoding="utf-8")
    (folder / REQUIREMENTS_FILE).write_text(_requirements(model_folder, mlmodel), encoding="utf-8")
    write_checksums(folder)


def _portable(mlmodel: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: mlmodel[key] for key in KEPT_MLMODEL_KEYS if key in mlmodel}
    flavors = {name: dict(flavor) for name, flavor in kept.get("flavors", {}).items()}
    flavors.get("python_function", {}).pop("env", None)
    example = {"artifact_path": EXAMPLE_FILE, "type": "json_object"}
    return {**kept, "flavors": flavors, "saved_input_example_info": example}


def _golden(model_file: Path, rows: pd.DataFrame, mlmodel: Mapping[str, Any]) -> dict[str, Any]:
    inputs = signature_inputs(mlmodel)
    missing_columns = [feature["name"] for feature in inputs if feature["name"] not in rows.columns]
    if missing_columns:
        raise ValueError(f"The golden rows lack the features {', '.join(missing_columns)}.")
    plain = _plain_rows(rows, inputs)
    missing_category = (mlmodel.get("metadata") or {}).get("missing_category", DEFAULT_MISSING_CATEGORY)
    model = CatBoostClassifier()
    model.load_model(str(model_file))
    # The scores are those of the rows as they are written, not of the frame they came from.
    reread = pd.DataFrame(plain, columns=[feature["name"] for feature in inputs], dtype=object)
    scores = model.predict_proba(catboost_frame(reread, inputs, missing_category))[:, 1]
    return {"rows": plain, "scores": [float(score) for score in scores]}


def _plain_rows(rows: pd.DataFrame, inputs: Sequence[FeatureInput]) -> list[dict[str, Any]]:
    return [
        {
            feature["name"]: None if pd.isna(value) else FEATURE_TYPES[feature["type"]].python(value)
            for feature, value in zip(inputs, values, strict=True)
        }
        for values in rows[[feature["name"] for feature in inputs]].itertuples(index=False, name=None)
    ]


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _requirements(model_folder: Path, mlmodel: Mapping[str, Any]) -> str:
    """Pin what the model was made with; what its folder does not say is taken from the running environment."""
    pins = {"catboost": mlmodel.get("flavors", {}).get("catboost", {}).get("catboost_version")}
    listed = model_folder / "requirements.txt"
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []:
        name, _, pinned = line.partition("==")
        if name.strip() in REQUIRED_PACKAGES and pinned:
            pins[name.strip()] = pinned.strip()
    return "".join(f"{name}=={pins.get(name) or version(name)}\n" for name in REQUIRED_PACKAGES)


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
