"""The local Hub, driven by the real client: every call that the project uses, and every fault."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import httpx2
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    file_download,
    set_client_factory,
)
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import _http
from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

from tests.hub import HubServer, Kind, What
from tests.hub.store import git_oid
from tests.processes import Process, free_port, http, wait_for

# The client uploads LFS files in a way that its own HTTP models deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

REPO = "credit/model"
TOKEN = "hf_alice"  # noqa: S105
MODEL = bytes(range(256)) * 800
FILES = {"model.cb": MODEL, "MLmodel": b"signature", "README.md": b"---\nlicense: mit\n---\n# Model\n"}


@pytest.fixture(autouse=True)
def plain_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client as its environment variables would set it: no Xet, no telemetry."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    disable_progress_bars()
    yield
    enable_progress_bars()


@pytest.fixture(autouse=True, scope="module")
def one_session() -> Iterator[None]:
    """Keep the client's session over the tests, since to open one costs more than most of them."""
    yield
    _http.close_session()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have slept between its tries."""
    slept: list[float] = []
    clock = SimpleNamespace(**{**vars(time), "sleep": slept.append})
    monkeypatch.setattr(_http, "time", clock)
    monkeypatch.setattr(file_download, "time", clock)
    return slept


@contextmanager
def short_timeouts() -> Iterator[None]:
    """Let the client give up on a stalled call at once; only while one is stalled, since a busy machine is slow too."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.1)
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
        monkeypatch.setattr(file_download, "_ETAG_RETRY_TIMEOUT", 0.1)
        yield


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    """The client of one who may write, with a private model there."""
    client = client_of(hub, "hf_alice")
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


def fetch(api: HfApi, sha: str, cache: Path, **options: Any) -> Path:
    return Path(api.snapshot_download(REPO, revision=sha, cache_dir=cache, **options))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name in FILES}


# Who may do what


def test_a_token_says_who_calls(hub: HubServer) -> None:
    me = client_of(hub, "hf_alice_reads").whoami()
    assert me["name"] == "alice"
    assert me["auth"]["accessToken"]["role"] == "read"
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        client_of(hub, "hf_nobody").whoami()


def test_a_model_is_created_once(hub: HubServer) -> None:
    api = client_of(hub, "hf_alice")
    assert api.create_repo(REPO, private=True).repo_id == REPO
    assert api.create_repo(REPO, exist_ok=True).repo_id == REPO
    with pytest.raises(HfHubHTTPError, match="already created"):
        api.create_repo(REPO)
    assert api.model_info(REPO).private is True
    assert api.create_repo("own").repo_id == "alice/own"
    assert api.model_info("alice/own").private is False
    api.delete_repo("alice/own")
    assert not api.repo_exists("alice/own")


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
    for call in (lambda: stranger.model_info(REPO), lambda: fetch(stranger, sha, tmp_path), lambda: publish(stranger)):
        with pytest.raises(RepositoryNotFoundError) as refused:
            call()
        assert refused.value.response.status_code == status
    with pytest.raises(RepositoryNotFoundError):
        stranger.model_info("credit/other")


def test_who_may_read_may_not_write(hub: HubServer, sha: str, tmp_path: Path) -> None:
    reader = client_of(hub, "hf_alice_reads")
    assert contents(fetch(reader, sha, tmp_path)) == FILES
    for call in (lambda: publish(reader), lambda: reader.create_tag(REPO, tag="v1")):
        with pytest.raises(HfHubHTTPError, match="write token"):
            call()


def test_a_revoked_token_is_no_longer_known(hub: HubServer, api: HfApi) -> None:
    hub.revoke("hf_alice")
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as refused:
        api.model_info(REPO)
    assert not isinstance(refused.value, RepositoryNotFoundError)


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_bob", 403)])
def test_a_gated_model_is_seen_and_not_had(hub: HubServer, tmp_path: Path, token: str | bool, status: int) -> None:
    owner = client_of(hub, "hf_alice")
    owner.create_repo(REPO)
    sha = publish(owner)
    hub.gate(REPO)
    stranger = client_of(hub, token)
    assert stranger.model_info(REPO).gated == "auto"
    with pytest.raises(GatedRepoError) as refused:
        fetch(stranger, sha, tmp_path)
    assert refused.value.response.status_code == status
    assert contents(fetch(owner, sha, tmp_path)) == FILES


