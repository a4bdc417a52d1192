"""The local Hub, driven by the real client: what the project's tests take for the behaviour of the real one."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    file_download,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import _http
from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

from tests.hub import HubServer, Kind, What
from tests.processes import DEADLINE, http, wait_for

# The client uploads LFS files in a way that its own HTTP models deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

REPO = "credit/model"
TOKEN = "hf_alice"  # noqa: S105 - an account of the test server
MODEL = bytes(range(256)) * 800
FILES = {"model.cb": MODEL, "MLmodel": b"signature", "README.md": b"---\nlicense: mit\n---\n# Model\n"}

# What `sha256sum` says of the model, and `git hash-object` of the git-lfs pointer to it, and of the signature.
MODEL_SHA256 = "8c6627e25bfbdef2bba5abc03123ea8e9b60d892f7f180a8b9b5079fb3233c54"
POINTER_OID = "0787cd99deb16d4050440755c22cd89260b43407"
SIGNATURE_OID = "aa86b92dae4ba0bfadffaaac55a7778456b9aad1"


@pytest.fixture(autouse=True)
def plain_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client as its environment variables would set it: no Xet, no telemetry, no progress bars."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    disable_progress_bars()
    yield
    enable_progress_bars()


@pytest.fixture(scope="module")
def running() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server
    _http.close_session()


@pytest.fixture
def hub(running: HubServer) -> HubServer:
    """The one server of these tests, as if it had just begun."""
    running.heal()
    running.forget()
    running.store.repositories.clear()
    running.store.objects.clear()
    return running


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    """The client of one who may write, with a private model there."""
    client = client_of(hub, TOKEN)
    client.create_repo(REPO, private=True)
    return client


@pytest.fixture
def sha(api: HfApi) -> str:
    return publish(api)


def client_of(hub: HubServer, token: str | bool) -> HfApi:
    return HfApi(endpoint=hub.url, token=token)


def publish(api: HfApi, files: dict[str, bytes] = FILES, **options: Any) -> str:
    additions = [CommitOperationAdd(path, content) for path, content in files.items()]
    sha: str = api.create_commit(REPO, additions, commit_message="a version", **options).oid
    return sha


def fetch(api: HfApi, name: str, folder: Path, revision: str = "main") -> bytes:
    return Path(api.hf_hub_download(REPO, name, revision=revision, local_dir=folder)).read_bytes()


def resolve(api: HfApi, revision: str = "main", timeout: float = 10) -> str | None:
    return api.model_info(REPO, revision=revision, expand=["sha"], timeout=timeout).sha


# Who may do what


def test_a_model_is_created_once(hub: HubServer) -> None:
    api = client_of(hub, TOKEN)
    assert api.create_repo(REPO, private=True).repo_id == REPO
    assert api.create_repo(REPO, exist_ok=True).repo_id == REPO
    with pytest.raises(HfHubHTTPError, match="already created"):
        api.create_repo(REPO)
    assert api.model_info(REPO).private is True
    assert [commit.title for commit in hub.commits(REPO)] == ["initial commit"]
    api.create_repo("alice/own")
    assert client_of(hub, False).model_info("alice/own").private is False


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_bob", 403), ("hf_alice_reads", 403)])
def test_not_everyone_may_create(hub: HubServer, token: str | bool, status: int) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        client_of(hub, token).create_repo(REPO)
    assert refused.value.response.status_code == status


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_bob", 404)])
def test_a_private_model_is_not_there_for_others(
    hub: HubServer, sha: str, token: str | bool, status: int, tmp_path: Path
) -> None:
    stranger = client_of(hub, token)
    for call in (
        lambda: resolve(stranger),
        lambda: fetch(stranger, "MLmodel", tmp_path),
        lambda: publish(stranger),
        lambda: stranger.model_info("credit/none"),
    ):
        with pytest.raises(RepositoryNotFoundError) as refused:
            call()
        assert refused.value.response.status_code == status


def test_who_may_read_may_not_write(hub: HubServer, sha: str, tmp_path: Path) -> None:
    reader = client_of(hub, "hf_alice_reads")
    assert fetch(reader, "model.cb", tmp_path) == MODEL
    for call in (lambda: publish(reader), lambda: reader.create_tag(REPO, tag="v1")):
        with pytest.raises(HfHubHTTPError) as refused:
            call()
        assert refused.value.response.status_code == 403


def test_an_unknown_token_is_refused_whatever_it_asks_for(hub: HubServer, api: HfApi) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as refused:
        resolve(client_of(hub, "hf_nobody"))
    assert refused.value.response.status_code == 401
    assert not isinstance(refused.value, RepositoryNotFoundError)


# Reading


def test_a_revision_is_a_branch_a_tag_or_a_sha(api: HfApi, sha: str) -> None:
    api.create_tag(REPO, tag="v1")
    second = publish(api, {"MLmodel": b"other"})
    assert [resolve(api, revision) for revision in ("main", "v1", sha)] == [second, sha, sha]
    assert api.model_info(REPO, expand=["sha"]).siblings is None
    for revision in ("v2", sha[:7]):
        with pytest.raises(RevisionNotFoundError):
            resolve(api, revision)


def test_tags_are_listed_and_never_moved(api: HfApi, sha: str) -> None:
    api.create_tag(REPO, tag="v1", revision=sha)
    second = publish(api, {"MLmodel": b"other"})
    with pytest.raises(HfHubHTTPError, match="already exists"):
        api.create_tag(REPO, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(REPO, tag="v2", revision="nothing")
    refs = api.list_repo_refs(REPO)
    assert [(ref.name, ref.target_commit) for ref in [*refs.tags, *refs.branches]] == [("v1", sha), ("main", second)]


def test_the_files_of_a_revision_are_described(api: HfApi, sha: str) -> None:
    siblings = {file.rfilename: file for file in api.model_info(REPO, files_metadata=True).siblings or []}
    assert siblings.keys() == {".gitattributes", *FILES}
    small, large = siblings["MLmodel"], siblings["model.cb"]
    assert (small.size, small.blob_id, small.lfs) == (9, SIGNATURE_OID, None)
    assert (large.size, large.blob_id) == (len(MODEL), POINTER_OID)
    assert large.lfs is not None
    assert (large.lfs.size, large.lfs.sha256) == (len(MODEL), MODEL_SHA256)


def test_a_file_has_the_headers_of_the_hub_and_a_large_one_lies_elsewhere(
    hub: HubServer, api: HfApi, sha: str, tmp_path: Path
) -> None:
    url = f"{hub.url}/{REPO}/resolve/main"
    small = file_download.get_hf_file_metadata(f"{url}/MLmodel", token=TOKEN, endpoint=hub.url)
    assert (small.commit_hash, small.etag, small.size) == (sha, SIGNATURE_OID, 9)
    large = file_download.get_hf_file_metadata(f"{url}/model.cb", token=TOKEN, endpoint=hub.url)
    assert (large.commit_hash, large.etag, large.size) == (sha, MODEL_SHA256, len(MODEL))
    assert not large.location.startswith(hub.url)
    assert http.get(large.location).content == MODEL
    # The storage takes no token, and so the client must not send one there.
    assert http.get(large.location, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 400
    hub.forget()
    assert {name: fetch(api, name, tmp_path) for name in FILES} == FILES
    assert (hub.count("metadata"), hub.count("download"), hub.count("download", path="*/model.cb")) == (3, 3, 1)
    with pytest.raises(RemoteEntryNotFoundError):
        fetch(api, "none", tmp_path)
    with pytest.raises(RevisionNotFoundError):
        fetch(api, "MLmodel", tmp_path, "none")


# Publishing


def test_publishing_makes_one_commit_and_uploads_what_is_binary(hub: HubServer, api: HfApi) -> None:
    sha = publish(api, parent_commit=resolve(api))
    assert [commit.sha for commit in hub.commits(REPO)[1:]] == [sha]
    files = hub.commits(REPO)[-1].files
    assert {path: file.content for path, file in files.items() if path in FILES} == FILES
    assert [path for path, file in files.items() if file.lfs] == ["model.cb"]
    assert (hub.count("upload"), hub.count("upload", path="*/objects/batch")) == (2, 1)


def test_nothing_unchanged_is_committed_or_uploaded_again(hub: HubServer, api: HfApi, sha: str) -> None:
    hub.forget()
    assert publish(api) == sha
    publish(api, {"copy.cb": MODEL})
    assert (hub.count("commit"), hub.count("upload", path="/lfs/*")) == (1, 0)


def test_a_file_is_removed(hub: HubServer, api: HfApi, sha: str) -> None:
    api.create_commit(REPO, [CommitOperationDelete("MLmodel", is_folder=False)], commit_message="tidy up")
    assert hub.commits(REPO)[-1].files.keys() == {".gitattributes", "model.cb", "README.md"}


def test_a_head_that_moved_is_not_overwritten(hub: HubServer, api: HfApi, sha: str) -> None:
    publish(api, {"MLmodel": b"of another"})
    with pytest.raises(HfHubHTTPError) as refused:
        publish(api, {"MLmodel": b"of mine"}, parent_commit=sha)
    assert refused.value.response.status_code == 412
    assert len(hub.commits(REPO)) == 3


# Faults


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_status_in_the_place_of_the_answer(hub: HubServer, api: HfApi, sha: str, status: int) -> None:
    hub.fail("info", status, times=1)
    with pytest.raises(HfHubHTTPError) as refused:
        resolve(api)
    assert refused.value.response.status_code == status
    assert isinstance(refused.value, RepositoryNotFoundError) == (status == 404)
    assert resolve(api) == sha


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("stall", httpx2.ReadTimeout),
        ("lose", httpx2.RemoteProtocolError),
        ("truncate", httpx2.RemoteProtocolError),
    ],
)
def test_no_answer_or_half_of_one(
    hub: HubServer, api: HfApi, sha: str, what: What, error: type[httpx2.HTTPError]
) -> None:
    hub.fail("info", what, times=1)
    with pytest.raises(error):
        resolve(api, timeout=0.1 if what == "stall" else 10)
    assert resolve(api) == sha


@pytest.mark.parametrize(
    ("what", "error"),
    [(404, RemoteEntryNotFoundError), (500, HfHubHTTPError), ("truncate", httpx2.RemoteProtocolError)],
)
def test_a_download_that_fails(
    hub: HubServer, api: HfApi, sha: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: Any, error: Any
) -> None:
    # The client tries again after a second, five times.
    monkeypatch.setattr(file_download, "time", SimpleNamespace(**{**vars(time), "sleep": lambda _: None}))
    hub.fail("download", what, path="*/model.cb")
    assert fetch(api, "MLmodel", tmp_path) == FILES["MLmodel"]
    with pytest.raises(error):
        fetch(api, "model.cb", tmp_path)
    hub.heal()
    assert fetch(api, "model.cb", tmp_path) == MODEL


def test_flipped_bits_are_not_noticed_by_the_client(hub: HubServer, api: HfApi, sha: str, tmp_path: Path) -> None:
    hub.fail("download", "corrupt", times=1, path="*.cb")
    damaged = fetch(api, "model.cb", tmp_path)
    assert sum((one ^ other).bit_count() for one, other in zip(damaged, MODEL, strict=True)) == 1


def test_a_slow_download_outlives_the_timeout(
    hub: HubServer, api: HfApi, sha: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.4)
    hub.fail("download", "drip", seconds=0.6, path="*/model.cb")
    start = time.monotonic()
    assert fetch(api, "model.cb", tmp_path) == MODEL
    assert time.monotonic() - start > 0.6


@pytest.mark.parametrize(("kind", "what"), [("upload", 403), ("commit", 500), ("preupload", 401)])
def test_a_publication_that_fails_changes_nothing(hub: HubServer, api: HfApi, kind: Kind, what: int) -> None:
    hub.fail(kind, what, times=1)
    with pytest.raises(HfHubHTTPError) as refused:
        publish(api)
    assert refused.value.response.status_code == what
    assert len(hub.commits(REPO)) == 1
    publish(api)
    assert len(hub.commits(REPO)) == 2


def test_healing_lets_a_stalled_call_go_on(hub: HubServer, api: HfApi, sha: str) -> None:
    hub.fail("info", "stall")
    outcome: list[str | None] = []
    thread = threading.Thread(target=lambda: outcome.append(resolve(api)))
    thread.start()
    wait_for("the call", lambda: hub.count("info"))
    hub.heal()
    thread.join(DEADLINE)
    assert outcome == [sha]


def test_it_stops_and_starts_with_its_address_and_its_data(hub: HubServer, api: HfApi, sha: str) -> None:
    url = hub.url
    hub.stop()
    with pytest.raises(httpx2.ConnectError):
        resolve(api)
    hub.start()
    assert hub.url == url
    assert resolve(api) == sha
