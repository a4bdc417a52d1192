"""An artifact serves only if everything about it agrees; whatever is wrong is a BadArtifact that says what."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor

from shared.errors import BadArtifact
from shared.models import artifact, files
from shared.models.assumptions import Assumptions
from shared.models.threshold import Threshold
from tests.factories import Kit, fitted, write_bare_artifact, write_checksums

random_numbers = np.random.default_rng(5)
DATA = pd.DataFrame({"n": random_numbers.integers(0, 9, 200), "x": random_numbers.random(200)})
TARGET = (DATA["n"] + DATA["x"] > 5).astype(int)
NUMBERS = [{"name": "n", "type": "long"}, {"name": "x", "type": "double"}]
QUIET = {"iterations": 3, "verbose": 0, "allow_writing_files": False}


@pytest.fixture
def folder(mixed: Kit, tmp_path: Path) -> Path:
    return mixed.write(tmp_path / "model")


def rejection(folder: Path) -> str:
    with pytest.raises(BadArtifact) as caught:
        artifact.load(folder, "v")
    return str(caught.value)


def put_json(path: Path, content: Any) -> None:
    """Replace a file of the artifact by one that its checksums know."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    write_checksums(path.parent)


def test_a_whole_artifact_is_loaded(folder: Path, mixed: Kit) -> None:
    model = artifact.load(folder, "v")
    assert (model.version, model.threshold, model.file) == ("v", 0.4, folder / "model.cb")
    assert model.input_example == mixed.rows[0]
    assert model.contract.missing_category == "unknown"


def test_only_model_and_description_are_needed(tmp_path: Path) -> None:
    model = artifact.load(write_bare_artifact(tmp_path, fitted(DATA, TARGET), NUMBERS), "v")
    assert model.input_example is None


@pytest.mark.parametrize("name", ["model.cb", "MLmodel"])
def test_a_folder_without_a_file_that_it_must_have_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BadArtifact, match=name):
        files.folder_version(folder)
    assert name in rejection(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="no file"):
        files.folder_version(tmp_path / "nowhere")


def test_the_version_follows_the_served_files_and_nothing_else(folder: Path) -> None:
    version = files.folder_version(folder)
    assert version.startswith("local-")
    (folder / "notes.txt").write_text("anything")
    assert files.folder_version(folder) == version
    for name in files.served_files(folder):
        if not (folder / name).is_file():
            continue
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content + b" ")
        assert files.folder_version(folder) != version
        (folder / name).write_bytes(content)
    assert files.folder_version(folder) == version


def test_a_card_comes_along_and_changes_neither_the_version_nor_what_may_serve(folder: Path) -> None:
    version = files.folder_version(folder)
    (folder / "README.md").write_text("# A model\n")
    assert files.folder_version(folder) == version
    assert artifact.load(folder, version).card == "# A model\n"


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"---\nlicense: mit\n---\n# A model\n", "# A model\n"),
        (b"---\r\nlicense: mit\r\n---\r\n\r\n# A model\r\n", "# A model\n"),
        (b"---\n---\n# A model\n", "# A model\n"),
        (b"# A model\n\n---\n\nIt scores.\n\n---\n", "# A model\n\n---\n\nIt scores.\n\n---\n"),
        (b"---\nnever ended", "---\nnever ended\n"),
        (b"Mod\xe8le", "Mod\ufffdle\n"),
    ],
)
def test_a_card_is_shown_without_its_front_matter(folder: Path, content: bytes, shown: str) -> None:
    (folder / "README.md").write_bytes(content)
    assert artifact.load(folder, "any").card == shown


def test_a_card_that_is_too_large_is_none(folder: Path) -> None:
    assert artifact.load(folder, "any").card is None
    (folder / "README.md").write_bytes(b"x" * (files.MAX_CARD_BYTES + 1))
    assert artifact.load(folder, "any").card is None


@pytest.mark.parametrize("name", ["model.cb", "MLmodel", "input_example.json", "golden.json"])
def test_a_file_that_does_not_match_its_checksum_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    assert name in rejection(folder)


@pytest.mark.parametrize("name", ["input_example.json", "golden.json"])
def test_a_listed_file_that_is_missing_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in rejection(folder)


@pytest.mark.parametrize("name", ["model.cb", "MLmodel", "input_example.json", "golden.json"])
def test_a_served_file_that_is_not_listed_is_refused(folder: Path, name: str) -> None:
    sums = folder / "SHA256SUMS"
    sums.write_text("".join(line for line in sums.read_text().splitlines(True) if not line.endswith(f"{name}\n")))
    assert f"does not list '{name}'" in rejection(folder)


def test_checksums_that_are_not_text_are_refused(folder: Path) -> None:
    (folder / "SHA256SUMS").write_bytes(b"\xff\xfe\x00")
    assert "does not list" in rejection(folder)


