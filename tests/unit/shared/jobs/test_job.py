"""The job record."""

from dataclasses import replace
from typing import Any

import pytest

from shared.formats.source import ReadOptions
from shared.jobs.job import JobState
from tests.factories import make_job


@pytest.mark.parametrize(
    ("rows", "chunk_rows", "chunks"), [(1, 1, 1), (1, 10, 1), (10, 10, 1), (11, 10, 2), (30, 10, 3)]
)
def test_all_chunks_are_full_but_the_last(rows: int, chunk_rows: int, chunks: int) -> None:
    assert make_job(rows=rows, chunk_rows=chunk_rows).chunks == chunks


def test_nobody_knows_the_chunks_of_a_file_that_is_not_read() -> None:
    job = replace(make_job(), rows=None, chunk_rows=None)
    assert job.chunks is None
    assert list(job.batches_of(0)) == []


@pytest.mark.parametrize("rows", [1, 2, 5, 6, 7, 11, 12, 13])
def test_the_chunks_together_have_every_batch_once(rows: int) -> None:
    job = make_job(rows=rows, chunk_rows=6, batch_rows=2)
    numbers = [number for chunk in range(job.chunks or 0) for number in job.batches_of(chunk)]
    assert numbers == list(range((rows + 1) // 2))


def test_all_blobs_lie_in_the_jobs_folder_each_under_its_own_name() -> None:
    job = make_job("abc", rows=20, chunk_rows=1, attempt="1")
    names = [job.upload_blob, job.rows_blob, job.echo_blob, *(job.scores_blob(chunk) for chunk in range(20))]
    assert len(set(names)) == 23
    assert all(name.startswith("jobs/abc/") for name in names)
    assert job.folder == "jobs/abc"


def test_every_reading_has_blobs_of_its_own() -> None:
    first, second = make_job(attempt="1"), make_job(attempt="2")
    assert first.rows_blob != second.rows_blob
    assert first.echo_blob != second.echo_blob


@pytest.mark.parametrize(
    ("facts", "echo"),
    [({}, False), ({"keep": ("id",)}, True), ({"on_invalid": "flag"}, True), ({"on_invalid": "reject"}, False)],
)
def test_something_is_kept_beside_the_scores_if_columns_or_reasons_are(facts: dict[str, Any], echo: bool) -> None:
    assert make_job(**facts).has_echo is echo


def test_a_file_is_read_as_its_submission_said() -> None:
    job = make_job(keep=("a", "b"), delimiter=";", decimal=",")
    assert job.read_options == ReadOptions(("a", "b"), ";", ",")


def test_three_states_are_final() -> None:
    assert [state.value for state in JobState if state.is_final] == ["succeeded", "failed", "cancelled"]


def test_no_address_is_shown_with_the_record() -> None:
    job = make_job(input_uri="s3://secret/a", output_uri="s3://secret/b", callback_url="https://secret/")
    assert "secret" not in repr(job)
