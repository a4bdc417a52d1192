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
from shared.models.mlflow_source import Ask, MlflowSource
from shared.models.sources import FolderSource, Source
from tests.hub import HubServer
from tests.integration.test_reload import REPO, TOKEN
from tests.model_zoo import BY_URI, STOCK, ZOO
from tests.registry import NAME, asking, tracking_uri
from tests.zoo.seen import Seen, expected, seen
from tests.zoo.variant import Variant

# The first test waits until MLflow has logged them all: 20 s, but minutes where many processes want the cores.
pytestmark = pytest.mark.timeout(300)


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
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=250)
    return folder


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with asking() as ask:
        yield ask


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


@pytest.mark.parametrize(("number", "variant"), [*enumerate(ZOO.values(), 1)], ids=ZOO)
def test_folder_hub_and_mlflow_give_the_same(
    number: int, variant: Variant, hub: HubServer, mlflow: Path, ask: Ask, tmp_path: Path
) -> None:
    written = variant.write(tmp_path / "source")
    sources: dict[str, Source] = {
        "folder": FolderSource(written),
        "hub": HubSource(REPO, publish(hub, written), model_file="model.cb", token=TOKEN, endpoint=hub.url),
        "mlflow": MlflowSource(f"models:/{NAME}/{number}", tracking_uri(mlflow), ask),
    }
    given = {name: fetched(source, tmp_path / name, variant) for name, source in sources.items()}
    assert given == dict.fromkeys(sources, expected(variant))
    assert given["hub"].contract == given["mlflow"].contract == given["folder"].contract


@pytest.mark.parametrize(("number", "variant"), [*enumerate(STOCK.values())], ids=STOCK)
def test_what_mlflow_itself_writes_is_no_other(number: int, variant: Variant, mlflow: Path, tmp_path: Path) -> None:
    logged = seen(mlflow / "logged" / str(number), variant)
    wanted = expected(variant)
    assert logged == (wanted if variant.inputs is not None else replace(wanted, example=None))
    assert logged.contract == seen(variant.write(tmp_path / "model"), variant).contract


@pytest.mark.parametrize("place", [0, 1], ids=["logged model", "run"])
def test_a_model_that_is_logged_and_not_registered_is_served(
    place: int, mlflow: Path, ask: Ask, tmp_path: Path
) -> None:
    uri = json.loads((mlflow / "uris.json").read_bytes())[BY_URI][place]
    source = MlflowSource(uri, tracking_uri(mlflow), ask)
    assert fetched(source, tmp_path / "fetched", ZOO[BY_URI]) == expected(ZOO[BY_URI])