def test_every_flipped_bit_is_refused(folder: Path) -> None:
    dice = random.Random(7)
    content = (folder / "model.cb").read_bytes()
    for bit in dice.sample(range(8 * len(content)), 200):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (folder / "model.cb").write_bytes(flipped)
        assert "model.cb" in rejection(folder)


def test_a_model_file_that_was_cut_before_it_was_summed_is_refused(folder: Path) -> None:
    content = (folder / "model.cb").read_bytes()
    for length in (0, 1, len(content) - 1, *random.Random(8).sample(range(len(content)), 50)):
        (folder / "model.cb").write_bytes(content[:length])
        write_checksums(folder)
        assert rejection(folder) == "CatBoost cannot read 'model.cb'."


def test_a_model_of_other_features_is_refused(mixed: Kit, tmp_path: Path) -> None:
    renamed = [column | {"name": {"age": "years"}.get(column["name"], column["name"])} for column in mixed.inputs]
    assert "'age', 'years'" in rejection(write_bare_artifact(tmp_path, mixed.classifier, renamed))


def test_a_signature_in_another_order_is_read_by_its_names(mixed: Kit, tmp_path: Path) -> None:
    folder = write_bare_artifact(tmp_path, mixed.classifier, mixed.inputs[::-1], missing_category="unknown")
    model = artifact.load(folder, "v")
    assert model.contract.names == mixed.classifier.feature_names_
    assert model.scorer.score_rows(mixed.rows).tolist() == mixed.expected()


def test_a_contract_that_contradicts_itself_is_refused(mixed: Kit, tmp_path: Path) -> None:
    folder = write_bare_artifact(tmp_path, mixed.classifier, mixed.inputs, features={"height": {"ge": 0}})
    assert "height" in rejection(folder)


@pytest.mark.parametrize(
    "train",
    [
        lambda: CatBoostRegressor(**QUIET).fit(DATA, TARGET),
        lambda: fitted(DATA, DATA["n"] % 3),
        lambda: fitted(DATA, np.stack([TARGET, TARGET], axis=1), loss_function="MultiLogloss"),
    ],
    ids=["regressor", "three classes", "multilabel"],
)
def test_what_is_no_classifier_of_two_classes_is_refused(tmp_path: Path, train: Callable[[], Any]) -> None:
    assert re.search("classifiers? of two", rejection(write_bare_artifact(tmp_path, train(), NUMBERS)))


def test_a_string_that_is_no_category_of_the_model_is_refused(tmp_path: Path) -> None:
    inputs = [{"name": "n", "type": "string"}, NUMBERS[1]]
    assert "'n' is a string" in rejection(write_bare_artifact(tmp_path, fitted(DATA, TARGET), inputs))


def test_a_fraction_that_is_a_category_of_the_model_is_refused(tmp_path: Path) -> None:
    classifier = fitted(DATA, TARGET, cat_features=["n"])
    inputs = [{"name": "n", "type": "double"}, NUMBERS[1]]
    assert "'n' is a category" in rejection(write_bare_artifact(tmp_path, classifier, inputs))


def test_a_model_of_texts_is_refused(tmp_path: Path) -> None:
    data = DATA[["x"]].assign(t=np.where(TARGET, "a good loan", "some bad loan"))
    inputs = [NUMBERS[1], {"name": "t", "type": "string"}]
    classifier = fitted(data, TARGET, text_features=["t"])
    told = rejection(write_bare_artifact(tmp_path, classifier, inputs))
    assert "text or embedding features, which this service does not take: 't'" in told


WORDS = np.where(TARGET, "bad", "good")


def test_labels_that_say_nothing_by_themselves_need_a_word(tmp_path: Path) -> None:
    folder = write_bare_artifact(tmp_path, fitted(DATA, WORDS), NUMBERS)
    assert "'bad' or 'good'" in rejection(folder)
    assert "metadata.positive_class" in rejection(folder)


