"""The output is written whole to where the submission asked for it, or the job says why not."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import MalformedInput, RedisUnavailable, StorageUnavailable
from shared.formats.format import Format
from shared.jobs.job import WRITING, Job, JobState, Stage
from shared.jobs.store import Claim, JobStore
from shared.jobs.write import output_format
from shared.reasons import Reason
from tests.factories import Kit, removed
from tests.store_contract import ME, new_attempt
from tests.unit.workbench import Workbench

ROWS = 10


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out" / "scores.csv"


class MeddlingStore(JobStore):
    """Is meddled with at every sign of life."""

    def __init__(self, bench: Workbench, meddle: Callable[[], object]) -> None:
        super().__init__(bench.client, job_ttl=3600, lease=1000, attempts=3)
        self._meddle = meddle

    def renew(self, job_id: str, unit: str, owner: str, rows_read: int | None = None) -> bool:
        self._meddle()
        return super().renew(job_id, unit, owner, rows_read)


@pytest.fixture(autouse=True)
def _signs_of_life_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.jobs.unit.RENEW_INTERVAL", -1.0)


@pytest.fixture
def job(bench: Workbench, numbers: Kit, target: Path) -> Job:
    """A job of ten rows whose output waits to be written."""
    rows = [row | {"id": i} for i, row in enumerate(numbers.rows[:ROWS])]
    scored = bench.score_all(bench.submit(rows, keep=("id",), output_uri=f"file://{target}"))
    assert (scored.state, scored.stage) == (JobState.RUNNING, Stage.WRITING)
    return scored


def files_at(target: Path) -> list[Path]:
    return [path for path in target.parent.rglob("*") if path.is_file()] if target.parent.exists() else []


def test_the_last_chunk_asks_for_the_output(bench: Workbench, numbers: Kit, target: Path) -> None:
    job = bench.submit(numbers.rows[:5], output_uri=f"file://{target}")
    assert [bench.score(job.id, chunk) for chunk in (1, 0)] == [[], [WRITING]]
    assert not target.exists()


def test_the_output_holds_the_results_and_ends_the_job(bench: Workbench, numbers: Kit, job: Job, target: Path) -> None:
    bench.write(job.id)
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED
    with target.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert list(written[0]) == ["id", "score", "prediction", "decision"]
    assert [row["id"] for row in written] == [str(i) for i in range(ROWS)]
    assert [float(row["score"]) for row in written] == numbers.expected(numbers.rows[:ROWS])
    assert files_at(target) == [target]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.csv", Format.CSV),
        ("A.CSV", Format.CSV),
        ("a.ndjson", Format.NDJSON),
        ("a.parquet", Format.PARQUET),
        ("a.arrow", Format.ARROW),
        ("a.arrows", Format.ARROW_STREAM),
    ],
)
def test_the_name_tells_the_format(name: str, format: Format) -> None:
    assert output_format(f"s3://bucket/folder.json/{name}") is format


@pytest.mark.parametrize("name", ["a", "a.json", "a.csv.gz", "a.xlsx", "csv", "a.csv/"])
def test_a_name_that_does_not_tell_the_format_is_rejected(name: str) -> None:
    with pytest.raises(MalformedInput, match="must end in"):
        output_format(f"s3://bucket/{name}")


def test_an_output_is_written_once(bench: Workbench, job: Job, target: Path) -> None:
    bench.write(job.id)
    target.unlink()
    bench.write(job.id)
    assert files_at(target) == []


def test_an_output_that_another_worker_writes_is_left_to_it(bench: Workbench, job: Job, target: Path) -> None:
    assert bench.parts.store.claim(job.id, WRITING, new_attempt()) is Claim.TAKEN
    bench.write(job.id)
    assert files_at(target) == []


@pytest.mark.parametrize("job_id", ["0" * 32, "x"])
def test_the_output_of_no_job_is_passed_over(bench: Workbench, job_id: str) -> None:
    bench.write(job_id)
    assert bench.client.keys() == []


def test_an_output_that_cannot_be_written_is_tried_again_and_then_fails_the_job(
    bench: Workbench, job: Job, target: Path
) -> None:
    target.parent.write_text("no folder")
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            bench.write(job.id)
        assert bench.parts.store.overdue(job.id) == [WRITING]
    bench.write(job.id)
    failed = bench.parts.store.get(job.id)
    assert (failed.state, failed.retryable) == (JobState.FAILED, True)
    assert failed.error is not None
    assert (failed.error.type, failed.error.params["unit"], failed.error.params["attempts"]) == (
        "file-given-up",
        WRITING,
        3,
    )
    target.parent.unlink()
    bench.parts.store.retry(job.id, 10)
    bench.score_all(failed)
    bench.write(job.id)
    assert target.exists()


def test_damaged_scores_leave_no_output(bench: Workbench, job: Job, target: Path) -> None:
    (bench.folder / "storage" / job.scores_blob(1)).unlink()
    with pytest.raises(StorageUnavailable):
        bench.write(job.id)
    assert files_at(target) == []


def test_a_writing_that_cannot_be_recorded_is_done_again(bench: Workbench, job: Job, target: Path) -> None:
    store = MeddlingStore(bench, lambda: setattr(bench.server, "connected", False))
    with pytest.raises(RedisUnavailable):
        bench.write(job.id, bench.place(store=store))
    bench.server.connected = True
    bench.parts.store.release(job.id, WRITING, ME, Reason("worker-died"))
    bench.write(job.id)
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED
    assert files_at(target) == [target]


def test_a_writing_gives_signs_of_life(bench: Workbench, job: Job) -> None:
    signs: list[None] = []
    bench.write(job.id, bench.place(store=MeddlingStore(bench, lambda: signs.append(None))))
    assert signs
    assert bench.parts.store.get(job.id).rows_read == ROWS


@pytest.mark.parametrize("end", [JobStore.cancel, removed])
def test_a_job_that_ends_while_its_output_is_written_leaves_none(
    bench: Workbench, job: Job, target: Path, end: Callable[[JobStore, str], object]
) -> None:
    store = MeddlingStore(bench, lambda: end(bench.parts.store, job.id))
    bench.write(job.id, bench.place(store=store))
    assert files_at(target) == []


def test_a_job_cancelled_while_its_output_is_written_stays_cancelled(bench: Workbench, job: Job) -> None:
    bench.write(job.id, bench.place(store=MeddlingStore(bench, lambda: bench.parts.store.cancel(job.id))))
    assert bench.parts.store.get(job.id).state is JobState.CANCELLED
