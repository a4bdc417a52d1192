"""Results are read in the order of the rows, across the borders of chunks."""

import pytest

from shared.errors import JobConflict, StorageUnavailable
from shared.jobs import results
from shared.jobs.job import Job, JobState
from tests.factories import Kit, make_job
from tests.unit.workbench import Workbench

ROWS = 11


@pytest.fixture
def job(bench: Workbench, numbers: Kit) -> Job:
    """A job of eleven rows in three chunks, scored."""
    return bench.score_all(bench.submit(numbers.rows[:ROWS]))


def test_every_page_is_that_part_of_the_scores(bench: Workbench, numbers: Kit, job: Job) -> None:
    expected = numbers.expected(numbers.rows[:ROWS])
    for offset in range(ROWS + 2):
        for limit in range(ROWS + 2):
            page = results.scores(job, bench.parts.storage, offset, limit)
            assert page.tolist() == expected[offset : offset + limit]


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.SUCCEEDED])
def test_only_a_job_that_succeeded_has_results(bench: Workbench, state: JobState) -> None:
    with pytest.raises(JobConflict, match=state.value):
        results.scores(make_job(state=state), bench.parts.storage, 0, 1)


def test_a_failed_job_tells_why_it_has_none(bench: Workbench) -> None:
    with pytest.raises(JobConflict, match="its model is gone"):
        results.scores(make_job(state=JobState.FAILED, error="its model is gone"), bench.parts.storage, 0, 1)


@pytest.mark.parametrize("content", [None, b"", b"ARROW1", "half"])
def test_scores_that_cannot_be_read_are_unavailable(bench: Workbench, job: Job, content: bytes | str | None) -> None:
    blob = bench.folder / "storage" / job.scores_blob(1)
    whole = blob.read_bytes()
    blob.unlink()
    if content is not None:
        blob.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    with pytest.raises(StorageUnavailable):
        results.scores(job, bench.parts.storage, 0, ROWS)
    assert len(results.scores(job, bench.parts.storage, 0, job.chunk_rows)) == job.chunk_rows
