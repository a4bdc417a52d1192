"""The model card: what a person reads on the Hub before trusting a model, taken from the model and its MLmodel file."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from scripts.lib.mlmodel_file import content_of, metadata_of
from shared.contract.contract import Feature
from shared.contract.mlmodel import MLmodel
from shared.errors import NotExplainable
from shared.importance import importance_of
from shared.models.artifact import Model
from shared.models.example import EXAMPLE_FILE
from shared.models.files import (
    CARD_FILE,
    CHECKSUM_FILE,
    GOLDEN_FILE,
    IMPORTANCE_FILE,
    MLMODEL_FILE,
    REQUIREMENTS_FILE,
)
from shared.models.labels import word
from shared.models.threshold import DEFAULT

DEFAULT_NAME = "CatBoost classifier"

MOST_IMPORTANT = 20
"""Features whose importance is told."""

FEATURE_HEADER = ("feature", "type", "required", "nullable", "allowed", "description")

FRONT_MATTER = {
    "library_name": "catboost",
    "pipeline_tag": "tabular-classification",
    "tags": ["catboost", "tabular-classification", "credit-scoring", "mlflow"],
}


def model_card(model: Model) -> str:
    """Write the card of a model; the same artifact always has the same card."""
    contract, stated = model.contract, stated_of(model)
    parts = [
        f"---\n{yaml.safe_dump(FRONT_MATTER, sort_keys=False)}---",
        f"# {_text(model_name(model))}",
        f"A CatBoost classifier of two classes, {' and '.join(_code(word(label)) for label in model.classes)}.",
        _decision(model),
        *_section("Metrics", ("metric", "value"), _metrics(stated.get("metrics"))),
        "## Features",
        "In the model's order. The column, or key, of a feature that is not required may be left out; the value of one that"
        " is nullable may be missing.",
        _table(FEATURE_HEADER, map(_feature_row, contract.features)),
        *(f"These must not decrease from left to right: {', '.join(map(_code, names))}." for names in contract.ordered),
        *_importance(model),
        *_section("Origin", ("what", "value"), _origin(model.mlmodel, stated)),
        "## Files",
        _files(model),
    ]
    return "\n\n".join(parts) + "\n"


def write_card(model: Model) -> None:
    """Put the card into the artifact's folder, whose other files are all there."""
    (model.folder / CARD_FILE).write_text(model_card(model), encoding="utf-8")


def model_name(model: Model) -> str:
    """Give the name under which the model was registered, or a general one."""
    return str(stated_of(model).get("registered_model") or DEFAULT_NAME)


def stated_of(model: Model) -> Mapping[str, Any]:
    """Give all that the metadata say, also what serving does not read."""
    return metadata_of(content_of(model.folder))


def _decision(model: Model) -> str:
    score = f"## Decision\n\nscore = probability of {_code(model.positive_class)}.\n\n"
    chosen = model.chosen_threshold
    if chosen.origin == DEFAULT:
        return f"{score}The model states no threshold, so the setting `{DEFAULT}` of the service decides."
    return (
        f"{score}The threshold is `{chosen.value!r}` ({_text(chosen.origin)}): a score that reaches it is refused,"
        " a lower score is granted."
    )


def _origin(description: MLmodel, stated: Mapping[str, Any]) -> list[tuple[str, str]]:
    origin = {
        "Registered in MLflow as": stated.get("registered_model"),
        "MLflow model": description.model_id or description.model_uuid,
        "MLflow run": description.run_id,
        "Created (UTC)": f"{description.utc_time_created:%Y-%m-%d %H:%M:%S}" if description.utc_time_created else None,
        "Training data": stated.get("training_data"),
    }
    return [(name, _code(value)) for name, value in origin.items() if value]


def _metrics(stated: Any) -> list[tuple[str, str]]:
    if not isinstance(stated, Mapping):
        return []
    return [(_code(name), _number(value)) for name, value in stated.items() if isinstance(value, int | float)]


def _importance(model: Model) -> list[str]:
    """Tell what weighs most; nothing of a model that cannot be explained."""
    try:
        found = importance_of(model)
    except NotExplainable:
        return []
    largest = sorted(found.features.items(), key=lambda each: -each[1])[:MOST_IMPORTANT]
    text = (
        f"How much each feature moves the score of an applicant on average, in log-odds, over {found.rows:,}"
        f" {'rows of the training' if found.source == 'training' else found.source}. The {len(largest)} that weigh most:"
    )
    return [
        "## Importance",
        text,
        _table(("feature", "importance"), [(_code(name), _number(value)) for name, value in largest]),
    ]


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _feature_row(feature: Feature) -> tuple[str, ...]:
    required, nullable = ("yes" if is_so else "no" for is_so in (feature.required, feature.nullable))
    allowed, described = _allowed(feature), _text(feature.described("en") or "")
    return _code(feature.name), feature.type, required, nullable, allowed, described


def _allowed(feature: Feature) -> str:
    if feature.values:
        return ", ".join(_code(value) for value in feature.values)
    bounds = [f"{sign} {bound:,}" for sign, bound in (("≥", feature.ge), ("≤", feature.le)) if bound is not None]
    return ", ".join(bounds)


def _files(model: Model) -> str:
    said = {
        model.file.relative_to(model.folder).as_posix(): "the model, in CatBoost's own format",
        MLMODEL_FILE: "signature, threshold and feature contract, as MLflow writes them",
        EXAMPLE_FILE: "one applicant",
        IMPORTANCE_FILE: "how much each feature weighs",
        GOLDEN_FILE: "rows, and the scores that the model must give them",
        REQUIREMENTS_FILE: "what it was made with",
        CHECKSUM_FILE: "checksums of the files",
    }
    return "\n".join(f"- {_code(name)}: {words}" for name, words in said.items() if (model.folder / name).is_file())


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
