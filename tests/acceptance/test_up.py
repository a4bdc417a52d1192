"""`./scripts/up`: starts, restarts, stops, and says what is wrong."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.conftest import Up, command_line, copy_of_the_project
from tests.factories import Kit
from tests.hub import HubServer
from tests.integration.test_reload import REPO, TOKEN, publish
from tests.processes import http, redis_server, wait_for


@pytest.fixture
def own(tmp_path: Path, numbers: Kit) -> Iterator[Up]:
    """A copy of the project for this test alone, with a small model instead of the demo model."""
    running = Up(copy_of_the_project(tmp_path))
    numbers.write(running.folder / "exported_model")
    try:
        yield running
    finally:
        running.stop()


def refusal(up: Up) -> str:
    done = subprocess.run(
        ["./scripts/up"], cwd=up.folder, env=up.environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_crashed_process_is_restarted_and_that_is_said(own: Up) -> None:
    own.start()
    for name, words in (
        ("api", "uvicorn"),
        ("worker", "--hostname worker@"),
        ("reader", "--hostname reader@"),
        ("redis", "valkey-server"),
        ("console", "ui/app.py"),
        ("flower", "worker.monitor"),
    ):
        own.process_of(words).kill()
        wait_for(f"word of the end of {name}", lambda name=name: f"exited: {name} (terminated by SIGKILL" in own.log)  # type: ignore[misc]
    wait_for("the service", lambda: http.get(f"{own.url}/router_health").json()["status"] == "ready")
    wait_for("Flower", lambda: http.get(f"{own.flower_url}/healthcheck").is_success)
    wait_for("the console", lambda: http.get(f"{own.console_url}/_stcore/health").is_success)


def test_the_table_begins_with_the_console_which_answers(up: Up) -> None:
    table = up.log.partition("is up after")[2].splitlines()
    assert table[2] == f"  Console  {up.console_url}"
    assert "<html" in http.get(up.console_url).text
    environment = up.process_of("ui/app.py").environ()
    assert (environment["PRET_URL"], environment["FLOWER_URL"]) == (up.url, up.flower_url)


def test_ctrl_c_leaves_no_process_and_the_next_start_keeps_the_jobs(own: Up, numbers: Kit) -> None:
    own.start()
    job = http.post(f"{own.url}/multiple_score", json=numbers.rows, headers={"Prefer": "wait=30"}, timeout=60)
    assert job.status_code == 200
    location = http.post(f"{own.url}/jobs", json=numbers.rows).headers["location"]
    processes = own.processes()
    assert len(processes) > 4
    assert own.interrupt() == 0
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []
    own.start()
    wait_for("the job", lambda: http.get(own.url + location).json()["state"] == "succeeded")
    assert "Installing" not in own.log


def test_everything_listens_on_loopback_only(up: Up) -> None:
    listening = [
        connection.laddr.ip
        for process in up.processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


@pytest.mark.parametrize("name", ["API_PORT", "UI_PORT", "FLOWER_PORT", "REDIS_PORT"])
def test_a_busy_port_is_named(own: Up, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", own.ports[name]))
        other.listen()
        message = refusal(own)
    assert f"Port {own.ports[name]} is in use" in message
    assert name in message


def test_a_second_start_is_refused(up: Up) -> None:
    assert "already runs" in refusal(up)


def test_a_given_redis_is_used(own: Up, tmp_path_factory: pytest.TempPathFactory) -> None:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        own.settings["REDIS_URL"] = server.url
        own.start()
        assert not any("valkey-server" in command_line(process) for process in own.processes())
        assert http.get(f"{own.url}/router_health").json()["status"] == "ready"
        own.stop()


def test_a_model_folder_without_a_model_is_named(own: Up) -> None:
    own.settings["MODEL_DIR"] = "nowhere"
    assert "MODEL_DIR=nowhere holds no model.cb" in refusal(own)


def test_a_model_that_must_not_serve_is_named(own: Up) -> None:
    (own.folder / "exported_model" / "model.cb").write_bytes(b"damaged")
    message = refusal(own)
    assert "SHA256SUMS" in message


def test_help_explains(own: Up) -> None:
    help_text = own.shell("./scripts/up --help")
    for word in ("API_PORT", "UI_PORT", "FLOWER_PORT", "FLOWER_ADDRESS", "REDIS_PORT", "REDIS_URL", "127.0.0.1"):
        assert word in help_text


def test_uv_is_fetched_into_the_project_where_it_is_missing(own: Up) -> None:
    fetched = own.folder / ".local" / "uv"
    if fetched.is_symlink():
        fetched.unlink()
    path = ":".join(part for part in own.environment["PATH"].split(":") if not shutil.which("uv", path=part))
    own.settings["PATH"] = path
    assert own.shell(". scripts/lib/uv.sh && echo $UV").strip().endswith(".local/uv/bin/uv")
    assert (fetched / "bin" / "uv").is_file()


def test_another_source_is_taken_at_the_next_start(
    own: Up, mixed: Kit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own.start()
    own.interrupt()
    folder = tmp_path_factory.mktemp("source")
    with HubServer() as hub:
        hub.store.create(REPO, private=True)
        version = publish(hub, mixed, folder / "model")
        own.settings |= {"HF_REPO_ID": REPO, "HF_TOKEN": TOKEN, "HF_ENDPOINT": hub.url}
        own.start()
        assert f"{version} from {REPO}" in own.log
        own.interrupt()
    own.start()
    assert f"{version} from an earlier run" in own.log


def test_a_wrong_setting_is_named(own: Up) -> None:
    own.settings |= {"CHUNK_ROWS": "many", "MAX_WAIT": "-1"}
    message = refusal(own)
    assert "CHUNK_ROWS: " in message
    assert "MAX_WAIT: " in message


def test_ports_must_differ(own: Up) -> None:
    own.ports["FLOWER_PORT"] = own.ports["API_PORT"]
    assert "must differ" in refusal(own)


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.2"])  # noqa: S104 - with a login, or no further than this machine
def test_flower_listens_elsewhere_behind_its_login(own: Up, address: str) -> None:
    own.settings |= {"FLOWER_ADDRESS": address, "FLOWER_BASIC_AUTH": "watcher:secret"}
    own.start()
    url = f"http://{'127.0.0.1' if address == '0.0.0.0' else address}:{own.ports['FLOWER_PORT']}"  # noqa: S104
    assert f"  Flower   {url}" in own.log
    assert http.get(f"{url}/workers").status_code == 401
    assert http.get(f"{url}/workers", auth=("watcher", "wrong")).status_code == 401
    assert http.get(f"{url}/workers", auth=("watcher", "secret")).status_code == 200


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"FLOWER_ADDRESS": "0.0.0.0"}, "set FLOWER_BASIC_AUTH=user:password too"),  # noqa: S104 - it is refused
        ({"FLOWER_ADDRESS": "everywhere"}, "FLOWER_ADDRESS must be an IPv4 address"),
        ({"FLOWER_BASIC_AUTH": "watcher"}, "FLOWER_BASIC_AUTH must be user:password"),
    ],
)
def test_flower_without_a_login_stays_on_this_machine(own: Up, settings: dict[str, str], words: str) -> None:
    own.settings |= settings
    assert words in refusal(own)
