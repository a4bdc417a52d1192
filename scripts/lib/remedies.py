"""What to do about a model that is rejected, or of which something is assumed: the lines to write, the option to give."""

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from shared.models.files import MLMODEL_FILE
from shared.reasons import Params, Reason

Remedy = Callable[[Params], list[str]]

INDENT = "    "


def remedy(reason: Reason) -> list[str]:
    """Say what mends it, a line each; nothing where the reason itself says all."""
    known = REMEDIES.get(reason.type)
    return known(reason.params) if known else []


def _words(*lines: str) -> Remedy:
    return lambda _: list(lines)


def _metadata(**entries: Any) -> list[str]:
    return _yaml({"metadata": entries})


def _yaml(content: Mapping[str, Any]) -> list[str]:
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    return [f"{INDENT}{line}" for line in text.splitlines()]


def _positive_class(params: Params) -> list[str]:
    first, *others = params["labels"]
    lines = ["Write into MLmodel", *_metadata(positive_class=first)]
    for label in others:
        lines += ["or", *_metadata(positive_class=label)]
    return [*lines, "or set POSITIVE_CLASS. The option --positive-class tries it, with --write it is written down."]


def _threshold(_: Params) -> list[str]:
    return [
        "Write into MLmodel, with your own number,",
        *_metadata(best_threshold=0.5),
        "The option --threshold tries it, with --write it is written down.",
    ]


def _default_threshold(params: Params) -> list[str]:
    return [
        "To state it, write into MLmodel, with your own number,",
        *_metadata(best_threshold=params["value"]),
        "or set DEFAULT_THRESHOLD. The option --threshold tries it, with --write it is written down.",
    ]


def _missing_file(params: Params) -> list[str]:
    if params["file"] != MLMODEL_FILE:
        return []
    return [
        "Save the model with mlflow.catboost.save_model, or write a file MLmodel, with your own number,",
        *_metadata(best_threshold=0.5),
        "The names and kinds of the features are then taken from the model itself.",
    ]


def _model_file(params: Params) -> list[str]:
    return ["Or name it in MLmodel:", *_yaml({"flavors": {"catboost": {"data": params["files"][0]}}})]


def _feature_notes(params: Params) -> list[str]:
    return [f"Correct metadata.features of {params['column']!r} in MLmodel."]


def _golden_class(params: Params) -> list[str]:
    return [
        f"Give --positive-class {params['label']}; or, if the rows are to be scored anew, remove golden.json and run this"
        " again with --write."
    ]


_SCORE_ANEW = _words("If the rows are to be scored anew, remove golden.json and run this again with --write.")
_SIGN_ANEW = _words(
    "Fetch the model again. If you have changed the file yourself, remove SHA256SUMS and run this again with --write."
)
_LOG_ANEW = _words(
    "Log the model with a signature that fits it: signature=infer_signature(X, y), of the frame that it was trained on."
)

_SCORES_NOTHING = _words(
    "Fetch the file again, or save the model anew. If it has categories, final_ctr_computation_mode must be Default."
)
_EXAMPLE_ANEW = _words("Log the model with rows that it takes: input_example=X.head().")

REMEDIES: Mapping[str, Remedy] = {
    "positive-class-unknown": _positive_class,
    "positive-class-not-a-label": _positive_class,
    "threshold-invalid": _threshold,
    "threshold-default": _default_threshold,
    "model-file-missing": _missing_file,
    "model-files-several": _model_file,
    "model-file-unlisted": _SIGN_ANEW,
    "model-file-damaged": _SIGN_ANEW,
    "golden-invalid": _SCORE_ANEW,
    "golden-scores-differ": _SCORE_ANEW,
    "golden-class-differs": _golden_class,
    "features-repeated": _words(
        "Train on a frame whose columns have different names; or rename the features of the model by set_feature_names,"
        " and log it with a signature of these names."
    ),
    "features-differ": _LOG_ANEW,
    "features-numbered": _words(
        "Train on a frame whose columns have names, and log the model with a signature of that frame."
    ),
    "model-flavour": _words(
        "Log the classifier itself: mlflow.catboost.log_model(classifier, ...). Steps before the model belong in the features that"
        " clients send; steps after the score are not served."
    ),
    "features-count": _LOG_ANEW,
    "feature-not-a-category": _LOG_ANEW,
    "feature-not-a-fraction": _LOG_ANEW,
    "signature-missing": _LOG_ANEW,
    "signature-of-tensors": _LOG_ANEW,
    "signature-of-anything": _LOG_ANEW,
    "signature-types-unknown": _LOG_ANEW,
    "example-unreadable": _EXAMPLE_ANEW,
    "example-invalid": _EXAMPLE_ANEW,
    "features-unknown": _words("Correct the names in metadata.features and metadata.ordered of MLmodel."),
    "feature-not-ordered": _words("Correct metadata.ordered in MLmodel."),
    "feature-not-bounded": _feature_notes,
    "feature-values-type": _feature_notes,
    "feature-values-range": _feature_notes,
    "trial-crashed": _SCORES_NOTHING,
    "trial-failed": _SCORES_NOTHING,
    "checksums-missing": _words("--write adds them."),
    "importance-missing": _words("--write adds it."),
    "groups-unknown": _words("Correct the names in metadata.features and metadata.groups of MLmodel."),
    "groups-like-features": _words("Correct the names in metadata.features and metadata.groups of MLmodel."),
    "golden-missing": _words(
        "--write makes them from the rows of the input example: log the model with input_example=X.head()."
    ),
}
"""By type of reason."""