# Revisions


def test_a_revision_is_a_branch_a_tag_or_a_sha(api: HfApi, sha: str) -> None:
    api.create_tag(REPO, tag="v1", tag_message="the first")
    second = publish(api, {"MLmodel": b"other"})
    for revision, expected in (("main", second), ("v1", sha), (sha, sha)):
        info = api.model_info(REPO, revision=revision, expand=["sha", "lastModified"], timeout=5)
        assert info.sha == expected
        assert info.last_modified is not None
        assert info.siblings is None
    for revision in ("v2", sha[:7]):
        with pytest.raises(RevisionNotFoundError):
            api.model_info(REPO, revision=revision)


def test_an_unknown_property_is_refused(api: HfApi) -> None:
    with pytest.raises(HfHubHTTPError, match="expand"):
        api.model_info(REPO, expand=["colour"])  # type: ignore[list-item]


def test_the_files_of_a_revision_are_described(api: HfApi, sha: str) -> None:
    siblings = {sibling.rfilename: sibling for sibling in api.model_info(REPO, files_metadata=True).siblings or []}
    assert set(siblings) == {".gitattributes", *FILES}
    assert siblings["MLmodel"].size == len(FILES["MLmodel"])
    assert siblings["MLmodel"].blob_id == git_oid(FILES["MLmodel"])
    assert siblings["MLmodel"].lfs is None
    lfs = siblings["model.cb"].lfs
    assert lfs is not None
    assert lfs.sha256 == CommitOperationAdd("model.cb", MODEL).upload_info.sha256.hex()
    assert lfs.size == siblings["model.cb"].size == len(MODEL)


def test_the_tree_is_listed(api: HfApi, sha: str) -> None:
    publish(api, {"data/train/a.csv": b"1", "data/b.csv": b"2"})
    assert {entry.path for entry in api.list_repo_tree(REPO)} == {".gitattributes", *FILES, "data"}
    assert {entry.path for entry in api.list_repo_tree(REPO, "data")} == {"data/b.csv", "data/train"}
    below = {entry.path for entry in api.list_repo_tree(REPO, "data", recursive=True)}
    assert below == {"data/b.csv", "data/train", "data/train/a.csv"}
    assert set(api.list_repo_files(REPO, revision=sha)) == {".gitattributes", *FILES}
    with pytest.raises(RemoteEntryNotFoundError):
        list(api.list_repo_tree(REPO, "nothing"))
    assert api.file_exists(REPO, "data/b.csv")
    assert not api.file_exists(REPO, "data/b.csv", revision=sha)
    model, folder = api.get_paths_info(REPO, ["model.cb", "data", "none"], expand=True)
    assert model.path == "model.cb"
    assert model.last_commit is not None
    assert model.last_commit.oid == sha
    assert folder.path == "data"


def test_tags_and_branches_are_made_and_removed(api: HfApi, sha: str) -> None:
    api.create_tag(REPO, tag="v1")
    api.create_branch(REPO, branch="feature/x")
    refs = api.list_repo_refs(REPO)
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", sha)]
    assert {branch.name for branch in refs.branches} == {"main", "feature/x"}
    with pytest.raises(HfHubHTTPError, match="already exists"):
        api.create_tag(REPO, tag="v1")
    with pytest.raises(HfHubHTTPError, match="already exists"):
        api.create_branch(REPO, branch="main")
    api.create_tag(REPO, tag="v1", exist_ok=True)
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(REPO, tag="v2", revision="nothing")
    branched = publish(api, {"MLmodel": b"other"}, revision="feature/x")
    assert api.model_info(REPO, revision="feature/x").sha == branched
    assert api.model_info(REPO).sha == sha
    api.delete_tag(REPO, tag="v1")
    api.delete_branch(REPO, branch="feature/x")
    refs = api.list_repo_refs(REPO)
    assert refs.tags == []
    assert len(refs.branches) == 1
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(REPO, tag="v1")


