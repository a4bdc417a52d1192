"""The API on addresses that others reach, with keys and without."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from scripts.lib.loopback import free_port
from tests.factories import Kit, put_in_cache
from tests.processes import ROOT, wait_for
from tests.unit.api.access.keyed import API_KEYS

NO_REDIS = "redis://127.0.0.1:1/0"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - without keys it is refused
SECONDS = 60


@pytest.fixture
def environment(tmp_path: Path, numbers: Kit) -> dict[str, str]:
    put_in_cache(numbers.write(tmp_path / "model"), tmp_path / "cache")
    return {
        "REDIS_URL": NO_REDIS,
        "MODEL_DIR": str(tmp_path / "model"),
        "MODEL_CACHE_DIR": str(tmp_path / "cache"),
        "STORAGE_URL": str(tmp_path / "storage"),
        "PYTHONPATH": str(ROOT),
    }


def serving(address: str, port: int) -> list[str]:
    return [sys.executable, "-m", "api", "--host", address, "--port", str(port)]


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int) -> Iterator[httpx.Client]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:
        with httpx.Client(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:

            def is_up() -> bool:
                assert process.poll() is None
                return client.get("/api_health").is_success

            wait_for("the API", is_up)
            yield client
            assert process.poll() is None
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("is_inherited", [False, True])
def test_without_keys_a_start_on_any_other_address_is_refused(
    environment: dict[str, str], *, is_inherited: bool
) -> None:
    with socket.create_server((EVERYWHERE, 0)) as listening:
        inherited = [sys.executable, "-m", "api", "--inherited"]
        command = inherited if is_inherited else serving(EVERYWHERE, free_port())
        given = listening.fileno() if is_inherited else subprocess.DEVNULL
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=given, capture_output=True, text=True, timeout=SECONDS
        )
    assert done.returncode != 0
    assert "Set API_KEYS or API_KEYS_FILE" in done.stderr


@pytest.mark.parametrize("settings", [{"API_KEYS": API_KEYS}, {"ALLOW_ANONYMOUS": "true"}])
def test_with_keys_or_at_the_wish_of_the_operator_it_is_not(
    environment: dict[str, str], numbers: Kit, settings: dict[str, str]
) -> None:
    port = free_port()
    with running(serving(EVERYWHERE, port), environment | settings, port) as client:
        expected = httpx.codes.UNAUTHORIZED if "API_KEYS" in settings else httpx.codes.OK
        assert client.post("/individual_score", json=numbers.rows[0]).status_code == expected
        with_key = client.post("/individual_score", json=numbers.rows[0], headers={"X-API-Key": "score"})
        assert with_key.status_code == httpx.codes.OK


def test_wrong_keys_end_the_start_with_a_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    for settings in ({"API_KEYS": "s3cr3t"}, {"API_KEYS_FILE": str(tmp_path / "missing")}):
        done = subprocess.run(
            serving("127.0.0.1", free_port()),
            cwd=ROOT, env=environment | settings, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode != 0
        assert done.stderr.count("\n") == 1, done.stderr
        assert next(iter(settings)) in done.stderr
        assert "s3cr3t" not in done.stderr
