"""Importance: mean absolute contributions, from the artifact or else from its golden rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import BadArtifact, NotExplainable
from shared.importance import Importance, importance_of
from shared.models import artifact
from shared.models.artifact import Model
from tests.factories import METADATA, Kit, make_rows, write_checksums

GROUPED = METADATA | {"features": {"lowest": {"group": "scores"}, "highest": {"group": "scores"}}}


@pytest.fixture
def folder(mixed: Kit, tmp_path: Path) -> Path:
    return Kit(mixed.classifier, mixed.inputs, GROUPED, mixed.rows).write(tmp_path / "model")


def loaded(folder: Path) -> Model:
    write_checksums(folder)
    return artifact.load(folder, "v")


def test_what_lies_in_the_artifact_is_given(folder: Path) -> None:
    model = loaded(folder)
    assert importance_of(model) == Importance(
        "training", 100, dict.fromkeys(model.contract.names, 0.5), {"scores": 0.75}
    )
    assert "importance-missing" not in [note.type for note in model.notes]


def test_without_it_the_golden_rows_give_it_and_a_note_says_so(folder: Path) -> None:
    (folder / "importance.json").unlink()
    model = loaded(folder)
    assert [note.type for note in model.notes] == ["importance-missing"]
    found = importance_of(model)
    values = model.explainer.explain_rows(model.golden_rows).values
    assert (found.source, found.rows) == ("golden rows", len(values))
    assert found.features == pytest.approx(dict(zip(model.contract.names, np.abs(values).mean(axis=0), strict=True)))
    places = [model.contract.names.index(name) for name in ("lowest", "highest")]
    assert found.groups == pytest.approx({"scores": np.abs(values[:, places].sum(axis=1)).mean()})


def test_over_many_rows_it_is_the_mean(folder: Path) -> None:
    model = loaded(folder)
    rows = make_rows(300, seed=2, purpose=True)
    found = Importance.over(model, model.contract.to_batch(rows), "training")
    expected = np.abs(model.explainer.explain_rows(rows).values).mean(axis=0)
    assert list(found.features.values()) == pytest.approx(expected.tolist())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 100_000,
        "[]",
        '{"income": 1}',
        '{"source": "training", "rows": 1, "features": {"income": 1}, "groups": {}}',
        '{"source": "x", "rows": 1, "features": {}, "groups": {}}',
        '{"source": "training", "rows": 1, "features": {"income": null}, "groups": {}}',
    ],
)
def test_a_file_of_another_meaning_is_passed_over(folder: Path, content: str) -> None:
    (folder / "importance.json").write_text(content)
    assert importance_of(loaded(folder)).source == "golden rows"


def test_without_any_rows_there_is_a_reason(folder: Path) -> None:
    (folder / "importance.json").unlink()
    (folder / "golden.json").unlink()
    model = loaded(folder)
    assert "importance-missing" not in [note.type for note in model.notes]
    with pytest.raises(NotExplainable, match="Nothing tells"):
        importance_of(model)


def test_a_damaged_file_is_noticed(folder: Path) -> None:
    content: dict[str, Any] = json.loads((folder / "importance.json").read_text())
    write_checksums(folder)
    (folder / "importance.json").write_text(json.dumps(content | {"rows": 5}))
    with pytest.raises(BadArtifact, match=r"importance\.json"):
        artifact.load(folder, "v")
