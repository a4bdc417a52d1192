"""Processes that share a folder count together; what ended ones counted is kept, and their files are not."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, values
from prometheus_client.parser import text_string_to_metric_families

from shared import metrics_files
from shared.metrics import MOST_VERSIONS, Metrics
from shared.metrics_files import FOLDER, Together, text_of

COUNT = """
import os, sys
from shared import metrics_files
metrics_files.begin()
from shared.metrics import Metrics
metrics = Metrics()
metrics.republished.inc(int(sys.argv[1]))
metrics.unit_seconds.labels("score").observe(0.2)
metrics.in_flight.set(7)
print("counted", flush=True)
sys.stdin.read()
"""

Sums = dict[str, float]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which this process and others count."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    metrics_files.begin()
    yield tmp_path
    values.ValueClass.close_all_files()


def counting(amount: int) -> subprocess.Popen[bytes]:
    """A process that has counted, and goes on living."""
    command = [sys.executable, "-c", COUNT, str(amount)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"counted\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def told(metrics: Metrics | None = None) -> Sums:
    text = text_of(Together(metrics.registry if metrics else CollectorRegistry())).decode()
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for family in families for sample in family.samples}


def names(folder: Path) -> set[str]:
    return {re.sub(r"\d+", "N", path.name) for path in folder.glob("*.db")}


def test_processes_count_together_and_those_that_were_killed_still_count(folder: Path) -> None:
    processes = [counting(amount) for amount in (1, 10)]
    try:
        metrics = Metrics()
        metrics.republished.inc(100)
        assert told()["pret_units_republished_total"] == 111
        assert told()["pret_http_requests_in_flight"] == 14
        end(processes[0])
        for _ in range(3):
            assert told()["pret_units_republished_total"] == 111
            assert told()["pret_unit_duration_seconds_count"] == 2
        # What is under way in a process ends with it.
        assert told()["pret_http_requests_in_flight"] == 7
    finally:
        for process in processes:
            end(process)
    assert told()["pret_units_republished_total"] == 111
    assert not list(folder.glob(f"*_{processes[0].pid}.db")) + list(folder.glob(f"*_{processes[1].pid}.db"))
    assert names(folder) == {
        *("counter_N.db", "histogram_N.db", "gauge_livesum_N.db"),
        *("counter_gone.db", "histogram_gone.db"),
    }


def test_many_who_ask_at_once_get_the_same_sums_while_processes_are_killed(folder: Path) -> None:
    processes = [counting(1) for _ in range(4)]
    seen: list[float] = []

    def ask() -> None:
        seen.extend(told()["pret_units_republished_total"] for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for process in processes:
        end(process)
    for thread in threads:
        thread.join()
    assert set(seen) == {4.0}


def test_a_file_that_is_damaged_is_left_out(folder: Path) -> None:
    Metrics().republished.inc()
    (folder / "counter_1.db").write_bytes(b"\xff" * 100)
    (folder / f"counter_{os.getppid()}.db").touch()
    assert told()["pret_units_republished_total"] == 1


def test_without_its_folder_a_process_tells_what_it_has_counted_itself(folder: Path) -> None:
    metrics = Metrics()
    metrics.republished.inc(2)
    shutil.rmtree(folder)
    assert told(metrics)["pret_units_republished_total"] == 2


def test_who_moves_files_and_is_frozen_holds_nobody_up(folder: Path) -> None:
    Metrics().republished.inc()
    with metrics_files._alone_in(folder) as is_alone:
        assert is_alone
        assert told()["pret_units_republished_total"] == 1


def test_without_room_for_files_a_process_counts_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "missing"))
    monkeypatch.setattr(values, "ValueClass", values.MutexValue)
    metrics_files.begin()
    metrics = Metrics()
    metrics.republished.inc(3)
    assert told(metrics)["pret_units_republished_total"] == 3
    assert "no room for the files of metrics" in caplog.text


def test_the_folder_of_a_service_that_was_killed_is_removed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, living = tmp_path / f"pret-metrics-{gone.pid}-abc", tmp_path / f"pret-metrics-{os.getpid()}-abc"
    left.mkdir()
    living.mkdir()
    metrics_files._sweep()
    assert (left.exists(), living.exists()) == (False, True)


def test_many_observations_at_once_count_as_one_by_one() -> None:
    one, other = Metrics(), Metrics()
    values = [0.0, 0.001, 0.0011, 0.4, 1800.0, 9999.0]
    for value in values:
        other.unit_seconds.labels("score").observe(value)
    one.unit_seconds.labels("score").observe_all(values)
    one.unit_seconds.labels("score").observe_all([])
    assert told(one) == told(other)


def test_versions_beyond_some_are_counted_together() -> None:
    metrics = Metrics()
    for version in range(MOST_VERSIONS + 5):
        metrics.scored(str(version), "catboost", np.array([0.5]), 0, 0.1)
    text = text_of(Together(metrics.registry)).decode()
    assert len(set(re.findall(r'version="(\w+)"', text))) == MOST_VERSIONS + 1
    assert 'pret_decisions_total{decision="granted",version="other"} 5.0' in text
