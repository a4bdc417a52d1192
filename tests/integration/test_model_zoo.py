"""Each kind of model has the same verdict, the same contract and the same scores, wherever it comes from."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import BadArtifact
from shared.models.hub import HubSource
from shared.models.mlflow_source import MlflowSource
from shared.models.sources import FolderSource, Source
from shared.models.version import Resolution
from tests.hub import HubServer
from tests.integration.test_reload import REPO, TOKEN
from tests.model_zoo import BY_URI, REGISTERED, STOCK, ZOO
from tests.registry import NAME, tracking_uri
from tests.zoo.seen import Seen, expected, seen
from tests.zoo.variant import Variant


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.store.create(REPO, private=True)
        yield server


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which MLflow itself logged and registered models."""
    folder = tmp_path_factory.mktemp("mlflow")
    command = [sys.executable, "-m", "tests.zoo.log", str(folder)]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=100)
    return folder


def publish(hub: HubServer, folder: Path) -> str:
    """Commit what lies in a folder and below it."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return hub.store.commit(REPO, {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}, "a model")


def fetched(source: Source, folder: Path, variant: Variant) -> Seen:
    """See what a source gives, as a machine that has nothing yet."""
    folder.mkdir()
    try:
        source.fetch(source.resolve(None), folder)
    except BadArtifact as error:
        return Seen(error.reason.type)
    return seen(folder, variant)


def fetched_from_mlflow(registry: Path, uri: str, folder: Path, variant: Variant) -> Seen:
    """See what MLflow gives for a URI that is resolved already; to resolve it would take another import of MLflow."""
    (folder / "fetched").mkdir()
    MlflowSource(uri, tracking_uri(registry)).fetch(Resolution(None, uri), folder / "fetched")
    return seen(folder / "fetched", variant)


@pytest.mark.parametrize("variant", ZOO.values(), ids=ZOO)
def test_folder_and_hub_give_the_same(variant: Variant, hub: HubServer, tmp_path: Path) -> None:
    written = variant.write(tmp_path / "source")
    from_folder = fetched(FolderSource(written), tmp_path / "folder", variant)
    sha = publish(hub, written)
    of_hub = HubSource(REPO, sha, model_file="model.cb", token=TOKEN, endpoint=hub.url)
    from_hub = fetched(of_hub, tmp_path / "hub", variant)
    assert from_folder == from_hub == expected(variant)
    assert from_folder.contract == from_hub.contract


@pytest.mark.parametrize(("number", "variant"), [*enumerate(STOCK.values())], ids=STOCK)
def test_what_mlflow_itself_writes_is_no_other(number: int, variant: Variant, mlflow: Path, tmp_path: Path) -> None:
    logged = seen(mlflow / "logged" / str(number), variant)
    wanted = expected(variant)
    assert logged == (wanted if variant.inputs is not None else replace(wanted, example=None))
    assert logged.contract == seen(variant.write(tmp_path / "model"), variant).contract


@pytest.mark.parametrize(("number", "variant"), [*enumerate(REGISTERED.values(), 1)], ids=REGISTERED)
def test_a_registry_gives_the_same(number: int, variant: Variant, mlflow: Path, tmp_path: Path) -> None:
    from_registry = fetched_from_mlflow(mlflow, f"models:/{NAME}/{number}", tmp_path, variant)
    assert from_registry == expected(variant)
    assert from_registry.contract == seen(variant.write(tmp_path / "model"), variant).contract


@pytest.mark.parametrize("place", [0, 1], ids=["logged model", "run"])
def test_a_model_that_is_logged_and_not_registered_is_served(place: int, mlflow: Path, tmp_path: Path) -> None:
    uri = json.loads((mlflow / "uris.json").read_bytes())[BY_URI][place]
    assert fetched_from_mlflow(mlflow, uri, tmp_path, ZOO[BY_URI]) == expected(ZOO[BY_URI])
