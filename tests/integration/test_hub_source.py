"""What a server fetches of a repository, over the real client of the Hub."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
import yaml
from huggingface_hub.utils._http import default_client_factory

from shared.errors import SourceUnavailable
from shared.models import artifact, files
from shared.models.hub import HubSource
from shared.models.version import Resolution
from tests.factories import Kit
from tests.hub import HubServer
from tests.integration.test_reload import REPO, TOKEN, publish

CARD = "# A model\n"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.store.create(REPO, private=True)
        yield server


def fetched(hub: HubServer, kit: Kit, folder: Path, card: str | None) -> set[str]:
    """Publish the kit with a card and a file that is none of the model's, and name what a server then fetches."""

    def add(source: Path) -> None:
        (source / "notes.txt").write_text("not for serving")
        if card is not None:
            (source / "README.md").write_text(card)

    version = publish(hub, kit, folder / "source", spoil=add)
    source = HubSource(REPO, "main", model_file="model.cb", token=TOKEN, endpoint=hub.url)
    (folder / "fetched").mkdir()
    source.fetch(Resolution(version), folder / "fetched")
    return {path.name for path in (folder / "fetched").iterdir()}


def served_in(source: Path) -> set[str]:
    return {name for name in files.served_files(source) if (source / name).is_file()}


def test_the_card_comes_along_where_there_is_one(hub: HubServer, numbers: Kit, tmp_path: Path) -> None:
    assert fetched(hub, numbers, tmp_path, CARD) == served_in(tmp_path / "source") | {"README.md"}
    assert artifact.load(tmp_path / "fetched", "any").card == CARD


def test_a_repository_without_a_card_serves(hub: HubServer, numbers: Kit, tmp_path: Path) -> None:
    assert fetched(hub, numbers, tmp_path, None) == served_in(tmp_path / "source")


def test_a_card_that_is_too_large_is_not_fetched(hub: HubServer, numbers: Kit, tmp_path: Path) -> None:
    card = "x" * (files.MAX_CARD_BYTES + 1)
    assert fetched(hub, numbers, tmp_path, card) == served_in(tmp_path / "source")


@pytest.mark.parametrize(("stated", "served"), [("model.cb", "credit.cbm"), ("second.cbm", "second.cbm")])
def test_the_operator_names_the_model_before_mlmodel_does(
    hub: HubServer, numbers: Kit, tmp_path: Path, stated: str, served: str
) -> None:
    def add(source: Path) -> None:
        for name in ("credit.cbm", "second.cbm"):
            shutil.copy(source / "model.cb", source / name)
        description = yaml.safe_load((source / "MLmodel").read_bytes())
        flavors = {"flavors": {"catboost": {"data": "credit.cbm"}}}
        (source / "MLmodel").write_text(yaml.safe_dump(description | flavors), encoding="utf-8")

    version = publish(hub, numbers, tmp_path / "source", spoil=add)
    (tmp_path / "fetched").mkdir()
    source = HubSource(REPO, "main", model_file=stated, token=TOKEN, endpoint=hub.url)
    source.fetch(Resolution(version), tmp_path / "fetched")
    assert files.model_file(tmp_path / "fetched") == served


@pytest.fixture
def new_connection() -> Iterator[None]:
    """The client keeps its connection, which it makes by the environment; here it makes another one, and so it does afterwards."""
    huggingface_hub.set_client_factory(default_client_factory)
    yield
    huggingface_hub.set_client_factory(default_client_factory)


@pytest.mark.usefixtures("new_connection")
def test_a_proxy_that_the_client_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    source = HubSource(REPO, "main", model_file="model.cb", token=None, endpoint="http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="a SOCKS proxy is set, and not supported"):
        source.resolve(None)
