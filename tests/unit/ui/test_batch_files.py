import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from pret import Client, NotReachable
from tests.unit.ui.conftest import FakeService
from ui.batch.content import Content, Unreadable
from ui.batch.fetched import MAX_DOWNLOADS, Shelf
from ui.batch.folder import PREFIX, own_folder
from ui.batch.preview import Preview
from ui.batch.sending import CountedStream, Order, RecodedStream, name_to_send, send


def preview(encoding: str = "utf-8", packing: str | None = None) -> Preview:
    return Preview(Content("csv", packing), ("AGE",), (("40",),), None, ";", ",", encoding)


def test_what_is_sent_is_the_file_with_its_options() -> None:
    read: list[bytes] = []
    shares: list[float] = []
    service = FakeService({"submit": lambda source, **options: read.append(source.read())})
    order = Order(("id",), "flag", ";", ",", "key", explain=3)
    send(cast(Client, service), "a.csv", io.BytesIO(b"AGE\n40\n"), preview(), order, shares.append)
    assert read == [b"AGE\n40\n"]
    assert shares == [1.0]
    ((_, _, options),) = service.calls
    assert options == {
        "format": "csv",
        "keep": ("id",),
        "on_invalid": "flag",
        "delimiter": ";",
        "decimal": ",",
        "name": "a.csv",
        "explain": 3,
        "idempotency_key": "key",
    }


def test_a_file_that_is_read_again_begins_again() -> None:
    stream = CountedStream(io.BytesIO(b"abcdef"), lambda share: None)
    assert (stream.read(4), stream.seek(0), stream.read(-1)) == (b"abcd", 0, b"abcdef")
    assert stream.seekable()


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_is_sent_as_utf8(encoding: str) -> None:
    stream = RecodedStream(io.BytesIO("né;€".encode(encoding)), lambda share: None, encoding)
    pieces = iter(lambda: stream.read(1), b"")
    assert b"".join(pieces).decode() == "né;€"
    assert not stream.seekable()


def test_text_that_cannot_be_decoded_after_all_is_told() -> None:
    def submit(source: Any, **options: object) -> None:
        source.read()

    data = io.BytesIO(b"AGE\n\x81\n")
    with pytest.raises(Unreadable, match="encoding"):
        send(cast(Client, FakeService({"submit": submit})), "a.csv", data, preview("cp1252"), Order(), lambda it: None)


@pytest.mark.parametrize(
    ("name", "packing", "sent"),
    [
        ("a.csv", None, "a.csv"),
        ("a.csv", "gzip", "a.csv.gz"),
        ("a.csv.gz", None, "a.csv"),
        ("X.CSV.GZ", "gzip", "X.CSV.gz"),
        ("X.GZ", None, "X"),
        ("a.zst", "zstd", "a.zst"),
    ],
)
def test_the_name_says_how_the_file_is_packed(name: str, packing: str | None, sent: str) -> None:
    assert name_to_send(name, preview(packing=packing)) == sent


def downloads(size: int = 100) -> FakeService:
    return FakeService({"download": lambda job_id, path, format: Path(path).write_bytes(bytes(size))})


def test_results_are_fetched_once(tmp_path: Path) -> None:
    service = downloads()
    shelf = Shelf(tmp_path)
    first, second = (shelf.fetch(cast(Client, service), "a" * 32, "parquet") for _ in range(2))
    assert first == second
    assert len(service.calls) == 1


def test_what_could_not_be_fetched_is_fetched_the_next_time(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    lost = FakeService({"download": NotReachable("Lost.", sent=True)})
    with pytest.raises(NotReachable):
        shelf.fetch(cast(Client, lost), "a" * 32, "csv")
    assert shelf.fetch(cast(Client, downloads()), "a" * 32, "csv").exists()


def test_the_oldest_results_go_when_there_are_too_many(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_bytes=250)
    for number, letter in enumerate("abc"):
        path = shelf.fetch(cast(Client, downloads()), letter * 32, "parquet")
        os.utime(path, (time.time() - 60 + number,) * 2)
    shelf.fetch(cast(Client, downloads()), "d" * 32, "parquet")
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["c", "d"]


def test_results_that_are_longer_than_the_room_stay_until_the_next_ones(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_bytes=250)
    large = shelf.fetch(cast(Client, downloads(300)), "a" * 32, "csv")
    assert large.exists()
    small = shelf.fetch(cast(Client, downloads(10)), "b" * 32, "csv")
    assert small.exists()
    assert not large.exists()


def test_what_is_being_fetched_takes_room_and_stays(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_bytes=250)
    first = shelf.fetch(cast(Client, downloads()), "a" * 32, "csv")
    part = tmp_path / "b.csv.part"
    part.write_bytes(bytes(200))
    os.utime(part, (0, 0))
    os.utime(first, (time.time() - 60,) * 2)
    shelf.fetch(cast(Client, downloads(10)), "c" * 32, "csv")
    assert part.exists()
    assert not first.exists()


def test_a_file_that_goes_while_others_are_tidied_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(type(tmp_path)):  # type: ignore[misc]
        def iterdir(self) -> Iterator[Path]:
            yield self / "gone.csv.part"

    path = Shelf(Gone(tmp_path)).fetch(cast(Client, downloads()), "a" * 32, "csv")
    assert path.exists()


def test_few_results_are_fetched_at_a_time(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    one_too_many = threading.Barrier(MAX_DOWNLOADS + 1)
    met: list[str] = []

    def download(job_id: str, path: Path, format: str) -> None:
        with suppress(threading.BrokenBarrierError):
            one_too_many.wait(0.2)
            met.append(job_id)
        path.write_bytes(b"")

    client = cast(Client, FakeService({"download": download}))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: shelf.fetch(client, str(number), "csv"), range(8)))
    assert met == []


def test_a_folder_of_a_process_that_was_killed_goes_when_the_next_one_begins(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from ui.batch.folder import own_folder\n"
        "(own_folder(Path(sys.argv[1])) / 'rows.csv').write_bytes(b'1'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    (left,) = tmp_path.iterdir()
    mine = own_folder(tmp_path)
    assert not left.exists()
    own_folder(tmp_path)
    assert mine.exists()


def test_a_link_with_the_name_of_such_a_folder_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").touch()
    (tmp_path / f"{PREFIX}x").symlink_to(other)
    own_folder(tmp_path)
    assert (other / "file").exists()


def test_results_that_nobody_looks_at_go_after_a_day(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    old = shelf.fetch(cast(Client, downloads()), "a" * 32, "parquet")
    os.utime(old, (time.time() - 2 * shelf.max_age,) * 2)
    shelf.fetch(cast(Client, downloads()), "b" * 32, "parquet")
    assert not old.exists()
