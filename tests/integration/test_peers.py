"""The comparison with other servers: all are started, asked for the same scores, measured, and ended."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts.bench.comparing.environments import CannotCompare
from scripts.bench.comparing.load import Request, computing, measure
from scripts.bench.comparing.processes import Started, first_answer, running
from scripts.bench.comparing.rounds import BESIDE, CONNECTIONS, SINGLE, SQUEEZED, Work, compare
from scripts.bench.comparing.servers import SERVERS, Server
from scripts.lib.loopback import free_port
from tests.factories import Kit
from tests.processes import http, left_running, processes_of, wait_for

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk makes the load")

OURS, BARE, PYDANTIC = (SERVERS[name] for name in ("ours", "bare", "pydantic"))
FILE_SERVER = ["-m", "http.server", "--bind", "127.0.0.1"]


@pytest.fixture
def work(numbers: Kit, tmp_path: Path) -> Work:
    complete = [row for row in numbers.rows if None not in row.values() and len(row) == len(numbers.inputs)]
    return Work(numbers.write(tmp_path / "model"), complete[0], complete[:50])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Started]:
    """One that answers every POST with 501."""
    port = free_port()
    with running([sys.executable, *FILE_SERVER, str(port)], port, tmp_path / "log", {}) as started:
        wait_for("the server", lambda: http.get(started.url).is_success)
        yield started


@needs_wrk
def test_every_server_is_measured_in_its_ways_and_none_is_left(work: Work, tmp_path: Path) -> None:
    servers = {"bare": BARE, "ours": replace(OURS, batches={"records": OURS.batches["records"]}), "pydantic": PYDANTIC}
    samples = compare(servers, work, tmp_path / "servers", rounds=1, seconds=1)
    assert samples.keys() == {
        *((name, SINGLE, connections) for name in ("bare", "ours") for connections in CONNECTIONS),
        *((name, "records", 1) for name in ("ours", "pydantic")),
        ("ours", BESIDE, 1),
        ("ours", SQUEEZED, 1),
    }
    for loads in samples.values():
        [load] = loads
        assert load.rate > 0
        assert 0 < load.p50 <= load.p99
    assert left_running(tmp_path) == []


def test_programs_that_compute_are_there_while_the_block_runs_and_not_longer() -> None:
    own = psutil.Process()
    before = set(own.children())
    with computing(2):
        started = set(own.children()) - before
        assert len(started) == 2
    assert not started & set(own.children())


@pytest.mark.parametrize("change", [lambda scores: [score + 1e-16 + score * 1e-15 for score in scores], lambda _: []])
def test_a_server_that_gives_other_scores_is_not_measured(work: Work, tmp_path: Path, change: Any) -> None:
    call = PYDANTIC.batches["records"]
    read = call.read
    assert read is not None
    other = replace(PYDANTIC, batches={"records": replace(call, read=lambda answer: change(read(answer)))})
    with pytest.raises(CannotCompare, match=r"pydantic answers .* with other scores than CatBoost's"):
        compare({"pydantic": other}, work, tmp_path / "servers", rounds=1, seconds=1)
    assert left_running(tmp_path) == []


def test_of_a_server_that_does_not_start_the_end_of_its_log_is_told(work: Work, tmp_path: Path) -> None:
    (work.model / "input_example.json").unlink()
    with pytest.raises(CannotCompare, match=r"input_example\.json"):
        compare({"bare": BARE}, work, tmp_path / "servers", rounds=1, seconds=1)


def test_an_interruption_ends_a_server_with_its_children(tmp_path: Path) -> None:
    shell = ["sh", "-c", f"{sys.executable} {' '.join(FILE_SERVER)} {(port := free_port())} & wait"]
    server = Server("shell", lambda folder, _: running(shell, port, folder / "log", {"MODEL_DIR": str(tmp_path)}))
    with pytest.raises(KeyboardInterrupt), server.start(tmp_path, tmp_path) as started:
        wait_for("the child", lambda: http.get(started.url).is_success)
        assert len(processes_of(tmp_path)) == 2
        raise KeyboardInterrupt
    assert left_running(tmp_path) == []


def test_a_request_that_is_invalid_is_not_sent_until_the_deadline(work: Work, tmp_path: Path) -> None:
    with PYDANTIC.start(tmp_path, work.model) as started:
        wait_for("the server", lambda: http.get(started.url))
        with pytest.raises(CannotCompare, match="Its answer: 422"):
            first_answer(
                Request(f"{started.url}/multiple_score", b"[1]", {"Content-Type": "application/json"}), started
            )


@needs_wrk
def test_a_load_of_errors_has_no_figure(server: Started) -> None:
    with pytest.raises(CannotCompare, match="were errors"):
        measure(Request(server.url, b"{}"), connections=1, seconds=1)
