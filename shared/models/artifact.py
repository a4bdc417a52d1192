"""An artifact folder, verified and loaded.

A folder holds `model.cb`, `MLmodel` and `input_example.json`, and may hold `golden.json` and `SHA256SUMS`. A model file that
is damaged by a single bit may still load and score differently, so nothing serves before its checksums and golden rows agree.
The card `README.md` is for people: it comes along, but it scores nothing, so neither version nor checksums tell of it.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from catboost import CatBoostClassifier, CatBoostError
from pydantic import ValidationError

from shared.contract import mlmodel
from shared.contract.contract import Contract, Row
from shared.contract.mlmodel import MLmodel
from shared.errors import BadArtifact
from shared.models.scorer import Scorer
from shared.reasons import cut_names

MODEL_FILE = "model.cb"
"""What the model is called in our own exports; a Hub repository may call it otherwise (`HF_FILENAME`)."""

MLMODEL_FILE = "MLmodel"
EXAMPLE_FILE = "input_example.json"
GOLDEN_FILE = "golden.json"
CHECKSUM_FILE = "SHA256SUMS"
CARD_FILE = "README.md"

MAX_CARD_BYTES = 2**20
"""A larger card is none: it would be read as a whole, into the memory of the API and into somebody's browser."""

FRONT_MATTER = re.compile(r"\A---\s*\n.*?^---\s*$", re.DOTALL | re.MULTILINE)
"""The YAML at the head of a card, which is there for the Hub."""

BINARY_LOSSES = ("Logloss", "CrossEntropy")
LOCAL_PREFIX = "local-"
VERSION_PREFIX_LENGTH = 12


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

    @cached_property
    def input_example(self) -> Row | None:
        """The row that shows what the model takes, or None where the artifact has none."""
        path = self.folder / EXAMPLE_FILE
        return _read_json(path) if path.exists() else None

    @cached_property
    def card(self) -> str | None:
        """What people should know of the model, in Markdown; None where the artifact has no card."""
        path = self.folder / CARD_FILE
        if not path.is_file() or path.stat().st_size > MAX_CARD_BYTES:
            return None
        return FRONT_MATTER.sub("", path.read_text(encoding="utf-8", errors="replace"), count=1).strip() + "\n"

    @property
    def kind(self) -> str:
        """The class of CatBoost's that the model is."""
        return type(self.classifier).__name__

    @property
    def classes(self) -> list[Any]:
        """Labels of class 0 and class 1, as the model was trained."""
        labels: list[Any] = self.classifier.classes_.tolist()
        return labels

    @property
    def trees(self) -> int:
        """The number of trees."""
        return int(self.classifier.tree_count_)

    @property
    def threshold(self) -> float:
        """Scores from here up are refused."""
        return self.mlmodel.metadata.best_threshold


def served_files(model_file: str = MODEL_FILE) -> tuple[str, ...]:
    """Name what a server reads, and so what makes up a version; anything else in the folder is passed over."""
    return (model_file, MLMODEL_FILE, EXAMPLE_FILE, GOLDEN_FILE, CHECKSUM_FILE)


def fetched_files(model_file: str = MODEL_FILE) -> tuple[str, ...]:
    """Name what is fetched of a version: what serves, and the card."""
    return (*served_files(model_file), CARD_FILE)


def digest(folder: Path, model_file: str = MODEL_FILE) -> str:
    """Give the SHA-256, in hex, over all that serves in `folder`; raises BadArtifact if a required file is missing."""
    for name in (model_file, MLMODEL_FILE):
        if not (folder / name).is_file():
            raise BadArtifact("model-file-missing", file=name)
    total = hashlib.sha256()
    for name in served_files(model_file):
        if (folder / name).is_file():
            total.update(f"{sha256(folder / name)}  {name}\n".encode())
    return total.hexdigest()


def folder_version(folder: Path, model_file: str = MODEL_FILE) -> str:
    """Name the version that lies in `folder`: `local-` and the start of its digest; raises BadArtifact."""
    return f"{LOCAL_PREFIX}{digest(folder, model_file)[:VERSION_PREFIX_LENGTH]}"


