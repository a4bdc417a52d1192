import bz2
import gzip
import io
import json
import lzma
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ui.batch import parquet_rows
from ui.batch.content import HEAD_BYTES, Unreadable
from ui.batch.preview import Preview, look_at
from ui.batch.values import MAX_COLUMNS

FEATURES = ("AGE", "RATE")
GOOD = b"AGE,RATE\n40,0.5\n"
TABLE = pa.table({"id": ["a", None], "AGE": [40, 41], "RATE": [0.5, 0.25]})


def seen(content: bytes, name: str = "rows.csv", delimiter: str | None = None) -> Preview:
    return look_at(name, io.BytesIO(content), FEATURES, delimiter)


def fault(content: bytes, name: str = "rows.csv") -> str:
    with pytest.raises(Unreadable) as error:
        seen(content, name)
    return error.value.reason


def parquet(table: pa.Table = TABLE) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def zipped(raw: bytes, *names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, raw)
    return content.getvalue()


def changed(raw: bytes) -> bytes:
    """Change some bytes in the middle."""
    middle = len(raw) // 2
    return raw[: middle - 4] + b"damage!!" + raw[middle + 4 :]


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
        (b"id;AGE;RATE\na;45,000;0,250\n", ";", ","),
        (b"id;AGE;RATE\na;45,000;-0,250\n", ";", ","),
        (b"id;AGE;RATE\na;45,000;12,50\n", ";", ","),
        (b"id;AGE;RATE\na;45,000;1.5\n", ";", "."),
        (b"id;AGE;RATE\na;45,000;120,000\n", ";", "."),
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


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [(b"sep=;\r\n", ";"), (b"SEP=\t\n", "\t"), (b'"sep=|"\n', "|"), (b"\xef\xbb\xbfsep=;\n", ";"), (b"\nsep=^\n", "^")],
)
def test_a_first_line_for_excel_says_the_delimiter_and_is_no_header(line: bytes, delimiter: str) -> None:
    rows = "id,AGE,RATE\na,40,0.5\nb,41,0.25\n".replace(",", delimiter).encode()
    preview = seen(line + rows)
    assert (preview.delimiter, preview.columns) == (delimiter, ("id", "AGE", "RATE"))
    assert preview.rows == (("a", "40", "0.5"), ("b", "41", "0.25"))
    assert seen(line + rows, delimiter=delimiter).columns == preview.columns
    assert fault(line) == "broken"


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda raw: bytes(pa.Codec("zstd").compress(raw, asbytes=True)),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda raw: zipped(raw, ".DS_Store", "folder/", "folder/rows.csv"),
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("rows", [1, 300_000])
def test_a_packed_file_is_looked_into_whatever_its_name(packing: str, rows: int) -> None:
    preview = seen(PACKINGS[packing](b"AGE,RATE\n" + b"40,0.5\n" * rows))
    assert preview.columns == FEATURES
    assert preview.rows[0] == ("40", "0.5")
    assert (preview.content.packing, preview.content.format) == (packing, "csv")


@pytest.mark.parametrize("packing", ["bz2", "xz"])
def test_packed_members_that_follow_one_another_are_one_file(packing: str) -> None:
    pack = PACKINGS[packing]
    preview = seen(pack(b"AGE,RATE\n") + pack(b"") + bytes(100_000) + pack(b"40,0.5\n") + bytes(7))
    assert (preview.columns, preview.rows) == (FEATURES, (("40", "0.5"),))


def test_the_format_of_an_archive_is_that_of_its_file_unless_its_own_name_tells() -> None:
    rows = b'{"AGE": 40}\n'
    assert seen(zipped(rows, "a.ndjson"), "november.zip").content.format == "ndjson"
    assert seen(zipped(rows, "a.txt"), "november.ndjson.zip").content.format == "ndjson"
    assert seen(zipped(b"AGE\n40\n", "rows"), "november.zip").content.format == "csv"


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
        ("rows.ndjson", b'{"id": "a", "AGE": 40}\n{"AGE": 41, "RATE": 0.25}\n'),
        ("rows.json", b' [{"id": "a", "AGE": 40},\n {"AGE": 41, "RATE": 0.25}]\n'),
    ],
)
def test_other_formats_show_their_first_rows(name: str, content: bytes) -> None:
    preview = seen(content, name)
    assert preview.columns == ("id", "AGE", "RATE")
    assert [row[:2] for row in preview.rows] == [("a", "40"), ("", "41")]