def test_the_history_is_listed_newest_first(api: HfApi, sha: str) -> None:
    second = publish(api, {"MLmodel": b"other"}, commit_description="why")
    newest, older, initial = api.list_repo_commits(REPO)
    assert (newest.commit_id, newest.title, newest.message, newest.authors) == (second, "a version", "why", ["alice"])
    assert older.commit_id == sha
    assert initial.title == "initial commit"
    assert [commit.commit_id for commit in api.list_repo_commits(REPO, revision=sha)] == [sha, initial.commit_id]


# Publishing


def test_publishing_makes_exactly_one_commit(hub: HubServer, api: HfApi) -> None:
    head = api.model_info(REPO).sha
    sha = publish(api, parent_commit=head)
    *_, last = hub.commits(REPO)
    assert len(hub.commits(REPO)) == 2
    assert (last.sha, last.parent, last.author) == (sha, head, "alice")
    assert {path: file.lfs for path, file in last.files.items()} == {
        ".gitattributes": False,
        "MLmodel": False,
        "README.md": False,
        "model.cb": True,
    }
    assert hub.count("upload", path="*/objects/batch") == hub.count("upload", path="*/verify") == 1
    assert [request.with_token for request in hub.requests if request.method == "PUT"] == [False]


def test_a_head_that_moved_is_not_overwritten(hub: HubServer, api: HfApi, sha: str) -> None:
    publish(api, {"MLmodel": b"of another"})
    with pytest.raises(HfHubHTTPError) as refused:
        publish(api, {"MLmodel": b"of mine"}, parent_commit=sha)
    assert refused.value.response.status_code == 412
    assert len(hub.commits(REPO)) == 3


def test_nothing_unchanged_is_committed_or_uploaded_again(hub: HubServer, api: HfApi, sha: str) -> None:
    hub.forget()
    assert publish(api) == sha
    assert len(hub.commits(REPO)) == 2
    assert hub.count("commit") == 0
    assert [request.path for request in hub.requests if request.method == "PUT"] == []


def test_files_and_folders_are_deleted(hub: HubServer, api: HfApi, sha: str) -> None:
    publish(api, {"data/a.csv": b"1", "data/b.csv": b"2"})
    gone = [CommitOperationDelete("MLmodel"), CommitOperationDelete("data/")]
    api.create_commit(REPO, [*gone, CommitOperationAdd("new", b"3")], commit_message="tidy up")
    assert set(api.list_repo_files(REPO)) == {".gitattributes", "model.cb", "README.md", "new"}
    for path in ("MLmodel", "data/"):
        with pytest.raises(RemoteEntryNotFoundError):
            api.create_commit(REPO, [CommitOperationDelete(path)], commit_message="again")
    assert len(hub.commits(REPO)) == 4


def test_a_file_on_disk_and_an_empty_one_are_published(hub: HubServer, api: HfApi, tmp_path: Path) -> None:
    (tmp_path / "model.cb").write_bytes(MODEL)
    additions = [CommitOperationAdd("model.cb", tmp_path / "model.cb"), CommitOperationAdd("empty.cb", b"")]
    sha = api.create_commit(REPO, additions, commit_message="from disk").oid
    folder = fetch(api, sha, tmp_path / "cache")
    assert (folder / "model.cb").read_bytes() == MODEL
    assert (folder / "empty.cb").read_bytes() == b""