@pytest.mark.parametrize(("label", "column"), [("bad", 0), ("good", 1)])
@pytest.mark.parametrize("stated_by", ["model", "operator"])
def test_the_score_is_of_the_class_that_is_stated(tmp_path: Path, label: str, column: int, stated_by: str) -> None:
    classifier = fitted(DATA, WORDS)
    said = {"positive_class": label} if stated_by == "model" else {}
    assumptions = Assumptions(positive_class=label if stated_by == "operator" else None)
    model = artifact.load(write_bare_artifact(tmp_path, classifier, NUMBERS, **said), "v", assumptions)
    rows: list[Any] = DATA.to_dict("records")
    assert model.positive_class == label
    expected = classifier.predict_proba(DATA)[:, column].tolist()
    assert model.scorer.score_rows(rows).tolist() == expected
    assert model.scorer.score_batch(model.contract.to_batch(rows)).tolist() == expected


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (TARGET, {"class_names": [1, 0]}),
        (TARGET, {"class_names": [0, 1]}),
        (TARGET.astype(float), {}),
        (TARGET.astype(bool), {}),
        (TARGET.astype(str), {}),
        (np.where(TARGET, "true", "false"), {}),
        (TARGET, {"loss_function": "CrossEntropy"}),
        (TARGET, {"loss_function": "MultiClass"}),
    ],
)
def test_of_zeros_and_ones_the_score_is_of_the_ones(tmp_path: Path, target: Any, options: dict[str, Any]) -> None:
    classifier = fitted(DATA, target, **options)
    model = artifact.load(write_bare_artifact(tmp_path, classifier, NUMBERS), "v")
    rows: list[Any] = DATA.to_dict("records")
    scores = model.scorer.score_batch(model.contract.to_batch(rows))
    column = [str(label).lower() in ("1", "1.0", "true") for label in classifier.classes_].index(True)
    assert scores.tolist() == classifier.predict_proba(DATA)[:, column].tolist()
    assert scores[TARGET == 1].mean() > scores[TARGET == 0].mean()


@pytest.mark.parametrize("content", [{"rows": [], "scores": []}, {}, [], "", "null"])
def test_golden_rows_that_are_none_are_refused(folder: Path, content: Any) -> None:
    put_json(folder / "golden.json", content)
    assert "golden.json" in rejection(folder)


@pytest.mark.parametrize(
    ("missing", "integrity"),
    [((), "checksums"), (("SHA256SUMS",), "golden rows"), (("SHA256SUMS", "golden.json"), "none")],
)
def test_a_model_says_what_verifies_it(folder: Path, missing: tuple[str, ...], integrity: str) -> None:
    for name in missing:
        (folder / name).unlink()
    model = artifact.load(folder, "v")
    assert model.integrity == integrity
    assert len(model.notes) == len(missing)


def test_golden_rows_of_another_class_are_refused(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    put_json(folder / "golden.json", golden | {"positive_class": 1})
    artifact.load(folder, "v")
    put_json(folder / "golden.json", golden | {"positive_class": 0})
    assert "of class 0" in rejection(folder)


@pytest.mark.parametrize(
    ("metadata", "stored", "expected", "origin"),
    [
        ({"best_threshold": 0.2}, 0.3, 0.2, "metadata.best_threshold"),
        ({"best_threshold": None, "optimal_threshold": 0.6}, 0.3, 0.6, "metadata.optimal_threshold"),
        ({"best_threshold": None}, 0.3, 0.3, "set_probability_threshold of the CatBoost model"),
        ({"best_threshold": None, "positive_class": 0}, 0.3, 0.7, "set_probability_threshold of the CatBoost model"),
        ({"best_threshold": None}, None, 0.45, "DEFAULT_THRESHOLD"),
    ],
)
def test_the_threshold_is_the_first_that_is_stated_and_says_by_whom(
    tmp_path: Path, metadata: dict[str, Any], stored: float | None, expected: float, origin: str
) -> None:
    classifier = fitted(DATA, TARGET)
    if stored is not None:
        classifier.set_probability_threshold(stored)
    folder = write_bare_artifact(tmp_path, classifier, NUMBERS, **metadata)
    model = artifact.load(folder, "v", Assumptions(threshold=0.45))
    assert model.chosen_threshold == Threshold(expected, origin)
    told = [note.params for note in model.notes if note.type == "threshold-default"]
    assert told == ([{"value": 0.45}] if origin == "DEFAULT_THRESHOLD" else [])


@pytest.mark.parametrize(("value", "fine"), [("0.25", True), ("1.5", False), ("high", False), ("nan", False)])
def test_what_the_registry_states_counts_after_the_model_itself(tmp_path: Path, value: str, fine: bool) -> None:
    folder = write_bare_artifact(tmp_path, fitted(DATA, TARGET), NUMBERS, best_threshold=None)
    said = {"threshold": {"value": value, "origin": "tag threshold of the run"}}
    (folder / "registry.json").write_text(json.dumps(said))
    if fine:
        assert artifact.load(folder, "v").chosen_threshold == Threshold(0.25, "tag threshold of the run")
    else:
        assert "tag threshold of the run is not a number from 0 to 1" in rejection(folder)


def test_a_number_may_be_missing_where_it_was_in_training(tmp_path: Path) -> None:
    data = DATA.astype(float)
    data.loc[::5, "x"] = np.nan
    inputs = [{"name": "n", "type": "double"}, {"name": "x", "type": "double"}]
    model = artifact.load(write_bare_artifact(tmp_path, fitted(data, TARGET), inputs), "v")
    told = [(feature.nullable, feature.nullable_because, feature.required) for feature in model.contract.features]
    assert told == [(False, "no-gaps-in-training", True), (True, "gaps-in-training", True)]


@pytest.mark.parametrize("direction", [0.0, 1.0])
def test_golden_scores_must_be_reproduced_to_the_last_bit(folder: Path, direction: float) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    golden["scores"][-1] = float(np.nextafter(golden["scores"][-1], direction))
    put_json(folder / "golden.json", golden)
    assert "does not reproduce" in rejection(folder)


@pytest.mark.parametrize(
    "scores", [[], [0.5] * 19, [0.5] * 21, 0.5, [None] * 20, [[0.5]] * 20, [10**400] * 20, ["x"], {}]
)
def test_golden_scores_of_another_shape_are_refused(folder: Path, scores: Any) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    put_json(folder / "golden.json", golden | {"scores": scores})
    assert "golden.json" in rejection(folder)


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "\ufffe", "[]", "5", "null", "{}", '{"rows": 5, "scores": 5}'])
def test_golden_rows_of_another_shape_are_refused(folder: Path, content: str) -> None:
    put_json(folder / "golden.json", content)
    assert "golden.json" in rejection(folder)


