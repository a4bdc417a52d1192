import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pret import InvalidValue
from shared import reasons
from ui.batch import results
from ui.batch.charts import MAX_BARS, bars_of, histogram
from ui.batch.downloads import csv_size
from ui.batch.results import FINE_BINS, Declined, Wanted, page_of, summarise
from ui.texts import Texts

ROWS = 1000
THRESHOLD = 0.1
TOO_YOUNG = InvalidValue(
    "greater_than_equal", "Input should be greater than or equal to 18", None, "AGE", {"limit": 18}
)
MISSING = InvalidValue("missing", "Field required", None, "RATE")


def told(*values: InvalidValue) -> tuple[str, str]:
    """What the service writes of an invalid row, in words and as JSON."""
    found = [reasons.InvalidValue(None, it.column, it.type, it.params) for it in values]
    return "; ".join(it.text for it in found), msgspec.json.encode([it.in_row() for it in found]).decode()


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of 1000 rows in four row groups, read in batches of 100; every tenth row is invalid, some in two columns."""
    monkeypatch.setattr(results, "BATCH_ROWS", 100)
    random = np.random.default_rng(0)
    score = random.uniform(0, 0.3, ROWS)
    invalid = np.arange(ROWS) % 10 == 3
    refused = score >= THRESHOLD
    both = [MISSING, TOO_YOUNG]
    invalid_rows = [told(*both[number % 20 == 13 :]) if it else None for number, it in enumerate(invalid)]
    table = pa.table(
        {
            "id": [f"Client {number}" for number in range(ROWS)],
            "group": pa.array(np.arange(ROWS) % 7),
            "score": pa.array(score, mask=invalid),
            "prediction": pa.array(refused.astype(np.int8), mask=invalid),
            "decision": pa.array(np.where(refused, "Refusé", "Accordé"), mask=invalid).dictionary_encode(),
            "error": pa.array([it[0] if it else None for it in invalid_rows], pa.string()),
            "errors": pa.array([it[1] if it else None for it in invalid_rows], pa.string()),
        }
    )
    path = tmp_path / "scores.parquet"
    pq.write_table(table, path, row_group_size=250)
    return path


def expected(path: Path, keep: Any, order: Any = None) -> list[int]:
    rows = [(number, row) for number, row in enumerate(pq.read_table(path).to_pylist()) if keep(row)]
    return [number for number, _ in (sorted(rows, key=lambda it: order(it[1])) if order else rows)]


def test_all_rows_are_counted_by_score_and_decision(scores: Path) -> None:
    summary = summarise(scores)
    table = pq.read_table(scores).to_pylist()
    assert summary.granted.sum() == sum(row["prediction"] == 0 for row in table)
    assert summary.refused.sum() == sum(row["prediction"] == 1 for row in table)
    assert summary.granted[int(THRESHOLD * FINE_BINS) + 1 :].sum() == 0
    assert summary.reasons == ((TOO_YOUNG, 100), (MISSING, 50))


@pytest.mark.parametrize(
    ("wanted", "keep"),
    [
        (Wanted(), lambda row: True),
        (Wanted(outcomes=frozenset({"refused"})), lambda row: row["prediction"] == 1),
        (Wanted(outcomes=frozenset({"invalid"})), lambda row: row["error"] is not None),
        (Wanted(lowest=0.05, highest=0.2), lambda row: row["score"] is not None and 0.05 <= row["score"] <= 0.2),
        (Wanted(text="client 99"), lambda row: "Client 99" in row["id"]),
        (Wanted(text="greater than"), lambda row: row["error"] is not None),
        (Wanted(text="*"), lambda row: False),
    ],
)
def test_rows_are_filtered_in_the_order_of_the_file(scores: Path, wanted: Wanted, keep: Any) -> None:
    right = expected(scores, keep)
    for offset in (0, 30, 990):
        page = page_of(scores, wanted, offset, 30)
        assert page.total == len(right)
        assert list(page.numbers) == right[offset : offset + 30]
        assert page.rows["id"].to_pylist() == [f"Client {number}" for number in page.numbers]


def test_a_later_page_reads_no_more_than_it_needs(scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Wanted(outcomes=frozenset({"invalid"}))
    whole = page_of(scores, wanted, 10, 10)
    read: list[int] = []
    mask = results._mask

    def counted(batch: pa.RecordBatch, it: Wanted) -> Any:
        read.append(batch.num_rows)
        return mask(batch, it)

    monkeypatch.setattr(results, "_mask", counted)
    assert page_of(scores, wanted, 10, 10, whole.total) == whole
    assert sum(read) <= 300


@pytest.mark.parametrize(("order", "sign"), [("highest", -1), ("lowest", 1)])
def test_rows_are_sorted_by_score_and_those_without_come_last(scores: Path, order: str, sign: int) -> None:
    right = expected(
        scores, lambda row: True, lambda row: (row["score"] is None, sign * row["score"] if row["score"] else 0)
    )
    for offset in (0, 300, 890):
        page = page_of(scores, Wanted(order=order), offset, 50)
        assert page.total == ROWS
        assert list(page.numbers) == right[offset : offset + 50]


def test_only_the_first_rows_are_sorted(scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_SORTED", 60)
    page = page_of(scores, Wanted(order="highest"), 50, 50)
    assert len(page.numbers) == 10
    assert page.total == ROWS


def test_results_of_rows_that_were_not_flagged_have_no_reasons(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    columns = {"score": [0.0, 1.0], "prediction": pa.array([0, 1], pa.int8()), "decision": ["Accordé", "Refusé"]}
    pq.write_table(pa.table(columns), path)
    summary = summarise(path)
    assert summary.reasons == ()
    assert summary.granted[0] == summary.refused[-1] == 1
    assert page_of(path, Wanted(text="x"), 0, 10).total == 0


def test_bars_are_few_and_hold_all_rows(scores: Path) -> None:
    summary = summarise(scores)
    bars = bars_of(summary)
    assert sum(bar.rows for bar in bars) == 900
    assert len({bar.start for bar in bars}) <= MAX_BARS
    assert {bar.is_refused for bar in bars if bar.end <= THRESHOLD} == {False}


def test_the_figure_says_in_words_which_side_is_which(scores: Path) -> None:
    for language, words in (("fr", "Refusé\u00a0: à partir de 10,0\u00a0%"), ("en", "Refusé: from 10.0% up")):
        chart = histogram(
            bars_of(summarise(scores)), THRESHOLD, ("Accordé", "Refusé"), "#000000", Texts.of(language)
        ).to_json(ensure_ascii=False)
        assert words in chart
        assert "dashed" in chart or "strokeDash" in chart


def test_the_size_as_csv_is_estimated_from_the_first_rows(scores: Path) -> None:
    table = pq.read_table(scores).to_pylist()
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(row.values() for row in table)
    right = len(text.getvalue())
    assert csv_size(scores) == pytest.approx(right, rel=0.3)


def explained(path: Path) -> Path:
    """Results of five rows with reasons, one of them invalid."""
    kind = pa.list_(pa.struct([("feature", pa.string()), ("contribution", pa.float64())]))
    told = [
        [{"feature": "A", "contribution": 2.0}, {"feature": "B", "contribution": 1.0}],
        [{"feature": "A", "contribution": -2.0}, {"feature": "B", "contribution": 1.0}],
        [{"feature": "A", "contribution": 3.0}],
        None,
        [{"feature": "C", "contribution": -1.0}],
    ]
    score = [0.5, 0.5, 0.01, None, 0.5]
    prediction = [1, 1, 0, None, 1]
    columns = {"score": score, "prediction": pa.array(prediction, pa.int8()), "decision": ["x"] * 5}
    pq.write_table(pa.table(columns | {"reasons": pa.array(told, kind)}), path)
    return path


def test_refused_rows_are_counted_by_what_speaks_against_them(tmp_path: Path) -> None:
    summary = summarise(explained(tmp_path / "explained.parquet"))
    assert summary.declined == (Declined("B", 1, 2), Declined("A", 1, 1))


def test_the_size_of_reasons_as_csv_is_estimated_too(tmp_path: Path) -> None:
    assert csv_size(explained(tmp_path / "explained.parquet")) > 100
