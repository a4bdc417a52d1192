import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pret import (
    Busy,
    InvalidRows,
    InvalidValue,
    Job,
    JobPage,
    Limits,
    NotReachable,
    Problem,
    Reason,
    Rejected,
    Report,
    UnknownJob,
)
from tests.unit.ui.conftest import CAPABILITIES, MODEL, NOON, THRESHOLD, a_service, view_of
from tests.unit.ui.test_applicant import DOWN, NO_MODEL, shown
from ui.batch.fetched import shelf
from ui.texts import NOTHING

HEADER = "id,LOW_RATE,HIGH_RATE,AGE,OWNS_HOME,AMOUNT"
ROW = "007,0.1,0.2,40,true,1000"
GOOD = f"{HEADER}\n{ROW}\n".encode()
GONE = UnknownJob("Gone.", Problem(404, "unknown-job", "Gone."))


def a_job(state: str = "succeeded", **facts: Any) -> Job:
    known: dict[str, Any] = {
        "name": "rows.csv",
        "format": "csv",
        "model_version": MODEL,
        "threshold": THRESHOLD,
        "keep": ("id",),
        "created_at": NOON,
        "expires_at": NOON + timedelta(days=7),
    }
    return Job(uuid.uuid4().hex, state, **(known | facts))


def done(**facts: Any) -> Job:
    return a_job(**({"rows": 4, "rows_done": 4, "granted": 2, "refused": 1, "invalid": 1, "seconds": 1.5} | facts))


def opened(language: str = "fr", address: str | None = None, **answers: Any) -> tuple[AppTest, Any]:
    fake = a_service(**answers)
    test = view_of("portfolio", fake, language)
    if address is not None:
        test.query_params["job"] = address
    return test.run(), fake


def dropped(content: bytes, name: str = "rows.csv", language: str = "en", **answers: Any) -> tuple[AppTest, Any]:
    test, fake = opened(language, **answers)
    test.file_uploader(key="upload").set_value((name, content, "text/csv"))
    return test.run(), fake


def has(test: AppTest, key: str) -> bool:
    return any(button.key == key for button in test.button)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_first_sight_is_the_template_the_file_and_the_jobs(language: str) -> None:
    test, _ = opened(language, jobs=JobPage((done(name="<b>*x*</b>"), a_job("odd")), 2))
    assert test.download_button[0].key == "template"
    assert "*x*" not in shown(test).replace("\\*", "")
    assert has(test, "open_1")
    assert not has(test, "submit_job")


def test_a_good_file_is_sent_with_what_was_guessed_and_its_job_is_opened() -> None:
    job = a_job("running", stage="scoring", rows=10, rows_done=5, rows_per_second=100.0, eta_seconds=60.0)
    test, fake = dropped(GOOD.replace(b",", b";").replace(b"0.", b"0,"), submit=job, job=job)
    assert "The columns are right" in shown(test)
    assert test.multiselect(key="keep").value == ["id"]
    assert list(test.dataframe[0].value.iloc[0]) == ["007", "0,1", "0,2", "40", "true", "1000"]
    test.selectbox(key="explain").set_value(5)
    test.button(key="submit_job").click().run()
    options = fake.calls[[name for name, _, _ in fake.calls].index("submit")][2]
    assert (options["delimiter"], options["decimal"], options["on_invalid"]) == (";", ",", "flag")
    assert options["explain"] == 5
    assert options["keep"] == ("id",)
    assert test.query_params["job"] == job.id
    text = shown(test)
    assert "100 rows per second" in text
    assert "1 min 00 s left" in text.replace("\u00a0", " ")
    assert has(test, "cancel_job")


def test_a_delimiter_that_the_file_itself_says_is_offered_and_sent() -> None:
    test, fake = dropped(b"sep=^\n" + GOOD.replace(b",", b"^"), submit=DOWN)
    assert test.selectbox(key="delimiter").value == "^"
    assert "The columns are right" in shown(test)
    test.button(key="submit_job").click().run()
    assert fake.calls[[name for name, _, _ in fake.calls].index("submit")][2]["delimiter"] == "^"


