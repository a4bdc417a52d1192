"""The console as a credit officer uses it: a real browser, both languages, the running service behind it."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from catboost import CatBoostClassifier

from pret import Client
from scripts.bench.make_portfolio import write_portfolio
from scripts.lib import demo_portfolio
from tests.acceptance.browser import Browser, browser, needs_browser
from tests.acceptance.conftest import Up, command_line, small
from tests.factories import Kit
from tests.processes import http, wait_for
from ui.texts import LANGUAGES, Texts

pytestmark = needs_browser

ROWS = 2000
FEATURES = len(demo_portfolio.FEATURES)


@pytest.fixture(scope="module")
def page(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(up.console_url, tmp_path_factory.mktemp("downloads")) as opened:
        yield opened


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("portfolio") / "clients.csv"
    write_portfolio(file, ROWS)
    return file


@pytest.fixture(params=LANGUAGES)
def say(request: pytest.FixtureRequest) -> Texts:
    return Texts.of(request.param)


def test_one_applicant_is_scored_and_compared(page: Browser, say: Texts) -> None:
    page.open(f"?lang={say.language}")
    page.see(say.plain("applicant.title"), say.plain("applicant.no_outcome"))
    page.click("score")
    page.see("Accordé", say.plain("applicant.probability"), "local-")
    first = shown_score(page)
    page.click("keep_reference")
    page.fill("field_3", "40")
    page.click("score")
    page.see(say.plain("applicant.reference"), say.plain("applicant.drop_reference"))
    assert wait_for("another score", lambda: (score := shown_score(page)) != first and score)
    assert "points" in page.text_of('[data-testid="stMetricDelta"]')


def shown_score(page: Browser) -> str:
    return page.text_of('[data-testid="stMetricValue"]')


@pytest.fixture(scope="module")
def declined(up: Up, portfolio: Path) -> tuple[int, dict[str, object]]:
    """The first row of the portfolio that is refused: its number and its values."""
    rows = pc.read_csv(portfolio).slice(0, 200).to_pylist()
    with Client(up.url) as client:
        scores = client.score_many([{name: row[name] for name in row if name != "SK_ID_CURR"} for row in rows])
    number = next(number for number, score in enumerate(scores) if score.prediction == 1)
    return number, rows[number]


def test_a_refusal_has_reasons_what_may_be_told_curves_and_a_page_to_print(
    page: Browser, say: Texts, declined: tuple[int, dict[str, object]]
) -> None:
    page.open(f"?lang={say.language}")
    fill_in(page, declined[1])
    page.see(say.plain("applicant.filled", known=FEATURES, total=FEATURES))
    page.click("score")
    page.see(
        "Refusé", say.plain("applicant.reasons"), say.plain("applicant.notice_title"), say.plain("applicant.curves")
    )
    page.press(".st-key-reasons_table summary")
    page.see(say.plain("applicant.raises"), say.plain("applicant.other_reasons"))
    page.press(".st-key-curves_table summary")
    page.see(say.plain("applicant.scores"))
    wait_for("the figures", lambda: page.has(".st-key-curve_0 canvas, .st-key-curve_0 svg"))
    sheet = page.download("print", "decision-*.html").read_text(encoding="utf-8")
    assert f'<html lang="{say.language}">' in sheet
    assert say.plain("applicant.notice_title") in sheet
    assert sheet.count("<dt>") >= FEATURES


def fill_in(page: Browser, row: dict[str, object]) -> None:
    page.press(".st-key-paste button")
    page.paste("pasted", json.dumps(row))
    page.click("fill_pasted")


def test_a_phone_shows_every_page_without_scrolling_sideways(
    up: Up, tmp_path: Path, say: Texts, declined: tuple[int, dict[str, object]]
) -> None:
    with browser(up.console_url, tmp_path, width=390) as phone:
        phone.narrow_to(390)
        phone.open(f"?lang={say.language}")
        fill_in(phone, declined[1])
        phone.click("score")
        phone.see(say.plain("applicant.reasons"), say.plain("applicant.curves"))
        assert phone.overflow == 0
        for path, title in (("portfolio", "portfolio.title"), ("model", "model.title"), ("health", "health.title")):
            phone.open(f"{path}?lang={say.language}")
            phone.see(say.plain(title))
            assert phone.overflow == 0, path


def test_a_value_that_breaks_the_contract_is_named(page: Browser, say: Texts) -> None:
    page.open(f"?lang={say.language}")
    page.fill("field_7", "")
    page.click("score")
    page.see(say.plain("reasons.invalid-rows", count=1), say.plain("reasons.missing"))


def test_a_portfolio_is_sent_watched_and_downloaded(page: Browser, up: Up, portfolio: Path, say: Texts) -> None:
    page.open(f"portfolio?lang={say.language}")
    page.see(say.plain("portfolio.title"))
    page.hand_over("upload", portfolio)
    page.see("SK_ID_CURR")
    page.choose("explain", 1)
    page.click("submit_job")
    page.see("Accordé", "Refusé", say.number(ROWS), say.plain("portfolio.declined"))
    job = page.query["job"]
    csv, parquet = page.download("download_csv", "*.csv"), page.download("download_parquet", "*.parquet")
    answer = http.get(f"{up.url}/jobs/{job}/results", params={"format": "parquet"}, timeout=60)
    assert parquet.read_bytes() == answer.content
    scores = pq.read_table(parquet)
    assert scores["SK_ID_CURR"].to_pylist() == [str(100_001 + row) for row in range(ROWS)]
    assert pc.read_csv(csv)["score"].to_pylist() == scores["score"].to_pylist()
    assert set(map(len, scores["reasons"].to_pylist())) == {3}


def test_a_row_of_a_portfolio_is_opened_as_an_applicant_and_back(
    page: Browser, up: Up, portfolio: Path, say: Texts, declined: tuple[int, dict[str, object]]
) -> None:
    headers = {"Content-Type": "text/csv"}
    options = {"keep": "SK_ID_CURR", "name": "clients.csv"}
    job = http.post(
        f"{up.url}/jobs", content=portfolio.read_bytes(), headers=headers, params=options, timeout=60
    ).json()
    number, row = declined
    line = number + 2
    page.open(f"portfolio?lang={say.language}&job={job['id']}")
    page.see(say.plain("portfolio.open_row"))
    page.fill("row_to_open", str(line))
    page.click("open_row")
    page.see(say.plain("applicant.opened", line=line, name="clients.csv"), "Refusé", str(row["SK_ID_CURR"]))
    assert page.query == {"lang": say.language, "job": job["id"], "row": str(number)}
    page.see(say.plain("applicant.notice_title"), say.plain("applicant.curves"))
    page.press('[data-testid="stPageLink"] a')
    page.see(say.plain("portfolio.open_row"), "clients.csv")
    assert page.query["job"] == job["id"]


def test_a_past_job_is_opened_by_its_address(page: Browser, up: Up, portfolio: Path) -> None:
    headers = {"Content-Type": "text/csv"}
    job = http.post(f"{up.url}/jobs", content=portfolio.read_bytes(), headers=headers, timeout=60).json()
    page.open(f"portfolio?lang=en&job={job['id']}")
    page.see("Accordé", "Refusé", "2,000")


def test_a_job_that_does_not_exist_is_a_sentence(page: Browser, say: Texts) -> None:
    page.open(f"portfolio?lang={say.language}&job=no-such-job")
    page.see(say.plain("reasons.unknown-job"))


def test_wrong_columns_are_named_before_anything_is_sent(page: Browser, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("customer,NOT_A_FEATURE\n1,2\n")
    page.open("portfolio?lang=en")
    page.hand_over("upload", wrong)
    page.see("NOT_A_FEATURE", "CODE_GENDER")


def test_a_picture_by_the_name_of_csv_is_a_sentence(page: Browser, tmp_path: Path, say: Texts) -> None:
    picture = tmp_path / "picture.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)))
    page.open(f"portfolio?lang={say.language}")
    page.hand_over("upload", picture)
    page.see(say.plain("portfolio.file_image"), say.plain("portfolio.way_image"))
    assert not page.has(".st-key-submit_job")


def test_the_page_goes_on_when_the_api_comes_back(page: Browser, up: Up, tmp_path: Path) -> None:
    file = tmp_path / "large.parquet"
    write_portfolio(file, 1_000_000)
    page.open("portfolio?lang=en")
    page.hand_over("upload", file)
    workers = [process for process in up.processes() if "worker@" in command_line(process)]
    for worker in workers:
        worker.suspend()
    try:
        page.click("submit_job")
        # Before that, the page would not know yet which job it follows, and say that the service is away.
        wait_for("the progress of the job", lambda: page.has(".st-key-cancel_job"))
        for killed in [process for process in up.processes() if "-m api" in command_line(process)]:
            killed.kill()
            killed.wait()
        wait_for("the API", lambda: http.get(f"{up.url}/api_health").is_success)
    finally:
        for worker in workers:
            worker.resume()
    page.see("Accordé", "1,000,000")


def test_the_model_is_reloaded_with_the_outcome_of_each_process(page: Browser, say: Texts) -> None:
    page.open(f"model?lang={say.language}")
    page.see(say.plain("model.title"), "local-", say.plain("model.processes"))
    page.click("reload")
    page.click("confirm")
    page.see(say.plain("model.unchanged", version="local-")[:20])
    page.press('[role="tab"]:nth-of-type(2)')
    page.see(say.plain("model.importance_help"))
    page.press('[role="tab"]:nth-of-type(3)')
    page.see("CatBoost")


@pytest.mark.timeout(300)
def test_a_long_form_is_searched_and_ordered_and_keeps_what_was_typed(tmp_path: Path) -> None:
    many = small(tmp_path / "project", long_kit())
    try:
        many.start()
        with browser(many.console_url, tmp_path) as page:
            page.open("?lang=en")
            page.see("Search a field", "Choices (2)", "Numbers (71)")
            assert not page.is_shown(".st-key-field_70")
            page.search("search_fields", "number 70")
            page.see("1 field found")
            page.fill("field_70", "7.5")
            assert not page.is_shown('[class*="st-key-section_0"]')
            page.search("search_fields", "yes")
            page.see("2 fields found")
            page.press(
                ".st-key-order_of_fields [role=radio]:nth-of-type(2), .st-key-order_of_fields button:nth-of-type(2)"
            )
            page.search("search_fields", " ")
            page.see("Those that weigh most (12)", "All others (61)")
            assert page.value_of("field_70") == "7.5"
            page.click("score")
            page.see("local-", "Why this score")
            assert page.value_of("field_70") == "7.5"
    finally:
        many.stop()


def long_kit() -> Kit:
    """A model of 73 features."""
    random = np.random.default_rng(1)
    names = [*(f"NUMBER_{index}" for index in range(71)), "YES_A", "YES_B"]
    values = random.random((400, len(names))).round(3)
    values[:, 71:] = values[:, 71:].round()
    target = values[:, 0] + values[:, 70] + random.random(400) > 1.5
    classifier = CatBoostClassifier(iterations=20, depth=3, thread_count=1, verbose=0, allow_writing_files=False)
    classifier.fit(pd.DataFrame(values, columns=names), target.astype(int))
    kinds = ["double"] * 71 + ["boolean"] * 2
    inputs = [{"name": name, "type": kind, "required": True} for name, kind in zip(names, kinds, strict=True)]
    rows = [dict(zip(names, [*row[:71], *map(bool, row[71:])], strict=True)) for row in values[:30].tolist()]
    return Kit(classifier, inputs, {"best_threshold": 0.5}, rows)


@pytest.mark.timeout(300)
def test_a_key_is_asked_for_where_one_is_needed(tmp_path: Path, numbers: Kit) -> None:
    guarded = small(tmp_path / "project", numbers, ADMIN_KEYS="anne:a-key-of-more-than-16-signs")
    try:
        guarded.start()
        with browser(guarded.console_url, tmp_path) as page:
            page.open("model?lang=en")
            page.click("reload")
            page.click("confirm")
            page.see("needs a key with the scope")
            page.fill("admin_key", "wrong")
            page.click("confirm")
            page.see("This key is not valid.")
            page.fill("admin_key", "a-key-of-more-than-16-signs")
            page.click("confirm")
            page.see("Nothing to do")
    finally:
        guarded.stop()


@pytest.mark.timeout(300)
def test_where_everyone_needs_a_key_the_console_asks_for_it_and_shows_what_it_allows(
    tmp_path: Path, numbers: Kit
) -> None:
    listed = f"anne:read:{sha256(b'a-key').hexdigest()}"
    guarded = small(tmp_path / "project", numbers, API_KEYS=listed)
    try:
        guarded.start()
        assert http.get(f"{guarded.url}/model_info").status_code == 401
        with browser(guarded.console_url, tmp_path) as page:
            page.open("model?lang=en")
            page.see("needs a key with the scope")
            page.fill("visitor_key", "wrong")
            page.click("enter_key")
            page.see("This key is not valid.")
            page.fill("visitor_key", "a-key")
            page.click("enter_key")
            page.see("The live model", "With the key of anne")
            assert not page.has(".st-key-reload")
    finally:
        guarded.stop()


def test_health_is_told_part_by_part(page: Browser, up: Up, say: Texts) -> None:
    page.open(f"health?lang={say.language}")
    parts = [say.plain(f"health.part_{name}") for name in ("model", "redis", "storage", "workers", "readers")]
    page.see(say.plain("health.ready"), *parts, say.plain("health.queues"))
    wait_for("the link to Flower", lambda: page.has(f'a[href^="{up.flower_url}"]'))


def test_health_is_honest_without_redis(page: Browser, up: Up) -> None:
    redis = up.process_of("valkey-server")
    redis.suspend()
    try:
        page.open("health?lang=en")
        page.see("Limited service", "Not known without Redis")
        page.open("?lang=en")
        page.click("score")
        page.see("Accordé")
    finally:
        redis.resume()
    page.open("health?lang=en")
    page.see("Everything is up")
