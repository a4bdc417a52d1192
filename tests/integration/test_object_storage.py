"""What all storages promise, over an S3-speaking server; what becomes of it when the server, or the way to it, fails."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from shared.errors import StorageUnavailable
from shared.storage import Storage, create_storage, open_uri, write_uri
from tests.objects import BUCKET, ObjectServer, broken_way, object_server
from tests.patience import within
from tests.processes import ROOT, wait_for
from tests.storage_contract import MIB, StorageContract, Stored, read, write

GIVE_UP = 15.0
"""Seconds after which every use of a server that does not answer has failed: 9 at most, on a machine that is not busy."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with object_server(tmp_path_factory.mktemp("objects")) as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """A place in the bucket that no other test uses."""
    return f"tests/{uuid4().hex}"


@pytest.fixture
def storage(server: ObjectServer, prefix: str) -> Storage:
    return create_storage(server.url(prefix))


@pytest.fixture
def stored(server: ObjectServer, prefix: str) -> Stored:
    return lambda: server.keys(f"{prefix}/")


class TestObjectStorage(StorageContract):
    old_after = 1.5


def uses_of(storage: Storage) -> list[Callable[[], object]]:
    return [
        storage.check,
        lambda: write(storage, "x", b"1"),
        lambda: write(storage, "x", bytes(12 * MIB)),
        lambda: read(storage, "x"),
        lambda: storage.size("x"),
        lambda: storage.delete("x"),
        lambda: storage.folders_older_than("x", 0),
    ]


def message_of(use: Callable[[], object]) -> str:
    def give_up() -> str:
        with pytest.raises(StorageUnavailable) as caught:
            use()
        return str(caught.value)

    return within(GIVE_UP, give_up)


def messages_of(storage: Storage) -> list[str]:
    """Use a storage in every way, at the same time, and give the messages of the errors."""
    uses = uses_of(storage)
    with ThreadPoolExecutor(len(uses) + 1) as pool:
        leaving = pool.submit(storage.delete_folder, "x")
        messages = list(pool.map(message_of, uses))
        assert leaving.result() is None
    return messages


@contextmanager
def silent_port(*, accepts: bool) -> Iterator[int]:
    """A port whose connections are made but never answered, or not even made."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(100 if accepts else 0)
        port = listener.getsockname()[1]
        for _ in range(0 if accepts else 3):
            # They fill the queue of those that wait to be accepted; the kernel drops all that come after.
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


def test_it_is_no_folder_of_this_machine(storage: Storage) -> None:
    assert storage.local_path("x") is None
    assert storage.free_bytes() is None


def test_a_small_blob_is_written_in_one_request(storage: Storage, server: ObjectServer, prefix: str) -> None:
    write(storage, "x", bytes(MIB))
    assert [line for line in server.requests() if prefix in line] == [f"PUT /{BUCKET}/{prefix}/x HTTP/1.1"]


def test_a_large_blob_is_sent_in_parts_and_read_in_pieces(storage: Storage, server: ObjectServer, prefix: str) -> None:
    def reads() -> int:
        return sum(f"GET /{BUCKET}/{prefix}/x" in line for line in server.requests())

    piece = os.urandom(MIB)
    with storage.write("x") as file:
        for _ in range(50):
            file.write(piece)
    assert sum(f"PUT /{BUCKET}/{prefix}/x?partNumber=" in line for line in server.requests()) == 5
    with storage.read("x") as file:
        assert file.size() == 50 * MIB
        assert file.read_at(MIB, 49 * MIB) == piece
        assert file.read_at(2, MIB - 1) == piece[-1:] + piece[:1]
    asked = reads()
    with storage.read("x") as file:
        assert all(file.read(MIB) == piece for _ in range(50))
        assert file.read(1) == b""
    wait_for("the log of 7 requests", lambda: reads() - asked == 7)


@pytest.mark.parametrize("size", [4, 35 * MIB])
@pytest.mark.parametrize("old", [None, b"old"])
def test_an_upload_that_fails_half_way_leaves_the_blob_as_it_was(
    storage: Storage, server: ObjectServer, prefix: str, stored: Stored, size: int, old: bytes | None
) -> None:
    if old is not None:
        write(storage, "x", old)
    failing = "x" if size == 4 else "partNumber=2&"

    def refuses(method: str, path: str) -> int | None:
        return 403 if method == "PUT" and failing in path else None

    with broken_way(server, refuses) as port:
        broken = create_storage(server.url(prefix, port))
        with pytest.raises(StorageUnavailable, match="does not allow"):
            write(broken, "x", bytes(size))
    assert stored() == ([] if old is None else ["x"])
    assert old is None or read(storage, "x") == old


