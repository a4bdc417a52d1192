import shlex
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pret import Busy, Client, Column, InvalidValue
from tests.unit.ui.conftest import a_service, signature_of
from tests.unit.ui.test_applicant import shown
from tests.unit.ui.test_batch_results import told
from tests.unit.ui.test_portfolio import done, opened
from ui.batch import downloads
from ui.texts import NOTHING

TOO_YOUNG = told(InvalidValue("greater_than_equal", "Not so young.", None, "AGE", {"limit": 18}))


def results(job_id: str, path: Path, format: str) -> int:
    table = pa.table(
        {
            "id": ["=cmd()", "<b>x</b>", "007", None],
            "score": [0.02, 0.05, 0.4, None],
            "prediction": pa.array([0, 0, 1, None], pa.int8()),
            "decision": pa.array(["Accordé", "Accordé", "Refusé", None]).dictionary_encode(),
            "error": [None, None, None, TOO_YOUNG[0]],
            "errors": [None, None, None, TOO_YOUNG[1]],
        }
    )
    pq.write_table(table, path)
    return 1


@pytest.mark.parametrize(
    ("language", "share", "reason"),
    [
        ("fr", "50,0\u00a0%", "AGE\u00a0: La valeur minimale est 18."),
        ("en", "50.0%", "AGE: This must be at least 18."),
    ],
)
def test_results_are_counted_and_listed(language: str, share: str, reason: str) -> None:
    job = done()
    test, _ = opened(language, job.id, job=job, download=results)
    assert [metric.value for metric in test.metric] == ["4", "2", "1", "1"]
    assert test.metric[1].delta == share
    assert [button.key for button in test.download_button] == ["download_csv", "download_parquet"]
    reasons, table = (it.value for it in test.dataframe)
    assert reasons.to_numpy().tolist() == [[reason, "1"]]
    assert table.iloc[:, -1].tolist() == [NOTHING, NOTHING, NOTHING, reason]
    assert table.shape == (4, 5)
    assert table.iloc[:, 1].tolist() == ["=cmd()", "<b>x</b>", "007", NOTHING]
    assert table.iloc[:, 3].tolist() == ["Accordé", "Accordé", "Refusé", NOTHING]
    assert table.iloc[:, 0].tolist() == ["2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["has not seen in training", "JOB: 1,200 rows"]),
        ("fr", ["pas vues à l'entraînement", "JOB\u00a0: 1\u202f200 lignes"]),
    ],
)
def test_categories_that_the_model_has_not_seen_are_counted(language: str, words: list[str]) -> None:
    job = done(unseen_categories={"JOB": 1200, "TOWN": 0, "<b>*x*": 1})
    test, _ = opened(language, job.id, job=job, download=results)
    text = shown(test)
    assert [word for word in words if word not in text] == []
    assert "TOWN" not in text
    assert "<b>*x*" not in text
    test, _ = opened(language, job.id, job=done(unseen_categories={"TOWN": 0}), download=results)
    assert words[0] not in shown(test)


def test_a_share_that_is_hardly_any_is_not_said_to_be_none() -> None:
    job = done(rows=100_000, granted=99_999, refused=0)
    test, _ = opened("en", job.id, job=job, download=results)
    assert test.metric[3].delta == "less than 0.1%"
    assert test.metric[1].delta == "more than 99.9%"


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ((7415, 2585, 0), ["74.2%", "25.8%", "0.0%"]),
        ((7415, 0, 2585), ["74.2%", "0.0%", "25.8%"]),
        ((3333, 3333, 3334), ["33.3%", "33.4%", "33.3%"]),
    ],
)
def test_shares_add_up(counts: tuple[int, int, int], shares: list[str]) -> None:
    job = done(rows=10_000, **dict(zip(("granted", "refused", "invalid"), counts, strict=True)))
    test, _ = opened("en", job.id, job=job, download=results)
    assert [metric.delta for metric in test.metric[1:]] == shares


def test_rows_are_filtered_sorted_and_turned_over() -> None:
    job = done()
    test, fake = opened("en", job.id, job=job, download=results)
    test.selectbox(key="filter_order").set_value("highest").run()
    assert test.dataframe[1].value.iloc[:, 1].tolist() == ["007", "<b>x</b>", "=cmd()", NOTHING]
    test.number_input(key="filter_lowest").set_value(3.0).run()
    assert test.dataframe[1].value.iloc[:, 1].tolist() == ["007", "<b>x</b>"]
    test.text_input(key="filter_text").set_value("B>").run()
    assert test.dataframe[1].value.iloc[:, 1].tolist() == ["<b>x</b>"]
    test.text_input(key="filter_text").set_value("nobody").run()
    assert "No rows match" in shown(test)
    assert len(fake.called("download")) == 1


