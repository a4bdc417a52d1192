"""The table of formats, beside that of the service."""

import re
from pathlib import Path

import pytest

from pret import formats
from shared.formats.format import ENCODING_ENDINGS, ENCODINGS, FORMATS, format_of_name


def test_the_formats_are_those_of_the_service() -> None:
    own = {it.name: (it.media_types, it.endings, it.readable, it.writable) for it in formats.FORMATS}
    # The service reads every format that it knows; only a JSON document is no file, so its results come in pages.
    assert own == {
        name.value: (facts.media_types, facts.endings, True, facts.is_file) for name, facts in FORMATS.items()
    }


def test_the_encodings_are_those_of_the_service() -> None:
    assert [encoding.name for encoding in formats.ENCODINGS] == list(ENCODINGS)
    endings = {ending: encoding.name for encoding in formats.ENCODINGS for ending in encoding.endings}
    assert endings == ENCODING_ENDINGS


def test_the_guide_has_the_same_table() -> None:
    guide = Path(__file__).resolve().parents[3] / "docs" / "python-client.md"
    rows = re.findall(
        r"^\| `(\w+)` \| (yes|no) \| (yes|no) \| (.+) \|$", guide.read_text(encoding="utf-8"), re.MULTILINE
    )
    told = {
        (name, readable == "yes", writable == "yes", tuple(re.findall(r"`\.(\w+)`", endings)))
        for name, readable, writable, endings in rows
    }
    assert told == {(it.name, it.readable, it.writable, it.endings) for it in formats.FORMATS}


@pytest.mark.parametrize(
    "name",
    ["rows.csv", "a/b.d/rows.v2.TSV.gz", "rows.ipc", "rows.gz", "rows", ".csv", "rows.xlsx.zst", "rows.feather.zst"],
)
def test_a_name_tells_the_same_here_and_there(name: str) -> None:
    assert formats.guess_format(name) == format_of_name(name)


def test_nothing_is_told_by_no_name() -> None:
    assert formats.guess_format(None) == (None, None)


@pytest.mark.parametrize(
    ("rows", "results"),
    [("json", "ndjson"), ("ndjson", "ndjson"), ("csv", "csv"), ("parquet", "parquet"), ("arrows", "arrows")],
)
def test_results_come_in_the_format_of_the_rows_where_they_can(rows: str, results: str) -> None:
    assert formats.result_format(rows) == results