@pytest.mark.parametrize("size", [4, 12 * MIB])
def test_a_hiccup_of_the_server_is_not_noticed(server: ObjectServer, prefix: str, size: int) -> None:
    hiccups = iter([503])
    with broken_way(server, lambda method, _: next(hiccups, None) if method == "PUT" else None) as port:
        write(create_storage(server.url(prefix, port)), "x", bytes(size))
    assert next(hiccups, None) is None
    assert create_storage(server.url(prefix)).size("x") == size


def test_a_server_that_never_answers_is_given_up_soon(server: ObjectServer) -> None:
    with silent_port(accepts=True) as one, silent_port(accepts=False) as other, ThreadPoolExecutor(2) as pool:
        storages = [create_storage(server.url(port=port)) for port in (one, other)]
        assert {message for messages in pool.map(messages_of, storages) for message in messages} == {
            "The storage does not answer."
        }


def test_a_server_that_went_away_is_used_again_when_it_is_back(tmp_path: Path) -> None:
    with object_server(tmp_path) as server:
        storage = create_storage(server.url("x"))
        write(storage, "x", bytes(3 * MIB))
        with storage.write("y") as file:
            file.write(b"2")
            with pytest.raises(StorageUnavailable, match="does not answer"), storage.read("x") as left:
                assert left.read(4) == bytes(4)
                server.kill()
                left.read()
            assert set(messages_of(storage)) == {"The storage does not answer."}
            server.start()
        write(storage, "x", b"3")
        assert (read(storage, "x"), read(storage, "y")) == (b"3", b"2")


def test_a_bucket_that_is_not_there_is_named_as_the_reason(server: ObjectServer) -> None:
    storage = create_storage(server.url().replace(BUCKET, "another-bucket"))
    for use in (storage.check, lambda: write(storage, "x", bytes(12 * MIB))):
        assert message_of(use) == "The storage has no such bucket."
    assert message_of(lambda: read(storage, "x")) == "The storage has no such file."


def test_wrong_credentials_are_named_as_the_reason(tmp_path: Path) -> None:
    # One action is free: that which makes the bucket.
    with object_server(tmp_path, {"INITIAL_NO_AUTH_ACTION_COUNT": "1"}) as server:
        messages = set(messages_of(create_storage(server.url())))
    assert messages == {
        "The storage does not know the credentials, or they have expired.",
        "The storage does not allow this with the configured credentials.",
    }


def test_the_endpoint_may_come_from_the_environment(
    server: ObjectServer, prefix: str, monkeypatch: pytest.MonkeyPatch, stored: Stored
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{server.endpoint}/")
    write(create_storage(f"s3://{BUCKET}/{prefix}"), "x", b"1")
    with write_uri(f"s3://{BUCKET}/{prefix}/a b/y") as file:
        file.write(b"2")
    with open_uri(f"s3://{BUCKET}/{prefix}/a b/y") as file:
        assert file.read() == b"2"
    with pytest.raises(ZeroDivisionError), write_uri(f"s3://{BUCKET}/{prefix}/z") as file:
        raise ZeroDivisionError
    with pytest.raises(StorageUnavailable, match="no such file"), open_uri(f"s3://{BUCKET}/{prefix}/z"):
        pass
    assert stored() == ["a b/y", "x"]


FORKING = """
import os, signal, sys
from shared.storage import create_storage

def use(storage, name):
    with storage.write(name) as file:
        file.write(bytes(int(sys.argv[2])))
    with storage.read(name) as file:
        assert len(file.read()) == int(sys.argv[2])
    storage.delete(name)

storage = create_storage(sys.argv[1])
if sys.argv[3] == "used":
    use(storage, "parent")
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        use(storage, f"child{number}")
        sys.exit()
    children.append(child)
use(storage, "parent")
sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.parametrize(("before", "size"), [("used", 5 * MIB), ("unused", 4)])
def test_a_storage_works_on_both_sides_of_a_fork_and_lets_both_end(
    server: ObjectServer, prefix: str, before: str, size: int
) -> None:
    command = [sys.executable, "-W", "error", "-c", FORKING, server.url(prefix), str(size), before]
    ended = subprocess.run(command, cwd=ROOT, timeout=30, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_writer_that_is_killed_leaves_nothing(server: ObjectServer, prefix: str, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom shared.storage import create_storage\n"
        "with create_storage(sys.argv[1]).write('x') as file:\n"
        "    file.write(bytes(12 << 20)); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, server.url(prefix)], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert ended.returncode == -signal.SIGKILL
    assert server.keys(f"{prefix}/") == []
    assert list(tmp_path.iterdir()) == []
