"""Stored bytes become a stream: decompressed in pieces, with a limit, and with plain words for damage."""

import bz2
import gzip
import io
import lzma
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from shared.errors import InputTooLarge, MalformedInput, StorageUnavailable
from shared.formats.compression import PIECE_BYTES, decoded, spooled
from shared.formats.format import ENCODINGS, STREAMED, Encoding
from shared.formats.zipped import DIRECTORY_BYTES, name_inside
from shared.storage.readahead import ReadAhead

TEXT = b"amount,age\n" + b"1.5,40\n" * 10_000
MEGABYTE = 2**20
BOTH = pytest.mark.parametrize("encoding", STREAMED)
ALL = pytest.mark.parametrize("encoding", ENCODINGS)


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return content.getvalue()


def zip_of_empty_name() -> bytes:
    """An archive whose only entry has a name of no characters, which `writestr` would not make."""
    raw = zipped(("a", b""), method=zipfile.ZIP_STORED)
    for at in (26, raw.index(b"PK\1\2") + 28):
        raw = raw[:at] + b"\0\0" + raw[at + 2 :]
    # The directory begins a byte earlier, and is a byte shorter.
    raw = raw.replace(b"a", b"")
    end = raw.index(b"PK\5\6")
    size, start = struct.unpack_from("<LL", raw, end + 12)
    return raw[: end + 12] + struct.pack("<LL", size - 1, start - 1) + raw[end + 20 :]


def packed(data: bytes, encoding: Encoding | None) -> bytes:
    match encoding:
        case "gzip":
            return gzip.compress(data)
        case "zstd":
            return bytes(pa.Codec("zstd").compress(data, asbytes=True))
        case "bz2":
            return bz2.compress(data)
        case "xz":
            return lzma.compress(data)
        case "zip":
            return zipped(("rows.csv", data))
    return data


def unpacked(raw: bytes, encoding: Encoding | None, limit: int = len(TEXT) * 2) -> bytes:
    with decoded(io.BytesIO(raw), encoding, limit) as stream:
        return stream.read()


@pytest.mark.parametrize("encoding", [None, *ENCODINGS])
def test_what_was_packed_comes_out_whatever_the_size_of_the_reads(encoding: Encoding | None) -> None:
    with decoded(io.BytesIO(packed(TEXT, encoding)), encoding, len(TEXT)) as stream:
        pieces = [stream.read(1), stream.read(7), stream.readline(), *iter(lambda: stream.read(9999), b"")]
    assert b"".join(pieces) == TEXT


@BOTH
def test_several_members_are_one_file(encoding: Encoding) -> None:
    assert (
        unpacked(packed(TEXT, encoding) + packed(b"", encoding) + packed(b"end", encoding), encoding) == TEXT + b"end"
    )


@BOTH
@pytest.mark.parametrize("left", [1, 5, 0.5, -9, -1])
@pytest.mark.parametrize("before", [b"", b"whole"])
def test_data_that_are_cut_off_are_refused(encoding: Encoding, left: float, before: bytes) -> None:
    last = packed(TEXT, encoding)
    cut_off = last[: int(left * len(last)) if isinstance(left, float) else left]
    raw = (packed(before, encoding) if before else b"") + cut_off
    with pytest.raises(MalformedInput, match=rf"^The {encoding} data ends too early\.$"):
        unpacked(raw, encoding)


@BOTH
def test_other_data_are_refused(encoding: Encoding) -> None:
    packed_data = packed(TEXT, encoding)
    for raw in (TEXT, packed_data + b"more", b"PK\3\4" + packed_data):
        with pytest.raises(MalformedInput, match=f"is not {encoding} data"):
            unpacked(raw, encoding)


def test_a_changed_byte_is_found_out() -> None:
    raw = bytearray(gzip.compress(TEXT))
    raw[-6] ^= 1
    with pytest.raises(MalformedInput, match="or it is damaged"):
        unpacked(bytes(raw), "gzip")


@BOTH
def test_nothing_is_nothing(encoding: Encoding) -> None:
    assert unpacked(b"", encoding) == b""


@BOTH
@pytest.mark.parametrize("zeros", [1, 4, 511, PIECE_BYTES + 1])
def test_zeros_behind_the_end_do_not_count(encoding: Encoding, zeros: int) -> None:
    raw = packed(TEXT, encoding) + bytes(zeros)
    assert unpacked(raw, encoding) == TEXT
    assert unpacked(raw + packed(b"end", encoding), encoding) == TEXT + b"end"
    with pytest.raises(MalformedInput, match=f"is not {encoding} data"):
        unpacked(raw + b"more", encoding)
    with pytest.raises(MalformedInput, match=f"is not {encoding} data"):
        unpacked(bytes(zeros) + packed(TEXT, encoding), encoding)