def test_pages_of_rows_are_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.batch.table.PAGE_ROWS", 3)
    job = done()
    test, _ = opened("en", job.id, job=job, download=results)
    test.button(key="page_next").click().run()
    assert test.dataframe[1].value.iloc[:, 0].tolist() == ["5"]
    assert "Rows 4 to 4 of 4" in shown(test)
    test.pills(key="filter_decision").set_value(["granted"]).run()
    assert "Rows 1 to 2 of 2" in shown(test)


def test_another_job_begins_with_its_first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.batch.table.PAGE_ROWS", 3)
    first, second = done(), done()
    test, fake = opened("en", first.id, job=first, download=results)
    test.button(key="page_next").click().run()
    assert "Rows 4 to 4 of 4" in shown(test)
    fake.answers["job"] = second
    test.query_params["job"] = second.id
    assert "Rows 1 to 3 of 4" in shown(test.run())


def test_a_page_beyond_the_last_one_is_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.batch.table.PAGE_ROWS", 3)
    job = done()
    test, _ = opened("en", job.id, job=job, download=results)
    test.session_state["page_number"] = 7
    assert "Rows 4 to 4 of 4" in shown(test.run())


def test_results_that_went_meanwhile_are_fetched_again_for_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.batch.ended.show_downloads", lambda say, client, job, path: path.unlink())
    job = done()
    test, fake = opened("en", job.id, job=job, download=results)
    assert "Rows 1 to 4 of 4" in shown(test)
    assert len(fake.called("download")) == 2


def test_results_that_do_not_fit_on_the_disk_have_another_way() -> None:
    job = done()
    test, _ = opened("en", job.id, job=job, download=OSError(28, "No space left on device"))
    assert "do not fit" in shown(test)
    assert test.code[0].value == f"pret job results {job.id} -o scores.parquet"


def test_another_trouble_with_the_disk_is_not_said_to_be_a_lack_of_room() -> None:
    job = done()
    test, _ = opened("en", job.id, job=job, download=PermissionError(13, "Permission denied"))
    assert [it.message for it in test.exception] == ["[Errno 13] Permission denied"]


def test_results_that_are_too_many_to_look_through_have_another_way() -> None:
    job = done(rows=60_000_000)
    test, fake = opened("en", job.id, job=job)
    assert "With more than 50,000,000 rows" in shown(test)
    assert fake.called("download") == []


def test_files_too_large_for_the_browser_have_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.batch.downloads.MAX_BYTES", 10)
    job = done()
    test, _ = opened("en", job.id, job=job, download=results)
    assert all(button.proto.disabled for button in test.download_button)
    assert "pret job results" in test.code[0].value


def test_the_name_of_a_job_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.batch.downloads.MAX_BYTES", 10)
    job = done(name="$(rm -rf ~);'\x1b[201~\n.csv")
    test, _ = opened("en", job.id, job=job, download=results)
    command = test.code[0].value
    assert command.isprintable()
    assert shlex.split(command) == ["pret", "job", "results", job.id, "-o", "$(rm -rf ~);'[201~-scores.csv"]


def test_a_file_that_is_larger_than_was_estimated_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    job = done()
    fake = cast(Client, a_service(download=results))
    with downloads._opened(fake, job.id, "parquet") as file:
        assert file.read(4) == b"PAR1"
    monkeypatch.setattr(downloads, "MAX_BYTES", 10)
    with pytest.raises(OSError, match="large"):
        downloads._opened(fake, job.id, "parquet")


NOTED = signature_of(
    Column("AGE", "long", label="<i>Age</i>"), Column("HOME_A", "double", group="HOME", group_label="The home")
)


def explained(job_id: str, path: Path, format: str) -> int:
    results(job_id, path, format)
    reasons = [
        [],
        None,
        [
            {"feature": "HOME", "contribution": 2.0},
            {"feature": "AGE", "contribution": 1.0},
            {"feature": "gone", "contribution": -1.0},
        ],
        None,
    ]
    kind = pa.list_(pa.struct([("feature", pa.string()), ("contribution", pa.float64())]))
    table = pq.read_table(path)
    pq.write_table(table.append_column("reasons", pa.array(reasons, kind)), path)
    return 1


def test_what_applications_were_refused_for_is_counted_and_listed() -> None:
    job = done(explain=3)
    test, _ = opened("en", job.id, job=job, download=explained, model_signature=NOTED)
    assert "What applications were refused for" in shown(test)
    _, declined, table = (it.value for it in test.dataframe)
    assert declined.to_numpy().tolist() == [["The home", "1", "1"], ["<i>Age</i>", "0", "1"]]
    assert table.iloc[:, -1].tolist() == [NOTHING, NOTHING, "The home, <i>Age</i>", NOTHING]


def test_without_the_live_model_the_names_of_the_features_are_made_readable() -> None:
    job = done(explain=3)
    test, _ = opened("en", job.id, job=job, download=explained, model_signature=Busy("No model."))
    assert test.dataframe[1].value.iloc[0, 0] == "Home"
    assert not test.exception
