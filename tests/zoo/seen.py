"""What the service makes of a folder, and what it must make of it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from shared import scoring
from shared.contract.contract import Contract
from shared.errors import BadArtifact
from shared.formats.json_rows import row_from_json
from shared.models import artifact, proof
from shared.models.artifact import Model
from shared.models.threshold import DEFAULT, Threshold
from shared.reasons import Reason
from tests.zoo.variant import FIRST_ROW, Row, Variant

ALWAYS = {"checksums-missing", "golden-missing", "importance-missing"}
"""What is told of every model that does not have the files."""


FOUND: dict[int, Reason] = {}
"""What the proofs found, by the identity of the variant; each takes a good part of a second."""


@dataclass(frozen=True)
class Seen:
    """Why a model is rejected, or what is said of it, and the scores of rows that come one by one."""

    rejected: str | None = None
    positive_class: str | None = None
    threshold: Threshold | None = None
    nullable: tuple[str, ...] = ()
    told: frozenset[str] = frozenset()
    example: Row | None = None
    names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    contract: Contract | None = field(default=None, compare=False)
    """Not compared with what the zoo says, but with that of other ways."""


def expected(variant: Variant) -> Seen:
    """What must be seen of a variant."""
    if variant.rejected:
        return Seen(variant.rejected)
    told = {*variant.told, *(["threshold-default"] if variant.threshold.origin == DEFAULT else [])}
    return Seen(
        None,
        variant.label,
        variant.threshold,
        variant.nullable,
        frozenset(told),
        variant.rows[0] if variant.shown == FIRST_ROW else variant.shown,  # type: ignore[arg-type]
        tuple(variant.rows[0]),
        tuple(variant.scores),
    )


def load(folder: Path, variant: Variant) -> Model:
    """Load what lies in a folder, as a process of the service does: with the fast evaluator where it is proven."""
    model = artifact.load(folder, "v", variant.assumptions)
    found = FOUND.get(id(variant)) or proof.prove(model)
    FOUND[id(variant)] = found
    return proof.apply(model, found)


def seen(folder: Path, variant: Variant) -> Seen:
    """Load what lies in a folder, and score the variant's rows with it, one by one."""
    try:
        model = load(folder, variant)
    except BadArtifact as error:
        return Seen(error.reason.type)
    return Seen(
        None,
        model.positive_class,
        model.chosen_threshold,
        nullable_of(model.contract),
        frozenset(note.type for note in model.notes) - ALWAYS,
        model.input_example,
        tuple(model.contract.names),
        tuple(score_of(model, row) for row in variant.rows),
        model.contract,
    )


def nullable_of(contract: Contract) -> tuple[str, ...]:
    """Name the features that may be missing."""
    return tuple(feature.name for feature in contract.features if feature.nullable)


def score_of(model: Model, row: Row) -> float:
    """Score a row that comes as JSON."""
    [answer] = scoring.score(model, [row_from_json(json.dumps(row).encode(), model.contract)]).answers()
    return answer.score
