"""A model folder is completed in one way: with golden rows, an example, a portable MLmodel and checksums."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from catboost import CatBoostClassifier

from scripts.lib import golden, model_folder
from scripts.lib.mlmodel_file import Stated
from scripts.lib.model_folder import complete, install, state, write_checksums
from shared.errors import BadArtifact
from shared.models import artifact, files
from shared.models.artifact import Model
from shared.models.assumptions import Assumptions
from tests.factories import Kit, fitted, write_bare_artifact

DATA = pd.DataFrame({"income": np.arange(60) * 1.5, "region": np.arange(60) % 4, "owner": np.arange(60) % 2 == 0})
LABELS = np.where(DATA["income"] + 20 * DATA["owner"] > 50, "good", "bad")
INPUTS = [
    {"name": "income", "type": "double", "required": True},
    {"name": "region", "type": "long", "required": True},
    {"name": "owner", "type": "boolean", "required": True},
]
ROWS: list[dict[str, Any]] = json.loads(DATA.to_json(orient="records"))


@pytest.fixture(scope="module")
def classifier() -> CatBoostClassifier:
    """A model whose categories are an integer and a boolean, which no scoring may turn into fractions."""
    return fitted(DATA, LABELS, cat_features=["region", "owner"])


@pytest.fixture
def bare(classifier: CatBoostClassifier, tmp_path: Path) -> Path:
    """A folder with a model and MLmodel, and an example of three rows as MLflow writes them."""
    folder = write_bare_artifact(tmp_path / "bare", classifier, INPUTS, positive_class="bad")
    head = json.loads(DATA.head(3).to_json(orient="split"))
    (folder / "input_example.json").write_text(json.dumps(head))
    return folder


def loaded(folder: Path, **assumptions: Any) -> Model:
    return artifact.load(folder, files.folder_version(folder), Assumptions(**assumptions))


def read(folder: Path, name: str) -> Any:
    return yaml.safe_load((folder / name).read_text(encoding="utf-8"))


def column(classifier: CatBoostClassifier, label: str, rows: int) -> list[float]:
    scores: list[float] = classifier.predict_proba(DATA.head(rows))[
        :, classifier.classes_.tolist().index(label)
    ].tolist()
    return scores


@pytest.mark.parametrize("label", ["bad", "good"])
def test_golden_rows_are_those_of_the_example_scored_for_the_stated_class(
    classifier: CatBoostClassifier, bare: Path, label: str
) -> None:
    state(bare, Stated(positive_class=label))
    model = complete(loaded(bare))
    expected = {"positive_class": label, "rows": ROWS[:3], "scores": column(classifier, label, 3)}
    assert read(bare, "golden.json") == expected
    assert read(bare, "input_example.json") == ROWS[0]
    assert (model.integrity, model.notes, model.input_example) == ("checksums", (), ROWS[0])


def test_completing_again_changes_nothing(bare: Path) -> None:
    complete(loaded(bare))
    before = {path.name: path.read_bytes() for path in bare.iterdir()}
    complete(loaded(bare))
    assert {path.name: path.read_bytes() for path in bare.iterdir()} == before


def test_given_rows_come_first_then_those_of_the_folder(classifier: CatBoostClassifier, bare: Path) -> None:
    complete(loaded(bare), rows=ROWS[10:12])
    assert read(bare, "golden.json")["rows"] == ROWS[10:12]
    complete(loaded(bare))
    assert read(bare, "golden.json")["rows"] == ROWS[10:12]


def test_rows_of_the_example_that_break_the_contract_are_no_golden_rows(bare: Path) -> None:
    rows = [{**ROWS[0], "region": 0.5}, *ROWS, {"income": 3}]
    (bare / "input_example.json").write_text(json.dumps(rows))
    model = complete(loaded(bare))
    # The first fifty are looked at.
    assert read(bare, "golden.json")["rows"] == ROWS[:49]
    assert not (bare / "input_example.json").exists()
    assert model.input_example is None


def test_numbers_of_the_example_are_written_as_the_contract_has_them(bare: Path) -> None:
    (bare / "input_example.json").write_text('{"columns": ["region", "owner", "income"], "data": [[2.0, true, 7]]}')
    complete(loaded(bare))
    assert (bare / "input_example.json").read_text() == '{\n "income": 7.0,\n "region": 2,\n "owner": true\n}\n'


@pytest.mark.parametrize("content", [None, "{", "[]", '{"inputs": {"region": "north"}}'])
def test_a_model_without_a_usable_example_has_no_golden_rows_and_says_so(bare: Path, content: str | None) -> None:
    (bare / "input_example.json").unlink()
    if content is not None:
        (bare / "input_example.json").write_text(content)
    model = complete(loaded(bare))
    assert {path.name for path in bare.iterdir()} == {"model.cb", "MLmodel", "SHA256SUMS"}
    assert [note.type for note in model.notes] == ["golden-missing"]


def test_given_rows_that_break_the_contract_are_rejected(bare: Path) -> None:
    with pytest.raises(BadArtifact, match="does not contain rows of the model's contract"):
        complete(loaded(bare), rows=[{**ROWS[0], "region": "north"}])


def test_what_the_registry_states_is_carried_into_the_metadata(bare: Path) -> None:
    mlmodel = read(bare, "MLmodel")
    del mlmodel["metadata"]["best_threshold"]
    (bare / "MLmodel").write_text(yaml.safe_dump(mlmodel))
    said = {"threshold": {"value": "0.125", "origin": "tag best_threshold of the run"}}
    (bare / "registry.json").write_text(json.dumps(said))
    model = complete(loaded(bare, threshold=0.75))
    assert (model.threshold, model.chosen_threshold.origin) == (0.125, "metadata.best_threshold")
    assert not (bare / "registry.json").exists()


def test_a_threshold_of_the_model_itself_is_not_repeated_and_a_default_not_made_up(
    numbers: Kit, bare: Path, tmp_path: Path
) -> None:
    said = {"threshold": {"value": "0.125", "origin": "tag best_threshold of the run"}}
    (bare / "registry.json").write_text(json.dumps(said))
    assert complete(loaded(bare)).threshold == 0.5
    plain = write_bare_artifact(tmp_path / "plain", numbers.classifier, numbers.inputs)
    (plain / "MLmodel").write_text("flavors: {}\n")
    complete(loaded(plain, threshold=0.75))
    assert "metadata" not in read(plain, "MLmodel")
    assert loaded(plain, threshold=0.25).threshold == 0.25


def test_what_the_setting_states_of_the_class_is_carried_too(
    classifier: CatBoostClassifier, numbers: Kit, tmp_path: Path
) -> None:
    folder = write_bare_artifact(tmp_path / "words", classifier, INPUTS)
    complete(loaded(folder, positive_class="good"), Assumptions(positive_class="good"))
    assert loaded(folder).positive_class == "good"
    # Of zeros and ones it says nothing new.
    plain = write_bare_artifact(tmp_path / "plain", numbers.classifier, numbers.inputs)
    complete(loaded(plain, positive_class="1"), Assumptions(positive_class="1"))
    assert read(plain, "MLmodel")["metadata"] == {"best_threshold": 0.5}
    complete(loaded(plain, positive_class="0"), Assumptions(positive_class="0"))
    assert read(plain, "MLmodel")["metadata"] == {"best_threshold": 0.5, "positive_class": "0"}


def test_the_model_file_gets_the_name_that_is_wanted(bare: Path) -> None:
    model = complete(loaded(bare), model_file="deep/weights")
    assert model.file == bare / "deep" / "weights"
    assert not (bare / "model.cb").exists()
    assert "deep/weights" in (bare / "SHA256SUMS").read_text()


def test_of_the_requirements_only_the_pins_that_matter_are_kept(bare: Path) -> None:
    listed = "numpy==2.1.0 ; python_version > '3.10'\n-e /home/me/risk\ncatboost==1.2.10\nmlflow==3.17.2\n"
    (bare / "requirements.txt").write_text(listed)
    complete(loaded(bare))
    assert (bare / "requirements.txt").read_text() == "catboost==1.2.10\nnumpy==2.1.0\n"
    (bare / "requirements.txt").write_text("catboost>=1\nfile:///home/me/risk\n")
    complete(loaded(bare))
    assert not (bare / "requirements.txt").exists()


def test_a_damaged_folder_is_not_signed_anew(bare: Path) -> None:
    complete(loaded(bare))
    with (bare / "golden.json").open("a") as file:
        file.write(" ")
    before = (bare / "SHA256SUMS").read_bytes()
    with pytest.raises(BadArtifact, match="does not match SHA256SUMS"):
        state(bare, Stated(0.25))
    assert (bare / "SHA256SUMS").read_bytes() == before


def test_a_whole_folder_is_signed_anew_with_what_is_stated(bare: Path) -> None:
    complete(loaded(bare))
    state(bare, Stated(0.25))
    model = loaded(bare)
    assert (model.threshold, model.integrity) == (0.25, "checksums")


def test_golden_rows_of_another_class_speak_against_the_stated_one(bare: Path) -> None:
    complete(loaded(bare))
    state(bare, Stated(positive_class="good"))
    with pytest.raises(BadArtifact, match="of class bad"):
        loaded(bare)


def test_installing_leaves_everything_else_and_signs_what_lies_there(bare: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    files.copy(bare, home)
    (home / "notes.txt").write_text("mine")
    (home / "requirements.txt").write_text("catboost>=1\n")
    (home / "SHA256SUMS").write_text("0" * 64 + "  model.cb\n")
    complete(loaded(bare), home=home)
    install(bare, home)
    assert {path.name for path in home.iterdir()} == {
        *("model.cb", "MLmodel", "input_example.json", "golden.json", "importance.json", "SHA256SUMS"),
        *("notes.txt", "requirements.txt"),
    }
    assert (home / "requirements.txt").read_text() == "catboost>=1\n"
    assert (loaded(home).integrity, loaded(home).notes) == ("checksums", ())


def test_an_example_of_no_use_stays_in_the_folder_that_is_completed_in_place(bare: Path, tmp_path: Path) -> None:
    (bare / "input_example.json").write_text("{")
    home = tmp_path / "home"
    home.mkdir()
    files.copy(bare, home)
    complete(loaded(bare), home=home)
    install(bare, home)
    assert (home / "input_example.json").read_text() == "{"
    assert [note.type for note in loaded(home).notes] == ["example-unreadable", "golden-missing"]


def test_the_checksums_are_of_what_serves(bare: Path) -> None:
    (bare / "README.md").write_text("# A card\n")
    (bare / "notes.txt").write_text("mine")
    write_checksums(bare)
    listed = [line.split("  ")[1] for line in (bare / "SHA256SUMS").read_text().splitlines()]
    assert listed == ["MLmodel", "input_example.json", "model.cb"]


def test_rows_of_a_frame_are_plain_values_in_the_order_of_the_model(bare: Path) -> None:
    frame = pd.DataFrame({"owner": [1.0, 0.0], "region": [3.0, 2.0], "income": [np.nan, 2], "more": ["x", "y"]})
    rows = golden.rows_of_frame(frame, loaded(bare).contract)
    assert [list(row.items()) for row in rows] == [
        [("income", None), ("region", 3), ("owner", True)],
        [("income", 2.0), ("region", 2), ("owner", False)],
    ]
    assert {type(row["owner"]) for row in rows} == {bool}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "model.cb").write_bytes(b"CBM1 no more"), "cannot read"),
        (lambda folder: (folder / "MLmodel").write_text("metadata: {best_threshold: 2}"), "not a number from 0 to 1"),
    ],
)
def test_a_model_that_must_not_serve_is_rejected_as_a_server_would(
    bare: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(bare)
    with pytest.raises(BadArtifact, match=message):
        model_folder.load(bare)
