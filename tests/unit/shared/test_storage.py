"""A blob is there as a whole or not at all."""

import os
from pathlib import Path

import pytest

from shared.errors import StorageUnavailable
from shared.storage import Storage

HOUR = 3600.0


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path))


def write(storage: Storage, name: str, content: bytes) -> None:
    with storage.write(name) as file:
        file.write(content)


def read(storage: Storage, name: str) -> bytes:
    with storage.read(name) as file:
        content: bytes = file.read()
    return content


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_blob_lies_below_the_root_under_its_name(storage: Storage, tmp_path: Path) -> None:
    write(storage, "jobs/a/input.arrow", b"rows")
    assert read(storage, "jobs/a/input.arrow") == b"rows"
    assert files_below(tmp_path) == ["jobs/a/input.arrow"]


def test_the_root_may_be_a_file_url(tmp_path: Path) -> None:
    write(Storage(f"file://{tmp_path}/deep"), "x", b"1")
    assert files_below(tmp_path) == ["deep/x"]


def test_a_blob_does_not_appear_before_it_is_whole(storage: Storage) -> None:
    with storage.write("x") as file:
        file.write(b"half")
        with pytest.raises(StorageUnavailable):
            read(storage, "x")
    assert read(storage, "x") == b"half"


def test_a_failed_write_leaves_nothing_and_its_error_is_passed_on(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), storage.write("jobs/a/x") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert files_below(tmp_path) == []


def test_a_failed_write_leaves_the_blob_as_it_was(storage: Storage, tmp_path: Path) -> None:
    write(storage, "x", b"old")
    with pytest.raises(ZeroDivisionError), storage.write("x") as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert read(storage, "x") == b"old"
    write(storage, "x", b"new")
    assert read(storage, "x") == b"new"
    assert files_below(tmp_path) == ["x"]


def test_a_disk_that_fails_while_writing_is_unavailable(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable), storage.write("x"):
        raise OSError(28, "No space left on device")
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("name", ["missing", "jobs/missing/x"])
def test_a_blob_that_is_not_there_is_unavailable(storage: Storage, name: str) -> None:
    with pytest.raises(StorageUnavailable):
        read(storage, name)


def test_a_root_that_is_no_folder_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    storage = Storage(str(tmp_path / "file"))
    with pytest.raises(StorageUnavailable):
        storage.check()
    with pytest.raises(StorageUnavailable):
        write(storage, "x", b"")


def test_a_check_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    storage.check()
    assert files_below(tmp_path) == []


def test_a_folder_goes_with_all_that_lies_below_it_and_nothing_else(storage: Storage, tmp_path: Path) -> None:
    for name in ("jobs/a/x", "jobs/a/b/y", "jobs/ab/x"):
        write(storage, name, b"")
    storage.delete_folder("jobs/a")
    storage.delete_folder("jobs/never")
    assert files_below(tmp_path) == ["jobs/ab/x"]


def test_old_folders_are_those_that_nothing_was_added_to(storage: Storage, tmp_path: Path) -> None:
    assert storage.folders_older_than("jobs", 0) == []
    for name in ("old", "new"):
        write(storage, f"jobs/{name}/x", b"")
    long_ago = (tmp_path / "jobs/new").stat().st_mtime - 2 * HOUR
    os.utime(tmp_path / "jobs/old", (long_ago, long_ago))
    assert storage.folders_older_than("jobs", HOUR) == ["old"]