def test_an_upload_by_way_of_xet_is_not_offered(
    hub: HubServer, api: HfApi, sha: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    assert contents(fetch(api, sha, tmp_path)) == FILES
    with pytest.raises(ConnectionError, match="404"):
        publish(api, {"model.cb": b"other"})
    assert len(hub.commits(REPO)) == 2


# Downloading


def test_a_snapshot_is_downloaded_once(hub: HubServer, api: HfApi, sha: str, tmp_path: Path) -> None:
    hub.forget()
    folder = fetch(api, sha, tmp_path, allow_patterns=list(FILES))
    assert contents(folder) == FILES
    assert not (folder / ".gitattributes").exists()
    assert hub.count("download") == hub.count("metadata") == len(FILES)
    assert hub.count("download", path="*/model.cb") == 1
    assert hub.count() == hub.count(pid=os.getpid())
    hub.forget()
    assert fetch(api, sha, tmp_path, allow_patterns=list(FILES)) == folder
    assert hub.requests == []


def test_the_token_stays_with_the_hub(hub: HubServer, api: HfApi, sha: str, tmp_path: Path) -> None:
    hub.forget()
    fetch(api, sha, tmp_path)
    tokens = {request.path.startswith(f"/{REPO}/"): request.with_token for request in hub.requests[1:]}
    assert tokens == {True: True, False: False}
    with_token = http.get(hub.cdn_url + lfs_path(api, sha), headers={"Authorization": f"Bearer {TOKEN}"})
    assert with_token.status_code == 400


def lfs_path(api: HfApi, sha: str) -> str:
    url = f"{api.endpoint}/{REPO}/resolve/{sha}/model.cb"
    location = api_get(url, follow=False).headers["Location"]
    return "/" + "/".join(location.split("/")[3:])


def api_get(url: str, *, follow: bool = True, **headers: str) -> httpx.Response:
    return http.get(url, headers={"Authorization": f"Bearer {TOKEN}", **headers}, follow_redirects=follow)


def test_a_file_is_resolved_with_the_headers_of_the_hub(hub: HubServer, api: HfApi, sha: str) -> None:
    url = f"{hub.url}/{REPO}/resolve/main"
    small = file_download.get_hf_file_metadata(f"{url}/MLmodel", token=TOKEN, endpoint=hub.url)
    assert (small.commit_hash, small.etag, small.size) == (sha, git_oid(b"signature"), 9)
    large = file_download.get_hf_file_metadata(f"{url}/model.cb", token=TOKEN, endpoint=hub.url)
    assert (large.commit_hash, large.size) == (sha, len(MODEL))
    assert large.location == f"{hub.cdn_url}/{large.etag}/model.cb"
    assert large.xet_file_data is None
    for name, error in (("none", RemoteEntryNotFoundError), ("../other/MLmodel", RevisionNotFoundError)):
        with pytest.raises(error):
            file_download.get_hf_file_metadata(f"{url}/{name}", token=TOKEN, endpoint=hub.url)


def test_a_part_of_a_file_is_served(api: HfApi, sha: str) -> None:
    url = f"{api.endpoint}/{REPO}/resolve/{sha}/MLmodel"
    part = api_get(url, Range="bytes=3-5")
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"nat", "bytes 3-5/9")
    assert api_get(url, Range="bytes=7-").content == b"re"
    assert api_get(url, Range="bytes=9-").status_code == 416


def test_one_file_is_downloaded(api: HfApi, sha: str, tmp_path: Path) -> None:
    path = Path(api.hf_hub_download(REPO, "model.cb", cache_dir=tmp_path))
    assert path.read_bytes() == MODEL
    assert path.parent.name == sha
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(REPO, "none", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(REPO, "model.cb", revision="none", cache_dir=tmp_path)


# Faults


def resolve(api: HfApi, timeout: float = 10) -> str | None:
    return api.model_info(REPO, revision="main", expand=["sha"], timeout=timeout).sha


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
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
    ("kind", "what", "error", "requests", "slept"),
    [
        ("tree", 503, LocalEntryNotFoundError, 6, 23),
        ("tree", 401, HfHubHTTPError, 1, 0),
        ("tree", 404, RepositoryNotFoundError, 1, 0),
        ("metadata", 503, LocalEntryNotFoundError, 7, 23),
        ("metadata", 404, RemoteEntryNotFoundError, 1, 0),
        ("metadata", "stall", LocalEntryNotFoundError, 7, 23),
        ("metadata", "lose", httpx2.RemoteProtocolError, 1, 0),
        ("download", 503, HfHubHTTPError, 1, 0),
        ("download", 403, HfHubHTTPError, 1, 0),
        ("download", 429, HfHubHTTPError, 6, 10),
        ("download", "stall", httpx2.ReadTimeout, 6, 5),
        ("download", "truncate", httpx2.RemoteProtocolError, 6, 5),
    ],
)
def test_a_download_that_fails_says_so(
    hub: HubServer,
    api: HfApi,
    sha: str,
    tmp_path: Path,
    waits: list[float],
    kind: Kind,
    what: What | int,
    error: type[Exception],
    requests: int,
    slept: int,
) -> None:
    cache = tmp_path / "cache"
    hub.fail(kind, what)
    with pytest.raises(error), short_timeouts() if what == "stall" else nullcontext():
        fetch(api, sha, cache, allow_patterns=["model.cb"])
    # The client may give up before the server has come to note the call.
    wait_for("the calls", lambda: hub.count(kind) == requests, deadline=10)
    assert sum(waits) == slept
    assert not list(cache.rglob("blobs/*"))
    hub.heal()
    assert (fetch(api, sha, cache) / "model.cb").read_bytes() == MODEL