@pytest.mark.parametrize(
    "change", [{"age": 17}, {"age": "40"}, {"unknown": 1}, {"income": float("nan")}, {"purpose": "\ud800"}]
)
def test_golden_rows_that_break_the_contract_are_refused(folder: Path, change: dict[str, Any]) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    golden["rows"][0] |= change
    put_json(folder / "golden.json", golden)
    assert "golden.json" in rejection(folder)


@pytest.mark.parametrize(
    "change",
    [{"age": 17}, {"income": float("nan")}, {"lowest": 0.9, "highest": 0.1}, {"purpose": "\ud800"}],
)
def test_an_example_that_breaks_the_contract_is_left_out_and_told(
    folder: Path, mixed: Kit, change: dict[str, Any]
) -> None:
    put_json(folder / "input_example.json", mixed.rows[0] | change)
    model = artifact.load(folder, "v")
    assert model.input_example is None
    assert [note.type for note in model.notes] == ["example-invalid"]


@pytest.mark.parametrize("content", ["{", "[]", "5", '{"columns": [], "data": []}', "[" * 100_000, "null"])
def test_an_example_that_is_no_row_is_left_out_and_told(folder: Path, content: str) -> None:
    put_json(folder / "input_example.json", content)
    model = artifact.load(folder, "v")
    assert model.input_example is None
    assert [note.type for note in model.notes] in (["example-unreadable"], ["example-invalid"])


def test_an_example_is_read_in_every_form_that_mlflow_has_written(folder: Path, mixed: Kit) -> None:
    row = {name: mixed.rows[0].get(name) for name in mixed.classifier.feature_names_}
    names, values = list(row), list(row.values())
    split = {"columns": names, "data": [values]}
    forms: list[Any] = [
        row,
        [row],
        split,
        split | {"index": [0]},
        {"dataframe_split": split},
        {"dataframe_records": [row]},
        {"inputs": {name: [value] for name, value in row.items()}},
        {"inputs": [values]},
        {"instances": [row]},
        row | {"an_id": 7},
        {name: value for name, value in row.items() if name != "purpose"},
    ]
    for form in forms:
        put_json(folder / "input_example.json", form)
        model = artifact.load(folder, "v")
        assert model.input_example is not None, form
        assert {name: model.input_example.get(name) for name in names} == row | {
            "purpose": None if "purpose" not in model.input_example else row["purpose"]
        }


@pytest.fixture(scope="module")
def by_word() -> CatBoostClassifier:
    """A model that looks at nothing but a category."""
    data = pd.DataFrame({"word": ["low", "high", "unknown", "nan"] * 25})
    return fitted(data, [0, 1, 0, 1] * 25, cat_features=["word"])


@pytest.mark.parametrize(("metadata", "meant"), [({"missing_category": "unknown"}, "unknown"), ({}, "nan")])
def test_a_missing_category_is_what_the_model_says_or_nan(
    by_word: CatBoostClassifier, tmp_path: Path, metadata: dict[str, str], meant: str
) -> None:
    inputs = [{"name": "word", "type": "string", "required": False}]
    model = artifact.load(write_bare_artifact(tmp_path, by_word, inputs, **metadata), "v")
    score, other = by_word.predict_proba([[meant], ["nan" if meant == "unknown" else "unknown"]])[:, 1]
    assert score != other
    assert model.scorer.score_rows([{"word": None}, {}]).tolist() == [score, score]
    assert model.scorer.score_batch(model.contract.to_batch([{}, {"word": meant}])).tolist() == [score, score]