@pytest.mark.parametrize("name", ["rows.ndjson", "rows.json"])
def test_of_large_json_the_first_rows_are_shown_however_long_they_are(name: str) -> None:
    row = json.dumps({"AGE": 40, "note": "x" * (HEAD_BYTES // 3)})
    rows = [row] * 4
    content = "\n".join(rows) if name == "rows.ndjson" else f"[{','.join(rows)}]"
    assert [values[0] for values in seen(content.encode(), name).rows] == ["40", "40"]


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("rows.arrow", arrow(pa.ipc.new_file), "arrow"),
        ("rows.csv", arrow(pa.ipc.new_file), "arrow"),
        ("rows.arrows", arrow(pa.ipc.new_stream), "arrows"),
        ("rows.arrow", arrow(pa.ipc.new_file)[:200], "arrow"),
    ],
)
def test_arrow_is_left_to_the_service(name: str, content: bytes, format: str) -> None:
    preview = seen(content, name)
    assert preview.content.format == format
    assert (preview.columns, preview.rows, preview.sure, preview.is_blind) == ((), (), False, True)


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
        (zipped(b"<x/>", "[Content_Types].xml", "xl/workbook.xml"), "rows.xlsx", "workbook"),
        (zipped(GOOD, "a.csv", "b.csv"), "rows.zip", "workbook"),
        (zipped(GOOD, "folder/"), "rows.csv.zip", "workbook"),
        (zipped(GOOD, *(f"{number}/{'x' * 200}/" for number in range(5000)), "a.csv"), "rows.zip", "workbook"),
        (zipped(parquet(), "rows.parquet"), "rows.zip", "not_packed"),
        (changed(zipped(GOOD * 1000, "rows.csv")), "rows.zip", "packing"),
        (lzma.compress(GOOD * 1000)[:-30], "rows.csv.xz", "packing"),
        (changed(bz2.compress(GOOD * 1000)), "rows.csv.bz2", "packing"),
        (lzma.compress(GOOD, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**28}]), "rows.csv.xz", "packing"),
        (b"AGE\0\0\1", "rows.csv", "binary"),
        (b"AGE\n\x81\x8d\x8f\n", "rows.csv", "encoding"),
        (b"a" * (HEAD_BYTES + 5), "rows.csv", "long_line"),
        (b"a" * 200_000 + b"\n1\n", "rows.csv", "broken"),
        (b"[1]", "rows.json", "broken"),
        (b'[{"AGE": 1}, [["AGE", 1]]]', "rows.json", "broken"),
        (b'[{"AGE": 1}', "rows.json", "broken"),
        (b"[" * 100_000, "rows.json", "broken"),
        (b"[]", "rows.json", "header_only"),
        (b'{"AGE": [1]}', "rows.json", "not_an_array"),
        (b'{"input_uri": "s3://a/b.csv"}', "rows.json", "not_an_array"),
        ('[{"\u00e9": 1}]'.encode("cp1252"), "rows.json", "encoding"),
        (gzip.compress(b'[{"AGE": 1}]', mtime=0), "rows.json.gz", "not_packed"),
        (b"AGE,RATE\n40,0.5\n", "rows.parquet", "other_content"),
        (b"PAR1" + bytes(100), "rows.parquet", "damaged"),
        (parquet()[:-20], "rows.parquet", "damaged"),
        (parquet(TABLE.slice(0, 0)), "rows.parquet", "header_only"),
        (b"AGE,RATE\n40,0.5\n", "rows.arrow", "other_content"),
        (gzip.compress(parquet(), mtime=0), "rows.parquet.gz", "not_packed"),
        (gzip.compress(b"AGE\n1\n" * 100, mtime=0)[:30], "rows.csv.gz", "packing"),
        (gzip.compress("é;AGE\né;1\n".encode("cp1252"), mtime=0), "rows.csv.gz", "encoding"),
        (b"\n" + b" " * HEAD_BYTES + b"{}\n", "rows.ndjson", "empty"),
        (b"\n{" + b" " * HEAD_BYTES + b"}\n", "rows.ndjson", "header_only"),
        (b'{"AGE": "' + b"a" * HEAD_BYTES + b'"}\n', "rows.ndjson", "long_line"),
        (b"{no json\n", "rows.ndjson", "broken"),
        (b"[" * 100_000 + b"\n", "rows.ndjson", "broken"),
        (b"[1, 2]\n", "rows.ndjson", "broken"),
        (b'{"AGE": 1}\n[["AGE", 1]]\n', "rows.ndjson", "broken"),
        (b'{"AGE": 1}\n[]\n', "rows.ndjson", "broken"),
        ('{"é": 1}\n'.encode("cp1252"), "rows.ndjson", "encoding"),
    ],
)
def test_what_is_no_table_is_told_by_what_it_is(content: bytes, name: str, reason: str) -> None:
    assert fault(content, name) == reason