def test_options_that_are_chosen_are_sent() -> None:
    test, fake = dropped(GOOD, submit=DOWN)
    test.multiselect(key="keep").set_value(["AGE"])
    test.radio(key="on_invalid").set_value("reject").run()
    test.button(key="submit_job").click().run()
    options = fake.calls[[name for name, _, _ in fake.calls].index("submit")][2]
    assert (options["keep"], options["on_invalid"]) == (("AGE",), "reject")


def test_a_connection_lost_in_mid_upload_keeps_the_file_and_makes_one_job() -> None:
    test, fake = dropped(GOOD, submit=NotReachable("Broke.", sent=True))
    test.button(key="submit_job").click().run()
    assert "Your file is still here" in shown(test)
    fake.answers["model_signature"] = DOWN
    test.button(key="submit_job").click().run()
    assert "Your file is still here" in shown(test)
    keys = [options["idempotency_key"] for name, _, options in fake.calls if name == "submit"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_rejection_of_the_service_is_a_sentence() -> None:
    error = Busy("Full.", Problem(429, "queue-full", "Full.", retry_after=15.0))
    test, _ = dropped(GOOD, submit=error)
    test.button(key="submit_job").click().run()
    text = shown(test)
    assert "Too many rows are already waiting to be scored." in text
    assert "Try again in a moment." in text


def test_wrong_columns_are_named_before_anything_is_sent() -> None:
    test, _ = dropped(GOOD.replace(b"AMOUNT", b"AMONUT"))
    text = shown(test)
    assert "Missing columns (1): “AMOUNT”" in text
    assert "“AMONUT” may be “AMOUNT”" in text
    assert test.button(key="submit_job").disabled


def test_another_delimiter_is_looked_at_anew() -> None:
    test, _ = dropped(GOOD)
    test.selectbox(key="delimiter").set_value(";").run()
    assert "Missing columns (4)" in shown(test)
    test.selectbox(key="delimiter").set_value(",").run()
    assert "The columns are right" in shown(test)


def test_a_delimiter_that_is_the_decimal_sign_is_told() -> None:
    test, _ = dropped(GOOD)
    test.selectbox(key="decimal").set_value(",").run()
    assert "cannot be both" in shown(test)


def test_a_comma_that_may_be_for_thousands_is_left_to_the_visitor() -> None:
    test, _ = dropped(f"{HEADER}\n".replace(",", ";").encode() + b"7;1;1;40;true;45,000\n")
    assert test.selectbox(key="decimal").value == "."
    assert "comma in “45,000” may be" in shown(test)
    assert "may be the decimal" not in shown(test.selectbox(key="decimal").set_value(",").run())


def test_columns_that_cannot_be_kept_are_not_offered(tmp_path: Path) -> None:
    columns = {"LOW_RATE": [0.1], "HIGH_RATE": [0.2], "AGE": [40], "OWNS_HOME": [True], "AMOUNT": [1.0]}
    pq.write_table(pa.table(columns | {"tags": [["a"]], "raw": [b"a"], "id": ["a"]}), tmp_path / "rows.parquet")
    test, _ = dropped((tmp_path / "rows.parquet").read_bytes(), "rows.parquet")
    assert test.multiselect(key="keep").value == ["id"]
    assert not {"tags", "raw"} & set(test.multiselect(key="keep").options)
    assert not test.button(key="submit_job").disabled


def test_rows_that_are_not_unpacked_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.batch.preview.MAX_UNPACKED", 0)
    pq.write_table(pa.table({"AGE": [40]}), tmp_path / "rows.parquet")
    test, _ = dropped((tmp_path / "rows.parquet").read_bytes(), "rows.parquet")
    assert "The rows are not shown" in shown(test)
    assert list(test.dataframe[0].value.columns) == ["0"]


def test_text_that_cannot_be_converted_after_all_leaves_no_progress_behind() -> None:
    content = HEADER.encode() + b",\xe9\n" + f"{ROW},x\n".encode() * 60_000 + b"\x81\n"
    test, _ = dropped(content, submit=lambda source, **options: source.readall())
    test.multiselect(key="keep").set_value(["id", "é"]).run()
    test.button(key="submit_job").click().run()
    assert "is not encoded in UTF-8" in shown(test)
    assert len(test.get("progress")) == 0


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_arrow_file_is_sent_without_a_preview(language: str) -> None:
    test, fake = dropped(b"ARROW1" + bytes(2000), "<b>.arrow", language, submit=DOWN)
    text = shown(test)
    assert r"\<b\>.arrow" in text
    assert ("2.0 KB" if language == "en" else "2,0 ko") in text.replace("\u00a0", " ")
    assert not test.dataframe
    test.multiselect(key="keep").set_value(["id"])
    test.button(key="submit_job").click().run()
    ((_, _, options),) = [call for call in fake.calls if call[0] == "submit"]
    assert (options["format"], options["keep"]) == ("arrow", ("id",))


def test_invalid_rows_of_json_are_named_when_the_service_rejects_them() -> None:
    young = InvalidValue("greater_than_equal", "Not so young.", 1, "AGE", {"limit": 18})
    facts = Problem(422, "invalid-rows", [], {"count": 1, "limit": 100}, errors=(young,), invalid_values=1)
    test, _ = dropped(b'[{"AGE": 40}, {"AGE": 1}]', "rows.json", submit=InvalidRows("No.", facts))
    assert [list(row) for row in test.dataframe[0].value.to_numpy()] == [["40"], ["1"]]
    test.button(key="submit_job").click().run()
    assert "1 value is invalid." in shown(test)
    assert test.dataframe[1].value.to_numpy().tolist() == [["2", "AGE", "This must be at least 18."]]


def test_as_many_columns_are_kept_as_the_service_says() -> None:
    limits = replace(CAPABILITIES, limits=Limits(keep=1), result_columns=("id",))
    test, _ = dropped(GOOD, capabilities=limits)
    assert "At most 1 columns" in str(test.multiselect(key="keep").help)
    assert test.multiselect(key="keep").proto.max_selections == 1
    assert "id" not in test.multiselect(key="keep").options


def test_rows_of_ndjson_are_left_to_the_service() -> None:
    test, _ = dropped(b'{"AGE": 1}\n', "rows.ndjson")
    assert "The service checks every row" in shown(test)
    assert not test.button(key="submit_job").disabled


def test_ten_thousand_columns_are_a_sentence() -> None:
    names = ",".join(f"c{number}" for number in range(10_000))
    test, _ = dropped(f"{names}\n{names}\n".encode())
    text = shown(test)
    assert "and 9,988 others" in text
    assert "The first 50 of 10,000 columns" in text
    assert len(test.multiselect(key="keep").options) == 300


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "rows.csv"),
        (b"", "rows.csv"),
        (HEADER.encode(), "rows.csv"),
        (b"AGE\n\x81\n", "rows.csv"),
        (b"PAR1" + bytes(50), "rows.parquet"),
    ],
)
def test_a_wrong_file_is_a_sentence_and_a_way_on(content: bytes, name: str, language: str) -> None:
    test, _ = dropped(content, name, language)
    assert len(test.error) == 1
    assert not has(test, "submit_job")
    assert test.file_uploader(key="upload")


