"""What is written into a file MLmodel, and what is left out of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.lib.mlmodel_file import Stated, make_portable, state
from shared.contract import mlmodel
from shared.errors import BadArtifact

FLAVOURS = {
    "catboost": {"data": "model.cb", "model_type": "CatBoostClassifier"},
    "python_function": {"data": "model.cb", "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}},
}


def write(folder: Path, **content: Any) -> bytes:
    text = yaml.safe_dump(content)
    (folder / "MLmodel").write_text(text)
    return text.encode()


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((folder / "MLmodel").read_bytes())
    return content


@pytest.mark.parametrize("given", [None, {}, {"owner": "risk"}, ["not", "a", "mapping"]])
def test_what_is_stated_is_what_serving_reads(tmp_path: Path, given: Any) -> None:
    write(tmp_path, flavors=FLAVOURS, metadata=given)
    state(tmp_path, Stated(0.3, "bad"))
    metadata = mlmodel.read(tmp_path / "MLmodel").metadata
    assert metadata.stated_threshold is not None
    assert (metadata.stated_threshold.key, metadata.stated_threshold.value) == ("best_threshold", 0.3)
    assert metadata.positive_class == "bad"
    assert read(tmp_path)["flavors"] == FLAVOURS
    assert read(tmp_path)["metadata"].get("owner") == ("risk" if given == {"owner": "risk"} else None)


@pytest.mark.parametrize("key", ["best_threshold", "threshold", "optimal_threshold"])
def test_a_threshold_that_was_stated_under_any_name_gives_way(tmp_path: Path, key: str) -> None:
    write(tmp_path, metadata={key: 0.7, "positive_class": "good"})
    state(tmp_path, Stated(threshold=0.3))
    assert read(tmp_path)["metadata"] == {"best_threshold": 0.3, "positive_class": "good"}


def test_a_file_that_says_the_same_already_keeps_its_bytes(tmp_path: Path) -> None:
    before = write(tmp_path, metadata={"positive_class": "bad", "best_threshold": 0.3})
    state(tmp_path, Stated(0.3, "bad"))
    state(tmp_path, Stated())
    make_portable(tmp_path, "model.cb", tmp_path)
    assert (tmp_path / "MLmodel").read_bytes() == before


def test_nothing_is_stated_of_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("metadata: [")
    with pytest.raises(BadArtifact, match="not YAML"):
        state(tmp_path, Stated(0.3))
    assert (tmp_path / "MLmodel").read_text() == "metadata: ["


def test_what_only_this_machine_understands_is_left_out(tmp_path: Path) -> None:
    example = {"artifact_path": "input_example.json", "type": "dataframe", "pandas_orient": "split"}
    kept = {"run_id": "1" * 32, "signature": {"inputs": "[]"}, "utc_time_created": "2026-01-02 03:04:05.6"}
    write(
        tmp_path, **kept, artifact_path=str(tmp_path), env_vars=["A_TOKEN"], flavors=FLAVOURS,
        saved_input_example_info=example,
    )  # fmt: skip
    make_portable(tmp_path, "model.cb", tmp_path)
    flavours = {"catboost": FLAVOURS["catboost"], "python_function": {"data": "model.cb"}}
    assert read(tmp_path) == kept | {"flavors": flavours}


def test_the_files_of_the_environment_stay_where_they_are(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "conda.yaml").write_text("name: env\n")
    write(tmp_path, flavors=FLAVOURS)
    make_portable(tmp_path, "model.cb", home)
    assert read(tmp_path)["flavors"]["python_function"]["env"] == {"conda": "conda.yaml"}
    write(tmp_path, flavors={"python_function": {"env": "conda.yaml"}})
    make_portable(tmp_path, "model.cb", home)
    assert read(tmp_path)["flavors"]["python_function"] == {"env": "conda.yaml"}
    make_portable(tmp_path, "model.cb", tmp_path)
    assert read(tmp_path)["flavors"] == {"catboost": {"data": "model.cb"}, "python_function": {}}


@pytest.mark.parametrize("flavours", [None, {}, FLAVOURS])
def test_the_model_file_is_named_where_serving_looks_for_its_name(tmp_path: Path, flavours: Any) -> None:
    write(tmp_path, flavors=flavours)
    make_portable(tmp_path, "deep/weights", tmp_path)
    assert mlmodel.read(tmp_path / "MLmodel").data == "deep/weights"
    assert read(tmp_path)["flavors"].get("python_function", {"data": "deep/weights"})["data"] == "deep/weights"


def test_a_record_example_is_noted_as_one(tmp_path: Path) -> None:
    write(tmp_path, saved_input_example_info={"artifact_path": "input_example.json", "type": "dataframe"})
    (tmp_path / "input_example.json").write_text("{}")
    make_portable(tmp_path, "model.cb", tmp_path)
    assert read(tmp_path) == {
        "saved_input_example_info": {"artifact_path": "input_example.json", "type": "json_object"}
    }