@pytest.mark.parametrize("size", [0, 1, 255, 70_000, 3 * 2**17])
def test_zeros_at_the_end_of_zstd_data_are_not_padding(size: int) -> None:
    # What cannot be compressed is stored as it is, and its frame ends as the data do.
    data = os.urandom(size) + bytes(8)
    once = packed(data, "zstd")
    other = b"\x50\x2a\x4d\x18\x05\0\0\0hello"
    assert unpacked(once + bytes(5) + other + once + bytes(5), "zstd", 10 * MEGABYTE) == 2 * data


def test_xz_that_asks_for_too_much_memory_is_rejected() -> None:
    large = [{"id": lzma.FILTER_LZMA2, "dict_size": 128 * MEGABYTE}]
    with pytest.raises(InputTooLarge, match="takes more memory than 80 MB"):
        unpacked(lzma.compress(TEXT, lzma.FORMAT_XZ, filters=large), "xz")
    assert unpacked(lzma.compress(TEXT, lzma.FORMAT_XZ, preset=9), "xz") == TEXT


# Zip archives.


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize(
    "others",
    [[], ["folder/"], ["__MACOSX/._rows.csv", "__MACOSX/"], [".DS_Store", "folder/.DS_Store"]],
)
def test_the_one_file_of_an_archive_is_read(method: int, others: list[str]) -> None:
    raw = zipped(*((name, b"x" * (not name.endswith("/"))) for name in others), ("folder/r.csv", TEXT), method=method)
    assert unpacked(raw, "zip") == TEXT
    assert unpacked(b"something before it" + raw, "zip") == TEXT


def test_an_archive_is_read_wherever_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(packed(TEXT, "zip"))
    with pa.OSFile(str(path), "rb") as near, decoded(near, "zip", len(TEXT)) as stream:
        assert stream.read() == TEXT
    with (
        pa.OSFile(str(path), "rb") as remote,
        pa.PythonFile(ReadAhead(remote), "r") as far,
        decoded(far, "zip", len(TEXT)) as stream,
    ):
        assert stream.read() == TEXT


@pytest.mark.parametrize(("names", "count"), [([], 0), (["folder/"], 0), (["a.csv", "b.csv"], 2)])
def test_an_archive_must_have_one_file(names: list[str], count: int) -> None:
    with pytest.raises(MalformedInput) as caught:
        unpacked(zipped(*((name, b"") for name in names)), "zip")
    assert (caught.value.reason.type, caught.value.reason.params) == ("zip-not-one-file", {"count": count})


