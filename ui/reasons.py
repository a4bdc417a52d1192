"""Why something failed or is invalid, in the language of the page; made from type and parameters, not from English words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pret import InvalidValue, Reason
from ui.texts import Texts, escaped, short

WAYS: dict[str, tuple[str, ...]] = {
    "busy": (
        *("bodies-full", "hub-answered", "hub-file-", "hub-unavailable", "hub-unreadable", "mlflow-timed-out"),
        *("model-folder-changed", "model-not-fetched", "queue-full", "reload-in-progress"),
        *("requests-exceeded", "rows-exceeded"),
    ),
    "columns": ("columns-",),
    "file": (
        *("arrow-", "column-", "compressed-", "csv-", "feather-", "json-", "memory-", "ndjson-", "parquet-"),
        *(
            "charset-",
            "file-cut-off",
            "file-damaged",
            "file-empty",
            "file-format",
            "no-rows",
            "text-",
            "utf16-",
            "zip-",
        ),
    ),
    "health": ("redis-", "storage-"),
    "job": ("job-ended", "job-not-failed"),
    "kept": ("kept-",),
    "key": ("not-authenticated", "not-allowed"),
    "list": ("unknown-job",),
    "model": (
        "example-",
        "feature",
        "golden-",
        "mlmodel-",
        "model-file",
        "model-flavour",
        "model-not-a-",
        "trial-",
        "model-classes",
        "model-format",
        "model-in-",
        "positive-class-",
        "threshold-invalid",
    ),
    "no_model": ("no-model", "model-not-loaded"),
    "option": ("invalid-parameters",),
    "processes": (
        "reload-failed",
        "reload-source-failed",
        "reload-superseded",
        "reload-timed-out",
        "reload-unanswered",
    ),
    "revision": ("revision-", "version-"),
    "smaller": ("body-too-large", "decompressed-too-large", "too-many-rows", "rows-left-exceeded"),
    "source": ("hub-access-", "hub-repository-", "mlflow-failed", "mlflow-mod", "mlflow-not-"),
    "values": ("invalid-rows",),
}
"""What to do about an error, `common.way_…`, by the beginning of its type."""
WAYS_OF_INPUT = ("columns", "file", "kept", "smaller", "values")
"""Those that correct the input."""


def said(told: Reason | InvalidValue, say: Texts, labels: Mapping[str, str] | None = None) -> str:
    """Say a reason in Markdown; of an unknown type, that is the message of the service. `labels` are readable feature names."""
    return _filled(told, say, say, labels or {}) or escaped(told.message)


def plainly(told: Reason | InvalidValue, say: Texts) -> str:
    """Say a reason as plain text, for tables."""
    return _filled(told, say, say.plain, {}) or told.message


def of_row(values: Sequence[InvalidValue], say: Texts) -> str:
    """Say what is invalid in a row, column by column, for tables."""
    colon = say.plain("common.colon")
    return " ".join(f"{it.column}{colon} {plainly(it, say)}" if it.column else plainly(it, say) for it in values)


def way_of(type: str) -> str | None:
    """Return the key of what to do about an error of this type; None if there is nothing in particular."""
    return next((way for way, beginnings in WAYS.items() if type.startswith(beginnings)), None)


def way_of_input(type: str) -> str | None:
    """Return the key of how to correct the input that made a job fail; None if the job can be retried unchanged."""
    way = way_of(type)
    return way if way in WAYS_OF_INPUT else None


def _filled(
    told: Reason | InvalidValue, say: Texts, speak: Callable[..., str], labels: Mapping[str, str]
) -> str | None:
    """Fill the sentence of a type; None if there is none, or if its parameters are those of another version of the service."""
    key = f"reasons.{told.type}"
    if not say.has(key):
        return None
    params = {name: value for name, value in told.params.items() if value is not None}
    try:
        return speak(key, **{name: _param(name, value, say, labels) for name, value in params.items()})
    except (KeyError, TypeError, ValueError):
        return None


def _param(name: str, value: Any, say: Texts, labels: Mapping[str, str]) -> Any:
    """Translate a parameter that is a word of the service, or a reason itself."""
    match name:
        case "reason":
            return plainly(Reason(value["type"], value["message"], value["params"]), say)
        case "state":
            return say.known(f"portfolio.state_{value}", value).lower()
        case "unit":
            return say.known(f"common.unit_{value}", value)
        case "version":
            return short(value)
        case "other":
            return labels.get(value, value)
    return value