@pytest.mark.parametrize("content", [b"prenom;AGE\nZo\xe9;40\n", b"\xff\xfe" + "a;AGE\nb;1\n".encode("utf-16-le")])
def test_a_file_in_another_encoding_is_told_to_be_converted(content: bytes) -> None:
    test, _ = dropped(content)
    assert "is sent as UTF-8" in shown(test)


def test_a_file_says_how_many_rows_it_has(tmp_path: Path) -> None:
    pq.write_table(pa.table({"AGE": [1, 2, 3]}), tmp_path / "rows.parquet")
    test, _ = dropped((tmp_path / "rows.parquet").read_bytes(), "rows.parquet")
    assert "3 rows in total" in shown(test)


def test_without_a_model_the_jobs_are_still_there() -> None:
    test, _ = opened(model_signature=NO_MODEL, jobs=JobPage((done(),), 1))
    assert "Aucun modèle" in shown(test)
    assert has(test, "open_0")


@pytest.mark.parametrize("job", ["../../etc/passwd", "0" * 32])
def test_a_job_that_is_not_there_is_a_sentence_and_the_list(job: str) -> None:
    test, _ = opened("fr", job, job=GONE)
    assert "n'existe pas, a expiré ou a été supprimé" in shown(test)
    assert "Portefeuilles envoyés" in shown(test)
    test.button(key="back").click().run()
    assert test.file_uploader(key="upload")


