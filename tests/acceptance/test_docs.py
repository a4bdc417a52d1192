"""Every command and every example of the guides does what the guide shows."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest

from shared.webhooks.delivery import sign
from tests.acceptance.conftest import Up, copy_of_the_project
from tests.acceptance.test_readme import BLOCK, run, steps
from tests.hub import HubServer
from tests.processes import ROOT, http, wait_for

GUIDES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
QUICKSTART = GUIDES.pop("docs/quickstart.md")
SECTION = re.compile(r"^(?=## )", re.MULTILINE)
FROM_MLFLOW, ON_THE_HUB = "## A model that MLflow has\n", "## From MLflow to the Hub to every process\n"
"""Sections of the guide to models, each the way of somebody who has a fresh copy of the project."""
OF_A_NEWCOMER = {
    section.partition("\n")[0] + "\n": section
    for section in SECTION.split(GUIDES["docs/models.md"])
    if section.startswith((FROM_MLFLOW, ON_THE_HUB))
}
for section in OF_A_NEWCOMER.values():
    GUIDES["docs/models.md"] = GUIDES["docs/models.md"].replace(section, "")
REPO = "credit/scoring"

SECRET, BODY, NOW = "shared", b'{"id": "9784c84d4e8540ee9907b2e3e8198fe7"}', 1_795_575_767
Verify = Callable[[str, dict[str, str], bytes, float], bool]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page, text in GUIDES.items() if steps(text)])
def test_the_commands_and_examples_of_a_guide(page: str, up: Up) -> None:
    run(up, steps(GUIDES[page]))


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Up]:
    """A fresh copy of the project, in which nothing runs."""
    up = Up(copy_of_the_project(tmp_path / "project"))
    try:
        yield up
    finally:
        up.stop()


@pytest.mark.timeout(300)
def test_the_first_five_minutes(newcomer: Up) -> None:
    run(newcomer, steps(QUICKSTART))


@pytest.mark.timeout(300)
def test_the_way_of_a_model_that_mlflow_has(newcomer: Up) -> None:
    run(newcomer, steps(OF_A_NEWCOMER[FROM_MLFLOW]))


@pytest.mark.timeout(300)
def test_the_way_over_the_hub(newcomer: Up, demo_model: Path) -> None:
    shutil.copytree(demo_model, newcomer.folder / "exported_model")
    with HubServer() as hub:
        newcomer.settings = {
            "HF_REPO_ID": REPO,
            "HF_TOKEN": "hf_alice",
            "HF_ENDPOINT": hub.url,
            "HF_HUB_DISABLE_XET": "1",
        }
        run(newcomer, steps(OF_A_NEWCOMER[ON_THE_HUB]))
        wait_for("the broadcast to be followed", lambda: is_converged(newcomer, hub))
        newcomer.stop()


def is_converged(up: Up, hub: HubServer) -> bool:
    """Whether every process has the version that is tagged v2."""
    status = http.get(f"{up.url}/model_status").json()
    return bool(status["converged"]) and status["active_version"] == hub.store.repositories[REPO].tags["v2"]


def test_the_guide_to_the_api_has_the_routes_and_statuses_that_are_served(client: httpx.Client) -> None:
    sections = re.split(r"^### `([A-Z]+ /[^`]*)`\n", GUIDES["docs/api.md"], flags=re.MULTILINE)[1:]
    told = {
        route: set(re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE))
        for route, text in zip(sections[::2], sections[1::2], strict=True)
    }
    assert told.pop("GET /") == {"307"}
    assert told == {
        f"{method.upper()} {path.replace('{job_id}', '{id}')}": operation["responses"].keys() - {"default"}
        for path, operations in client.get("/openapi.json").json()["paths"].items()
        for method, operation in operations.items()
    }


@pytest.fixture
def verify() -> Verify:
    """The receiver's part of a callback, as the guide shows it."""
    [block] = (text for language, text in BLOCK.findall(GUIDES["docs/batches.md"]) if language == "python")
    names: dict[str, object] = {}
    exec(block, names)  # noqa: S102 - our own page
    return cast(Verify, names["verify"])


def headers(secret: str) -> dict[str, str]:
    return {"X-Pret-Timestamp": str(NOW), "X-Pret-Signature": sign(secret, NOW, BODY)}


def test_a_receiver_knows_a_genuine_callback(verify: Verify) -> None:
    assert verify(SECRET, headers(SECRET), BODY, NOW + 300)


def test_a_receiver_knows_a_forged_or_old_callback(verify: Verify) -> None:
    assert not verify(SECRET, headers("another"), BODY, NOW)
    assert not verify(SECRET, headers(SECRET), BODY + b" ", NOW)
    assert not verify(SECRET, headers(SECRET), BODY, NOW + 301)
