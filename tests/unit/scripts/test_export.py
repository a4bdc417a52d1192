import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from catboost import CatBoostClassifier, Pool

from scripts.lib import golden
from scripts.lib.export import export_model
from scripts.lib.training_data import catboost_frame
from shared.errors import BadArtifact
from shared.importance import importance_of
from shared.models import artifact, files

SERVED_FILES = {"model.cb", "MLmodel", "input_example.json", "golden.json", "importance.json", "SHA256SUMS"}
EXPORTED_FILES = SERVED_FILES | {"requirements.txt", "README.md"}
INPUTS = [
    {"type": "double", "name": "ratio", "required": False},
    {"type": "long", "name": "age", "required": False},
    {"type": "boolean", "name": "married", "required": False},
    {"type": "string", "name": "purpose", "required": False},
]
EXAMPLE: dict[str, Any] = {"ratio": 0.5, "age": 40, "married": True, "purpose": "café"}


def applicants(count: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "ratio": rng.random(count),
            "age": rng.integers(18, 80, count).astype(float),
            "married": rng.integers(0, 2, count).astype(float),
            "purpose": rng.choice(["car", "café", "none"], count).astype(object),
        }
    )
    for position, name in enumerate(rows.columns):
        rows.loc[rows.index % 7 == position, name] = None
    return rows


