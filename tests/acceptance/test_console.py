"""The console as a credit officer uses it: a real browser, both languages, the running service behind it."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from scripts.bench.make_portfolio import write_portfolio
from tests.acceptance.browser import Browser, browser, needs_browser
from tests.acceptance.conftest import Up, command_line, copy_of_the_project
from tests.factories import Kit
from tests.processes import http, wait_for
from ui.texts import LANGUAGES, Texts

pytestmark = needs_browser

ROWS = 2000


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
    page.click("submit_job")
    page.see("Accordé", "Refusé", say.number(ROWS))
    job = page.query["job"]
    csv, parquet = page.download("download_csv", "*.csv"), page.download("download_parquet", "*.parquet")
    answer = http.get(f"{up.url}/jobs/{job}/results", params={"format": "parquet"}, timeout=60)
    assert parquet.read_bytes() == answer.content
    scores = pq.read_table(parquet)
    assert scores["SK_ID_CURR"].to_pylist() == [str(100_001 + row) for row in range(ROWS)]
    assert pc.read_csv(csv)["score"].to_pylist() == scores["score"].to_pylist()


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
    page.see("CatBoost")


@pytest.mark.timeout(300)
def test_a_key_is_asked_for_where_one_is_needed(tmp_path: Path, numbers: Kit) -> None:
    guarded = Up(copy_of_the_project(tmp_path / "project"), settings={"ADMIN_KEYS": "anne:a-key-of-more-than-16-signs"})
    numbers.write(guarded.folder / "exported_model")
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
    guarded = Up(copy_of_the_project(tmp_path / "project"), settings={"API_KEYS": listed})
    numbers.write(guarded.folder / "exported_model")
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
