"""Models from a real MLflow registry: what an alias stands for is what is fetched, once a machine."""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import SourceUnavailable, UnknownRevision, VersionUnavailable
from shared.models.cache import ModelCache
from shared.models.mlflow_source import Ask, MlflowSource
from shared.models.version import VersionRef
from tests.factories import Kit
from tests.processes import service, wait_for
from tests.registry import NAME, asking, log_models, logged, tracking_uri

CHAMPION, CHALLENGER = f"models:/{NAME}@champion", f"models:/{NAME}@challenger"


@pytest.fixture(scope="module")
def registry(numbers: Kit, mixed: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with two versions, of which the first is the champion."""
    folder = tmp_path_factory.mktemp("registry")
    log_models(
        folder,
        logged(numbers, folder / "1.cb"),
        logged(mixed, folder / "2.cb", aliases=("challenger",)),
    )
    return folder


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with asking() as ask:
        yield ask


def cache_at(folder: Path, registry: Path, origins: dict[str, str] | None = None) -> ModelCache:
    return ModelCache(MlflowSource(CHAMPION, tracking_uri(registry)), folder, origin_of=(origins or {}).get)


def test_an_alias_is_resolved_to_a_version_which_is_fetched_once(
    registry: Path, tmp_path: Path, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = cache_at(tmp_path / "cache", registry)
    found = models.resolve()
    assert found.origin == f"models:/{NAME}/1"
    assert models.load(found.id).scorer.score_rows(numbers.rows).tolist() == numbers.expected()

    def fetch(*_: object) -> None:
        raise AssertionError("it is there already")

    monkeypatch.setattr(MlflowSource, "fetch", fetch)
    assert cache_at(tmp_path / "cache", registry).resolve() == found
    assert cache_at(tmp_path / "cache", registry).resolve(f"models:/{NAME}/1") == found


def test_a_run_names_the_model_that_it_logged(registry: Path, tmp_path: Path, numbers: Kit) -> None:
    models = cache_at(tmp_path / "cache", registry)
    champion = models.load(models.resolve().id)
    found = models.resolve(f"runs:/{champion.mlmodel.run_id}/model")
    assert found.id == champion.version
    assert models.load(found.id).scorer.score_rows(numbers.rows).tolist() == numbers.expected()


def test_another_machine_fetches_what_was_resolved_whatever_the_setting_says(
    registry: Path, tmp_path: Path, mixed: Kit
) -> None:
    found = cache_at(tmp_path / "here", registry).resolve(CHALLENGER)
    assert found.origin == f"models:/{NAME}/2"
    there = cache_at(tmp_path / "there", registry)
    there.prepare(found)
    assert there.load(found.id).scorer.score_rows(mixed.rows).tolist() == mixed.expected()
    # A job knows the id only.
    third = cache_at(tmp_path / "third", registry, {found.id: str(found.origin)})
    assert third.load(found.id).version == found.id


def test_a_version_that_the_origin_does_not_hold_is_not_taken(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(VersionUnavailable, match="no longer has version"):
        cache_at(tmp_path, registry).prepare(VersionRef("local-000000000000", f"models:/{NAME}/1"))
    with pytest.raises(VersionUnavailable, match="no longer has version"):
        cache_at(tmp_path, registry).prepare(VersionRef("local-000000000000"))


@pytest.mark.parametrize(
    "revision",
    [
        f"models:/{NAME}@nobody",
        f"models:/{NAME}/99",
        "models:/other/1",
        f"models:/m-{0:032}",
        f"runs:/{0:032}/model",
        "v2",
    ],
)
def test_what_the_registry_does_not_have_is_told(registry: Path, ask: Ask, tmp_path: Path, revision: str) -> None:
    source = MlflowSource(CHAMPION, tracking_uri(registry), ask)
    with pytest.raises(UnknownRevision, match="MLflow"):
        ModelCache(source, tmp_path).resolve(revision)


@pytest.mark.parametrize(
    ("server", "type", "word"),
    [
        ("http://127.0.0.1:9", "mlflow-failed", "INTERNAL_ERROR"),
        ("postgresql://credit:hunter2@127.0.0.1:9/mlflow", "mlflow-module-missing", "'psycopg'"),
    ],
)
def test_why_mlflow_does_not_answer_is_told_without_its_address(ask: Ask, server: str, type: str, word: str) -> None:
    with pytest.raises(SourceUnavailable, match=word) as caught:
        MlflowSource(CHAMPION, server, ask).resolve(None)
    assert caught.value.reason.type == type
    assert "127.0.0.1" not in str(caught.value)


def test_files_that_are_not_there_are_told(registry: Path, ask: Ask, tmp_path: Path) -> None:
    shutil.copy(registry / "mlflow.db", tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute("UPDATE model_versions SET storage_location = '/gone', source = '/gone'")
    source = MlflowSource(CHAMPION, tracking_uri(tmp_path), ask)
    with pytest.raises(SourceUnavailable, match="read from here"):
        source.fetch(source.resolve(None), tmp_path / "fetched")


def test_percent_signs_in_the_path_of_environment_and_registry_are_taken_as_they_are(
    numbers: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "100%(off)s off"
    environment = folder / ".venv"
    for name in ("bin", "lib", "pyvenv.cfg"):
        environment.mkdir(parents=True, exist_ok=True)
        (environment / name).symlink_to(Path(sys.prefix) / name)
    (folder / "registry").mkdir()
    log_models(folder / "registry", logged(numbers, folder / "1.cb"))
    monkeypatch.setattr(sys, "executable", str(environment / "bin" / "python"))
    models = cache_at(tmp_path / "cache", folder / "registry")
    assert models.load(models.resolve().id).scorer.score_rows(numbers.rows).tolist() == numbers.expected()


def test_a_service_on_a_registry_starts_and_takes_another_alias(
    registry: Path, tmp_path: Path, mixed: Kit, numbers: Kit
) -> None:
    settings = {"MODEL_URI": CHAMPION, "MLFLOW_TRACKING_URI": tracking_uri(registry), "RELOAD_TIMEOUT": "60"}
    with service(tmp_path, **settings) as made:
        made.start_api()
        made.start_worker()
        assert made.client.post("/individual_score", json=numbers.rows[0]).json()["score"] == numbers.expected()[0]
        answer = made.client.post("/reload_model", json={"revision": CHALLENGER}, timeout=100)
        assert answer.status_code == 200, answer.text
        assert {process["version"] for process in answer.json()["processes"]} == {answer.json()["version"]}
        job = made.wait_until_ended(made.submit(mixed.rows[:10]))
        assert job["state"] == "succeeded"
        wait_for("all to agree", lambda: made.client.get("/model_status").json()["converged"])
        assert made.client.post("/rollback_model", timeout=100).json()["status"] == "reloaded"
