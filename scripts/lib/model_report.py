"""What would be served of a model, for people: its score, its threshold, its contract, and what is missing."""

from collections.abc import Iterator, Sequence

from scripts.lib.mlmodel_file import Stated
from scripts.lib.model_folder import who_states_the_class
from scripts.lib.remedies import remedy
from shared.contract.contract import Contract, Feature
from shared.contract.derivation import WHY_NULLABLE
from shared.errors import NotExplainable
from shared.models.artifact import Model
from shared.models.labels import word
from shared.reasons import Reason, cut

UNSAFE = ("checksums-missing", "golden-missing", "categories-not-counted")
"""Notes that tell of what is unsafe; the others tell of what is assumed."""

HEADER = ("feature", "type", "required", "nullable", "allowed", "why nullable, or why not")


def report(model: Model, stated: Stated) -> list[str]:
    """Say all that is known, in lines."""
    table = contract_table(model.contract)
    return [*_head(model, stated), "", *table, *remarks(model, with_remedies=True)]


def score_of(model: Model, stated: Stated) -> str:
    """Say what the score is the probability of, and who says so."""
    said = who_states_the_class(model) if stated.positive_class is None else "--positive-class"
    return f"probability of {plain(model.positive_class)} ({said})"


def threshold_of(model: Model, stated: Stated) -> str:
    """Say the threshold, and who states it."""
    said = model.chosen_threshold.origin if stated.threshold is None else "--threshold"
    return f"{model.threshold!r} ({said})"


def _head(model: Model, stated: Stated) -> list[str]:
    facts = {
        "model": f"{model.kind}, {model.trees:,} {'tree' if model.trees == 1 else 'trees'}, {plain(model.file.name)}",
        "classes": ", ".join(plain(word(label)) for label in model.classes),
        "score": score_of(model, stated),
        "threshold": threshold_of(model, stated),
        "integrity": model.integrity,
        "example": "none" if model.input_example is None else "one row",
        "reasons": _reasons(model),
    }
    width = max(map(len, facts))
    return [f"{name.ljust(width)}  {value}" for name, value in facts.items()]


def _reasons(model: Model) -> str:
    """Say whether its scores can be explained."""
    try:
        _ = model.explainer
    except NotExplainable as error:
        return f"none. {error}"
    return "exact SHAP values"


def remarks(model: Model, *, with_remedies: bool = False) -> list[str]:
    """Say what is assumed and what is unsafe; nothing if there is nothing of the kind."""
    unsafe = [note for note in model.notes if note.type in UNSAFE]
    assumed = [note for note in model.notes if note not in unsafe]
    lines: list[str] = []
    for title, notes in (("Assumed", assumed), ("Unsafe", unsafe)):
        if notes:
            lines += ["", f"{title}:", *(line for note in notes for line in _remark(note, with_remedies=with_remedies))]
    return lines


def rejection(reason: Reason) -> list[str]:
    """Say why a model is rejected, and what mends it."""
    mended = remedy(reason)
    return [f"Rejected: {reason.message}", *(["", *mended] if mended else [])]


def contract_table(contract: Contract) -> list[str]:
    """Write the contract as a table, and below it what it says of several features."""
    lines = columns([HEADER, *map(_row, contract.features)])
    lines += [f"These must not decrease: {', '.join(map(plain, names))}." for names in contract.ordered]
    if any(feature.kind.python is str and feature.nullable for feature in contract.features):
        lines.append(f"A missing category is scored as {plain(contract.missing_category)!r}.")
    if any(feature.nullable_because == "no-missing-category" for feature in contract.features):
        lines += [
            "A row that lacks a category is invalid. If the model was trained with a word in its place, log the model with",
            'that word, such as metadata={"missing_category": "Missing"}.',
        ]
    return lines


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Write cells below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def plain(name: str) -> str:
    """Show a name that may hold anything in one line of a terminal."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in cut(name))


def _remark(note: Reason, *, with_remedies: bool) -> Iterator[str]:
    yield f"- {note.message}"
    if with_remedies:
        yield from (f"  {line}" for line in remedy(note))


def _row(feature: Feature) -> tuple[str, ...]:
    required, nullable = ("yes" if is_so else "no" for is_so in (feature.required, feature.nullable))
    why = WHY_NULLABLE[feature.nullable_because]
    return plain(feature.name), feature.type, required, nullable, _allowed(feature), why


def _allowed(feature: Feature) -> str:
    if feature.values:
        return ", ".join(plain(str(value)) for value in feature.values)
    bounds = [f"{sign} {bound:g}" for sign, bound in ((">=", feature.ge), ("<=", feature.le)) if bound is not None]
    return " and ".join(bounds) or "-"
