"""What a storage promises, over whatever the fixtures of a test module make: a local folder, or a real object server.

A module that defines the fixtures `storage` (an empty one) and `stored` (names all blobs in it, whole or not) and has
`class TestStorage(StorageContract)` runs them all.
"""

from collections.abc import Callable

import pyarrow as pa
import pytest

from shared.errors import StorageUnavailable
from shared.storage import Storage
from tests.processes import wait_for

HOUR = 3600.0
MIB = 2**20

Stored = Callable[[], list[str]]


def write(storage: Storage, name: str, content: bytes) -> None:
    with storage.write(name) as file:
        file.write(content)


def read(storage: Storage, name: str) -> bytes:
    with storage.read(name) as file:
        content: bytes = file.read()
    return content


class StorageContract:
    old_after = 0.3
    """Seconds after which a folder counts as old, more than the dates of blobs are rounded by."""

    def test_a_blob_lies_under_its_name(self, storage: Storage, stored: Stored) -> None:
        write(storage, "jobs/a/input.arrow", b"rows")
        assert read(storage, "jobs/a/input.arrow") == b"rows"
        assert storage.size("jobs/a/input.arrow") == 4
        assert stored() == ["jobs/a/input.arrow"]

    @pytest.mark.parametrize("size", [0, 1, 4 * MIB, 4 * MIB + 1, 25 * MIB])
    def test_a_blob_is_read_as_it_was_written_whatever_its_size(self, storage: Storage, size: int) -> None:
        content = bytes(range(251)) * (size // 251 + 1)
        with storage.write("x") as file:
            for start in range(0, size, 3 * MIB):
                file.write(content[start : min(start + 3 * MIB, size)])
        assert storage.size("x") == size
        assert read(storage, "x") == content[:size]

    def test_a_blob_is_read_at_any_place(self, storage: Storage) -> None:
        write(storage, "x", b"0123456789")
        with storage.read("x") as file:
            assert file.seekable()
            assert file.size() == 10
            assert (file.read(2), file.seek(8), file.read(), file.read_at(3, 6)) == (b"01", 8, b"89", b"678")

    def test_arrow_files_are_written_and_their_batches_read_in_any_order(self, storage: Storage) -> None:
        batches = [pa.record_batch({"n": [number] * 1000}) for number in range(3)]
        with storage.write("x") as file, pa.ipc.new_file(file, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        with storage.read("x") as file:
            reader = pa.ipc.open_file(file)
            assert [reader.get_batch(number).column(0)[0].as_py() for number in (2, 0, 1)] == [2, 0, 1]

    def test_a_block_may_close_its_file(self, storage: Storage) -> None:
        with storage.write("x") as file:
            file.write(b"1")
            file.close()
        with storage.read("x") as file:
            assert file.read() == b"1"
            file.close()

    def test_a_blob_does_not_appear_before_it_is_whole(self, storage: Storage) -> None:
        with storage.write("x") as file:
            file.write(b"half")
            with pytest.raises(StorageUnavailable):
                read(storage, "x")
        assert read(storage, "x") == b"half"

    @pytest.mark.parametrize("size", [4, 12 * MIB])
    @pytest.mark.parametrize("fault", [ZeroDivisionError, KeyboardInterrupt, pa.ArrowInvalid])
    def test_a_failed_write_leaves_nothing_and_its_error_is_passed_on(
        self, storage: Storage, stored: Stored, size: int, fault: type[BaseException]
    ) -> None:
        with pytest.raises(fault), storage.write("jobs/a/x") as file:
            file.write(bytes(size))
            raise fault
        assert stored() == []

    @pytest.mark.parametrize("size", [4, 12 * MIB])
    def test_a_failed_write_leaves_the_blob_as_it_was(self, storage: Storage, stored: Stored, size: int) -> None:
        write(storage, "x", b"old")
        with pytest.raises(ZeroDivisionError), storage.write("x") as file:
            file.write(bytes(size))
            raise ZeroDivisionError
        assert read(storage, "x") == b"old"
        write(storage, "x", b"new")
        assert read(storage, "x") == b"new"
        assert stored() == ["x"]

    def test_a_disk_that_fails_while_writing_is_unavailable(self, storage: Storage, stored: Stored) -> None:
        with pytest.raises(StorageUnavailable, match="full"), storage.write("x"):
            raise OSError(28, "No space left on device", "/a/secret/place")
        assert stored() == []

    def test_of_two_writers_of_one_name_the_last_to_end_wins(self, storage: Storage, stored: Stored) -> None:
        with storage.write("x") as last:
            last.write(b"last")
            with storage.write("x") as first:
                first.write(b"first")
            assert read(storage, "x") == b"first"
        assert read(storage, "x") == b"last"
        assert stored() == ["x"]

    @pytest.mark.parametrize("name", ["missing", "jobs/missing/x", "jobs"])
    def test_a_blob_that_is_not_there_is_unavailable(self, storage: Storage, name: str) -> None:
        with pytest.raises(StorageUnavailable, match=r"^The storage has no such file\.$"):
            read(storage, name)
        with pytest.raises(StorageUnavailable, match=r"^The storage has no such file\.$"):
            storage.size(name)

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "/x", "x/", "a//b", "../x", "a/../x", "a/./x", "a/..", "a\\..\\x", "a\0"]
    )
    def test_a_name_that_leads_elsewhere_is_a_fault_of_the_program(self, storage: Storage, name: str) -> None:
        for use in (
            storage.size,
            storage.delete,
            storage.delete_folder,
            storage.blobs,
            storage.local_path,
            lambda name: storage.folders_older_than(name, 0),
            lambda name: read(storage, name),
            lambda name: write(storage, name, b""),
        ):
            with pytest.raises(ValueError, match="relative path"):
                use(name)

    @pytest.mark.parametrize("name", ["a b", "é", "a+b", "100%", "a%2Fb", "x?y=1", "#", "..a", "a:b"])
    def test_a_name_may_have_any_other_character(self, storage: Storage, name: str) -> None:
        write(storage, f"jobs/{name}", b"1")
        assert read(storage, f"jobs/{name}") == b"1"
        storage.delete(f"jobs/{name}")
        with pytest.raises(StorageUnavailable):
            read(storage, f"jobs/{name}")

    def test_a_check_leaves_nothing(self, storage: Storage, stored: Stored) -> None:
        storage.check()
        assert stored() == []

    def test_one_blob_is_removed(self, storage: Storage, stored: Stored) -> None:
        for name in ("a/x", "a/y"):
            write(storage, name, b"")
        for _ in range(2):
            storage.delete("a/x")
        storage.delete("never/x")
        assert stored() == ["a/y"]

    def test_a_folder_goes_with_all_that_lies_below_it_and_nothing_else(self, storage: Storage, stored: Stored) -> None:
        for name in ("jobs/a/x", "jobs/a/b/y", "jobs/ab/x"):
            write(storage, name, b"")
        storage.delete_folder("jobs/a")
        storage.delete_folder("jobs/never")
        storage.delete_folder("never")
        assert stored() == ["jobs/ab/x"]

    def test_the_blobs_of_a_folder_are_those_directly_below_it(self, storage: Storage) -> None:
        assert storage.blobs("jobs/a") == []
        for name in ("a/x", "a/é y", "a/deep/z", "ab/x", "b/x"):
            write(storage, f"jobs/{name}", b"1")
        assert sorted(storage.blobs("jobs/a")) == ["x", "é y"]
        for name in storage.blobs("jobs/a"):
            storage.delete(f"jobs/a/{name}")
        assert storage.blobs("jobs/a") == []

    def test_old_folders_are_those_that_nothing_was_added_to(self, storage: Storage) -> None:
        assert storage.folders_older_than("jobs", 0) == []
        write(storage, "jobs/old/x", b"")
        write(storage, "jobs/file", b"")
        wait_for("a folder to age", lambda: storage.folders_older_than("jobs", self.old_after) == ["old"])
        write(storage, "jobs/new/x", b"")
        assert storage.folders_older_than("jobs", self.old_after) == ["old"]
        write(storage, "jobs/old/y", b"")
        assert storage.folders_older_than("jobs", self.old_after) == []
        assert sorted(storage.folders_older_than("jobs", -HOUR)) == ["new", "old"]
        for name in ("old", "new"):
            storage.delete_folder(f"jobs/{name}")
        assert storage.folders_older_than("jobs", -HOUR) == []
