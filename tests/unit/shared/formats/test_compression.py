"""Stored bytes become a stream: decompressed in pieces, with a limit, and with plain words for damage."""

import gzip
import io
import os
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from shared.errors import InputTooLarge, MalformedInput, StorageUnavailable
from shared.formats.compression import PIECE_BYTES, decoded, spooled
from shared.formats.format import Encoding

TEXT = b"amount,age\n" + b"1.5,40\n" * 10_000
MEGABYTE = 2**20
ENCODINGS: list[Encoding] = ["gzip", "zstd"]
BOTH = pytest.mark.parametrize("encoding", ENCODINGS)


def packed(data: bytes, encoding: Encoding | None) -> bytes:
    if encoding == "gzip":
        return gzip.compress(data)
    return bytes(pa.Codec("zstd").compress(data, asbytes=True)) if encoding else data


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


def test_nothing_is_nothing() -> None:
    assert unpacked(b"", "gzip") == b""


@pytest.mark.parametrize("encoding", [None, *ENCODINGS])
def test_one_byte_over_the_limit_is_too_large(encoding: Encoding | None) -> None:
    assert unpacked(packed(TEXT, encoding), encoding, len(TEXT)) == TEXT
    with pytest.raises(InputTooLarge, match=f"larger than {len(TEXT) - 1:,} bytes"):
        unpacked(packed(TEXT, encoding), encoding, len(TEXT) - 1)


@BOTH
def test_a_bomb_takes_no_memory(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    with pa.OSFile(str(path), "wb") as file, pa.CompressedOutputStream(file, encoding) as out:
        for _ in range(50):
            out.write(bytes(MEGABYTE))
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
    with decoded(Failing(packed(TEXT, encoding)), encoding, len(TEXT)) as stream, pytest.raises(StorageUnavailable):
        stream.read()


def test_the_bytes_beneath_stay_open() -> None:
    raw = io.BytesIO(packed(TEXT, "gzip"))
    for _ in range(2):
        raw.seek(0)
        with decoded(raw, "gzip", len(TEXT)) as stream:
            assert stream.read() == TEXT


def test_a_spooled_stream_is_a_file_that_goes_away(tmp_path: Path) -> None:
    data = os.urandom(PIECE_BYTES + 5)
    with spooled(io.BytesIO(data), tmp_path) as path:
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == []


def test_a_spooled_file_goes_away_after_an_error_too(tmp_path: Path) -> None:
    with (
        decoded(io.BytesIO(TEXT), "gzip", len(TEXT)) as stream,
        pytest.raises(MalformedInput),
        spooled(stream, tmp_path),
    ):
        raise AssertionError("not reached")
    assert list(tmp_path.iterdir()) == []
