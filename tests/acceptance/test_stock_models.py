"""A model as a team has it, logged by plain MLflow: checked, published and served wherever it is."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from catboost import CatBoostClassifier

from tests.acceptance.person import REPO, SOURCES, Person, contents, files
from tests.factories import fitted
from tests.processes import service
from tests.registry import log_models, logged_as_stock, tracking_uri

CHAMPION = "models:/credit@champion"
APPLICANTS = pd.DataFrame(
    {
        "income": np.where(np.arange(80) % 9 == 0, np.nan, np.arange(80) * 31.5),
        "age": 18 + np.arange(80) % 60,
        "married": np.arange(80) % 2 == 0,
        "purpose": np.array(["car", "café", "house"])[np.arange(80) % 3],
    }
)
LABELS = np.where(APPLICANTS["age"] + 10 * APPLICANTS["married"] > 45, "good", "bad")
UNKNOWN_CLASS = (
    "The classes of the model are 'bad' or 'good', and nothing says which of them the score is the probability of."
    " State it as metadata.positive_class in MLmodel, or set POSITIVE_CLASS."
)
FACTS = [
    "model      CatBoostClassifier, 10 trees, model.cb",
    "classes    bad, good",
    "score      probability of bad (--positive-class)",
]


@dataclass(frozen=True)
class Stock:
    """A model in a registry that states nothing but its signature and an example, and its folder."""

    classifier: CatBoostClassifier
    registry: Path
    run: str

    @property
    def folder(self) -> Path:
        """What `mlflow artifacts download` makes of it."""
        return self.registry / "team"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The applicants as a client would send them."""
        records: list[dict[str, Any]] = json.loads(APPLICANTS.to_json(orient="records"))
        return records

    @property
    def expected(self) -> list[float]:
        """The column of the class `bad` of what CatBoost itself says of the data frame."""
        column = self.classifier.classes_.tolist().index("bad")
        scores: list[float] = self.classifier.predict_proba(APPLICANTS)[:, column].tolist()
        return scores

    def check_published(self, person: Person, threshold: float) -> None:
        """See that the Hub has all of it, and nothing of this machine."""
        repository = files(person)
        assert repository.keys() == SOURCES | {"README.md", "requirements.txt", ".gitattributes"}
        assert repository["requirements.txt"] == b"catboost==1.2.10\n"
        metadata = yaml.safe_load(repository["MLmodel"])["metadata"]
        assert metadata == {"best_threshold": threshold, "positive_class": "bad"}
        golden = json.loads(repository["golden.json"])
        assert golden == {"positive_class": "bad", "rows": self.rows[:5], "scores": self.expected[:5]}
        assert json.loads(repository["input_example.json"]) == self.rows[0]
        everything = b"".join(repository.values())
        assert str(person.folder).encode() not in everything
        assert str(self.registry).encode() not in everything
        card = repository["README.md"].decode()
        assert "score = probability of `bad`." in card
        assert f"The threshold is `{threshold}` (metadata.best\\_threshold)" in card
        assert "| `income` | double | no | yes |" in card
        assert "| `purpose` | string | yes | no |" in card


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    registry = tmp_path_factory.mktemp("registry")
    classifier = fitted(APPLICANTS, LABELS, cat_features=["purpose"])
    entry = logged_as_stock(classifier, APPLICANTS, LABELS, registry / "stock.cb", parameters={"threshold": "0.375"})
    (run,) = log_models(registry, entry)
    made = Stock(classifier, registry, run)
    subprocess.run(
        [sys.executable, "-m", "mlflow", "artifacts", "download", "-u", CHAMPION, "-d", str(made.folder)],
        env=os.environ | {"MLFLOW_TRACKING_URI": tracking_uri(registry)},
        check=True,
        capture_output=True,
        timeout=100,
    )
    return made


@pytest.fixture
def team(person: Person, stock: Stock) -> Path:
    """A copy of the folder, beside the person; their commands find the registry, too."""
    person.use_registry(stock.registry)
    return Path(shutil.copytree(stock.folder, person.folder / "team"))


# Publishing


def test_a_model_of_the_registry_is_published_with_what_the_registry_states(person: Person, stock: Stock) -> None:
    person.use_registry(stock.registry)
    done = person.upload(CHAMPION, "--create", "--positive-class", "bad")
    assert done.code == 0, done.errors
    lines = done.output.splitlines()
    assert "score = probability of bad (--positive-class); threshold 0.375 (parameter threshold of the run)" in lines
    stock.check_published(person, 0.375)


@pytest.mark.usefixtures("team")
def test_a_folder_and_a_run_make_the_same_commit(person: Person, stock: Stock) -> None:
    stated = ("--positive-class", "bad", "--threshold", "0.375")
    done = person.upload("team", "--create", *stated)
    assert done.code == 0, done.errors
    assert "score = probability of bad (--positive-class); threshold 0.375 (--threshold)\n" in done.output
    stock.check_published(person, 0.375)
    again = person.upload(f"runs:/{stock.run}/model", *stated)
    assert (again.code, again.last_line) == (0, done.last_line)
    assert f"Nothing has changed: {REPO} has this model already.\n" in again.output