def changed(raw: bytes, place: int, byte: int) -> bytes:
    """Change a byte in the heads of the one entry, at its place in the first and, two bytes on, in the second."""
    both = bytearray(raw)
    both[raw.index(b"PK\3\4") + place] = both[raw.index(b"PK\1\2") + place + 2] = byte
    return bytes(both)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "compressed-data-damaged"),
        (TEXT, "compressed-data-damaged"),
        (zipped(("a.csv", TEXT))[:-30], "compressed-data-cut-off"),
        (zipped(("a.csv", TEXT))[:20], "compressed-data-cut-off"),
        (zipped(("a.csv", TEXT)).replace(b"PK\1\2", b"PK\1\1"), "compressed-data-damaged"),
        (zipped(("a.csv", TEXT), method=zipfile.ZIP_STORED).replace(b"1.5,40", b"1.6,40"), "compressed-data-damaged"),
        (zipped(("a.csv", TEXT), method=zipfile.ZIP_LZMA), "zip-method"),
        (changed(zipped(("a.csv", TEXT)), 8, 9), "zip-method"),
        (changed(zipped(("a.csv", TEXT)), 6, 1), "zip-encrypted"),
        # A name that is empty, and one that is nothing, as it is cut at its first NUL.
        (zipped(("a", TEXT)).replace(b"a", b"\0"), "compressed-data-damaged"),
        (zip_of_empty_name(), "compressed-data-damaged"),
    ],
)
def test_an_archive_that_cannot_be_read_is_told_as_such(raw: bytes, kind: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        unpacked(raw, "zip")
    assert caught.value.reason.type == kind


@pytest.mark.parametrize(
    "names",
    [
        ["rows.csv"],
        ["november/", "november/10/", "november/10/données.csv"],
        [".DS_Store", "november/.DS_Store", "__MACOSX/", "__MACOSX/november/._rows.csv", "november/rows.csv"],
        ["rows.csv", "folder/"],
    ],
)
def test_the_name_in_an_archive_is_that_of_the_file_that_is_read(names: list[str]) -> None:
    [wanted] = [name for name in names if name.endswith(".csv") and "._" not in name]
    contents = {name: bytes(0 if name.endswith("/") else 5000) for name in names} | {wanted: TEXT}
    raw = zipped(*contents.items(), method=zipfile.ZIP_STORED)
    assert name_inside(io.BytesIO(raw)) == wanted
    assert unpacked(raw, "zip") == TEXT


class Unseekable(io.RawIOBase):
    """What an archive is written to piece by piece, so that sizes stand behind the entries, as macOS writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += data
        return len(data)


def test_the_name_is_found_where_sizes_stand_behind_the_entries() -> None:
    target = Unseekable()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(".DS_Store", os.urandom(6148))
        archive.writestr("rows.csv", TEXT)
    assert name_inside(io.BytesIO(target.content)) == "rows.csv"
    assert unpacked(target.content, "zip") == TEXT


def with_folders(count: int) -> bytes:
    """An archive of one file and many folders, written at once: `zipfile` takes seconds for as many."""
    head, entry = b"PK\3\4" + bytes(22) + b"\2\0\0\0x/", b"PK\1\2" + bytes(24) + b"\2\0" + bytes(16) + b"x/"
    file = zipped(("rows.csv", TEXT))
    start = file.index(b"PK\1\2")
    [end] = struct.unpack_from("<L", file, file.index(b"PK\5\6") + 12)
    directory = file[start : start + end] + entry * count
    total = struct.pack("<HHLLH", 2, 2, len(directory), start + len(head) * count, 0)
    return file[:start] + head * count + directory + b"PK\5\6" + bytes(4) + total


def test_an_archive_with_folders_without_end_is_not_looked_into(tmp_path: Path) -> None:
    assert unpacked(with_folders(1000), "zip") == TEXT
    raw = with_folders(1_500_000)
    before = psutil.Process().memory_info().rss
    for look in (lambda: unpacked(raw, "zip"), lambda: name_inside(io.BytesIO(raw))):
        with pytest.raises(MalformedInput) as caught:
            look()
        assert caught.value.reason.type == "zip-too-many-entries"
    assert psutil.Process().memory_info().rss - before < 20 * DIRECTORY_BYTES


def test_an_error_of_the_reader_is_not_taken_for_a_damaged_archive() -> None:
    with pytest.raises(ValueError, match="the reader's own"), decoded(io.BytesIO(packed(TEXT, "zip")), "zip", 9):
        raise ValueError("the reader's own")


@pytest.mark.parametrize("encoding", [None, *ENCODINGS])
def test_one_byte_over_the_limit_is_too_large(encoding: Encoding | None) -> None:
    assert unpacked(packed(TEXT, encoding), encoding, len(TEXT)) == TEXT
    with pytest.raises(InputTooLarge, match=f"larger than {len(TEXT) - 1:,} bytes"):
        unpacked(packed(TEXT, encoding), encoding, len(TEXT) - 1)


@ALL
def test_a_bomb_takes_no_memory(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(packed(bytes(50 * MEGABYTE), encoding))
    before = psutil.Process().memory_info().rss
    most = 0
    with (
        pa.OSFile(str(path), "rb") as raw,
        decoded(raw, encoding, 40 * MEGABYTE) as stream,
        pytest.raises(InputTooLarge),
    ):
        while stream.read(MEGABYTE):
            most = max(most, psutil.Process().memory_info().rss)
    assert most - before < 20 * MEGABYTE


class Failing(io.BytesIO):
    """A store that stops answering in the middle."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise StorageUnavailable
        return super().read(min(size or 0, 20))


@pytest.mark.parametrize("encoding", [None, *ENCODINGS])
def test_a_failing_store_is_not_taken_for_damage(encoding: Encoding | None) -> None:
    with pytest.raises(StorageUnavailable), decoded(Failing(packed(TEXT, encoding)), encoding, len(TEXT)) as stream:
        stream.read()


def test_the_bytes_beneath_stay_open() -> None:
    raw = io.BytesIO(packed(TEXT, "gzip"))
    for _ in range(2):
        raw.seek(0)
        with decoded(raw, "gzip", len(TEXT)) as stream:
            assert stream.read() == TEXT


def test_a_spooled_stream_is_a_file_that_goes_away(tmp_path: Path) -> None:
    data = os.urandom(PIECE_BYTES + 5)
    with spooled(io.BytesIO(data), tmp_path, len) as path:
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == []


def test_a_spooled_file_goes_away_after_an_error_too(tmp_path: Path) -> None:
    with (
        decoded(io.BytesIO(TEXT), "gzip", len(TEXT)) as stream,
        pytest.raises(MalformedInput),
        spooled(stream, tmp_path, len),
    ):
        raise AssertionError("not reached")
    assert list(tmp_path.iterdir()) == []
