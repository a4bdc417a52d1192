"""The job record."""

import pytest

from shared.jobs.job import JobState
from tests.factories import make_job


@pytest.mark.parametrize(
    ("rows", "chunk_rows", "chunks"), [(1, 1, 1), (1, 10, 1), (10, 10, 1), (11, 10, 2), (30, 10, 3)]
)
def test_all_chunks_are_full_but_the_last(rows: int, chunk_rows: int, chunks: int) -> None:
    assert make_job(rows=rows, chunk_rows=chunk_rows).chunks == chunks


def test_all_blobs_lie_in_the_jobs_folder_each_under_its_own_name() -> None:
    job = make_job("abc", rows=20, chunk_rows=1)
    names = [job.input_blob, *(job.scores_blob(chunk) for chunk in range(job.chunks))]
    assert len(set(names)) == 21
    assert all(name.startswith("jobs/abc/") for name in names)
    assert job.folder == "jobs/abc"


def test_three_states_are_final() -> None:
    assert [state.value for state in JobState if state.is_final] == ["succeeded", "failed", "cancelled"]
