"""Small real models and their rows, made in milliseconds; nothing here is a mock."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from catboost import CatBoostClassifier

from shared.contract.contract import Contract
from shared.contract.derivation import ModelFeatures, derive
from shared.contract.mlmodel import MLmodel
from shared.contract.validated import Tally
from shared.errors import UnknownJob
from shared.formats.json_rows import validated_from_json
from shared.formats.source import ReadOptions
from shared.jobs.job import Job
from shared.jobs.store import JobStore
from shared.models import artifact, files, verdict
from shared.models.copies import MARK
from shared.models.proof import prove
from shared.reasons import Reason

Row = dict[str, Any]

FOUND: dict[str, Reason] = {}
"""What proofs found, by version."""

MISSING = "unknown"
PURPOSES = ["car", "café", "nan"]

INPUTS: list[dict[str, Any]] = [
    {"name": "income", "type": "double", "required": True},
    {"name": "age", "type": "long", "required": True},
    {"name": "married", "type": "boolean", "required": False},
    {"name": "children", "type": "integer", "required": False},
    {"name": "lowest", "type": "double", "required": False},
    {"name": "highest", "type": "double", "required": False},
]
PURPOSE: dict[str, Any] = {"name": "purpose", "type": "string", "required": False}

METADATA: dict[str, Any] = {
    "best_threshold": 0.4,
    "features": {
        "income": {"description": "Monthly income.", "ge": 0},
        "age": {"ge": 18, "le": 100},
        "children": {"values": [0, 1, 2, 3]},
    },
    "ordered": [["lowest", "highest"]],
    "missing_category": MISSING,
}


@dataclass(frozen=True)
class Kit:
    """A model: the classifier itself, its signature, and rows that keep its contract."""

    classifier: CatBoostClassifier
    inputs: list[dict[str, Any]]
    metadata: dict[str, Any]
    rows: list[Row]

    def expected(self, rows: list[Row] | None = None) -> list[float]:
        """What CatBoost itself says of the rows, from a plain data frame."""
        scores: list[float] = self.classifier.predict_proba(frame(rows or self.rows, self.inputs))[:, 1].tolist()
        return scores

    def write(self, folder: Path, **changes: Any) -> Path:
        """Write the artifact; `changes` replace parts of the MLmodel file, for models that must be rejected."""
        folder.mkdir(parents=True, exist_ok=True)
        self.classifier.save_model(str(folder / "model.cb"))
        mlmodel = {
            "signature": {"inputs": json.dumps(self.inputs)},
            "metadata": self.metadata,
            "utc_time_created": "2026-01-02 03:04:05.678901",
            "run_id": "0" * 32,
        } | changes
        (folder / "MLmodel").write_text(yaml.safe_dump(mlmodel), encoding="utf-8")
        (folder / "input_example.json").write_text(json.dumps(self.rows[0]), encoding="utf-8")
        golden = {"rows": self.rows[:20], "scores": self.expected(self.rows[:20])}
        (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
        names = [column["name"] for column in self.inputs]
        importance = {"source": "training", "rows": 100, "features": dict.fromkeys(names, 0.5), "groups": self.groups}
        (folder / "importance.json").write_text(json.dumps(importance), encoding="utf-8")
        write_checksums(folder)
        return folder

    @property
    def groups(self) -> dict[str, float]:
        """An importance for each group of features."""
        noted = self.metadata.get("features", {}).values()
        return {notes["group"]: 0.75 for notes in noted if "group" in notes}


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS over what lies in the folder."""
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def frame(rows: list[Row], inputs: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a data scientist would hand them to CatBoost: numbers with NaN, categories as text."""
    columns: dict[str, Any] = {}
    for column in inputs:
        values = [row.get(column["name"]) for row in rows]
        if column["type"] == "string":
            columns[column["name"]] = pd.Series([MISSING if value is None else value for value in values], dtype=object)
        else:
            columns[column["name"]] = pd.Series([np.nan if value is None else float(value) for value in values])
    return pd.DataFrame(columns)


def make_rows(count: int, *, seed: int = 1, purpose: bool = False) -> list[Row]:
    """Random rows that keep the contract, with missing values where they are allowed, as null or left out."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for i in range(count):
        lowest, highest = sorted(random.random(2).round(6).tolist())
        row: Row = {
            "income": float(random.lognormal(7, 1)),
            "age": int(random.integers(18, 101)),
            "married": bool(random.integers(0, 2)),
            "children": int(random.integers(0, 4)),
            "lowest": lowest,
            "highest": highest,
        }
        if purpose:
            row["purpose"] = PURPOSES[int(random.integers(0, len(PURPOSES)))]
        optional = ["married", "children", "lowest", "highest", *(["purpose"] if purpose else [])]
        for name in optional:
            if random.random() < 0.15:
                row[name] = None
            elif random.random() < 0.1:
                del row[name]
        rows.append(row if i else row | {"married": True, "lowest": 0.25, "highest": 0.75})
    return rows


def make_kit(*, purpose: bool, seed: int = 1, metadata: dict[str, Any] | None = None) -> Kit:
    """Train a classifier on random rows; with `purpose` it has a string category in the middle of its features."""
    inputs = [*INPUTS[:3], PURPOSE, *INPUTS[3:]] if purpose else INPUTS
    rows = make_rows(400, seed=seed, purpose=purpose)
    data = frame(rows, inputs)
    # A missing score counts as bad in itself, so that a model which confused missing with zero would be found out.
    poor = data["income"].rank(pct=True) + data["age"] / 100 + data["lowest"].fillna(0) < 0.9
    target = (poor | data["lowest"].isna()).astype(int)
    classifier = CatBoostClassifier(
        iterations=20, depth=4, random_seed=seed, thread_count=1, verbose=0, allow_writing_files=False
    )
    classifier.fit(data, target, cat_features=["purpose"] if purpose else None)
    return Kit(classifier, inputs, metadata or METADATA, rows)


def make_town_kit() -> Kit:
    """Train a classifier that goes by an amount and by which of twenty towns it is, and so knows them all."""
    rows: list[Row] = [{"amount": float(i % 7), "town": f"town {i % 20}"} for i in range(400)]
    inputs: list[Row] = [{"name": "amount", "type": "double"}, {"name": "town", "type": "string", "required": False}]
    target = [i % 20 < 8 for i in range(400)]
    classifier = fitted(frame(rows, inputs), target, cat_features=["town"], iterations=20)
    return Kit(classifier, inputs, {"best_threshold": 0.5, "missing_category": "none"}, rows)


def make_contract(
    inputs: list[dict[str, Any]], features: dict[str, Any] | None = None, ordered: list[list[str]] | None = None
) -> Contract:
    """Read a contract as a model with these inputs and this metadata would have it."""
    metadata = {"best_threshold": 0.5, "features": features or {}, "ordered": ordered or []}
    mlmodel = MLmodel.model_validate({"signature": {"inputs": json.dumps(inputs)}, "metadata": metadata})
    columns = mlmodel.columns
    categories = frozenset(i for i, column in enumerate(columns) if column.type == "string")
    contract, _ = derive(mlmodel, ModelFeatures(tuple(str(column.name) for column in columns), categories))
    return contract


def write_bare_artifact(folder: Path, classifier: Any, inputs: list[dict[str, Any]], **metadata: Any) -> Path:
    """Write only what an artifact must have: the model file and MLmodel."""
    folder.mkdir(parents=True, exist_ok=True)
    classifier.save_model(str(folder / "model.cb"))
    mlmodel = {"signature": {"inputs": json.dumps(inputs)}, "metadata": {"best_threshold": 0.5} | metadata}
    (folder / "MLmodel").write_text(yaml.safe_dump(mlmodel), encoding="utf-8")
    return folder


def fitted(data: pd.DataFrame, target: Any, **parameters: Any) -> CatBoostClassifier:
    """Train a small classifier on a data frame."""
    settings = {"iterations": 10, "depth": 3, "thread_count": 1, "verbose": 0, "allow_writing_files": False}
    return CatBoostClassifier(**(settings | parameters)).fit(data, target)


def without_leaf_weights(classifier: CatBoostClassifier, path: Path) -> CatBoostClassifier:
    """Make the model as CatBoost before 0.9 saved it: without the rows of the training that each leaf had."""
    classifier.save_model(str(path), format="json")
    document = json.loads(path.read_bytes())
    for tree in document["oblivious_trees"]:
        del tree["leaf_weights"]
    path.write_text(json.dumps(document))
    return CatBoostClassifier().load_model(str(path), format="json")


def make_job(job_id: str = "1" * 32, *, rows: int = 5, chunk_rows: int = 2, **changes: Any) -> Job:
    """A queued job; by default of three chunks."""
    values: dict[str, Any] = {"model_version": "local-1", "threshold": 0.5, "created_at": 1_700_000_000.25}
    return Job(id=job_id, rows=rows, chunk_rows=chunk_rows, **(values | changes))


def is_known(store: JobStore, job_id: str) -> bool:
    """Whether the job has a record."""
    try:
        return bool(store.get(job_id))
    except UnknownJob:
        return False


def removed(store: JobStore, job_id: str) -> None:
    """Make it as if the job had ended and expired."""
    store.cancel(job_id)
    store.forget(job_id)


def put_in_cache(source: Path, cache: Path) -> str:
    """Make the verified copy of an artifact that a preparation would make, without its processes; give the version."""
    version = files.folder_version(source)
    shutil.copytree(source, cache / version, dirs_exist_ok=True)
    (cache / version / MARK).write_text(files.digest(source))
    verdict.write(cache / version, None, _found(cache / version, version))
    return version


def _found(folder: Path, version: str) -> Reason:
    """Make the proof that a preparation would make, once for each version."""
    if version not in FOUND:
        FOUND[version] = prove(artifact.load(folder, version))
    return FOUND[version]


def fields_of(sentence: str) -> set[str]:
    """Name the parameters of a sentence in the tables of `shared.reasons`."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def batches_from_json(body: bytes, contract: Contract) -> Iterator[pa.RecordBatch]:
    """Read a JSON array as a submission of it is read that rejects invalid rows."""
    slices = validated_from_json(body, contract, ReadOptions(), ignore_extra=False)
    for checked in Tally().watch(slices, "reject"):
        yield checked.batch