@pytest.fixture(scope="module")
def mlflow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that MLflow would give, without MLflow."""
    folder = tmp_path_factory.mktemp("mlflow") / "model"
    folder.mkdir()
    rows = applicants(300)
    target = (rows["ratio"].fillna(0.2) + (rows["purpose"] == "car") > 0.7).astype(int)
    model = CatBoostClassifier(iterations=15, depth=4, thread_count=1, verbose=False, allow_writing_files=False)
    model.fit(catboost_frame(rows, INPUTS, "missing"), target, cat_features=["purpose"])
    model.save_model(str(folder / "model.cb"))
    mlmodel = {
        "artifact_path": folder.as_uri(),
        "env_vars": ["SOME_TOKEN"],
        "flavors": {
            "catboost": {"catboost_version": "1.2.9", "data": "model.cb", "model_type": "CatBoostClassifier"},
            "python_function": {"data": "model.cb", "env": {"conda": "conda.yaml"}, "loader_module": "mlflow.catboost"},
        },
        "metadata": {"best_threshold": 0.4, "missing_category": "missing"},
        "run_id": "abc",
        "signature": {"inputs": json.dumps(INPUTS), "outputs": None, "params": None},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(mlmodel))
    (folder / "conda.yaml").write_text("name: env\n")
    (folder / "requirements.txt").write_text("numpy==2.1.0\ncatboost==1.2.9\nmlflow==3.17.2")
    return folder


@pytest.fixture(scope="module")
def once_exported(mlflow_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once") / "exported"
    export_model(mlflow_model, applicants(20), applicants(30), EXAMPLE, folder)
    return folder


@pytest.fixture
def exported(once_exported: Path, tmp_path: Path) -> Path:
    """An export of its own for each test."""
    shutil.copytree(once_exported, tmp_path / "exported")
    return tmp_path / "exported"


def read_golden(folder: Path) -> dict[str, Any]:
    golden: dict[str, Any] = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    return golden


def test_the_artifact_has_exactly_its_files_and_the_folder_beside_it_nothing_else(once_exported: Path) -> None:
    assert {path.name for path in once_exported.iterdir()} == EXPORTED_FILES
    assert list(once_exported.parent.iterdir()) == [once_exported]


def test_checksums_are_those_of_every_other_file_that_serves(exported: Path) -> None:
    lines = (exported / "SHA256SUMS").read_text().splitlines()
    stated = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert stated.keys() == SERVED_FILES - {"SHA256SUMS"}
    assert all(stated[name] == hashlib.sha256((exported / name).read_bytes()).hexdigest() for name in stated)


def test_golden_scores_are_what_plain_catboost_gives_for_the_rows_as_written(exported: Path) -> None:
    golden = read_golden(exported)
    model = CatBoostClassifier().load_model(str(exported / "model.cb"))
    numbers = ("ratio", "age", "married")
    matrix = [
        [*(np.nan if row[name] is None else float(row[name]) for name in numbers), row["purpose"] or "missing"]
        for row in golden["rows"]
    ]
    assert len(golden["scores"]) == len(matrix) == 20
    assert model.predict_proba(Pool(matrix, cat_features=[3]))[:, 1].tolist() == golden["scores"]
    assert golden["positive_class"] == "1"


def test_golden_rows_keep_the_types_of_the_signature_and_null_for_what_is_missing(exported: Path) -> None:
    rows = read_golden(exported)["rows"]
    for name, kind in (("ratio", float), ("age", int), ("married", bool), ("purpose", str)):
        assert {type(row[name]) for row in rows} == {kind, type(None)}
    assert [list(row) for row in rows] == [[feature["name"] for feature in INPUTS]] * 20


def test_the_mlmodel_keeps_the_contract_and_no_trace_of_the_machine(exported: Path, mlflow_model: Path) -> None:
    text = (exported / "MLmodel").read_text()
    mlmodel = yaml.safe_load(text)
    assert mlmodel["metadata"] == {"best_threshold": 0.4, "missing_category": "missing"}
    assert json.loads(mlmodel["signature"]["inputs"]) == INPUTS
    assert mlmodel["run_id"] == "abc"
    assert str(mlflow_model) not in text
    assert "SOME_TOKEN" not in text
    assert "conda.yaml" not in text


def test_the_input_example_is_one_plain_object(exported: Path) -> None:
    assert json.loads((exported / "input_example.json").read_text(encoding="utf-8")) == EXAMPLE


def test_the_requirements_are_the_versions_the_model_was_made_with(exported: Path) -> None:
    assert (exported / "requirements.txt").read_text() == "catboost==1.2.9\nnumpy==2.1.0\n"


def test_an_earlier_export_is_replaced_as_a_whole(exported: Path, mlflow_model: Path) -> None:
    (exported / "notes.md").write_text("of the earlier model")
    export_model(mlflow_model, applicants(5), applicants(30), EXAMPLE, exported)
    assert {path.name for path in exported.iterdir()} == EXPORTED_FILES
    assert len(read_golden(exported)["rows"]) == 5
    assert list(exported.parent.iterdir()) == [exported]


def test_a_link_keeps_pointing_to_the_export(exported: Path, mlflow_model: Path) -> None:
    link = exported.with_name("current")
    link.symlink_to(exported, target_is_directory=True)
    export_model(mlflow_model, applicants(5), applicants(30), EXAMPLE, link)
    assert link.is_symlink()
    assert len(read_golden(exported)["rows"]) == 5


def test_an_export_that_fails_leaves_the_earlier_one(exported: Path, mlflow_model: Path) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    with pytest.raises(ValueError, match=r"lack the features age\."):
        export_model(mlflow_model, applicants(5).drop(columns="age"), applicants(30), EXAMPLE, exported)
    with pytest.raises(ValueError, match="not JSON compliant"):
        export_model(mlflow_model, applicants(5), applicants(30), {**EXAMPLE, "ratio": float("nan")}, exported)
    with pytest.raises(ValueError, match="example does not fit"):
        export_model(mlflow_model, applicants(5), applicants(30), {**EXAMPLE, "age": "forty"}, exported)
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before
    assert list(exported.parent.iterdir()) == [exported]


def test_a_folder_or_file_that_is_no_export_is_left_alone(mlflow_model: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for destination in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(FileExistsError):
            export_model(mlflow_model, applicants(5), applicants(30), EXAMPLE, destination)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_is_no_catboost_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="MLmodel"):
        export_model(tmp_path, applicants(5), applicants(30), EXAMPLE, tmp_path / "exported")
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_a_signature_is_exported_with_what_it_knows_itself(mlflow_model: Path, tmp_path: Path) -> None:
    (tmp_path / "model.cb").write_bytes((mlflow_model / "model.cb").read_bytes())
    (tmp_path / "MLmodel").write_text("metadata: {missing_category: missing}\n")
    example = {"ratio": 0.5, "age": 40.0, "married": 1.0, "purpose": "café"}
    export_model(tmp_path, applicants(5), applicants(30), example, tmp_path / "exported")
    model = artifact.load(tmp_path / "exported", "local")
    assert [(feature.name, feature.type) for feature in model.contract.features] == [
        ("ratio", "double"),
        ("age", "double"),
        ("married", "double"),
        ("purpose", "string"),
    ]
    assert "signature-missing" in [note.type for note in model.notes]
    assert {type(row["married"]) for row in read_golden(tmp_path / "exported")["rows"]} <= {float, type(None)}


def test_the_card_does_not_change_the_version(exported: Path) -> None:
    version = files.folder_version(exported)
    (exported / "README.md").write_text("# Another card\n")
    assert files.folder_version(exported) == version
    assert artifact.load(exported, version).card == "# Another card\n"


def test_the_importance_is_that_over_the_sample(exported: Path) -> None:
    model = artifact.load(exported, "v")
    found = importance_of(model)
    assert (found.source, found.rows) == ("training", 30)
    rows = golden.rows_of_frame(applicants(30), model.contract)
    expected = np.abs(model.explainer.explain_rows(rows).values).mean(axis=0)
    assert list(found.features.values()) == pytest.approx(expected.tolist())
    assert "## Importance" in (exported / "README.md").read_text()