def test_a_download_goes_on_where_it_was_cut(
    hub: HubServer, api: HfApi, sha: str, tmp_path: Path, waits: list[float]
) -> None:
    hub.fail("download", "truncate", times=1, path="*/model.cb")
    assert contents(fetch(api, sha, tmp_path)) == FILES
    assert hub.count("download", path="*/model.cb") == 2
    assert waits == [1]


def test_flipped_bits_are_not_noticed_by_the_client(hub: HubServer, api: HfApi, sha: str, tmp_path: Path) -> None:
    hub.fail("download", "corrupt", times=1, path="*.cb")
    model = fetch(api, sha, tmp_path) / "model.cb"
    damaged = model.read_bytes()
    assert sum((one ^ other).bit_count() for one, other in zip(damaged, MODEL, strict=True)) == 1
    assert fetch(api, sha, tmp_path).joinpath("model.cb").read_bytes() == damaged
    fetch(api, sha, tmp_path, force_download=True)
    assert model.read_bytes() == MODEL


def test_a_damaged_cache_is_served_and_a_missing_blob_is_fetched(
    hub: HubServer, api: HfApi, sha: str, tmp_path: Path
) -> None:
    model = fetch(api, sha, tmp_path) / "model.cb"
    model.write_bytes(b"short")
    hub.forget()
    assert fetch(api, sha, tmp_path).joinpath("model.cb").read_bytes() == b"short"
    assert hub.requests == []
    model.resolve().unlink()
    assert contents(fetch(api, sha, tmp_path)) == FILES
    assert hub.count("download") == 1


def test_a_slow_download_outlives_the_timeout(
    hub: HubServer, api: HfApi, sha: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.4)
    hub.fail("download", "drip", seconds=0.6, path="*/model.cb")
    start = time.monotonic()
    assert contents(fetch(api, sha, tmp_path)) == FILES
    assert time.monotonic() - start > 0.6


@pytest.mark.parametrize("kind", ["preupload", "upload", "commit"])
@pytest.mark.parametrize("what", [401, 403, 500])
def test_a_publication_that_fails_changes_nothing(
    hub: HubServer, api: HfApi, waits: list[float], kind: Kind, what: int
) -> None:
    hub.fail(kind, what)
    with pytest.raises(HfHubHTTPError) as refused:
        publish(api)
    assert refused.value.response.status_code == what
    assert len(hub.commits(REPO)) == 1
    hub.heal()
    publish(api)
    assert len(hub.commits(REPO)) == 2


def test_an_upload_whose_storage_fails_changes_nothing(hub: HubServer, api: HfApi, waits: list[float]) -> None:
    hub.fail("upload", 503, path="/" + "[0-9a-f]" * 64)
    with pytest.raises(RuntimeError, match=r"Error while uploading 'model.cb'") as failed:
        publish(api)
    assert isinstance(failed.value.__cause__, HfHubHTTPError)
    assert len(hub.commits(REPO)) == 1


def test_a_commit_may_be_made_though_its_answer_is_lost(hub: HubServer, api: HfApi) -> None:
    head = api.model_info(REPO).sha
    hub.fail("commit", "lose", times=1)
    with pytest.raises(httpx2.RemoteProtocolError):
        publish(api, parent_commit=head)
    assert len(hub.commits(REPO)) == 2
    assert publish(api, parent_commit=head) == hub.commits(REPO)[-1].sha
    assert len(hub.commits(REPO)) == 2


def test_a_stalled_commit_whose_client_gave_up_is_not_made(hub: HubServer, api: HfApi) -> None:
    hub.fail("commit", "stall")
    with bounded_client(0.1), pytest.raises(httpx2.ReadTimeout):
        publish(api, {"MLmodel": b"late"})
    hub.heal()
    publish(api, {"MLmodel": b"again"})
    assert [commit.files["MLmodel"].oid for commit in hub.commits(REPO)[1:]] == [git_oid(b"again")]


