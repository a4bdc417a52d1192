"""A service that `./scripts/up` has started: what it shows, who may reach it, and how it goes on when its processes die."""

import re
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.acceptance.conftest import Up, refusal, small
from tests.factories import Kit
from tests.processes import DEADLINE, http, wait_for


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, numbers: Kit) -> Iterator[Up]:
    """The service with a small model; what a test kills is started again."""
    made = small(tmp_path_factory.mktemp("project"), numbers, WEB_CONCURRENCY="2")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_a_crashed_process_is_restarted_and_that_is_said(running: Up) -> None:
    for name, words in (
        ("api", "-m api"),
        ("worker", "--hostname worker@"),
        ("reader", "--hostname reader@"),
        ("redis", "valkey-server"),
        ("console", "ui/app.py"),
        ("flower", "worker.monitor"),
    ):
        said = re.compile(rf"exited: {name}(-\d)? \(terminated by SIGKILL")
        before = len(said.findall(running.log))
        running.process_of(words).kill()
        wait_for(f"word of the end of {name}", lambda said=said, before=before: len(said.findall(running.log)) > before)  # type: ignore[misc]
    wait_for("the service", lambda: http.get(f"{running.url}/router_health").json()["status"] == "ready")
    wait_for("Flower", lambda: http.get(f"{running.flower_url}/healthcheck").is_success)
    wait_for("the console", lambda: http.get(f"{running.console_url}/_stcore/health").is_success)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_one_process_of_the_api_answers_for_the_other(running: Up, numbers: Kit, number: signal.Signals) -> None:
    for process in both_of_the_api(running):
        both_of_the_api(running)
        process.send_signal(number)
        if number is not signal.SIGSTOP:
            process.wait(DEADLINE)
        # Each on a connection of its own.
        for row in numbers.rows[:20]:
            answer = http.post(f"{running.url}/individual_score", json=row)
            assert (answer.status_code, answer.json()["score"]) == (200, numbers.expected([row])[0])
        if number is signal.SIGSTOP:
            process.send_signal(signal.SIGCONT)


def both_of_the_api(running: Up) -> list[psutil.Process]:
    """Both processes of the API, once they serve."""

    def found() -> list[psutil.Process] | None:
        told = http.get(f"{running.url}/model_status").json()["processes"]
        serving = {each["pid"] for each in told if each["kind"] == "api"}
        alive = [process for process in running.processes() if process.pid in serving]
        return alive if len(alive) == 2 else None

    return wait_for("both processes", found)


def test_the_table_begins_with_the_console_which_answers(running: Up) -> None:
    table = running.log.partition("is up after")[2].splitlines()
    assert table[2] == f"  Console  {running.console_url}"
    assert "<html" in http.get(running.console_url).text
    environment = running.process_of("ui/app.py").environ()
    assert (environment["PRET_URL"], environment["FLOWER_URL"]) == (running.url, running.flower_url)


def test_everything_listens_on_loopback_only(running: Up) -> None:
    listening = [
        connection.laddr.ip
        for process in running.processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_a_second_start_is_refused(running: Up) -> None:
    assert "already runs" in refusal(running)


def test_nobody_else_on_the_machine_reads_what_it_writes(running: Up) -> None:
    local = running.folder / ".local"
    places = [local, *(local / name for name in ("logs", "logs/worker.log", "valkey", "supervisord.conf"))]
    assert {place.name: place.stat().st_mode & 0o077 for place in places} == dict.fromkeys(
        [place.name for place in places], 0
    )


def test_flower_is_for_its_own_pages_alone(running: Up) -> None:
    url = f"http://127.0.0.1:{running.ports['FLOWER_PORT']}"
    for name in (None, "localhost:5555", "[::1]"):
        page = http.get(f"{url}/workers", headers={"Host": name} if name else {})
        assert (page.status_code, page.headers["x-frame-options"]) == (200, "DENY")
        assert page.headers["content-security-policy"] == "frame-ancestors 'none'"
    for name in ("evil.example", "127.0.0.1.evil.example:5555"):
        assert http.get(f"{url}/workers", headers={"Host": name}).status_code == 421
