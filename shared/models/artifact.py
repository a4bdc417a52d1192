"""An artifact folder, verified and loaded.

A folder holds a CatBoost file and `MLmodel`, and may hold `input_example.json`, `golden.json`, `importance.json` and `SHA256SUMS`,
as MLflow and our own export write them. A model file that is damaged by a single bit may still load and score differently, so
nothing serves before its checksums and golden rows agree. The card `README.md` is for people: it comes along, but it scores
nothing, so neither version nor checksums tell of it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from catboost import CatBoostClassifier
from pydantic import ValidationError

from shared.contract import mlmodel
from shared.contract.contract import Contract, Row
from shared.contract.derivation import derive
from shared.contract.mlmodel import MLmodel
from shared.errors import BadArtifact, NotExplainable
from shared.models import classifier, example
from shared.models.assumptions import NO_ASSUMPTIONS, Assumptions
from shared.models.categories import SeenCategories, seen_categories, uncounted
from shared.models.evaluator import CatBoostEvaluator
from shared.models.explainer import Explainer
from shared.models.files import (
    CARD_FILE,
    CHECKSUM_FILE,
    GOLDEN_FILE,
    IMPORTANCE_FILE,
    MAX_CARD_BYTES,
    MLMODEL_FILE,
    model_file,
    verify_checksums,
)
from shared.models.labels import positive_index, word
from shared.models.scorer import Scorer
from shared.models.threshold import Threshold, choose_threshold
from shared.models.verdict import UNTRIED
from shared.reasons import Reason

FRONT_MATTER = re.compile(r"\A---\s*\n.*?^---\s*$", re.DOTALL | re.MULTILINE)
"""The YAML at the head of a card, which is there for the Hub."""


@dataclass(frozen=True)
class Model:
    """One model version, loaded and verified: all that scoring with it needs."""

    version: str
    folder: Path
    file: Path
    size: int
    modified_at: float
    mlmodel: MLmodel
    contract: Contract
    classifier: CatBoostClassifier
    scorer: Scorer
    positive_class: str
    """The class that the score is the probability of, as `labels.word` writes it."""
    chosen_threshold: Threshold
    input_example: Row | None
    """The row that shows what the model takes, or None where the artifact has none that does."""
    notes: tuple[Reason, ...]
    """What was assumed, and what the artifact lacks."""
    evaluation: Reason = UNTRIED
    """Why its evaluator scores it, and not another one."""

    @cached_property
    def card(self) -> str | None:
        """What people should know of the model, in Markdown; None where the artifact has no card."""
        path = self.folder / CARD_FILE
        if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_CARD_BYTES:
            return None
        return FRONT_MATTER.sub("", path.read_text(encoding="utf-8", errors="replace"), count=1).strip() + "\n"

    @cached_property
    def seen_categories(self) -> SeenCategories:
        """The categories of the training, of the features where the file tells them. The first time, it takes some milliseconds."""
        examples = list(map(self.scorer.categories_of, self.known_rows))
        return seen_categories(self.classifier, self.contract.names, examples, self.size)

    @property
    def explainer(self) -> Explainer:
        """What explains its scores; raises NotExplainable. The first time, it takes a part of a second, also to find out that."""
        if isinstance(self._explainer, Reason):
            raise NotExplainable.of(self._explainer)
        return self._explainer

    @cached_property
    def _explainer(self) -> Explainer | Reason:
        try:
            return Explainer(self.classifier, self.scorer, self.positive, self.known_rows)
        except NotExplainable as error:
            return error.reason

    @cached_property
    def borders(self) -> Mapping[int, npt.NDArray[np.float64]]:
        """By place of a feature, the numbers with which trees compare it, ascending."""
        found: dict[int, list[float]] = self.classifier.get_borders()
        return {place: _finite(np.unique(borders)) for place, borders in found.items()}

    @cached_property
    def known_categories(self) -> Mapping[str, tuple[Any, ...]]:
        """By category feature, its values in the known rows."""
        rows = self.known_rows
        names = [self.contract.names[place] for place in sorted(self.scorer.categories)]
        return {name: tuple(dict.fromkeys(row[name] for row in rows if row.get(name) is not None)) for name in names}

    @property
    def golden_rows(self) -> list[Row]:
        """The golden rows, as far as there are any; read anew each time."""
        return _golden_rows(self.folder)

    @property
    def known_rows(self) -> list[Row]:
        """The golden rows and the input example, as far as there are any; read anew each time."""
        return [*self.golden_rows, *([self.input_example] if self.input_example else [])]

    @property
    def kind(self) -> str:
        """The class of CatBoost's that the model is."""
        return type(self.classifier).__name__

    @property
    def classes(self) -> list[Any]:
        """The two labels, in CatBoost's order."""
        return classifier.labels_of(self.classifier)

    @property
    def positive(self) -> int:
        """The place of the positive class among the two."""
        return [*map(word, self.classes)].index(self.positive_class)

    @property
    def trees(self) -> int:
        """The number of trees."""
        return int(self.classifier.tree_count_)

    @property
    def threshold(self) -> float:
        """Scores from here up are refused."""
        return self.chosen_threshold.value

    @property
    def integrity(self) -> Literal["checksums", "golden rows", "none"]:
        """What shows that the files are those that were published: the strongest that there is."""
        if (self.folder / CHECKSUM_FILE).is_file():
            return "checksums"
        return "golden rows" if (self.folder / GOLDEN_FILE).is_file() else "none"


