"""What is counted of the attempts at units of work."""

import pytest

from shared.errors import StorageUnavailable
from shared.jobs.unit import Attempt, attempt
from shared.metrics_files import Together, text_of
from tests.factories import Kit
from tests.unit.workbench import Workbench, as_file

Samples = dict[str, float]


def samples(bench: Workbench) -> Samples:
    text = text_of(Together(bench.parts.metrics.registry)).decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def attempts(bench: Workbench) -> Samples:
    prefix = "pret_unit_attempts_total"
    return {name.removeprefix(prefix): count for name, count in samples(bench).items() if name.startswith(prefix)}


def test_a_job_from_a_file_is_counted_in_each_of_its_steps(bench: Workbench, numbers: Kit) -> None:
    bench.offer(numbers)
    job = bench.score_all(bench.read(bench.submit_file(as_file(numbers.rows[:10])).id))
    found = samples(bench)
    assert attempts(bench) == {'{kind="read",outcome="done"}': 1, '{kind="score",outcome="done"}': 3}
    assert found["pret_rows_read_total"] == 10
    assert found['pret_unit_duration_seconds_count{kind="score"}'] == 3
    for step in ("load", "read", "score", "write", "commit"):
        assert found[f'pret_unit_step_seconds_total{{kind="score",step="{step}"}}'] > 0
    decisions = 'pret_decisions_total{{decision="{}",version="{}"}}'
    assert found[decisions.format("refused", job.model_version)] == job.refused
    assert found[decisions.format("granted", job.model_version)] == job.granted


def test_invalid_values_are_counted_by_their_reason(bench: Workbench, numbers: Kit) -> None:
    bench.offer(numbers)
    rows = [row | {"age": 17} for row in numbers.rows[:150]]
    bench.read(bench.submit_file(as_file(rows)).id)
    found = samples(bench)
    assert found['pret_invalid_values_total{reason="greater_than_equal"}'] == 100
    assert found['pret_invalid_values_total{reason="unlisted"}'] == 50
    assert attempts(bench) == {'{kind="read",outcome="failed"}': 1}


def test_an_attempt_that_fails_is_counted_as_one(bench: Workbench, numbers: Kit) -> None:
    bench.offer(numbers)
    job = bench.submit(numbers.rows[:4])

    def fail(_: Attempt) -> None:
        raise StorageUnavailable

    with pytest.raises(StorageUnavailable):
        attempt(job.id, "0", fail, bench.place())
    assert attempts(bench) == {'{kind="score",outcome="error"}': 1}
    bench.parts.store.cancel(job.id)
    bench.score(job.id, 0)
    assert attempts(bench) == {'{kind="score",outcome="error"}': 1}