@pytest.mark.parametrize(("value", "doubtful"), [("45,000", "45,000"), ("45,00", None), ("45", None), ("0,045", None)])
def test_a_comma_that_may_be_for_thousands_is_told(value: str, doubtful: str | None) -> None:
    assert seen(f"id;AGE\na; {value}\n".encode()).doubtful == doubtful


def test_what_ends_a_line_only_for_python_may_stand_in_a_text() -> None:
    content = '{"id": "a\u2028b\u0085c", "AGE": 40}\r\n{"id": "d", "AGE": 41}\r\n'
    assert [row[1] for row in seen(content.encode(), "rows.ndjson").rows] == ["40", "41"]


ODD = pa.table(
    {
        "list": [[1, 2]],
        "AGE": [40],
        "bytes": [b"1"],
        "struct": [{"a": 1}],
        "coded": pa.array(["x"]).dictionary_encode(),
    }
)


@pytest.mark.parametrize(
    ("content", "name", "odd"),
    [
        (parquet(ODD), "rows.parquet", {"list", "bytes", "struct"}),
        (b'[{"list": [1], "AGE": 40, "coded": "x"}, {"struct": {}}]', "rows.json", {"list", "struct"}),
        (b'{"list": [1], "AGE": 40, "coded": "x"}\n{"struct": {}}\n', "rows.ndjson", {"list", "struct"}),
    ],
)
def test_columns_that_cannot_be_kept_are_named(content: bytes, name: str, odd: set[str]) -> None:
    preview = seen(content, name)
    assert preview.odd == odd
    assert preview.rows[0][1] == "40"


def test_a_file_whose_facts_are_wrong_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *args, **options: iter(()))
    with pytest.raises(Unreadable, match="damaged"):
        parquet_rows.first_rows(io.BytesIO(parquet()), 10_000)


# With these, pyarrow 25 aborts.
@pytest.mark.parametrize("bit", [152, *range(160, 167, 2), 232, 368])
def test_a_footer_with_one_bit_flipped_ends_no_process_that_serves(bit: int) -> None:
    content = bytearray(parquet())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[footer + bit // 8] ^= 1 << bit % 8
    with suppress(Unreadable):
        seen(bytes(content), "rows.parquet")


@pytest.mark.parametrize("program", ["false", "yes"])
def test_a_process_that_dies_or_talks_nonsense_is_taken_for_a_damaged_file(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.batch.parquet_process.sys.executable", shutil.which(program))
    assert fault(parquet(), "rows.parquet") == "damaged"


def test_a_process_that_takes_too_long_is_taken_for_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.batch.parquet_process.PATIENCE", 0.0)
    assert fault(parquet(), "rows.parquet") == "damaged"


@pytest.mark.parametrize(("limit", "shown"), [(0, 0), (150, 1), (10_000, 3)])
def test_columns_of_parquet_that_are_too_large_are_not_unpacked(
    limit: int, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.batch.preview.MAX_UNPACKED", limit)
    preview = seen(parquet(), "rows.parquet")
    assert (preview.shown, len(preview.columns)) == (shown, 3)
    assert [len(row) for row in preview.rows] == ([shown] * 2 if shown else [])