def load(folder: Path, version: str, model_file: str = MODEL_FILE) -> Model:
    """Load and verify the artifact in `folder`; raises BadArtifact with the reason if it must not serve."""
    verify_checksums(folder, model_file)
    description = mlmodel.read(folder / MLMODEL_FILE)
    contract = Contract.from_mlmodel(description)
    file = folder / model_file
    classifier = _load_classifier(file)
    _check_agreement(classifier, contract)
    facts = file.stat()
    model = Model(
        version,
        folder,
        file,
        facts.st_size,
        facts.st_mtime,
        description,
        contract,
        classifier,
        Scorer(classifier, contract),
    )
    _check_example(model)
    _check_golden_rows(model)
    return model


def verify_checksums(folder: Path, model_file: str = MODEL_FILE) -> None:
    """Compare the folder with its SHA256SUMS, where it has one; every file that serves must be listed there."""
    sums = folder / CHECKSUM_FILE
    if not sums.is_file():
        return
    listed = {}
    for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
        checksum, _, name = line.strip().partition(" ")
        listed[name.strip().lstrip("*")] = checksum.lower()
    for name in served_files(model_file):
        path = folder / name
        if name == CHECKSUM_FILE or (not path.is_file() and name not in listed):
            continue
        if name not in listed:
            raise BadArtifact("model-file-unlisted", file=name)
        if not path.is_file() or sha256(path) != listed[name]:
            raise BadArtifact("model-file-damaged", file=name)


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadArtifact("model-file-not-json", file=path.name) from error


def _load_classifier(path: Path) -> CatBoostClassifier:
    try:
        classifier = CatBoostClassifier().load_model(str(path))
        loss = str(classifier.get_all_params().get("loss_function", ""))
    except CatBoostError as error:
        raise BadArtifact("model-file-unreadable", file=path.name) from error
    # CatBoost would answer `predict_proba` of a regressor too, with numbers that mean nothing.
    if loss.partition(":")[0] not in BINARY_LOSSES or len(classifier.classes_) != 2:
        raise BadArtifact("model-not-binary")
    return classifier


def _check_agreement(classifier: CatBoostClassifier, contract: Contract) -> None:
    if list(classifier.feature_names_) != contract.names:
        if differing := sorted(set(classifier.feature_names_) ^ set(contract.names)):
            raise BadArtifact("features-differ", columns=cut_names(differing))
        raise BadArtifact("features-reordered")
    if classifier.get_text_feature_indices() or classifier.get_embedding_feature_indices():
        raise BadArtifact("features-unsupported")
    categorical = set(classifier.get_cat_feature_indices())
    for i, feature in enumerate(contract.features):
        if feature.kind.python is str and i not in categorical:
            raise BadArtifact("feature-not-a-category", column=feature.name)
        if feature.kind.python is float and i in categorical:
            raise BadArtifact("feature-not-a-fraction", column=feature.name)


def _check_example(model: Model) -> None:
    if model.input_example is None:
        return
    try:
        # From its JSON text, as a client would send it.
        row = model.contract.row_adapter.validate_json(json.dumps(model.input_example))
    except ValidationError as error:
        raise BadArtifact("example-invalid", file=EXAMPLE_FILE) from error
    if model.contract.unordered(row):
        raise BadArtifact("example-invalid", file=EXAMPLE_FILE)


def _check_golden_rows(model: Model) -> None:
    path = model.folder / GOLDEN_FILE
    if not path.is_file():
        return
    golden = _read_json(path)
    try:
        rows = model.contract.rows_adapter.validate_json(json.dumps(golden["rows"]))
        expected = np.array(golden["scores"], dtype=np.float64)
    except (ValidationError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadArtifact("golden-invalid", file=GOLDEN_FILE) from error
    if expected.shape != (len(rows),) or not np.array_equal(
        model.scorer.score_batch(model.contract.to_batch(rows)), expected
    ):
        raise BadArtifact("golden-scores-differ", file=GOLDEN_FILE)