def test_a_job_is_opened_from_the_list_and_older_ones_are_shown() -> None:
    job = a_job("cancelled")
    test, fake = opened(jobs=JobPage((job,), 30), job=job)
    test.button(key="more_jobs").click().run()
    assert [options["limit"] for name, _, options in fake.calls if name == "jobs"][-1] == 20
    fake.answers["capabilities"] = replace(CAPABILITIES, limits=Limits(jobs_page=1))
    st.cache_data.clear()
    assert not has(test.run(), "more_jobs")
    test.button(key="open_0").click().run()
    assert test.query_params["job"] == job.id
    assert "a été annulé" in shown(test)


def test_progress_goes_on_over_a_lost_connection() -> None:
    job = a_job("running", stage="scoring", rows=10, rows_done=5, invalid=2)
    test, fake = opened("en", job.id, job=job)
    fake.answers["job"] = _first_then(job, DOWN)
    text = shown(test.run())
    assert "is not responding at the moment" in text
    assert "2 invalid rows so far" in text


def _first_then(job: Job, error: Exception) -> Any:
    answers: list[Any] = [job]

    def answer(job_id: str) -> Job:
        if not answers:
            raise error
        return answers.pop()  # type: ignore[no-any-return]

    return answer


def test_a_job_that_waits_or_is_read_says_so() -> None:
    for state, stage, words in (("queued", "reading", "Waiting."), ("running", "reading", "1,200 rows read")):
        job = a_job(state, stage=stage, rows_read=1200)
        test, _ = opened("en", job.id, job=job)
        assert any(words in str(it.proto) for it in test.get("progress"))


def test_a_job_is_not_said_to_be_done_before_it_is() -> None:
    job = a_job("running", stage="scoring", rows=1000, rows_done=999)
    test, _ = opened("en", job.id, job=job)
    assert "999 of 1,000 rows (99%)" in test.get("progress")[0].proto.text


def test_a_job_can_be_cancelled() -> None:
    job = a_job("running", stage="scoring", rows=10)
    test, fake = opened("en", job.id, job=job, cancel=replace(job, state="cancelled"))
    test.button(key="cancel_job").click().run()
    assert fake.called("cancel") == [(job.id,)]


def test_a_cancellation_that_came_too_late_is_a_sentence() -> None:
    job = a_job("running", stage="scoring", rows=10)
    error = Rejected("It has ended.", Problem(409, "job-ended", "It has ended.", {"state": "succeeded"}))
    test, _ = opened("en", job.id, job=job, cancel=error)
    assert "has already ended (state: done)" in shown(test.button(key="cancel_job").click().run())


@pytest.mark.parametrize("answer", [None, GONE])
@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_a_job_that_has_ended_can_be_removed(state: str, answer: Any) -> None:
    job = a_job(state, rows=0)
    kept = shelf().folder / f"{job.id}.csv"
    kept.write_text("what was fetched for a download")
    test, fake = opened("en", job.id, job=job, remove=answer, download=a_file_without_rows)
    assert "deleted for everyone" in shown(test)
    test.button(key="remove_job").click().run()
    assert fake.called("remove") == [(job.id,)]
    assert "job" not in test.query_params
    assert test.file_uploader(key="upload")
    assert list(shelf().folder.glob(f"{job.id}*")) == []