@contextmanager
def bounded_client(seconds: float) -> Iterator[None]:
    """Let the calls to the Hub that have no timeout end; the client has no setting for that."""

    def limit(request: httpx2.Request) -> None:
        if request.url.path.endswith("/commit/main"):
            request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), seconds)

    def make() -> httpx2.Client:
        client = _http.default_client_factory()
        client.event_hooks = {"request": [_http.hf_request_event_hook, limit]}
        return client

    set_client_factory(make)
    try:
        yield
    finally:
        set_client_factory(_http.default_client_factory)


def in_thread(call: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_healing_lets_a_stalled_call_go_on(hub: HubServer, api: HfApi, sha: str) -> None:
    hub.fail("info", "stall")
    thread, outcome = in_thread(lambda: api.model_info(REPO).sha)
    wait_for("the call", lambda: hub.count("info"))
    hub.heal()
    thread.join(5)
    assert outcome == [sha]


def test_stopping_ends_a_stalled_call_and_the_next_start_has_the_same_address(
    hub: HubServer, api: HfApi, sha: str, tmp_path: Path
) -> None:
    folder = fetch(api, sha, tmp_path)
    hub.fail("info", "stall")
    thread, outcome = in_thread(lambda: api.model_info(REPO))
    wait_for("the call", lambda: hub.count("info"))
    url = hub.url
    hub.stop()
    thread.join(5)
    assert isinstance(outcome[0], httpx2.RemoteProtocolError)
    with pytest.raises(httpx2.ConnectError):
        api.model_info(REPO)
    assert fetch(api, sha, tmp_path) == folder
    hub.start()
    assert hub.url == url
    assert api.model_info(REPO).sha == sha


def test_an_unknown_fault_is_refused(hub: HubServer) -> None:
    with pytest.raises(ValueError, match="There is no fault 'melt'"):
        hub.fail("info", "melt")  # type: ignore[arg-type]


# In a process of its own


PUBLISH_AND_FETCH = """
from huggingface_hub import CommitOperationAdd, create_commit, create_repo, snapshot_download
create_repo("credit/model", private=True)
sha = create_commit("credit/model", [CommitOperationAdd("model.cb", b"trees")], commit_message="v1").oid
print(open(snapshot_download("credit/model", revision=sha) + "/model.cb").read())
"""


def test_it_runs_as_a_process_and_keeps_its_data(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.hub", "--port", str(port), "--root", str(tmp_path / "hub")]
    server = Process(command, tmp_path / "hub.log")
    environment = {
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "hf_alice",
        "HF_HOME": str(tmp_path / "home"),
        "PATH": "",
    }
    server.start()
    try:
        wait_for("the Hub", lambda: http.get(f"{url}/_control/requests").is_success)
        client = subprocess.run(
            [sys.executable, "-c", PUBLISH_AND_FETCH], env=environment, capture_output=True, text=True, timeout=60
        )
        assert client.stdout == "trees\n", client.stderr
        seen = http.get(f"{url}/_control/requests").json()
        assert seen["counts"]["download"] == 2
        assert {request["pid"] for request in seen["requests"]} != {None}
        (commits,) = http.get(f"{url}/_control/commits").json().values()
        assert [commit["title"] for commit in commits] == ["initial commit", "v1"]

        http.post(f"{url}/_control/faults", json={"what": 503, "kind": "info", "times": 1}).raise_for_status()
        info = f"{url}/api/models/credit/model/revision/main"
        assert [api_get(info).status_code for _ in range(2)] == [503, 200]
        http.post(f"{url}/_control/faults", json={"what": 403}).raise_for_status()
        assert api_get(info).status_code == 403
        http.delete(f"{url}/_control/faults").raise_for_status()
        http.delete(f"{url}/_control/requests").raise_for_status()
        assert http.get(f"{url}/_control/requests").json()["counts"] == {}
        assert http.post(f"{url}/_control/faults", json={"what": "melt"}).status_code == 500

        server.stop()
        server.start()
        wait_for("the Hub", lambda: http.get(f"{url}/_control/requests").is_success)
        assert api_get(info).json()["sha"] == commits[-1]["sha"]
    finally:
        server.stop()
    assert "export HF_ENDPOINT=" in server.log.read_text()
