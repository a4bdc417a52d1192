"""The console over a running service: its pages read what the service really sends, and say it in French."""

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from streamlit.testing.v1 import AppTest

from pret import Client
from tests.factories import Kit, Row, make_rows
from tests.integration.portfolio import ID, as_arrow, as_csv, as_stream, with_ids
from tests.processes import Service, service, wait_for
from tests.unit.ui.conftest import FakeService, view_of
from tests.unit.ui.test_applicant import shown

ROWS = with_ids(make_rows(60, seed=17))
BAD = [row | ({"age": 12, "income": ""} if number in (3, 5) else {}) for number, row in enumerate(ROWS)]
TOO_YOUNG = "age\u00a0: La valeur minimale est 18."


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, numbers: Kit) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("service"), RECONCILE_INTERVAL="0.5") as made:
        made.offer(numbers)
        made.start_api()
        made.start_worker()
        wait_for("the worker", lambda: made.processes("worker"))
        yield made


@pytest.fixture
def page(running: Service) -> Iterator[Callable[..., AppTest]]:
    with Client(str(running.client.base_url)) as client:

        def open_page(name: str, **query: str) -> AppTest:
            test = view_of(name, cast(FakeService, client))
            for key, value in query.items():
                test.query_params[key] = value
            return test.run()

        yield open_page


def tables(test: AppTest) -> list[list[Any]]:
    return [it.value.to_numpy().tolist() for it in test.dataframe]


def test_flagged_rows_say_why_they_have_no_score(running: Service, page: Callable[..., AppTest]) -> None:
    job = running.upload(as_csv(BAD), keep=ID, on_invalid="flag")
    running.wait_until_ended(job)
    reasons, results = tables(page("portfolio", job=job))
    assert [TOO_YOUNG, "2"] in reasons
    assert [row[:2] for row in results if TOO_YOUNG in row[-1]] == [[str(n + 2), str(ROWS[n][ID])] for n in (3, 5)]


def test_a_job_that_failed_for_its_rows_lists_them(running: Service, page: Callable[..., AppTest]) -> None:
    job = running.upload(as_csv(BAD))
    running.wait_until_ended(job)
    test = page("portfolio", job=job)
    assert "4 valeurs ne sont pas valides." in shown(test)
    assert ["5", "age", "La valeur minimale est 18."] in tables(test)[0]


@pytest.mark.parametrize(("name", "write"), [("a.arrow", as_arrow), ("a.arrows", as_stream)])
def test_an_arrow_file_is_scored_without_having_been_seen(
    name: str, write: Callable[[list[Row]], bytes], running: Service, page: Callable[..., AppTest]
) -> None:
    test = page("portfolio")
    test.file_uploader(key="upload").set_value((name, write(ROWS), "")).run()
    test.multiselect(key="keep").set_value([ID])
    test.button(key="submit_job").click().run()
    job = running.wait_until_ended("".join(test.query_params["job"]))
    assert (job["state"], job["rows"], job["keep"]) == ("succeeded", len(ROWS), [ID])


def test_invalid_rows_of_json_are_listed_at_once(page: Callable[..., AppTest]) -> None:
    rows: list[Row] = [ROWS[0], ROWS[1] | {"age": 12}]
    test = page("portfolio")
    test.file_uploader(key="upload").set_value(("a.json", json.dumps(rows).encode(), "application/json")).run()
    test.radio(key="on_invalid").set_value("reject").run()
    test.button(key="submit_job").click().run()
    assert "1 valeur n'est pas valide." in shown(test)
    assert tables(test)[1] == [["2", "age", "La valeur minimale est 18."]]


def test_health_is_told_part_by_part(page: Callable[..., AppTest]) -> None:
    text = shown(page("health"))
    assert text.count("En marche") == 5
    assert all(words in text for words in ("Version local-", "0 tâche en attente", "Accessible en écriture"))


def change_model(test: AppTest) -> str:
    """Ask for the change on the page, and give what it shows then."""
    test.button(key="reload").click().run()
    test.button(key="confirm").click().run()
    return shown(test).replace("\\", "")


def test_a_rejected_reload_says_why(running: Service, page: Callable[..., AppTest]) -> None:
    with (running.model_dir / "model.cb").open("ab") as file:
        file.write(b"{")
    test = page("model")
    why = "«\u00a0model.cb\u00a0» est absent ou endommagé\u00a0: il ne correspond pas à SHA256SUMS."
    assert f"{why} Rien n'a changé nulle part." in change_model(test)
    assert why in [row[-1] for row in tables(test)[1]]
    history = tables(page("model"))[-1]
    assert why in history[0][-1]
    assert history[0][3] == "rejetée"


def test_a_folder_that_is_no_model_is_told_before_a_process_looks_at_it(
    running: Service, page: Callable[..., AppTest]
) -> None:
    (running.model_dir / "MLmodel").write_text("{")
    assert "«\u00a0MLmodel\u00a0» n'est pas du YAML." in change_model(page("model"))
