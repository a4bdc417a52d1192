"""What clients are told of formats and limits is what the service does."""

import pyarrow as pa
import pytest

from shared.formats.format import FORMATS, Format, format_of_name
from shared.formats.readers import READERS
from shared.formats.writers import encode
from shared.jobs.results import RESULT_COLUMNS
from tests.unit.api.client import ApiClient
from tests.unit.api.conftest import MAX_BODY_BYTES


def test_formats_and_limits_are_told(cut_off: ApiClient) -> None:
    told = cut_off.get("/capabilities").json()
    assert [each["name"] for each in told["formats"] if each["writable"]] == [
        format for format in Format if FORMATS[format].is_file
    ]
    assert told["encodings"] == [
        {"name": "gzip", "endings": ["gz"]},
        {"name": "zstd", "endings": ["zst"]},
        {"name": "bz2", "endings": ["bz2"]},
        {"name": "xz", "endings": ["xz"]},
        {"name": "zip", "endings": ["zip"]},
    ]
    assert told["result_columns"] == list(RESULT_COLUMNS)
    assert told["limits"]["body_bytes"] == MAX_BODY_BYTES


@pytest.mark.parametrize("format", Format)
def test_what_is_a_file_has_a_reader_and_a_writer_and_nothing_else_has(format: Format) -> None:
    assert (format in READERS) is FORMATS[format].is_file
    if FORMATS[format].is_file:
        assert b"".join(encode(format, pa.schema([("a", pa.int8())]), [])) or format is Format.NDJSON


@pytest.mark.parametrize("format", Format)
def test_every_ending_leads_to_its_format(format: Format) -> None:
    for ending in FORMATS[format].endings:
        assert format_of_name(f"folder.csv/a.b.{ending.upper()}") == (format, None)
        assert format_of_name(f"a.{ending}.gz") == (format, "gzip")
