import gzip
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ui.batch.content import HEAD_BYTES, Unreadable
from ui.batch.preview import MAX_COLUMNS, Preview, look_at

FEATURES = ("AGE", "RATE")
TABLE = pa.table({"id": ["a", None], "AGE": [40, 41], "RATE": [0.5, 0.25]})


def seen(content: bytes, name: str = "rows.csv", delimiter: str | None = None) -> Preview:
    return look_at(name, io.BytesIO(content), FEATURES, delimiter)


def refusal(content: bytes, name: str = "rows.csv") -> str:
    with pytest.raises(Unreadable) as error:
        seen(content, name)
    return error.value.reason


def parquet(table: pa.Table = TABLE) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def arrow(new: Any, table: pa.Table = TABLE) -> bytes:
    file = io.BytesIO()
    with new(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "delimiter", "decimal"),
    [
        (b"id,AGE,RATE\na,40,0.5\n", ",", "."),
        (b"id;AGE;RATE\r\na;40;0,5\r\n", ";", ","),
        (b"id;AGE;RATE\na;40;0.5\n", ";", "."),
        (b"id\tAGE\tRATE\na\t40\t0.5\n", "\t", "."),
        (b"id|AGE|RATE\na|40|0,5\n", "|", ","),
        (b"AGE\n40\n", ",", "."),
    ],
)
def test_delimiter_and_decimal_sign_are_guessed(content: bytes, delimiter: str, decimal: str) -> None:
    preview = seen(content)
    assert (preview.delimiter, preview.decimal) == (delimiter, decimal)
    assert "AGE" in preview.columns


def test_a_delimiter_that_was_chosen_is_taken() -> None:
    assert seen(b"AGE,RATE\n40,0.5\n", delimiter=";").columns == ("AGE,RATE",)


def test_marks_quotes_and_blank_lines_are_understood() -> None:
    preview = seen('\ufeff"AGE","a, b"\r\n\r\n40,"x\ny"\r\n'.encode())
    assert preview.columns == ("AGE", "a, b")
    assert preview.rows == (("40", "x\ny"),)


@pytest.mark.parametrize("packed", [gzip.compress, lambda raw: pa.Codec("zstd").compress(raw, asbytes=True)])
def test_a_packed_file_is_looked_into_whatever_its_name(packed: Any) -> None:
    preview = seen(packed(b"AGE,RATE\n40,0.5\n"))
    assert preview.columns == FEATURES
    assert preview.content.packing in ("gzip", "zstd")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_what_spreadsheets_write_in_other_encodings_is_read(encoding: str) -> None:
    preview = seen("prénom;AGE\nZoé;40\n".encode(encoding))
    assert preview.columns == ("prénom", "AGE")
    assert preview.encoding == encoding


def test_only_the_beginning_of_a_large_file_is_read() -> None:
    class Counted(io.BytesIO):
        most = 0

        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            self.most += len(piece)
            return piece

    line = "é".encode() * 3 + b",40,0.5\n"
    file = Counted(b"id,AGE,RATE\n" + line * (3 * HEAD_BYTES // len(line)))
    preview = look_at("rows.csv", file, FEATURES)
    assert preview.rows[9] == ("ééé", "40", "0.5")
    assert file.most < 2 * HEAD_BYTES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.parquet", parquet()),
        ("rows.csv", parquet()),
        ("rows.arrow", arrow(pa.ipc.new_file)),
        ("rows.arrows", arrow(pa.ipc.new_stream)),
        ("rows.ndjson", b'{"id": "a", "AGE": 40}\n{"AGE": 41, "RATE": 0.25}\n'),
    ],
)
def test_other_formats_show_their_first_rows(name: str, content: bytes) -> None:
    preview = seen(content, name)
    assert preview.columns == ("id", "AGE", "RATE")
    assert [row[:2] for row in preview.rows] == [("a", "40"), ("", "41")]


def test_ten_thousand_columns_are_read_and_few_are_shown() -> None:
    names = [f"c{number}" for number in range(10_000)]
    preview = seen(f"{','.join(names)}\n{','.join(['1'] * 10_000)}\n".encode())
    assert len(preview.columns) == 10_000
    assert len(preview.rows[0]) == MAX_COLUMNS
    wide = seen(parquet(pa.table({name: [1] for name in names})), "rows.parquet")
    assert len(wide.columns) == 10_000
    assert len(wide.rows[0]) == MAX_COLUMNS


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "rows.csv", "empty"),
        (b" \n\n", "rows.csv", "empty"),
        (b"\xef\xbb\xbf", "rows.csv", "empty"),
        (b"AGE,RATE\n", "rows.csv", "header_only"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "rows.csv", "image"),
        (b"%PDF-1.7", "rows.csv", "document"),
        (b"PK\x03\x04" + bytes(100), "rows.xlsx", "workbook"),
        (b"AGE\0\0\1", "rows.csv", "binary"),
        (b"AGE\n\x81\x8d\x8f\n", "rows.csv", "encoding"),
        (b"a" * (HEAD_BYTES + 5), "rows.csv", "long_line"),
        (b"a" * 200_000 + b"\n1\n", "rows.csv", "broken"),
        (b"[1]", "rows.json", "json"),
        (b"AGE,RATE\n40,0.5\n", "rows.parquet", "other_content"),
        (b"PAR1" + bytes(100), "rows.parquet", "damaged"),
        (parquet()[:-20], "rows.parquet", "damaged"),
        (parquet(TABLE.slice(0, 0)), "rows.parquet", "header_only"),
        (arrow(pa.ipc.new_file)[:200], "rows.arrow", "damaged"),
        (arrow(pa.ipc.new_stream, TABLE.slice(0, 0)), "rows.arrows", "header_only"),
        (gzip.compress(parquet(), mtime=0), "rows.parquet.gz", "packed_binary"),
        (gzip.compress(b"AGE\n1\n" * 100, mtime=0)[:30], "rows.csv.gz", "packing"),
        (gzip.compress("é;AGE\né;1\n".encode("cp1252"), mtime=0), "rows.csv.gz", "encoding"),
        (b"{no json\n", "rows.ndjson", "broken"),
        (b"[" * 100_000 + b"\n", "rows.ndjson", "broken"),
        (b"[1, 2]\n", "rows.ndjson", "broken"),
        ('{"é": 1}\n'.encode("cp1252"), "rows.ndjson", "encoding"),
    ],
)
def test_what_is_no_table_is_told_by_what_it_is(content: bytes, name: str, reason: str) -> None:
    assert refusal(content, name) == reason
