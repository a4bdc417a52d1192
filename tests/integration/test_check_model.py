"""`pret model check` on folders: what it says, what it writes, and that what it says to write mends the model."""

import json
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from scripts import check_model
from scripts.lib import command
from scripts.lib.remedies import REMEDIES, remedy
from shared.models import artifact
from shared.reasons import Reason
from shared.sentences import REASONS
from tests.factories import Kit, fields_of, fitted, make_kit, write_bare_artifact, write_checksums

DATA = pd.DataFrame({"income": np.arange(60) * 1.5})
LABELS = np.where(DATA["income"] > 50, "good", "bad")
INCOME = [{"name": "income", "type": "double", "required": True}]

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working folder without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    for name in ("POSITIVE_CLASS", "DEFAULT_THRESHOLD", "HF_FILENAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A model whose classes are words, and which states nothing."""
    folder = write_bare_artifact(tmp_path / "words", fitted(DATA, LABELS), INCOME)
    (folder / "MLmodel").write_text(yaml.safe_dump({"signature": {"inputs": json.dumps(INCOME)}}))
    (folder / "input_example.json").write_text(json.dumps({"columns": ["income"], "data": [[3.0], [30.0], [60.5]]}))
    return folder


def check(capsys: Capture, *options: str) -> tuple[int, list[str]]:
    """Run the command; give its exit code and what it prints."""
    code = check_model.main(options)
    told = capsys.readouterr()
    assert told.err == ""
    return code, told.out.splitlines()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_whole_model_is_fit_and_its_contract_is_shown(mixed: Kit, tmp_path: Path, capsys: Capture) -> None:
    mixed.write(tmp_path / "model")
    code, lines = check(capsys, "model")
    assert code == 0
    assert [line.rstrip() for line in lines] == [
        "model      CatBoostClassifier, 20 trees, model.cb",
        "classes    0, 1",
        "score      probability of 1 (plain from the classes)",
        "threshold  0.4 (metadata.best_threshold)",
        "integrity  checksums",
        "example    one row",
        "reasons    exact SHAP values",
        "",
        "feature   type     required  nullable  allowed           why nullable, or why not",
        "income    double   yes       no        >= 0              the model was trained without missing values of it",
        "age       long     yes       no        >= 18 and <= 100  the model was trained without missing values of it",
        "married   boolean  no        yes       -                 the signature says that it is not required",
        "purpose   string   no        yes       -                 the signature says that it is not required",
        "children  integer  no        yes       0, 1, 2, 3        the signature says that it is not required",
        "lowest    double   no        yes       -                 the signature says that it is not required",
        "highest   double   no        yes       -                 the signature says that it is not required",
        "These must not decrease: lowest, highest.",
        "A missing category is scored as 'unknown'.",
        "",
        "Fit to be served.",
    ]


def test_what_is_assumed_and_what_is_unsafe_is_told_with_what_mends_it(
    numbers: Kit, tmp_path: Path, capsys: Capture
) -> None:
    folder = write_bare_artifact(tmp_path / "model", numbers.classifier, numbers.inputs)
    (folder / "MLmodel").write_text("flavors: {}\n")
    code, lines = check(capsys, "model")
    assert code == 0
    told = "\n".join(lines)
    assert "threshold  0.5 (DEFAULT_THRESHOLD)" in lines
    assert (
        "Assumed:\n"
        "- The model has no signature: the names and kinds of its features are taken from the model itself.\n"
        "  Log the model with a signature that fits it: signature=infer_signature(X, y),"
        " of the frame that it was trained on.\n"
        "- The model states no threshold, so DEFAULT_THRESHOLD (0.5) decides.\n"
        "  To state it, write into MLmodel, with your own number,\n"
        "      metadata:\n"
        "        best_threshold: 0.5\n"
    ) in told
    assert (
        "Unsafe:\n"
        "- The model has no SHA256SUMS: a file that was damaged before it came here goes unnoticed.\n"
        "  --write adds them.\n"
        "- The model has no golden rows: nothing shows that it scores as it did when it was trained.\n"
    ) in told
    assert lines[-1] == "Fit to be served."


def test_classes_that_say_nothing_are_rejected_and_the_lines_to_write_mend_that(words: Path, capsys: Capture) -> None:
    code, lines = check(capsys, "words")
    assert code == 1
    assert lines[0].startswith("Rejected: The classes of the model are 'bad' or 'good', and nothing says which")
    metadata = [i for i, line in enumerate(lines) if line == "    metadata:"]
    assert len(metadata) == 2
    mlmodel = (words / "MLmodel").read_text()
    for i, label in zip(metadata, ("bad", "good"), strict=True):
        # As a person would do it.
        (words / "MLmodel").write_text(mlmodel + textwrap.dedent("\n".join(lines[i : i + 2])) + "\n")
        code, fit = check(capsys, "words")
        assert (code, fit[2]) == (0, f"score      probability of {label} (metadata.positive_class)")


def test_options_are_tried_and_nothing_is_changed(words: Path, capsys: Capture) -> None:
    before = contents(words)
    code, lines = check(capsys, "words", "--positive-class", "good", "--threshold", "0.125")
    assert code == 0
    assert lines[2:4] == ["score      probability of good (--positive-class)", "threshold  0.125 (--threshold)"]
    code, lines = check(capsys, "words", "--positive-class", "Good")
    assert code == 1
    assert (
        lines[0]
        == "Rejected: metadata.positive_class is not one of the classes of the model, which are 'bad' or 'good'."
    )
    assert contents(words) == before


def test_the_settings_are_those_of_the_service(words: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_THRESHOLD", "0.75")
    Path(".env").write_text("POSITIVE_CLASS=bad\n")
    code, lines = check(capsys, "words")
    assert code == 0
    assert lines[2:4] == ["score      probability of bad (POSITIVE_CLASS)", "threshold  0.75 (DEFAULT_THRESHOLD)"]


def test_writing_completes_the_folder_once(words: Path, capsys: Capture) -> None:
    (words / "conda.yaml").write_text("name: env\n")
    code, lines = check(capsys, "words", "--write", "--positive-class", "bad", "--threshold", "0.25")
    assert code == 0
    assert lines[-2:] == ["Fit to be served.", "Completed words."]
    assert {"integrity  checksums", "example    one row"} <= set(lines)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=words, check=True)
    model = artifact.load(words, "any")
    assert (model.positive_class, model.threshold, model.notes) == ("bad", 0.25, ())
    golden = json.loads((words / "golden.json").read_bytes())
    assert [row["income"] for row in golden["rows"]] == [3.0, 30.0, 60.5]
    assert golden["scores"] == model.classifier.predict_proba([[3.0], [30.0], [60.5]])[:, 0].tolist()
    assert json.loads((words / "input_example.json").read_bytes()) == {"income": 3.0}
    before = contents(words)
    written = {"MLmodel", "input_example.json", "golden.json", "importance.json", "SHA256SUMS"}
    assert before.keys() == {"model.cb", "conda.yaml", *written}
    assert check(capsys, "words", "--write")[0] == 0
    assert contents(words) == before


def test_nothing_is_written_into_a_folder_that_is_rejected(words: Path, capsys: Capture) -> None:
    before = contents(words)
    assert check(capsys, "words", "--write", "--threshold", "0.25")[0] == 1
    assert contents(words) == before


def rename(folder: Path, *names: str) -> None:
    content = (folder / "model.cb").read_bytes()
    (folder / "model.cb").unlink()
    for name in names:
        (folder / name).write_bytes(content)


def describe(folder: Path, **metadata: Any) -> None:
    (folder / "MLmodel").write_text(
        yaml.safe_dump({"signature": {"inputs": json.dumps(INCOME)}, "metadata": {"positive_class": "bad"} | metadata})
    )


@pytest.mark.parametrize(
    ("spoil", "message", "mends"),
    [
        (lambda folder: (folder / "model.cb").write_bytes(b"CBM1"), "CatBoost cannot read 'model.cb'.", ""),
        (lambda folder: (folder / "model.cb").unlink(), "The model folder has no file 'model.cb'.", ""),
        (
            lambda folder: (folder / "MLmodel").unlink(),
            "The model folder has no file 'MLmodel'.",
            "The names and kinds of the features are then taken from the model itself.",
        ),
        (
            lambda folder: rename(folder, "a.cbm", "b.cbm"),
            "The model folder has several model files: 'a.cbm', 'b.cbm'. Keep one, or name it in HF_FILENAME.",
            "    flavors:\n      catboost:\n        data: a.cbm",
        ),
        (
            lambda folder: describe(folder, best_threshold="high"),
            "metadata.best_threshold is not a number from 0 to 1.",
            "      best_threshold: 0.5",
        ),
        (
            lambda folder: describe(folder, features={"age": {"ge": 18}}),
            "The metadata names features that are not in the signature: 'age'.",
            "Correct the names in metadata.features and metadata.ordered of MLmodel.",
        ),
        (
            lambda folder: describe(folder, features={"income": {"values": ["low"]}}),
            "Feature 'income' has allowed values that do not fit its type double.",
            "Correct metadata.features of 'income' in MLmodel.",
        ),
        (
            lambda folder: (folder / "SHA256SUMS").write_text(f"{'0' * 64}  model.cb\n"),
            "'model.cb' is missing or damaged: it does not match SHA256SUMS.",
            "If you have changed the file yourself, remove SHA256SUMS and run this again with --write.",
        ),
        (
            lambda folder: (folder / "golden.json").write_text('{"rows": [{"income": 1}], "scores": [0.5]}'),
            "The model does not reproduce the scores in its 'golden.json'.",
            "remove golden.json and run this again with --write.",
        ),
        (
            lambda folder: (folder / "golden.json").write_text(
                '{"positive_class": "good", "rows": [{"income": 1}], "scores": [0.5]}'
            ),
            "The scores in 'golden.json' are of class good; the model is served with those of another class.",
            "Give --positive-class good;",
        ),
    ],
)
def test_a_model_that_must_not_serve_is_told_with_what_mends_it(
    words: Path, capsys: Capture, spoil: Callable[[Path], object], message: str, mends: str
) -> None:
    describe(words)
    spoil(words)
    code, lines = check(capsys, "words")
    assert (code, lines[0]) == (1, f"Rejected: {message}")
    assert mends in "\n".join(lines[1:])
    assert bool(mends) == (len(lines) > 1)


def test_the_folder_below_is_named(words: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "run").mkdir()
    words.rename(tmp_path / "run" / "model")
    assert check(capsys, "run") == (
        1,
        ["Rejected: The model is in the folder 'model' below this one. Name that folder instead."],
    )


def test_a_model_of_three_classes_is_told_what_it_is(tmp_path: Path, capsys: Capture) -> None:
    classifier = fitted(DATA, np.arange(60) % 3, loss_function="MultiClass")
    write_bare_artifact(tmp_path / "model", classifier, INCOME)
    code, lines = check(capsys, "model")
    assert (code, lines[0]) == (1, "Rejected: The model has 3 classes; this service takes classifiers of two.")


def test_odd_names_stay_in_their_line(tmp_path: Path, capsys: Capture) -> None:
    names = ["доход", 'a,"b"', "line\nend", "\x1b[31m"]
    data = pd.DataFrame({name: np.arange(60) * 1.5 for name in names})
    inputs = [{"name": name, "type": "double", "required": True} for name in names]
    write_bare_artifact(tmp_path / "model", fitted(data, (data[names[0]] > 40).astype(int)), inputs)
    code, lines = check(capsys, "model")
    assert code == 0
    assert [line.split("  ")[0] for line in lines[9:13]] == ["доход", 'a,"b"', "line\\nend", "\\x1b[31m"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["model", "--threshold", "2"],
        ["model", "--threshold", "nan"],
        ["model", "--threshold", "high"],
        ["model", "--positive-class", " "],
        ["models:/credit@champion", "--write"],
        ["runs:/1/model", "--write"],
        ["hub:credit/model", "--write"],
    ],
)
def test_wrong_options_end_with_2(options: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        check_model.main(options)


def test_a_folder_that_is_not_there(capsys: Capture) -> None:
    assert check_model.main(["nothing"]) == 1
    assert capsys.readouterr() == ("", "There is no folder nothing; train or export a model first.\n")


@pytest.mark.parametrize(
    "source", ["file:///models/credit", "s3://key:word@bucket/model", "mlflow-artifacts:/1/model", "https://hub/model"]
)
def test_an_address_of_another_kind(capsys: Capture, source: str) -> None:
    assert check_model.main([source]) == 1
    out, err = capsys.readouterr()
    assert (out, err.partition(":/")[0]) == ("", f"Models are not read from {source.partition(':/')[0]}")
    assert "word" not in err


def test_a_file_in_place_of_its_folder(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "model.cbm").write_bytes(b"")
    assert check_model.main(["model.cbm"]) == 1
    assert (
        capsys.readouterr().err == "model.cbm is a file; give its folder, in which there must be a file MLmodel, too.\n"
    )


def test_the_help_tells_settings_and_exit_codes(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        check_model.main(["--help"])
    told = capsys.readouterr().out
    assert told.startswith("usage: pret model check")
    assert "POSITIVE_CLASS" in told
    assert "exit codes: 0 fit to be served; 1 rejected, or not to be had; 2 wrong" in told


@pytest.mark.parametrize("type", REMEDIES)
def test_every_remedy_belongs_to_a_reason_and_takes_its_parameters(type: str) -> None:
    lists = {"labels", "files", "columns"}
    params = {name: ["MLmodel"] if name in lists else "MLmodel" for name in fields_of(REASONS[type])}
    assert all(line.strip() for line in remedy(Reason(type, params)))
    assert remedy(Reason(type, params))


def test_lines_to_write_are_yaml_whatever_the_label(capsys: Capture) -> None:
    for label in ("yes", "1", "a: b", "крах", "- x", "#"):
        lines = remedy(Reason("positive-class-unknown", {"labels": [label, "other"]}))
        written = yaml.safe_load("\n".join(lines[1:3]))
        assert written == {"metadata": {"positive_class": label}}


def test_a_model_with_a_sum_file_of_its_own_keeps_its_version(tmp_path: Path, capsys: Capture) -> None:
    kit = make_kit(purpose=False, seed=5)
    kit.write(tmp_path / "model")
    write_checksums(tmp_path / "model")
    before = contents(tmp_path / "model")
    assert check(capsys, "model")[0] == 0
    assert contents(tmp_path / "model") == before