def load(folder: Path, version: str, assumptions: Assumptions = NO_ASSUMPTIONS) -> Model:
    """Load and verify the artifact in `folder`; raises BadArtifact with the reason if it must not serve."""
    file = folder / model_file(folder)
    verify_checksums(folder)
    description = mlmodel.read(folder / MLMODEL_FILE)
    loaded = classifier.load(file, description.save_format)
    labels = classifier.labels_of(loaded)
    positive = positive_index(labels, description.metadata.positive_class, assumptions.positive_class)
    contract, assumed = derive(description, classifier.features_of(loaded))
    threshold = choose_threshold(folder, description, classifier.threshold_of(loaded), positive, assumptions.threshold)
    shown, unusable = example.read(folder, contract)
    facts = file.stat()
    model = Model(
        version=version,
        folder=folder,
        file=file,
        size=facts.st_size,
        modified_at=facts.st_mtime,
        mlmodel=description,
        contract=contract,
        classifier=loaded,
        scorer=Scorer(CatBoostEvaluator(loaded, positive), contract, frozenset(loaded.get_cat_feature_indices())),
        positive_class=word(labels[positive]),
        chosen_threshold=threshold,
        input_example=shown,
        notes=(
            *assumed,
            *_threshold_notes(threshold),
            *filter(None, (unusable, uncounted(loaded, facts.st_size))),
            *_lacks(folder),
        ),
    )
    _check_golden_rows(model)
    return model


def _finite(borders: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Leave out the end of the numbers of 32 bits, which stands for a missing value."""
    return borders[np.abs(borders) < np.finfo(np.float32).max]


def _threshold_notes(threshold: Threshold) -> list[Reason]:
    return [Reason("threshold-default", {"value": threshold.value})] if threshold.origin == "DEFAULT_THRESHOLD" else []


def _lacks(folder: Path) -> list[Reason]:
    wanted = {CHECKSUM_FILE: Reason("checksums-missing"), GOLDEN_FILE: Reason("golden-missing")}
    lacking = [reason for name, reason in wanted.items() if not (folder / name).is_file()]
    if (folder / GOLDEN_FILE).is_file() and not (folder / IMPORTANCE_FILE).is_file():
        lacking.append(Reason("importance-missing"))
    return lacking


def _golden_rows(folder: Path) -> list[Row]:
    """Read the golden rows, which are of the training; none if there are none. They were checked when the model was loaded."""
    path = folder / GOLDEN_FILE
    rows: list[Row] = json.loads(path.read_bytes())["rows"] if path.is_file() else []
    return rows


def _check_golden_rows(model: Model) -> None:
    path = model.folder / GOLDEN_FILE
    if not path.is_file():
        return
    try:
        golden = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadArtifact("model-file-not-json", file=path.name) from error
    try:
        rows = model.contract.rows_adapter.validate_json(json.dumps(golden["rows"]))
        expected = np.array(golden["scores"], dtype=np.float64)
        label = golden.get("positive_class")
    except (ValidationError, KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise BadArtifact("golden-invalid", file=GOLDEN_FILE) from error
    if not rows:
        raise BadArtifact("golden-invalid", file=GOLDEN_FILE)
    if label is not None and word(label) != model.positive_class:
        raise BadArtifact("golden-class-differs", file=GOLDEN_FILE, label=word(label))
    if expected.shape != (len(rows),) or not np.array_equal(
        model.scorer.score_batch(model.contract.to_batch(rows)), expected
    ):
        raise BadArtifact("golden-scores-differ", file=GOLDEN_FILE)
