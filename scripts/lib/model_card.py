"""The model card: what a person reads on the Hub before trusting a model, taken from its MLmodel file alone."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.export import REQUIREMENTS_FILE
from shared.contract import mlmodel
from shared.contract.contract import Contract, Feature
from shared.models import artifact
from shared.models.example import EXAMPLE_FILE
from shared.models.files import CARD_FILE, CHECKSUM_FILE, GOLDEN_FILE, MLMODEL_FILE, MODEL_FILE

DEFAULT_NAME = "CatBoost classifier"

FRONT_MATTER = {
    "library_name": "catboost",
    "pipeline_tag": "tabular-classification",
    "tags": ["catboost", "tabular-classification", "credit-scoring", "mlflow"],
}


def model_card(folder: Path, model_file: str) -> str:
    """Write the card of the artifact in `folder`; the same artifact always has the same card. Raises BadArtifact."""
    description = mlmodel.read(folder / MLMODEL_FILE)
    model = artifact.load(folder, DEFAULT_NAME)
    contract = model.contract
    stated = yaml.safe_load((folder / MLMODEL_FILE).read_bytes())["metadata"]
    origin = {
        "Registered in MLflow as": stated.get("registered_model"),
        "MLflow model": description.model_id or description.model_uuid,
        "MLflow run": description.run_id,
        "Created (UTC)": f"{description.utc_time_created:%Y-%m-%d %H:%M:%S}" if description.utc_time_created else None,
        "Training data": stated.get("training_data"),
    }
    parts = [
        f"---\n{yaml.safe_dump(FRONT_MATTER, sort_keys=False)}---",
        f"# {_text(model_name(folder))}",
        "A CatBoost classifier of two classes. Its score is the probability of class 1.",
        _decision(model.threshold),
        *_section("Metrics", ("metric", "value"), _metrics(stated.get("metrics"))),
        "## Features",
        "In the order of the model's signature. A feature that is not required may be null or left out.",
        _table(("feature", "type", "required", "allowed", "description"), map(_feature_row, contract.features)),
        *(f"These must not decrease from left to right: {', '.join(map(_code, names))}." for names in contract.ordered),
        *_section("Origin", ("what", "value"), [(name, _code(value)) for name, value in origin.items() if value]),
        "## Files",
        _files(folder, model_file),
    ]
    return "\n\n".join(parts) + "\n"


def write_card(folder: Path, model_file: str = MODEL_FILE) -> None:
    """Put the card into the artifact's folder, whose other files are all there. Raises BadArtifact."""
    (folder / CARD_FILE).write_text(model_card(folder, model_file), encoding="utf-8")


def model_name(folder: Path) -> str:
    """Give the name under which the model was registered, or a general one."""
    stated = yaml.safe_load((folder / MLMODEL_FILE).read_bytes())["metadata"]
    return str(stated.get("registered_model") or DEFAULT_NAME)


def _decision(threshold: float) -> str:
    return (
        f"## Decision\n\nThe threshold is `{threshold!r}`: a score that reaches it means class 1 (refused),"
        " a lower score class 0 (granted)."
    )


def _metrics(stated: Any) -> list[tuple[str, str]]:
    if not isinstance(stated, Mapping):
        return []
    return [(_code(name), _number(value)) for name, value in stated.items() if isinstance(value, int | float)]


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _feature_row(feature: Feature) -> tuple[str, ...]:
    required = "yes" if feature.required else "no"
    return _code(feature.name), feature.type, required, _allowed(feature), _text(feature.description or "")


def _allowed(feature: Feature) -> str:
    if feature.values:
        return ", ".join(_code(value) for value in feature.values)
    bounds = [f"{sign} {bound:,}" for sign, bound in (("≥", feature.ge), ("≤", feature.le)) if bound is not None]
    return ", ".join(bounds)


def _files(folder: Path, model_file: str) -> str:
    said = {
        model_file: "the model, in CatBoost's own format",
        MLMODEL_FILE: "signature, threshold and feature contract, as MLflow writes them",
        EXAMPLE_FILE: "one applicant",
        GOLDEN_FILE: "rows, and the scores that the model must give them",
        REQUIREMENTS_FILE: "what it was made with",
        CHECKSUM_FILE: "checksums of the files",
    }
    return "\n".join(f"- {_code(name)}: {words}" for name, words in said.items() if (folder / name).is_file())


def _section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"## {title}", _table(header, rows)] if rows else []


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(value: Any) -> str:
    """Show a value as it is; a backtick or a line end would break out of the code, a bar out of the table."""
    return f"`{' '.join(str(value).split()).replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def _text(value: str) -> str:
    """Show words; markup in them stays visible instead of taking effect."""
    words = " ".join(value.split())
    for sign, shown in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("[", "\\["), ("*", "\\*"), ("_", "\\_")):
        words = words.replace(sign, shown)
    return words
