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


def test_the_guide_lists_them() -> None:
    told = GUIDE.read_text(encoding="utf-8").partition("\n## What is served, and what is not\n")[2]
    section = told.partition("\n## ")[0]
    assert section.partition("\n### ")[2].splitlines() == "\n".join(as_markdown()).removeprefix("### ").splitlines()
