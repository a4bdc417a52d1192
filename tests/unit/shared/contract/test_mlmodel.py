"""The file MLmodel: what serving reads of it, and a clear refusal of whatever else it may hold."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.contract import mlmodel
from shared.contract.text import Text
from shared.errors import BadArtifact

INPUTS = json.dumps([{"name": "x", "type": "double"}])
GOOD: dict[str, Any] = {"signature": {"inputs": INPUTS}, "metadata": {"best_threshold": 0.4}}


def read(folder: Path, text: str | bytes) -> mlmodel.MLmodel:
    path = folder / "MLmodel"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return mlmodel.read(path)


def test_what_serving_needs_is_read_and_the_rest_passed_over(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        yaml.safe_dump(
            {
                "flavors": {"python_function": {"loader_module": "mlflow.catboost"}},
                "signature": {"inputs": INPUTS, "outputs": None, "params": None},
                "metadata": {"best_threshold": 0.4, "author": "me", "features": {"x": {"description": "é", "ge": 1}}},
                "utc_time_created": "2026-01-02 03:04:05.678901",
                "run_id": "abc",
            }
        ),
    )
    assert [(column.name, column.type, column.required) for column in found.columns] == [("x", "double", True)]
    assert found.metadata.stated_threshold == mlmodel.StatedThreshold(key="best_threshold", value=0.4)
    assert found.metadata.features["x"].description == Text("é", "é")
    assert found.utc_time_created == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    assert (found.run_id, found.model_id) == ("abc", None)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "\x00",
        b"\xff\xff\xff",
        "[" * 600,
        "? [a]\n: 1",
        "!!python/object/apply:os.getcwd []",
        "utc_time_created: 2026-13-45 00:00:00",
        "metadata: 2026-02-30",
        "run_id: " + "1" * 5000,
        "a: !!int 'x'",
    ],
)
def test_what_is_not_yaml_is_a_bad_artifact(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(BadArtifact, match="'MLmodel' is not YAML"):
        read(tmp_path, text)


@pytest.mark.parametrize("content", [None, [], [1], 5, "text"])
def test_a_file_of_another_shape_is_a_bad_artifact(tmp_path: Path, content: Any) -> None:
    with pytest.raises(BadArtifact, match="cannot be served"):
        read(tmp_path, yaml.safe_dump(content))


@pytest.mark.parametrize(
    "signature",
    [
        [],
        {"inputs": "["},
        {"inputs": "{}"},
        {"inputs": '["x"]'},
        {"inputs": "[" * 5000},
        {"inputs": 5},
    ],
)
def test_a_signature_that_is_none_of_mlflows_is_a_bad_artifact(tmp_path: Path, signature: Any) -> None:
    with pytest.raises(BadArtifact, match=r"signature|not YAML"):
        read(tmp_path, yaml.safe_dump(GOOD | {"signature": signature}))


@pytest.mark.parametrize("signature", [None, {}, {"inputs": None}, {"inputs": "[]"}, {"outputs": "[]"}])
def test_a_signature_may_be_absent(tmp_path: Path, signature: Any) -> None:
    assert read(tmp_path, yaml.safe_dump(GOOD | {"signature": signature})).columns == ()
    assert read(tmp_path, "flavors: {}").columns == ()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ({"name": "x", "type": "double"}, ("x", "double", True)),
        ({"name": "x", "type": "double", "required": False}, ("x", "double", False)),
        ({"name": "x", "type": "double", "optional": True}, ("x", "double", False)),
        ({"name": "x", "type": "double", "optional": False}, ("x", "double", True)),
        ({"name": 5, "type": "long"}, ("5", "long", True)),
        ({"name": 0.5, "type": "long"}, ("0.5", "long", True)),
        ({"name": ["now", 1], "type": "long"}, ("('now', 1)", "long", True)),
        ({"name": "", "type": "long"}, ("", "long", True)),
        ({"type": "double"}, (None, "double", True)),
        ({"name": "x", "type": "datetime"}, ("x", "datetime", True)),
        ({"name": "x", "type": {"type": "array"}}, ("x", "object", True)),
    ],
)
def test_a_column_is_read_as_any_version_of_mlflow_wrote_it(
    tmp_path: Path, column: dict[str, Any], expected: tuple[str | None, str, bool]
) -> None:
    [found] = read(tmp_path, yaml.safe_dump(GOOD | {"signature": {"inputs": json.dumps([column])}})).columns
    assert (found.name, found.type, found.required) == expected


def test_a_signature_of_tensors_has_no_columns(tmp_path: Path) -> None:
    inputs = '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 15]}}]'
    found = read(tmp_path, yaml.safe_dump(GOOD | {"signature": {"inputs": inputs}}))
    assert (found.is_tensor, found.columns) == (True, ())


@pytest.mark.parametrize(
    ("tensor", "width"),
    [
        ({"dtype": "float32", "shape": [-1, 15]}, 15),
        ({"dtype": "float32", "shape": [-1, -1]}, None),
        ({"dtype": "float32", "shape": [-1]}, None),
        ({"dtype": "float32", "shape": [-1, 3, 4]}, None),
        ({"dtype": "float32", "shape": "?"}, None),
        (None, None),
    ],
)
def test_a_tensor_may_say_how_many_features_a_row_has(tmp_path: Path, tensor: Any, width: int | None) -> None:
    inputs = json.dumps([{"type": "tensor", "tensor-spec": tensor}])
    assert read(tmp_path, yaml.safe_dump(GOOD | {"signature": {"inputs": inputs}})).width == width


def test_a_signature_of_anything_has_no_columns(tmp_path: Path) -> None:
    found = read(tmp_path, yaml.safe_dump(GOOD | {"signature": {"inputs": '[{"type": "any", "required": true}]'}}))
    assert (found.is_anything, found.is_tensor, found.columns) == (True, False, ())


@pytest.mark.parametrize(
    ("metadata", "key", "value"),
    [
        ({"threshold": 0.3}, "threshold", 0.3),
        ({"optimal_threshold": 1}, "optimal_threshold", 1.0),
        ({"optimal_threshold": 0.2, "best_threshold": 0.1, "threshold": 0.3}, "best_threshold", 0.1),
        ({"best_threshold": None, "threshold": 0.3}, "threshold", 0.3),
    ],
)
def test_a_threshold_may_stand_under_several_names(
    tmp_path: Path, metadata: dict[str, Any], key: str, value: float
) -> None:
    found = read(tmp_path, yaml.safe_dump(GOOD | {"metadata": metadata})).metadata.stated_threshold
    assert found == mlmodel.StatedThreshold(key=key, value=value)


@pytest.mark.parametrize(
    "metadata", [None, [], "text", {}, {"features": ["a", "b"]}, {"features": None}, {"author": 1}]
)
def test_metadata_of_others_are_passed_over(tmp_path: Path, metadata: Any) -> None:
    found = read(tmp_path, yaml.safe_dump(GOOD | {"metadata": metadata})).metadata
    assert (found.stated_threshold, found.positive_class, found.features) == (None, None, {})


@pytest.mark.parametrize("label", ["bad", 1, 0, 1.0, True, "1"])
def test_the_positive_class_is_read_as_it_stands(tmp_path: Path, label: Any) -> None:
    found = read(tmp_path, yaml.safe_dump(GOOD | {"metadata": {"positive_class": label}})).metadata.positive_class
    assert (found, type(found)) == (label, type(label))


@pytest.mark.parametrize(
    ("flavors", "data", "save_format"),
    [
        ({}, "model.cb", "cbm"),
        ({"catboost": None}, "model.cb", "cbm"),
        ({"catboost": {"data": "model.cbm", "save_format": "json"}}, "model.cbm", "json"),
        ({"catboost": {"data": "a.cbm"}, "sklearn": {}, "python_function": {"loader_module": "a"}}, "a.cbm", "cbm"),
        ({"python_function": {"loader_module": "mlflow.catboost"}}, "model.cb", "cbm"),
        ({"python_function": None}, "model.cb", "cbm"),
    ],
)
def test_file_and_format_are_those_of_the_catboost_flavour(
    tmp_path: Path, flavors: Any, data: str, save_format: str
) -> None:
    found = read(tmp_path, yaml.safe_dump(GOOD | {"flavors": flavors}))
    assert (found.data, found.save_format) == (data, save_format)


@pytest.mark.parametrize(
    ("flavors", "named"),
    [
        ({"sklearn": {"pickled_model": "x"}}, "sklearn"),
        ({"sklearn": None, "python_function": {"loader_module": "mlflow.sklearn"}}, "sklearn"),
        ({"python_function": {"loader_module": "mlflow.pyfunc.model"}}, "mlflow.pyfunc.model"),
        ({"python_function": {"loader_module": "scoring.catboost"}}, "scoring.catboost"),
        ({"xgboost": {}, "onnx": {}}, "'onnx', 'xgboost'"),
    ],
)
def test_a_model_of_another_flavour_is_a_bad_artifact(tmp_path: Path, flavors: Any, named: str) -> None:
    with pytest.raises(BadArtifact, match=named):
        read(tmp_path, yaml.safe_dump(GOOD | {"flavors": flavors}))


@pytest.mark.parametrize("threshold", ["high", "0.4", -0.01, 1.01, float("nan"), float("inf"), [0.5], True])
def test_a_threshold_that_is_no_probability_is_a_bad_artifact(tmp_path: Path, threshold: Any) -> None:
    with pytest.raises(BadArtifact, match="best_threshold"):
        read(tmp_path, yaml.safe_dump(GOOD | {"metadata": {"best_threshold": threshold}}))


@pytest.mark.parametrize(
    ("place", "metadata"),
    [
        ("features.1", {"features": {1: {}}}),
        ("features.x.ge", {"features": {"x": {"ge": "low"}}}),
        ("features.x.le", {"features": {"x": {"le": float("nan")}}}),
        ("MLmodel", {"features": {"x": {"ge": -(10**400)}}}),
        ("features.x.values", {"features": {"x": {"values": []}}}),
        ("features.x.values", {"features": {"x": {"values": "abc"}}}),
        ("features.x.values", {"features": {"x": {"values": [True]}}}),
        ("features.x.gt", {"features": {"x": {"gt": 1}}}),
        ("features.x.description", {"features": {"x": {"description": 5}}}),
        ("ordered", {"ordered": "x"}),
        ("ordered", {"ordered": ["x"]}),
        ("ordered", {"ordered": [[1]]}),
        ("missing_category", {"missing_category": 5}),
        ("positive_class", {"positive_class": [1]}),
    ],
)
def test_metadata_of_another_shape_is_a_bad_artifact_that_names_the_place(
    tmp_path: Path, place: str, metadata: Any
) -> None:
    if isinstance(metadata, dict) and place != "best_threshold":
        metadata = {"best_threshold": 0.5} | metadata
    with pytest.raises(BadArtifact, match=place):
        read(tmp_path, yaml.safe_dump(GOOD | {"metadata": metadata}))


@pytest.mark.parametrize("change", [{"utc_time_created": "soon"}, {"utc_time_created": []}, {"run_id": [5]}])
def test_an_unreadable_origin_is_a_bad_artifact(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BadArtifact, match=next(iter(change))):
        read(tmp_path, yaml.safe_dump(GOOD | change))
