"""Each kind of model is served to the last bit, or rejected with the reason that the guide tells."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from shared import scoring
from shared.formats.format import Format
from shared.formats.readers import READERS
from shared.formats.source import LocalFile, ReadOptions
from shared.models.artifact import Model
from shared.models.proof import PROVEN
from shared.models.verdict import is_fast_evaluator_installed
from tests.factories import batches_from_json
from tests.model_zoo import SERVED, ZOO, as_markdown
from tests.zoo.seen import expected, load, seen
from tests.zoo.variant import Variant

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "models.md"


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(ZOO) >= 60
    assert len({*map(id, ZOO.values())}) == len(ZOO)


@pytest.mark.parametrize("variant", ZOO.values(), ids=ZOO)
def test_a_folder_is_served_or_rejected_as_the_guide_tells(variant: Variant, tmp_path: Path) -> None:
    assert seen(variant.write(tmp_path / "model"), variant) == expected(variant)


def body_of(variant: Variant, format: Format) -> bytes:
    """The data as pandas writes them."""
    if format is Format.CSV:
        return variant.frame.to_csv(index=False).encode()
    sink = io.BytesIO()
    variant.frame.to_parquet(sink)
    return sink.getvalue()


def batches(variant: Variant, format: Format, model: Model, folder: Path) -> Iterator[pa.RecordBatch]:
    if format is Format.JSON:
        yield from batches_from_json(json.dumps(variant.rows).encode(), model.contract)
        return
    (folder / "rows").write_bytes(body_of(variant, format))
    for validated in READERS[format](LocalFile(folder / "rows"), ReadOptions(), model.contract):
        assert not validated.report.errors
        yield validated.batch


@pytest.mark.parametrize("variant", SERVED.values(), ids=SERVED)
def test_the_data_that_trained_have_catboosts_own_scores_in_every_format(variant: Variant, tmp_path: Path) -> None:
    model = load(variant.write(tmp_path / "model"), variant)
    for format in (Format.JSON, Format.CSV, Format.PARQUET):
        read = batches(variant, format, model, tmp_path)
        scores = [score for batch in read for score in scoring.score(model, batch).scores.tolist()]
        assert scores == variant.scores, format


LEFT_TO_CATBOOST = {
    "Losses and trees: `Focal`": "evaluator-differs",
    "Losses and trees: an objective of one's own, in Python": "evaluator-differs",
    "Losses and trees: `sum_models`": "evaluator-differs",
    "Losses and trees: `sum_models`, of good and bad": "evaluator-differs",
    "Losses and trees: `sum_models` of `MultiClass`": "evaluator-differs",
    "Losses and trees: trees of `Lossguide`": "evaluator-unable",
    "Losses and trees: trees of `Depthwise`": "evaluator-unable",
}
"""Served kinds that the fast evaluator does not score, and why."""


@pytest.mark.skipif(not is_fast_evaluator_installed(), reason="there is no pylignum for this platform")
@pytest.mark.parametrize(("name", "variant"), SERVED.items(), ids=SERVED)
def test_the_fast_evaluator_scores_all_kinds_but_these(name: str, variant: Variant, tmp_path: Path) -> None:
    found = load(variant.write(tmp_path / "model"), variant).evaluation
    assert found.type == LEFT_TO_CATBOOST.get(name, PROVEN)


def test_the_guide_lists_them() -> None:
    told = GUIDE.read_text(encoding="utf-8").partition("\n## What is served, and what is not\n")[2]
    section = told.partition("\n## ")[0]
    assert section.partition("\n### ")[2].splitlines() == "\n".join(as_markdown()).removeprefix("### ").splitlines()