def a_file_without_rows(job_id: str, path: Path, format: str) -> int:
    pq.write_table(pa.table({"score": pa.array([], pa.float64()), "prediction": pa.array([], pa.int8())}), path)
    return path.stat().st_size


def test_a_removal_that_fails_is_a_sentence_and_the_job_stays_open() -> None:
    job = a_job("cancelled")
    test, _ = opened("en", job.id, job=job, remove=DOWN)
    assert "is not responding" in shown(test.button(key="remove_job").click().run())
    assert test.query_params["job"] == job.id


def test_invalid_rows_are_named_as_a_spreadsheet_counts_them() -> None:
    young = InvalidValue("greater_than_equal", "Not so young.", 485, "AGE", {"limit": 18})
    job = a_job(
        "failed",
        error=Reason("invalid-rows", "3 values are invalid.", {"count": 3, "limit": 100}),
        report=Report(2, 3, (young, InvalidValue("odd", "Odd."))),
    )
    test, _ = opened("en", job.id, job=job)
    assert test.dataframe[0].value.to_numpy().tolist() == [
        ["487", "AGE", "This must be at least 18."],
        [NOTHING, NOTHING, "Odd."],
    ]
    text = shown(test)
    assert "3 values are invalid." in text
    assert "Invalid values (2 of 3)" in text
    assert "score the other rows" in text
    assert not has(test, "retry_job")
    test.button(key="another_file").click().run()
    assert test.file_uploader(key="upload")


STORAGE_FULL = Reason("storage-full", "The storage is full.")


@pytest.mark.parametrize(
    ("error", "words", "way", "may_be_retried"),
    [
        (
            Reason("columns-missing-and-unknown", "Missing.", {"columns": ["A", "C"], "unknown": ["B"]}),
            "Colonnes manquantes\u00a0: «\u00a0A\u00a0» et «\u00a0C\u00a0». Colonnes inconnues\u00a0: «\u00a0B\u00a0».",
            "Comparez votre fichier au fichier type",
            False,
        ),
        (Reason("csv-nul", "NUL.", {"line": 1200}), "La ligne 1\u202f200 contient un octet nul.", "Corrigez", False),
        (STORAGE_FULL, "L'espace de stockage est plein", "Relancez", True),
        (
            Reason(
                "chunk-given-up", "Given up.", {"unit": 7, "attempts": 3, "reason": vars(Reason("worker-died", ""))}
            ),
            "La tranche 7 a été abandonnée après 3 tentatives. Le processus de notation s'est arrêté",
            "Relancez",
            True,
        ),
        (
            Reason("file-given-up", "Given up.", {"unit": "writing", "attempts": 1, "reason": vars(STORAGE_FULL)}),
            "L'écriture du fichier a été abandonnée après 1 tentative. L'espace de stockage est plein",
            "Relancez",
            True,
        ),
        (Reason("overheated", "Too hot."), "Too hot.", "Relancez", True),
        (None, "Ce traitement a échoué.", "Relancez", True),
    ],
)
def test_a_job_that_failed_says_why_in_the_language(
    error: Reason | None, words: str, way: str, may_be_retried: bool
) -> None:
    job = a_job("failed", error=error)
    test, _ = opened("fr", job.id, job=job)
    text = shown(test).replace("\\", "")
    assert words in text
    assert way in text
    assert has(test, "retry_job") == may_be_retried


NOT_FAILED = Problem(409, "job-not-failed", "No.", {"state": "running"})


@pytest.mark.parametrize("answer", [None, Rejected("No.", NOT_FAILED)])
def test_a_job_that_failed_is_done_again(answer: Any) -> None:
    job = a_job("failed", error=STORAGE_FULL)
    test, fake = opened("en", job.id, job=job, retry=answer)
    test.button(key="retry_job").click().run()
    assert fake.called("retry") == [(job.id,)]
    assert ("can be retried (state: running)" in shown(test)) == (answer is not None)
