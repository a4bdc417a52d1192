"""`./scripts/up`: starts with whatever it is given, stops, and says what is wrong."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from shared.models import files
from tests.acceptance.conftest import START_DEADLINE, Up, command_line, copy_of_the_project, refusal, small
from tests.factories import Kit, write_checksums
from tests.hub import HubServer
from tests.integration.test_reload import REPO, TOKEN, publish
from tests.processes import DEADLINE, http, redis_server, wait_for


@pytest.fixture
def own(tmp_path: Path, numbers: Kit) -> Iterator[Up]:
    """A copy of the project for this test alone, with a small model instead of the demo model."""
    running = small(tmp_path, numbers)
    try:
        yield running
    finally:
        running.stop()


def test_ctrl_c_while_the_demo_model_is_trained_is_no_error(own: Up) -> None:
    shutil.rmtree(own.folder / "exported_model")
    with (own.folder / "up.log").open("wb") as log:
        command, environment = ["./scripts/up"], own.environment
        own.process = subprocess.Popen(
            command, cwd=own.folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    wait_for("the training", lambda: "Training on" in own.log, START_DEADLINE)
    # As a terminal does, which sends it to all that runs in it.
    os.killpg(own.process.pid, signal.SIGINT)
    assert own.process.wait(DEADLINE) == 130
    assert own.log.endswith("Stopped before the service was started.\n")
    assert "Traceback" not in own.log


def test_ctrl_c_leaves_no_process_and_the_next_start_keeps_the_jobs(own: Up, numbers: Kit) -> None:
    own.start()
    job = http.post(f"{own.url}/multiple_score", json=numbers.rows, headers={"Prefer": "wait=30"}, timeout=60)
    assert job.status_code == 200
    location = http.post(f"{own.url}/jobs", json=numbers.rows).headers["location"]
    processes = own.processes()
    assert len(processes) > 4
    assert own.interrupt() == 0
    _, alive = psutil.wait_procs(processes, timeout=DEADLINE)
    assert alive == []
    own.start()
    wait_for("the job", lambda: http.get(own.url + location).json()["state"] == "succeeded")
    assert "Installing" not in own.log


@pytest.mark.parametrize("name", ["API_PORT", "UI_PORT", "FLOWER_PORT", "REDIS_PORT"])
def test_a_busy_port_is_named(own: Up, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", own.ports[name]))
        other.listen()
        message = refusal(own)
    assert f"Port {own.ports[name]} is in use" in message
    assert name in message


def test_a_given_redis_is_used(own: Up, tmp_path_factory: pytest.TempPathFactory) -> None:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        own.settings["REDIS_URL"] = server.url
        own.start()
        assert not any("valkey-server" in command_line(process) for process in own.processes())
        assert http.get(f"{own.url}/router_health").json()["status"] == "ready"
        own.stop()


SECRET = "s3cr3t"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:6379", "REDIS_URL must begin with redis:// or rediss://"),
        (f"unix://:{SECRET}@/run/redis.sock", "REDIS_URL must begin with redis:// or rediss://"),
        (f"redis://:@:/#%{SECRET}@127.0.0.1:6379/0", "The user and the password in REDIS_URL must be percent-encoded"),
        (f"redis://:{SECRET}@127.0.0.1:9/0", "There is no Redis at the address in REDIS_URL"),
    ],
)
def test_a_redis_that_cannot_be_used_is_told_before_anything_is_done(own: Up, url: str, words: str) -> None:
    shutil.rmtree(own.folder / "exported_model")
    own.settings["REDIS_URL"] = url
    message = refusal(own).strip()
    assert message.startswith(words)
    assert "\n" not in message
    assert SECRET not in message


def test_a_password_that_redis_does_not_accept_is_told(own: Up, tmp_path_factory: pytest.TempPathFactory) -> None:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", SECRET)
        own.settings["REDIS_URL"] = f"redis://:not-{SECRET}@127.0.0.1:{server.port}/0"
        message = refusal(own)
    assert (
        message.strip() == "Redis does not accept the login in REDIS_URL. Check its user, its password and its rights."
    )


DEAD_PROXY = "http://127.0.0.1:9"


def first_score(up: Up) -> dict[str, Any]:
    """Paste the command that the table ends with."""
    [command] = re.findall(r"^  (curl .*)$", up.log, re.MULTILINE)
    answer: dict[str, Any] = json.loads(up.shell(command))
    return answer


@pytest.mark.timeout(300)
def test_no_proxy_is_asked_for_this_machine(own: Up, numbers: Kit) -> None:
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
    own.settings |= dict.fromkeys(names, DEAD_PROXY) | {"ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "example.com"}
    own.start()
    assert first_score(own)["score"] == numbers.expected(numbers.rows[:1])[0]
    assert http.get(f"{own.url}/router_health").json()["status"] == "ready"
    (own.folder / "rows.csv").write_text("income,age,married,children,lowest,highest\n1000,30,true,0,0.1,0.2\n")
    assert "1 row" in own.shell(f"PRET_URL={own.url} ./scripts/pret score rows.csv -o scores.csv 2>&1")


@pytest.mark.timeout(300)
def test_monitors_that_do_not_come_up_are_told_and_scoring_stays_up(own: Up, numbers: Kit) -> None:
    own.settings |= {"FLOWER_CERTFILE": "nowhere", "STREAMLIT_SERVER_ENABLE_CORS": "perhaps"}
    own.start()
    for name, url in (("console", own.console_url), ("flower", own.flower_url)):
        assert f"{name} does not come up; see .local/logs/{name}.log. Scoring goes on without it." in own.log
        assert f"  {name.capitalize():8} {url} (not up yet; see .local/logs/{name}.log)" in own.log
    assert first_score(own)["score"] == numbers.expected(numbers.rows[:1])[0]
    answer = http.post(f"{own.url}/multiple_score", json=numbers.rows, headers={"Prefer": "wait=30"}, timeout=60)
    assert answer.status_code == 200


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


def change(folder: Path) -> str:
    """Put another version into the folder; gives it."""
    description = folder / "MLmodel"
    description.write_text(re.sub("best_threshold: .*", f"best_threshold: {random.random()}", description.read_text()))
    write_checksums(folder)
    return files.folder_version(folder)


def model_line(up: Up) -> str:
    """What the table says of the model, on one line or two."""
    [said] = re.findall(r"^  Model    ((?:.*\n)+?)  Logs ", up.log, re.MULTILINE)
    return " ".join(said.split())


@pytest.mark.timeout(300)
def test_a_start_goes_on_with_what_is_active_and_says_what_the_folder_holds(own: Up) -> None:
    folder = own.folder / "exported_model"
    first = files.folder_version(folder)
    own.start()
    assert model_line(own) == f"{first} from exported_model"
    own.interrupt()

    second = change(folder)
    own.start()
    told = f"{first} from an earlier run The folder holds another version, {second}; reload to serve it."
    assert model_line(own) == told
    assert first_score(own)["model_version"] == first
    assert f"-> {second}" in own.shell(".venv/bin/python scripts/reload_model.py")

    assert f"-> {first}" in own.shell(".venv/bin/python scripts/reload_model.py --rollback")
    own.interrupt()
    own.start()
    assert model_line(own) == told


@pytest.mark.timeout(300)
def test_a_folder_that_was_set_anew_and_an_empty_cache_are_taken(own: Up, mixed: Kit) -> None:
    own.start()
    own.interrupt()
    mixed.write(own.folder / "another")
    own.settings["MODEL_DIR"] = "another"
    own.start()
    assert model_line(own) == f"{files.folder_version(own.folder / 'another')} from another"
    for process in own.processes():
        process.kill()
    own.stop()
    # What was killed counts as alive for a while.
    own.settings["MODEL_DIR"] = "exported_model"
    own.start()
    assert model_line(own) == f"{files.folder_version(own.folder / 'exported_model')} from exported_model"
    own.interrupt()
    third = change(own.folder / "exported_model")
    shutil.rmtree(own.folder / ".local" / "models")
    own.start()
    assert model_line(own) == f"{third} from exported_model"


def test_the_printed_command_scores_also_where_the_model_has_no_example(own: Up) -> None:
    (own.folder / "exported_model" / "input_example.json").unlink()
    write_checksums(own.folder / "exported_model")
    own.start()
    assert " -d @.local/input_example.json " in own.log
    assert 0 < first_score(own)["score"] < 1


@pytest.mark.timeout(300)
def test_any_terminal_and_any_folder_will_do(tmp_path: Path) -> None:
    up = Up(copy_of_the_project(tmp_path / "50% off é #1"))
    up.settings |= {
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
        "HF_TOKEN": "hf_token\n",
        "REDIS_URL": "",
    }
    try:
        up.start()
        assert "\nPret a Depenser is up after" in up.log
        assert re.search(r"^  Model    local-\w+ from exported_model$", up.log, re.MULTILINE)
        assert 0 < first_score(up)["score"] < 1
        assert up.interrupt() == 0
        assert "Traceback" not in up.log
    finally:
        up.stop()


def test_a_wrong_setting_is_named(own: Up) -> None:
    own.settings |= {"CHUNK_ROWS": "many", "MAX_WAIT": "-1"}
    message = refusal(own)
    assert "CHUNK_ROWS: " in message
    assert "MAX_WAIT: " in message


def test_ports_must_differ(own: Up) -> None:
    own.ports["FLOWER_PORT"] = own.ports["API_PORT"]
    assert "must differ" in refusal(own)


@pytest.mark.parametrize(
    ("address", "prefix"),
    [("0.0.0.0", ""), ("127.0.0.2", "/monitor")],  # noqa: S104 - with a login, or no further than this machine
)
def test_flower_listens_elsewhere_behind_its_login(own: Up, address: str, prefix: str) -> None:
    own.settings |= {"FLOWER_ADDRESS": address, "FLOWER_BASIC_AUTH": "watcher:secret", "FLOWER_URL_PREFIX": prefix}
    own.start()
    place = f"http://{'127.0.0.1' if address == '0.0.0.0' else address}:{own.ports['FLOWER_PORT']}"  # noqa: S104
    url = f"{place}{prefix}"
    assert f"  Flower   {url}\n" in own.log
    assert own.process_of("ui/app.py").environ()["FLOWER_URL"] == url
    assert http.get(f"{url}/healthcheck").is_success
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
