"""What all storages promise, over a local folder; what only a folder does; and which addresses are plain and allowed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import StorageUnavailable
from shared.storage import Storage, create_storage, is_below, open_uri, write_uri
from tests.storage_contract import HOUR, StorageContract, Stored, read, write

REFUSED_BY_FORM = [
    "",
    "in/x",
    "/in/x",
    "s3:/bucket/in/x",
    "S3://bucket/in/x",
    "s3a://bucket/in/x",
    "https://bucket/in/x",
    "s3:///in/x",
    "s3://Bucket/in/x",
    "s3://key:secret@bucket/in/x",
    "s3://bucket@/in/x",
    "s3://bucket:443/in/x",
    "s3://bucket./in/x",
    "s3://bu..cket/in/x",
    "s3://bucket/in/../x",
    "s3://bucket/in/..",
    "s3://bucket/in/./x",
    "s3://bucket//in/x",
    "s3://bucket/in//x",
    "s3://bucket/in/x/",
    "s3://bucket/in/",
    "s3://bucket/in/%2e%2e/x",
    "s3://bucket/in%2Fx",
    "s3://bucket/in/x%00",
    "s3://bucket/in/x?endpoint_override=evil:80",
    "s3://bucket/in/x#y",
    "s3://bucket/in/..\\x",
    "s3://bucket/in/x\n",
    "s3://bucket/in/x\0",
    "s3://bucket/in/\u202ex",
    " s3://bucket/in/x",
    "file://host/in/x",
    "file://in/x",
    "file:///in/../x",
    "file:///in//x",
    "file:////in/x",
    "file:///in/x/",
    "file:///in/%2e%2e/x",
]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return create_storage(str(tmp_path))


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return lambda: sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())


class TestLocalStorage(StorageContract):
    pass


def test_the_root_may_be_a_file_url_and_need_not_be_there(tmp_path: Path, stored: Stored) -> None:
    write(create_storage(f"file://{tmp_path}/deep/er"), "x", b"1")
    assert stored() == ["deep/er/x"]


def test_only_the_owner_looks_into_a_new_root(tmp_path: Path) -> None:
    create_storage(str(tmp_path / "a" / "root")).check()
    assert (tmp_path / "a" / "root").stat().st_mode & 0o077 == 0
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    create_storage(str(shared)).check()
    assert shared.stat().st_mode & 0o777 == 0o770


def test_a_root_that_is_no_folder_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    storage = create_storage(str(tmp_path / "file"))
    uses: list[Callable[[], object]] = [
        storage.check,
        lambda: write(storage, "x", b""),
        lambda: read(storage, "x"),
        lambda: storage.size("x"),
        lambda: storage.delete("x"),
        lambda: storage.blobs("x"),
        lambda: storage.folders_older_than("x", 0),
    ]
    for use in uses:
        with pytest.raises(StorageUnavailable) as caught:
            use()
        assert str(tmp_path) not in str(caught.value)
    storage.delete_folder("x")


def test_a_folder_is_as_old_as_its_last_addition(storage: Storage, tmp_path: Path) -> None:
    for name in ("old", "new"):
        write(storage, f"jobs/{name}/x", b"")
    long_ago = (tmp_path / "jobs/new").stat().st_mtime - 2 * HOUR
    for path in ("jobs/old/x", "jobs/old"):
        os.utime(tmp_path / path, (long_ago, long_ago))
    assert storage.folders_older_than("jobs", HOUR) == ["old"]


def test_a_folder_that_vanishes_meanwhile_hides_no_other(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, gone = os.scandir, tmp_path / "jobs/gone"

    def scan_and_remove(folder: Path) -> list["os.DirEntry[str]"]:
        found = list(scan(folder))
        (gone / "x").unlink(missing_ok=True)
        if gone.exists():
            gone.rmdir()
        return found

    for name in ("gone", "old"):
        write(storage, f"jobs/{name}/x", b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scan_and_remove)
        assert storage.folders_older_than("jobs", -HOUR) == ["old"]


def test_what_an_interrupted_write_left_is_listed_and_can_be_deleted(storage: Storage, tmp_path: Path) -> None:
    with storage.write("jobs/a/x") as file:
        file.write(b"1")
        [partial] = storage.blobs("jobs/a")
        kept = (tmp_path / "jobs/a" / partial).read_bytes()
    (tmp_path / "jobs/a" / partial).write_bytes(kept)
    assert sorted(storage.blobs("jobs/a")) == sorted(["x", partial])
    storage.delete(f"jobs/a/{partial}")
    assert storage.blobs("jobs/a") == ["x"]


def test_a_local_blob_is_a_file(storage: Storage, tmp_path: Path) -> None:
    write(storage, "jobs/a/x", b"1")
    assert storage.local_path("jobs/a/x") == tmp_path / "jobs/a/x"
    assert storage.local_path("never") == tmp_path / "never"


@pytest.mark.parametrize("root", [".", "not/there/yet", "relative"])
def test_the_space_left_is_that_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    monkeypatch.chdir(tmp_path)
    for url in (root, str(tmp_path / root)):
        free = create_storage(url).free_bytes()
        assert free is not None
        assert free > 0


@pytest.mark.parametrize(
    "url",
    [
        "gs://bucket/x",
        "http://127.0.0.1:9000/bucket",
        "s3://",
        "s3:///x",
        "s3://key:secret@bucket/x",
        "s3://bucket/../x",
        "s3://bucket/x?secret_key=secret",
        "s3://bucket/x?secret",
    ],
)
def test_a_url_that_names_no_storage_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^((?!secret\b).)*$"):
        create_storage(url)


@pytest.mark.parametrize("uri", REFUSED_BY_FORM)
def test_an_address_that_is_not_plain_is_below_nothing_and_not_opened(uri: str) -> None:
    everything = [
        "s3://bucket",
        "s3://bucket/in",
        "file:///",
        "file:///in",
        "s3://bu..cket",
        uri,
        uri.rpartition("/")[0],
    ]
    assert not is_below(uri, everything)
    for use in (open_uri, write_uri):
        with pytest.raises(
            ValueError, match=r"\baddress (must (begin with|name|have|not contain)|does not refer to a file)\b"
        ):
            use(uri)


@pytest.mark.parametrize(
    ("uri", "prefix", "allowed"),
    [
        ("s3://bucket/in/x", "s3://bucket/in", True),
        ("s3://bucket/in/x", "s3://bucket/in/", True),
        ("s3://bucket/in/a/b/x.parquet", "s3://bucket/in", True),
        ("s3://bucket/x", "s3://bucket", True),
        ("s3://bucket/x", "s3://bucket/", True),
        ("s3://bucket.eu-1/in/a b é ..c", "s3://bucket.eu-1/in", True),
        ("file:///data/in/x", "file:///data/in", True),
        ("file:///data/in/x", "file:///", True),
        ("s3://bucket/inside/x", "s3://bucket/in", False),
        ("s3://bucket/inside", "s3://bucket/in", False),
        ("s3://bucket/in", "s3://bucket/in", False),
        ("s3://bucket/in", "s3://bucket/in/", False),
        ("s3://bucket/IN/x", "s3://bucket/in", False),
        ("s3://bucket/x", "s3://bucket/in", False),
        ("s3://bucket2/in/x", "s3://bucket/in", False),
        ("s3://bucket2/in/x", "s3://bucket", False),
        ("file:///bucket/in/x", "s3://bucket/in", False),
        ("s3://bucket/in/x", "file:///", False),
        ("s3://bucket/in/x", "", False),
        ("s3://bucket/in/x", "s3://", False),
        ("s3://bucket/in/x", "s3://bucket//", False),
        ("s3://bucket/in/x", "s3://bucket/in?region=x", False),
        ("s3://bucket/in/x", "s3://bucket/*", False),
    ],
)
def test_an_address_is_compared_with_a_prefix_part_by_part(uri: str, prefix: str, allowed: bool) -> None:
    assert is_below(uri, [prefix]) is allowed
    assert is_below(uri, ["s3://other/in", prefix]) is allowed
    assert not is_below(uri, [])


def test_a_file_at_an_address_appears_whole_or_not_at_all(tmp_path: Path, stored: Stored) -> None:
    uri = f"file://{tmp_path}/out/x"
    with write_uri(uri) as file:
        file.write(b"1")
    with open_uri(uri) as file:
        assert file.read() == b"1"
    with pytest.raises(ZeroDivisionError), write_uri(f"{uri}2") as file:
        raise ZeroDivisionError
    with pytest.raises(StorageUnavailable, match=r"^The storage has no such file\.$"), open_uri(f"{uri}2"):
        pass
    assert stored() == ["out/x"]
