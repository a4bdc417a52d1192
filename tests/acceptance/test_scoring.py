"""The main jobs on real data: what comes back is CatBoost's own score, row by row."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from tests.acceptance.conftest import Up, copy_of_the_project
from tests.processes import ROOT, wait_for

GERMAN_CREDIT = ROOT / "tests" / "data" / "german_credit.csv"


def score_as_job(client: httpx.Client, rows: list[dict[str, Any]]) -> list[float]:
    """Submit, poll, fetch page by page."""
    answer = client.post("/jobs", json=rows)
    assert answer.status_code == 202, answer.text
    job = answer.headers["location"]
    wait_for("the job", lambda: client.get(job).json()["state"] == "succeeded")
    pages = [
        client.get(f"{job}/results", params={"offset": start, "limit": 10_000}).json()
        for start in range(0, len(rows), 10_000)
    ]
    return [result["score"] for page in pages for result in page["results"]]


def test_ten_thousand_demo_rows_equal_predict_proba(up: Up, client: httpx.Client) -> None:
    golden = json.loads((up.folder / "exported_model" / "golden.json").read_text())
    rows = (golden["rows"] * 201)[:10_007]
    for i, row in enumerate(rows):
        rows[i] = row | {"AMT_ANNUITY": row["AMT_ANNUITY"] + i}
    classifier = CatBoostClassifier().load_model(str(up.folder / "exported_model" / "model.cb"))
    expected = classifier.predict_proba(pd.DataFrame(rows)[classifier.feature_names_].astype(float))[:, 1]
    assert score_as_job(client, rows) == expected.tolist()


def test_the_reference_applicant(up: Up, client: httpx.Client) -> None:
    example = json.loads((up.folder / "exported_model" / "input_example.json").read_text())
    answer = client.post("/individual_score", json=example).json()
    info = client.get("/model_info").json()
    assert answer["threshold"] == info["recommended_threshold"]
    assert answer["prediction"] == int(answer["score"] >= answer["threshold"])
    assert answer["decision"] == ("Refusé" if answer["prediction"] else "Accordé")
    document = client.get("/openapi.json").json()
    body = document["paths"]["/individual_score"]["post"]["requestBody"]["content"]["application/json"]
    assert body["example"] == example
    features = document["components"]["schemas"]["Features"]["properties"]
    assert list(features) == list(example)
    assert all(feature["description"] for feature in features.values())


@pytest.fixture
def german(tmp_path: Path) -> Iterator[Up]:
    """German credit, trained and served as the README tells."""
    running = Up(copy_of_the_project(tmp_path), settings={"MODEL_DIR": "german_credit"})
    options = "--csv tests/data/german_credit.csv --target creditability --positive bad --output german_credit"
    running.shell(f".venv/bin/python scripts/train_demo_model.py {options}")
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_german_credit_is_served_with_its_categories(german: Up) -> None:
    data = pd.read_csv(GERMAN_CREDIT, keep_default_na=False).drop(columns="creditability")
    rows = json.loads(data.to_json(orient="records"))
    classifier = CatBoostClassifier().load_model(str(german.folder / "german_credit" / "model.cb"))
    expected = classifier.predict_proba(data)[:, 1].tolist()
    with httpx.Client(base_url=german.url, timeout=60, trust_env=False) as client:
        assert score_as_job(client, rows) == expected
        singles = [client.post("/individual_score", json=row).json()["score"] for row in rows[:20]]
        assert singles == expected[:20]
        unknown = client.post("/individual_score", json=rows[0] | {"purpose": "a spaceship"})
        assert unknown.status_code == 422
        assert "spaceship" not in unknown.text
        assert unknown.json()["detail"][0]["loc"] == ["body", "purpose"]
