"""The life of a model over the real Hub client and real processes: all processes take a new model, or none does."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from shared.fleet.records import CANDIDATE_KEY
from tests.factories import Kit, make_kit, make_rows, write_checksums
from tests.hub import HubServer
from tests.processes import DEADLINE, ROOT, Service, service, wait_for

REPO = "credit/model"
TOKEN = "hf_alice"  # noqa: S105 - of the local Hub
ADMIN_KEYS = "ann:first-key,bob:second-key"
ADMIN = {"Authorization": "Bearer first-key"}
SLOW = "tests.integration.slow_worker"


def publish(hub: HubServer, kit: Kit, folder: Path, *, spoil: Callable[[Path], None] | None = None) -> str:
    """Write the kit's artifact, spoil it if told to, and commit it; gives the sha."""
    kit.write(folder)
    if spoil is not None:
        spoil(folder)
    return hub.store.commit(REPO, {path.name: path.read_bytes() for path in folder.iterdir()}, "a model")


@dataclass
class Standing:
    """A service on a Hub repository, with an API and a worker that have the first version."""

    hub: HubServer
    service: Service
    first: str


@contextmanager
def on_the_hub(folder: Path, kit: Kit, reload_timeout: int) -> Iterator[Standing]:
    with HubServer() as hub:
        hub.store.create(REPO, private=True)
        first = publish(hub, kit, folder / "v1")
        settings = {
            "HF_REPO_ID": REPO,
            "HF_ENDPOINT": hub.url,
            "HUGGINGFACE_TOKEN": TOKEN,
            "HF_HUB_DOWNLOAD_TIMEOUT": "5",
            "HF_HUB_ETAG_TIMEOUT": "5",
            "RELOAD_TIMEOUT": str(reload_timeout),
            "ADMIN_KEYS": ADMIN_KEYS,
            "CHUNK_ROWS": "20",
            "RECONCILE_INTERVAL": "0.5",
        }
        with service(folder, **settings) as made:
            made.start_api()
            made.start_worker(app=SLOW)
            wait_until_converged(made, first)
            yield Standing(hub, made, first)


@pytest.fixture
def own(tmp_path: Path, numbers: Kit) -> Iterator[Standing]:
    """For a test that changes what the service has, or kills a part of it."""
    with on_the_hub(tmp_path, numbers, reload_timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory, numbers: Kit) -> Iterator[Standing]:
    """For the tests that leave the first version active."""
    with on_the_hub(tmp_path_factory.mktemp("common"), numbers, reload_timeout=60) as made:
        yield made


@pytest.fixture
def second(numbers: Kit) -> Kit:
    """Another model, with a feature more."""
    return make_kit(purpose=True, seed=2)


def status(made: Service) -> dict[str, Any]:
    body: dict[str, Any] = made.client.get("/model_status").raise_for_status().json()
    return body


def wait_until_converged(made: Service, version: str) -> None:
    def converged() -> bool:
        body = status(made)
        return (
            bool(body["converged"]) and body["active_version"] == version and len(body["processes"]) > len(made.workers)
        )

    wait_for(f"every process to have {version}", converged)


def reload(made: Service, revision: str | None = None) -> httpx.Response:
    body = {"json": {"revision": revision}} if revision else {}
    return made.client.post("/reload_model", headers=ADMIN, timeout=60, **body)  # type: ignore[arg-type]


