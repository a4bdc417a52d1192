"""The page of limits: what it says of each is what the code has, and what one gets beyond it exists."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from api import rows, services
from api.intake import admission, form, options, submission
from api.routes import jobs, model, results
from api.server import limits
from shared import explanation, reasons, what_if
from shared.formats import csv_blocks, csv_rows, json_pieces, ndjson, parquet, parquet_metadata
from shared.jobs import job, row, store
from shared.sentences import INVALID_VALUES, REASONS
from shared.settings import Settings
from shared.webhooks import target

PAGE = Path(__file__).resolve().parents[2] / "docs" / "limits.md"
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<default>[^|]+) \| (?P<setting>[^|]*)\| (?P<beyond>[^|]+) \|$", re.MULTILINE
)
UNITS = {"kB": 2**10, "MB": 2**20, "GB": 2**30}

FIXED: dict[str, Any] = {
    "first line and headers of a request": limits.MAX_HEAD_BYTES,
    "headers of a request": limits.MAX_HEADERS,
    "speed of a body, at least": limits.SLOWEST,
    "time between two requests on a connection": limits.KEPT_OPEN,
    "requests sent ahead of their answers": limits.MAX_PIPELINED,
    "a row sent alone": json_pieces.MAX_ROW_BYTES,
    "a body that names the file to read": submission.MAX_ADDRESS_BYTES,
    "large JSON bodies at once, each process": admission.BODIES_AT_ONCE,
    "the body of `/reload_model`": model.LARGEST_RELOAD_BODY,
    "reasons of a score that are asked for by number": explanation.MAX_TOLD,
    "features in a request to `/what_if`": what_if.MAX_FEATURES,
    "points of a feature in its answer": what_if.MAX_POINTS,
    "explanations at once, each process": services.EXPLANATIONS_AT_ONCE,
    "invalid values that are listed": reasons.MAX_REPORTED,
    "unknown parameters that are listed": reasons.MAX_REPORTED,
    "characters of a name that is repeated to the caller": reasons.MAX_NAME_LENGTH,
    "columns to keep": options.MAX_KEPT,
    "spellings of missing values": options.MAX_MISSING,
    "characters of a webhook's address": target.MAX_URL_LENGTH,
    "fields of a form": form.MAX_FIELDS,
    "bytes of a field of a form": form.MAX_FIELD_BYTES,
    "rows in a page of results": results.MAX_PAGE,
    "jobs in a page": jobs.MAX_JOBS,
    "a file that is read with the small ones": job.SMALL_UPLOAD,
    "a JSON row in a batch, if it is invalid": json_pieces.MAX_ROW_BYTES,
    "a line of NDJSON": ndjson.MAX_LINE_BYTES,
    "a record of CSV": csv_blocks.MAX_RECORD_BYTES,
    "columns of CSV": csv_rows.MAX_COLUMNS,
    "a page of Parquet": parquet_metadata.MAX_PAGE_BYTES,
    "time to read a row of a job again": row.LONGEST,
    "time for which a caller waits for such a row": rows.PATIENCE,
    "reasons with each score of a job": explanation.MAX_TOLD,
    "metadata of Parquet": parquet.MAX_FOOTER_BYTES,
    "time for which an idempotency key is known": store.IDEMPOTENCY_TTL,
}
"""The limits without a setting, as the code has them."""

IN_WORDS = {
    *("depth of JSON", "memory for reading a file", "records in Redis"),
    *("requests of a key in a second", "rows of a key in a day (UTC)"),
}
"""Limits that are no one number."""

NO_LIMITS = {"chunk_rows", "reconcile_interval", "default_threshold", "access_log_share"}
"""Settings that are numbers."""


@dataclass(frozen=True)
class Limit:
    what: str
    default: str
    setting: str
    beyond: str

    @property
    def number(self) -> float:
        found = re.match(r"([\d,]+)(?: (kB|MB|GB))?", self.default)
        assert found, self.default
        return int(found[1].replace(",", "")) * UNITS.get(found[2], 1)


LIMITS = [
    Limit(*(part.strip() for part in found.groups()))
    for found in ROW.finditer(PAGE.read_text(encoding="utf-8"))
    if found["what"] not in ("limit", "---")
]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.what)
def test_a_limit_is_what_the_page_says(limit: Limit) -> None:
    if limit.what in IN_WORDS:
        return
    if limit.setting:
        assert limit.number == Settings.model_fields[limit.setting.strip("`").lower()].default
    else:
        assert limit.number == FIXED[limit.what]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.what)
def test_what_one_gets_beyond_a_limit_exists(limit: Limit) -> None:
    for kind in re.findall(r"`([a-z]+(?:[-_][a-z]+)+)`", limit.beyond):
        assert kind in REASONS | INVALID_VALUES, kind
    for status in re.findall(r"\b[2-5]\d\d\b", limit.beyond):
        assert HTTPStatus(int(status))


def test_the_page_names_every_limit() -> None:
    assert {limit.what for limit in LIMITS if not limit.setting} == FIXED.keys() | IN_WORDS
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    numbers = {name for name, default in defaults.items() if isinstance(default, int | float) and default is not False}
    assert {limit.setting.strip("`").lower() for limit in LIMITS if limit.setting} == numbers - NO_LIMITS


def test_every_error_that_is_about_too_much_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    much = {
        kind
        for kind in REASONS
        if kind.endswith(("-full", "-too-large", "-timed-out", "-too-long", "-pipelined", "-exceeded"))
    }
    elsewhere = {"preparation-timed-out", "trial-timed-out", "mlflow-timed-out", "receiver-timed-out", "text-too-large"}
    assert {kind for kind in much - elsewhere if f"`{kind}`" not in page} == set()
