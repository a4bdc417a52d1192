"""What if: each point is the score of that row, and a flip is the nearest value with the other decision."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shared.errors import WrongColumns
from shared.models import artifact
from shared.models.artifact import Model
from shared.scoring import score
from shared.what_if import MAX_POINTS, FeatureCurve, what_if
from tests.factories import Kit, Row, fitted, make_rows, make_town_kit, write_bare_artifact


@pytest.fixture(scope="module")
def model(mixed: Kit, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return artifact.load(mixed.write(tmp_path_factory.mktemp("what_if")), "v")


def curves(model: Model, row: Row, *names: str) -> list[FeatureCurve]:
    return what_if(model, row, names or None, "en").features


def decision(model: Model, row: Row) -> bool:
    model.contract.row_adapter.validate_python(row)
    assert not model.contract.unordered(row)
    return bool(score(model, [row]).is_refused[0])


def neighbours(model: Model, curve: FeatureCurve, feature_type: str) -> Any:
    """Values between that of the row and the flip, close to the flip."""
    if feature_type == "long":
        return curve.flips_at + (1 if curve.flips_at < curve.value else -1)
    return float(np.nextafter(np.float32(curve.flips_at), np.float32(curve.value)))


def test_each_point_is_the_score_of_that_row(model: Model) -> None:
    for row in make_rows(8, seed=3, purpose=True):
        found = what_if(model, row, ["income", "age", "married", "purpose", "lowest"], "en")
        [own] = score(model, [row]).answers()
        assert (found.score, found.decision) == (own.score, own.decision)
        for curve in found.features:
            assert curve.value == row.get(curve.feature)
            rows = [row | {curve.feature: point.value} for point in curve.points]
            assert [point.score for point in curve.points] == score(model, rows).scores.tolist()
            assert row.get(curve.feature) in [point.value for point in curve.points]


def test_values_keep_the_contract_and_ascend(model: Model) -> None:
    for row in make_rows(8, seed=5, purpose=True):
        for curve in curves(model, row, "income", "age", "children", "lowest", "highest"):
            given = [point.value for point in curve.points if point.value is not None]
            assert given == sorted({*given})
            assert ([point.value for point in curve.points][-1] is None) == (curve.feature not in ("income", "age"))
            for value in given:
                decision(model, row | {curve.feature: value})


def test_a_flip_is_the_nearest_value_with_the_other_decision(model: Model) -> None:
    flips = 0
    for row in make_rows(40, seed=7, purpose=True):
        for curve, kind in zip(curves(model, row, "income", "age"), ("double", "long"), strict=True):
            if curve.flips_at is None:
                assert len({point.score >= model.threshold for point in curve.points}) == 1
                continue
            flips += 1
            assert decision(model, row | {curve.feature: curve.flips_at}) != decision(model, row)
            nearer = neighbours(model, curve, kind)
            assert decision(model, row | {curve.feature: nearer}) == decision(model, row)
    assert flips > 10


def test_a_category_flips_to_the_one_that_changes_the_score_least(tmp_path: Path) -> None:
    kit = make_town_kit()
    model = artifact.load(kit.write(tmp_path), "v")
    for row in kit.rows[:20]:
        [curve] = curves(model, row, "town")
        own = score(model, [row]).scores[0]
        others = [point for point in curve.points if (point.score >= 0.5) != (own >= 0.5) and point.value is not None]
        assert curve.kind == "category"
        assert curve.flips_at == min(others, key=lambda point: abs(point.score - own)).value


@pytest.mark.parametrize(
    ("feature", "kind", "range_from"),
    [
        ("income", "number", "model"),
        ("age", "whole_number", "contract"),
        ("married", "boolean", "contract"),
        ("children", "whole_number", "contract"),
        ("purpose", "category", "model"),
    ],
)
def test_a_range_is_that_of_the_contract_or_else_of_the_model(
    model: Model, mixed: Kit, feature: str, kind: str, range_from: str
) -> None:
    [curve] = curves(model, mixed.rows[0], feature)
    assert (curve.kind, curve.range_from) == (kind, range_from)
    if feature == "age":
        assert (curve.points[0].value >= 18, curve.points[-1].value <= 100) == (True, True)


def test_without_names_the_features_that_contribute_most_are_tried(model: Model, mixed: Kit) -> None:
    row = mixed.rows[0]
    sizes = np.abs(model.explainer.explain_rows([row]).values[0])
    expected = [model.contract.names[place] for place in np.argsort(-sizes, kind="stable")[:5]]
    assert [curve.feature for curve in curves(model, row)] == expected


def test_a_missing_value_is_told_and_flips_where_it_may(model: Model, mixed: Kit) -> None:
    for row in make_rows(60, seed=9, purpose=True):
        row["lowest"] = None
        [curve] = curves(model, row, "lowest")
        assert curve.value is None
        if curve.flips_at is not None:
            assert decision(model, row | {"lowest": curve.flips_at}) != decision(model, row)
            return
    pytest.fail("no value flips any decision")


@pytest.mark.parametrize(
    ("names", "type"),
    [
        ([], "what-if-count"),
        (["age", "age"], "what-if-count"),
        (["income", "age", "married", "children", "lowest", "highest"], "what-if-count"),
        (["age", "salary"], "what-if-unknown"),
    ],
)
def test_names_that_cannot_be_tried_are_rejected(model: Model, mixed: Kit, names: list[str], type: str) -> None:
    with pytest.raises(WrongColumns) as caught:
        what_if(model, mixed.rows[0], names, "en")
    assert caught.value.reason.type == type


def test_a_feature_without_a_range_is_rejected_or_passed_over(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    data = pd.DataFrame({"used": random.normal(size=300), "unused": np.zeros(300)})
    classifier = fitted(data, data["used"] > 0)
    inputs = [{"name": name, "type": "double"} for name in data]
    model = artifact.load(write_bare_artifact(tmp_path, classifier, inputs), "v")
    row: Row = {"used": 0.5, "unused": 1.0}
    assert [curve.feature for curve in curves(model, row)] == ["used"]
    with pytest.raises(WrongColumns, match="'unused'"):
        curves(model, row, "unused")


def test_of_many_borders_a_hundred_points_are_shown_and_all_are_searched(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    data = pd.DataFrame({"x": random.normal(size=3000)})
    # One narrow strip is refused.
    target = data["x"].between(1.0, 1.02)
    classifier = fitted(data, target, iterations=200, depth=6, border_count=1000, learning_rate=0.5)
    features = {"x": {"ge": -1e300, "le": 1e300}}
    model = artifact.load(
        write_bare_artifact(tmp_path, classifier, [{"name": "x", "type": "double"}], features=features), "v"
    )
    [curve] = curves(model, {"x": -1.0}, "x")
    assert len(curve.points) <= MAX_POINTS
    assert -1.0 in [point.value for point in curve.points]
    assert all(np.isfinite(point.value) for point in curve.points)
    assert curve.flips_at == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("bounds", [{}, {"ge": 0}, {"le": 10}, {"ge": -(10**30), "le": 10**30}, {"ge": 5, "le": 5}])
@pytest.mark.parametrize("kind", ["long", "integer", "double"])
def test_any_bounds_give_values_that_the_contract_accepts(tmp_path: Path, kind: str, bounds: Any) -> None:
    data = pd.DataFrame({"n": np.arange(200) % 11, "y": np.arange(200) % 7})
    classifier = fitted(data, data["n"] + data["y"] > 8)
    inputs = [{"name": name, "type": kind, "required": name == "n"} for name in data]
    folder = write_bare_artifact(tmp_path, classifier, inputs, features={"n": bounds}, ordered=[["y", "n"]])
    model = artifact.load(folder, "v")
    value = 5.0 if kind == "double" else 5
    for curve in curves(model, {"n": value, "y": value}, "n", "y"):
        for point in curve.points:
            decision(model, {"n": value, "y": value, curve.feature: point.value})


def test_a_value_that_the_model_rounds_to_a_border_keeps_its_place(model: Model, mixed: Kit) -> None:
    place = model.contract.names.index("income")
    for border in model.borders[place][:20]:
        for value in (border, np.nextafter(border, np.inf), np.nextafter(border, -np.inf)):
            row = mixed.rows[0] | {"income": float(value)}
            [curve] = curves(model, row, "income")
            given = [point.value for point in curve.points]
            assert float(value) in given
            assert given == sorted(given)


def whole_numbers(folder: Path, values: Any, target: Any, **notes: Any) -> Model:
    """A model of a whole number, which nothing bounds unless `notes` do, and of something else."""
    data = pd.DataFrame({"n": values, "x": np.linspace(0, 1, len(values))})
    classifier = fitted(data, target, iterations=40, learning_rate=0.5)
    inputs = [{"name": "n", "type": "long"}, {"name": "x", "type": "double"}]
    return artifact.load(write_bare_artifact(folder, classifier, inputs, features={"n": notes}), "v")


def test_a_flag_that_is_a_whole_number_has_both_its_values(tmp_path: Path) -> None:
    flags = np.arange(200) % 2
    model = whole_numbers(tmp_path, flags, flags == 1)
    for own in (0, 1):
        [curve] = curves(model, {"n": own, "x": 0.5}, "n")
        assert [point.value for point in curve.points] == [0, 1]
        assert curve.flips_at == 1 - own


@pytest.mark.parametrize(
    ("scale", "notes"),
    [
        (1, {}),
        (1, {"ge": 0}),
        (1, {"le": 3}),
        (1, {"ge": -5, "le": 9}),
        (-1, {}),
        (-1, {"ge": -3}),
        (1000, {}),
        (10**8, {}),
        # Between neighbours, the model sees no others.
        (2**31, {}),
    ],
)
def test_whole_numbers_before_the_first_border_and_after_the_last_are_tried(
    tmp_path: Path, scale: int, notes: dict[str, int]
) -> None:
    values = np.arange(400) % 4
    for refused in ([0], [3], [1], [0, 1], [2, 3], [0, 3]):
        model = whole_numbers(tmp_path / str(refused), scale * values, np.isin(values, refused), **notes)
        for own in range(4):
            [curve] = curves(model, {"n": scale * own, "x": 0.5}, "n")
            scores = {round(score(model, [{"n": scale * value, "x": 0.5}]).scores[0], 12) for value in range(4)}
            assert {round(point.score, 12) for point in curve.points} >= scores
            assert curve.flips_at is not None
            assert decision(model, {"n": curve.flips_at, "x": 0.5}) != decision(model, {"n": scale * own, "x": 0.5})


def test_a_whole_number_above_the_last_border_is_above_it_in_32_bits(tmp_path: Path) -> None:
    values = np.array([1_700_000_000, 1_700_000_256] * 100)
    model = whole_numbers(tmp_path, values, values > 1_700_000_000)
    [curve] = curves(model, {"n": 1_700_000_000, "x": 0.5}, "n")
    assert curve.flips_at is not None
    assert not decision(model, {"n": 1_700_000_000, "x": 0.5})
    assert decision(model, {"n": curve.flips_at, "x": 0.5})