def score(made: Service, row: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = made.client.post("/individual_score", json=row).raise_for_status().json()
    return answer


def test_every_process_takes_the_new_model_with_its_features_and_threshold(
    own: Standing, numbers: Kit, second: Kit, tmp_path: Path
) -> None:
    running, hub, first = own.service, own.hub, own.first
    old_job = running.submit(numbers.rows)
    new_version = publish(
        hub,
        Kit(second.classifier, second.inputs, second.metadata | {"best_threshold": 0.7}, second.rows),
        tmp_path / "v2",
    )
    answer = reload(running).raise_for_status().json()
    assert (answer["status"], answer["version_before"], answer["version"]) == ("reloaded", first, new_version)
    assert {(row["kind"], row["version_before"], row["version"]) for row in answer["processes"]} == {
        ("api", first, new_version),
        ("worker", first, new_version),
    }
    assert all(row["seconds"] > 0 and row["error"] is None for row in answer["processes"])
    wait_until_converged(running, new_version)
    scored = score(running, second.rows[0])
    assert (scored["score"], scored["threshold"], scored["model_version"]) == (second.expected()[0], 0.7, new_version)
    assert "purpose" in [column["name"] for column in running.client.get("/model_signature").json()["columns"]]
    assert "purpose" in running.client.get("/openapi.json").json()["components"]["schemas"]["Features"]["properties"]
    assert running.wait_until_ended(old_job)["model_version"] == first
    assert [row["score"] for row in running.results(old_job)] == numbers.expected()
    new_job = running.submit(second.rows)
    assert running.wait_until_ended(new_job)["model_version"] == new_version
    assert [row["score"] for row in running.results(new_job)] == second.expected()
    last = running.client.get("/model_versions").json()[0]
    assert (last["version"], last["by"], last["outcome"]) == (new_version, "ann", "activated")


def test_the_script_and_the_broadcast_are_the_same_protocol(own: Standing, second: Kit, tmp_path: Path) -> None:
    running, hub, first = own.service, own.hub, own.first
    new_version = publish(hub, second, tmp_path / "v2")
    environment = {**running.environment, "PATH": "/usr/bin:/bin"}
    script = [sys.executable, str(ROOT / "scripts" / "reload_model.py")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert new_version[:12] in done.stdout
    wait_until_converged(running, new_version)
    broadcast = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "worker.app",
        "control",
        "--timeout",
        "10",
        "reload_model",
        first,
    ]
    done = subprocess.run(broadcast, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    wait_until_converged(running, first)
    assert running.client.get("/model_versions").json()[0]["by"] == "celery control"


def test_rollback_needs_no_network(own: Standing, numbers: Kit, second: Kit, tmp_path: Path) -> None:
    running, hub, first = own.service, own.hub, own.first
    reload_to(running, publish(hub, second, tmp_path / "v2"))
    hub.stop()
    answer = running.client.post("/rollback_model", headers=ADMIN, timeout=60).raise_for_status().json()
    assert answer["version"] == first
    wait_until_converged(running, first)
    assert score(running, numbers.rows[0])["score"] == numbers.expected()[0]
    hub.start()


def reload_to(made: Service, version: str) -> None:
    assert reload(made, version).raise_for_status().json()["version"] == version
    wait_until_converged(made, version)


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "model.cb").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.cb").write_bytes(content)


def change_the_golden_scores(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    golden["scores"][3] += 1e-12
    (folder / "golden.json").write_text(json.dumps(golden))
    write_checksums(folder)


def rename_a_feature(folder: Path) -> None:
    (folder / "MLmodel").write_text((folder / "MLmodel").read_text().replace("income", "wages"))
    write_checksums(folder)


def remove_the_signature_file(folder: Path) -> None:
    (folder / "MLmodel").unlink()
    write_checksums(folder)


def truncate_the_model(folder: Path) -> None:
    content = (folder / "model.cb").read_bytes()
    (folder / "model.cb").write_bytes(content[: len(content) // 3])
    write_checksums(folder)


@pytest.mark.parametrize(
    "spoil", [flip_a_bit, change_the_golden_scores, rename_a_feature, remove_the_signature_file, truncate_the_model]
)
def test_a_bad_model_is_rejected_by_all(
    common: Standing, numbers: Kit, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    running, hub, first = common.service, common.hub, common.first
    bad_version = publish(hub, numbers, tmp_path / "bad", spoil=spoil)
    rejection = reload(running)
    assert rejection.status_code == 409, rejection.text
    assert rejection.headers["content-type"] == "application/problem+json"
    problem = rejection.json()
    assert problem["type"] == "urn:pret-a-depenser:reload-failed"
    assert problem["detail"].endswith("Nothing was changed.")
    assert problem["params"]["reason"] in [row["error"] for row in problem["processes"]]
    wait_until_converged(running, first)
    assert score(running, numbers.rows[0])["model_version"] == first
    last = running.client.get("/model_versions").json()[0]
    assert (last["version"], last["outcome"]) == (bad_version, "rejected")
    assert last["reason"]["type"] == "reload-failed"
    assert bad_version not in [path.name for path in (running.folder / "cache").iterdir()]


@pytest.mark.parametrize(
    ("kind", "what", "expected"),
    [
        ("info", 401, {502}),
        ("info", 404, {502}),
        ("info", 500, {503}),
        ("info", "stall", {503}),
        ("download", 500, {503}),
        ("download", 404, {503, 409}),
        ("download", "corrupt", {409}),
        ("download", "truncate", {503, 409}),
        ("download", "stall", {503}),
    ],
)
def test_a_failing_hub_changes_nothing(
    common: Standing, numbers: Kit, second: Kit, tmp_path: Path, kind: Any, what: Any, expected: set[int]
) -> None:
    running, hub, first = common.service, common.hub, common.first
    new_version = publish(hub, second, tmp_path / "v2")
    hub.fail(kind, what)
    rejection = reload(running)
    assert rejection.status_code in expected, rejection.text
    assert TOKEN not in rejection.text
    assert score(running, numbers.rows[0])["score"] == numbers.expected()[0]
    assert status(running)["active_version"] == first
    hub.heal()
    reload_to(running, new_version)
    reload_to(running, first)


def test_an_unknown_revision_is_named(common: Standing) -> None:
    running = common.service
    rejection = reload(running, "no-such-branch")
    problem = rejection.json()
    assert (rejection.status_code, problem["type"]) == (404, "urn:pret-a-depenser:revision-unknown")
    assert problem["params"] == {"repo": REPO}


def test_only_an_admin_may_change_the_model(common: Standing) -> None:
    running = common.service
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic first-key"},
        {"Authorization": "Bearer"},
    ):
        for route in ("/reload_model", "/rollback_model"):
            rejection = running.client.post(route, headers=headers)
            assert (rejection.status_code, rejection.headers["www-authenticate"]) == (401, "Bearer")


def test_there_is_nothing_to_roll_back_to_at_first(own: Standing) -> None:
    rejection = own.service.client.post("/rollback_model", headers=ADMIN)
    assert (rejection.status_code, rejection.json()["type"]) == (409, "urn:pret-a-depenser:no-previous-version")


def test_one_download_a_machine(own: Standing, second: Kit, tmp_path: Path) -> None:
    running, hub = own.service, own.hub
    new_version = publish(hub, second, tmp_path / "v2")
    hub.forget()
    reload_to(running, new_version)
    assert hub.count("download", path="*model.cb") == 1
    hub.forget()
    running.client.post("/rollback_model", headers=ADMIN, timeout=60).raise_for_status()
    assert hub.count() == 0


def test_of_two_reloads_at_once_one_wins(own: Standing, second: Kit, tmp_path: Path) -> None:
    running, hub = own.service, own.hub
    new_version = publish(hub, second, tmp_path / "v2")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: reload(running), range(4)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200, 409, 409, 409], [answer.text for answer in answers]
    wait_until_converged(running, new_version)


def kill_worker(made: Service) -> None:
    made.workers[0].kill()


def kill_api(made: Service) -> None:
    made.api.kill()


def restart_redis(made: Service) -> None:
    made.redis.kill()
    made.redis.start()


@pytest.mark.parametrize("disturb", [kill_worker, restart_redis])
def test_what_dies_while_models_are_made_ready_does_not_stop_the_others(
    own: Standing, second: Kit, tmp_path: Path, disturb: Callable[[Service], None]
) -> None:
    running, hub = own.service, own.hub
    new_version = publish(hub, second, tmp_path / "v2")
    hub.fail("download", "drip", seconds=3, path="*.cb")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(reload, running)
        wait_for("the candidate", lambda: status(running)["candidate"])
        disturb(running)
        assert answer.result().status_code == 200, answer.result().text
    if disturb is kill_worker:
        running.workers.pop()
        running.start_worker()
    wait_until_converged(running, new_version)


def test_an_api_that_dies_in_its_own_reload_leaves_the_fleet_as_it_was(
    own: Standing, numbers: Kit, second: Kit, tmp_path: Path
) -> None:
    running, hub, first = own.service, own.hub, own.first
    publish(hub, second, tmp_path / "v2")
    hub.fail("download", "stall")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(reload, running)
        wait_for("the candidate", lambda: status(running)["candidate"])
        running.api.kill()
        with pytest.raises(httpx.TransportError):
            answer.result()
    running.start_api()
    assert status(running)["active_version"] == first
    assert score(running, numbers.rows[0])["score"] == numbers.expected()[0]


def test_a_paused_worker_and_one_that_was_down_catch_up(own: Standing, second: Kit, tmp_path: Path) -> None:
    running, hub, first = own.service, own.hub, own.first
    paused = psutil.Process(running.workers[0].pid)
    down = running.start_worker()
    wait_until_converged(running, first)
    down.kill()
    paused.send_signal(signal.SIGSTOP)
    try:
        new_version = publish(hub, second, tmp_path / "v2")
        assert reload(running).status_code == 200
    finally:
        paused.send_signal(signal.SIGCONT)
    running.workers.pop().stop()
    running.start_worker()
    wait_until_converged(running, new_version)


def test_a_service_whose_hub_is_away_starts_with_the_version_it_served_last(own: Standing, numbers: Kit) -> None:
    running, hub, first = own.service, own.hub, own.first
    hub.stop()
    running.api.kill()
    running.redis.kill()
    running.start_api()
    assert score(running, numbers.rows[0])["model_version"] == first
    assert status(running)["error"]["type"] == "hub-unavailable"
    running.redis.start()
    hub.start()
    wait_for("all to be well", lambda: status(running)["error"] is None)


def test_an_api_that_ends_gives_up_its_reload(own: Standing, second: Kit, tmp_path: Path) -> None:
    running, first = own.service, own.first
    publish(own.hub, second, tmp_path / "v2")
    worker = psutil.Process(running.workers[0].pid)
    worker.suspend()
    assert running.api.running is not None
    with ThreadPoolExecutor(1) as pool, redis.Redis.from_url(running.redis.url) as client:
        reloading = pool.submit(reload, running)
        wait_for("the reload", lambda: client.exists(CANDIDATE_KEY))
        psutil.Process(running.api.pid).send_signal(signal.SIGTERM)
        answer = reloading.result()
    worker.resume()
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:pret-a-depenser:reload-interrupted")
    running.api.running.wait(DEADLINE)
    running.start_api()
    wait_until_converged(running, first)
    assert running.client.get("/model_versions").json()[0]["reason"]["type"] == "reload-interrupted"


def test_reloads_in_a_row_under_load_lose_nothing_and_mix_nothing(own: Standing, second: Kit, tmp_path: Path) -> None:
    running, hub, first = own.service, own.hub, own.first
    twin = make_kit(purpose=False, seed=3)
    reload_to(running, publish(hub, twin, tmp_path / "v2"))
    rows = make_rows(4000, seed=8)
    before = running.client.get("/model_status").json()["version"]
    jobs = [running.submit(rows)]
    stop = threading.Event()
    failures: list[str] = []

    def keep_scoring() -> None:
        with httpx.Client(base_url=running.client.base_url, timeout=30, trust_env=False) as client:
            while not stop.is_set():
                answer = client.post("/individual_score", json=rows[0])
                if answer.status_code != 200 or answer.json()["model_version"] not in expected:
                    failures.append(answer.text)

    expected = {first: make_kit(purpose=False).expected(rows), before: twin.expected(rows)}
    loaders = [threading.Thread(target=keep_scoring) for _ in range(2)]
    for loader in loaders:
        loader.start()
    memory = psutil.Process(running.api.pid).memory_info().rss
    for _ in range(10):
        assert running.client.post("/rollback_model", headers=ADMIN, timeout=60).status_code == 200
        jobs.append(running.submit(rows[:400]))
    stop.set()
    for loader in loaders:
        loader.join()
    assert failures == []
    for job_id in jobs:
        job = running.wait_until_ended(job_id)
        assert job["state"] == "succeeded"
        assert [row["score"] for row in running.results(job_id)] == expected[job["model_version"]][: job["rows"]]
    assert {running.job(job_id)["model_version"] for job_id in jobs} == set(expected)
    assert psutil.Process(running.api.pid).memory_info().rss < memory + 60 * 2**20