@pytest.mark.usefixtures("team")
def test_a_model_is_published_once_its_positive_class_is_stated_and_then_served(person: Person, stock: Stock) -> None:
    person.upload("team", "--create").rejected(UNKNOWN_CLASS)
    person.upload("team", "--create", "--positive-class", "worse").rejected(
        "metadata.positive_class is not one of the classes of the model, which are 'bad' or 'good'."
    )
    assert REPO not in person.hub.store.repositories
    # The setting of the publisher is written down, too: it is the publisher's word.
    person.settings["POSITIVE_CLASS"] = "bad"
    done = person.upload("team", "--create", "--threshold", "0.25")
    assert done.code == 0, done.errors
    stock.check_published(person, 0.25)
    del person.settings["POSITIVE_CLASS"]
    with service(person.folder, **person.environment) as running:
        running.start_api()
        answers = [running.client.post("/individual_score", json=row).json() for row in stock.rows]
        assert [answer["score"] for answer in answers] == stock.expected
        info = running.client.get("/model_info").json()
        assert (info["version"], info["positive_class"], info["recommended_threshold"]) == (done.last_line, "bad", 0.25)
        assert (info["integrity"], info["notes"]) == ("checksums", [])
        shown = person.pret("show", "--url", str(running.client.base_url))
        assert shown.output.splitlines()[:2] == [
            "score = probability of bad",
            "threshold = 0.25 (metadata.best_threshold)",
        ]


def test_a_threshold_that_nobody_states_is_not_made_up(person: Person, stock: Stock, team: Path) -> None:
    done = person.upload("team", "--create", "--positive-class", "bad")
    assert done.code == 0, done.errors
    assert "Assumed:\n- The model states no threshold, so DEFAULT_THRESHOLD (0.5) decides.\n" in done.output
    repository = files(person)
    assert yaml.safe_load(repository["MLmodel"])["metadata"] == {"positive_class": "bad"}
    assert "so the setting `DEFAULT_THRESHOLD` of the service decides." in repository["README.md"].decode()


# Checking


def test_a_model_of_the_registry_is_checked(person: Person, stock: Stock) -> None:
    person.use_registry(stock.registry)
    done = person.pret("check", CHAMPION, "--positive-class", "bad")
    assert done.code == 0, done.errors
    assert done.output.splitlines()[:5] == [
        *FACTS,
        "threshold  0.375 (parameter threshold of the run)",
        "integrity  none",
    ]
    absent = person.pret("check", "models:/credit@nobody")
    absent.rejected(
        "MLflow has no such model. Is it registered, or its run there; is it named with a version or an alias, "
        "as in models:/NAME@ALIAS; and is MLFLOW_TRACKING_URI right?"
    )
    assert person.left() == set()


def test_a_folder_is_checked_and_completed(person: Person, stock: Stock, team: Path) -> None:
    before = contents(team)
    rejected = person.pret("check", "team")
    assert (rejected.code, rejected.errors) == (1, "")
    assert rejected.output.startswith(f"Rejected: {UNKNOWN_CLASS}\n")
    tried = person.pret("check", "team", "--positive-class", "bad")
    assert tried.code == 0, tried.errors
    assert tried.output.splitlines()[:4] == [*FACTS, "threshold  0.5 (DEFAULT_THRESHOLD)"]
    assert contents(team) == before

    written = person.pret("check", "team", "--positive-class", "bad", "--threshold", "0.25", "--write")
    assert written.code == 0, written.errors
    assert written.output.endswith("\nFit to be served.\nCompleted team.\n")
    after = contents(team)
    assert after.keys() == before.keys() | {"golden.json", "importance.json", "SHA256SUMS"}
    changed = {name for name, content in before.items() if after[name] != content}
    assert changed == {"MLmodel", "input_example.json"}
    assert json.loads(after["golden.json"])["scores"] == stock.expected[:5]
    assert person.left() == {"team"}


@pytest.mark.usefixtures("team")
def test_a_model_on_the_hub_is_checked(person: Person) -> None:
    stated = ("--positive-class", "bad", "--threshold", "0.25")
    assert person.upload("team", "--create", "--tag", "v1", *stated).code == 0
    assert person.pret("check", "team", "--write", *stated).code == 0
    here, there = person.pret("check", "team"), person.pret("check", f"hub:{REPO}@v1")
    assert there.code == 0, there.errors
    assert there.output == here.output
    assert "Unsafe" not in there.output
    person.pret("check", f"hub:{REPO}@v9").rejected(f"{REPO} on the Hub has no such revision.")
    person.pret("check", "hub:credit/none").rejected(
        "The Hub has no repository credit/none, or the token may not read it."
    )
    assert person.left() == {"team"}
