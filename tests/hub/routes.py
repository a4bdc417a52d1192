"""The Hub's protocol: what each call answers. Nothing here knows sockets or faults."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote

from tests.hub.accounts import (
    Account,
    Refusal,
    check_downloadable,
    check_may_create,
    check_readable,
    check_writable,
    invalid_token,
    repo_not_found,
)
from tests.hub.store import Commit, File, Repository, Store, becomes_lfs, pointer

Kind = Literal[
    "whoami", "create", "info", "tree", "metadata", "download", "preupload", "upload", "commit", "refs",
    "commits", "validate", "telemetry", "unknown",
]  # fmt: skip
"""info resolves a revision; metadata is the HEAD of a file; download gives a file's bytes; upload is all of
LFS: batch, PUT, verify; refs is tags and branches."""

EXPANDABLE = {
    "author",
    "createdAt",
    "disabled",
    "downloads",
    "gated",
    "lastModified",
    "likes",
    "private",
    "sha",
    "siblings",
    "tags",
}


@dataclass
class Answer:
    """An answer; one whose headers have an ETag may be asked for in part."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Site:
    """What a call works on: the store, the accounts by token, and the two addresses of the server."""

    store: Store
    accounts: dict[str, Account]
    url: str
    cdn_url: str


@dataclass
class Call:
    """A request as far as the protocol cares."""

    site: Site
    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    authorization: str | None
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.site.store

    @property
    def json(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.body or b"{}")
        return body

    @property
    def account(self) -> Account | None:
        """Give who calls, None without a token; raises Refusal for a token that nobody has."""
        if self.authorization is None:
            return None
        account = self.site.accounts.get(self.authorization.removeprefix("Bearer "))
        if account is None:
            raise invalid_token()
        return account

    def readable(self) -> Repository:
        account = self.account
        repository = self.store.repositories.get(self.parts["repo"])
        if repository is None:
            raise repo_not_found(account)
        check_readable(account, repository)
        return repository

    def writable(self) -> Repository:
        repository = self.readable()
        check_writable(self.account, repository)
        return repository

    def commit_of(self, repository: Repository) -> Commit:
        revision = self.parts.get("revision", "main")
        commit = repository.find(revision)
        if commit is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit


Function = Callable[[Call], Answer]
Route = tuple[Kind, tuple[str, ...], "re.Pattern[str]", Function]

HUB_ROUTES: list[Route] = []
CDN_ROUTES: list[Route] = []

GROUPS = {"{repo}": r"(?P<repo>[^/]+(?:/[^/]+)?)", "{revision}": r"(?P<revision>[^/]+)", "{path}": r"(?P<path>.+)"}


def route(kind: Kind, methods: str, pattern: str, routes: list[Route] = HUB_ROUTES) -> Callable[[Function], Function]:
    for name, group in GROUPS.items():
        pattern = pattern.replace(name, group)

    def register(function: Function) -> Function:
        routes.append((kind, tuple(methods.split()), re.compile(pattern), function))
        return function

    return register


def find(routes: list[Route], call: Call) -> tuple[Kind, Function]:
    """Find what answers the call, and put the parts of its path into it."""
    for kind, methods, pattern, function in routes:
        if call.method in methods and (match := pattern.fullmatch(call.path)):
            call.parts = {name: unquote(value) for name, value in match.groupdict().items() if value is not None}
            return kind, function
    return "unknown", unknown


def unknown(call: Call) -> Answer:
    raise Refusal(404, f"This server does not know {call.method} {call.path}")


def as_json(body: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json; charset=utf-8"})


@route("telemetry", "GET", "/api/agent-harnesses")
def agent_harnesses(call: Call) -> Answer:
    return as_json({"standardEnvVars": [], "harnesses": {}})


@route("whoami", "GET", "/api/whoami-v2")
def whoami(call: Call) -> Answer:
    account = call.account
    if account is None:
        raise Refusal(401, "Invalid username or password.")
    role = "write" if account.writes else "read"
    organizations = [{"type": "org", "name": name} for name in account.namespaces if name != account.name]
    token = {"type": "access_token", "accessToken": {"displayName": account.token, "role": role}}
    return as_json({"type": "user", "name": account.name, "orgs": organizations, "auth": token})


@route("create", "POST", "/api/repos/create")
def create_repo(call: Call) -> Answer:
    wanted, account = call.json, call.account
    namespace = wanted.get("organization") or (account.name if account else "")
    check_may_create(account, namespace)
    repo_id = f"{namespace}/{wanted['name']}"
    url = f"{call.site.url}/{repo_id}"
    if wanted.get("type", "model") != "model":
        raise Refusal(400, "This server knows models only")
    if repo_id in call.store.repositories:
        return as_json({"error": "You already created this model repo", "url": url, "name": repo_id}, 409)
    call.store.create(repo_id, private=wanted.get("visibility") == "private")
    return as_json({"url": url, "name": repo_id})


@route("create", "DELETE", "/api/repos/delete")
def delete_repo(call: Call) -> Answer:
    wanted, account = call.json, call.account
    call.parts["repo"] = f"{wanted.get('organization') or (account.name if account else '')}/{wanted['name']}"
    del call.store.repositories[call.writable().id]
    call.store.save()
    return as_json({})


@route("info", "GET", "/api/models/{repo}/revision/{revision}")
def model_info(call: Call) -> Answer:
    repository = call.readable()
    commit = call.commit_of(repository)
    blobs = call.query.get("blobs") == ["true"]
    info = {
        "id": repository.id,
        "modelId": repository.id,
        "author": repository.namespace,
        "sha": commit.sha,
        "lastModified": commit.date,
        "createdAt": repository.created,
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [_sibling(path, file, blobs=blobs) for path, file in sorted(commit.files.items())],
    }
    wanted = call.query.get("expand")
    if wanted:
        if unknown_names := sorted(set(wanted) - EXPANDABLE):
            raise Refusal(400, f"Invalid value of expand: {', '.join(unknown_names)}")
        info = {"id": repository.id, **{name: info[name] for name in wanted}}
    return as_json(info)


def _sibling(path: str, file: File, *, blobs: bool) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": path}
    if blobs:
        sibling |= {"size": file.size, "blobId": file.oid}
        if file.lfs:
            pointer_size = len(pointer(file.sha256, file.size))
            sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": pointer_size}
    return sibling


@route("tree", "GET", "/api/models/{repo}/tree/{revision}(?:/{path})?")
def tree(call: Call) -> Answer:
    repository = call.readable()
    commit = call.commit_of(repository)
    folder = call.parts.get("path", "").strip("/")
    entries = _entries(repository, commit, expand=call.query.get("expand") == ["true"])
    below = {path: entry for path, entry in entries.items() if not folder or path.startswith(f"{folder}/")}
    if folder and not below:
        raise _entry_not_found(commit, f"{folder} does not exist on {call.parts['revision']!r}")
    if call.query.get("recursive") != ["true"]:
        depth = len(folder.split("/")) if folder else 0
        below = {path: entry for path, entry in below.items() if path.count("/") == depth}
    return as_json([below[path] for path in sorted(below)])


@route("tree", "POST", "/api/models/{repo}/paths-info/{revision}")
def paths_info(call: Call) -> Answer:
    repository = call.readable()
    form = parse_qs(call.body.decode())
    entries = _entries(repository, call.commit_of(repository), expand=form.get("expand") == ["true"])
    return as_json([entries[path] for path in form.get("paths", []) if path in entries])


def _entries(repository: Repository, commit: Commit, *, expand: bool) -> dict[str, dict[str, Any]]:
    """Describe all files and folders of a commit, by path."""
    entries: dict[str, dict[str, Any]] = {}
    for path, file in commit.files.items():
        for depth in range(1, path.count("/") + 1):
            folder = "/".join(path.split("/")[:depth])
            entries[folder] = {"type": "directory", "path": folder, "oid": commit.sha, "size": 0}
        entries[path] = {"type": "file", "path": path, "oid": file.oid, "size": file.size}
        if file.lfs:
            pointer_size = len(pointer(file.sha256, file.size))
            entries[path]["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": pointer_size}
        if expand:
            last = [older for older in repository.history(commit) if older.files.get(path) == file][-1]
            entries[path]["lastCommit"] = {"id": last.sha, "title": last.title, "date": last.date}
    return entries


@route("metadata", "HEAD", "/{repo}/resolve/{revision}/{path}")
def file_metadata(call: Call) -> Answer:
    repository = call.readable()
    check_downloadable(call.account, repository)
    commit, path = call.commit_of(repository), call.parts["path"]
    file = commit.files.get(path)
    if file is None:
        raise _entry_not_found(commit, "Entry not found")
    headers = {"X-Repo-Commit": commit.sha, "Content-Disposition": f"inline; filename*=UTF-8''{quote(path)}"}
    if file.lfs:
        location = f"{call.site.cdn_url}/{file.sha256}/{quote(path)}"
        linked = {"Location": location, "X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
        return Answer(302, headers=headers | linked)
    return Answer(200, call.store.read_blob(file.sha256), headers | {"ETag": f'"{file.oid}"'})


route("download", "GET", "/{repo}/resolve/{revision}/{path}")(file_metadata)


@route("download", "GET", "/(?P<sha256>[0-9a-f]{64})/{path}", CDN_ROUTES)
def download(call: Call) -> Answer:
    """Give the bytes of an LFS file to whoever has its address, and to nobody who sends a token, as the storage does."""
    _refuse_token(call)
    sha256 = call.parts["sha256"]
    if not call.store.has_blob(sha256):
        raise Refusal(404, "No such object")
    headers = {"ETag": f'"{sha256}"', "Content-Type": "application/octet-stream"}
    return Answer(200, call.store.read_blob(sha256), headers)


@route("upload", "PUT", "/(?P<sha256>[0-9a-f]{64})", CDN_ROUTES)
def upload(call: Call) -> Answer:
    _refuse_token(call)
    if call.store.add_blob(call.body) != call.parts["sha256"]:
        raise Refusal(400, "The content does not have the SHA-256 that it was announced with")
    return Answer()


def _refuse_token(call: Call) -> None:
    if call.authorization is not None:
        raise Refusal(400, "Only one auth mechanism allowed")


def _entry_not_found(commit: Commit, message: str) -> Refusal:
    return Refusal(404, message, "EntryNotFound", {"X-Repo-Commit": commit.sha})


@route("validate", "POST", "/api/validate-yaml")
def validate_yaml(call: Call) -> Answer:
    return as_json({"errors": [], "warnings": []})


@route("preupload", "POST", "/api/models/{repo}/preupload/{revision}")
def preupload(call: Call) -> Answer:
    commit = call.commit_of(call.writable())
    files = []
    for wanted in call.json["files"]:
        path, known = wanted["path"], commit.files.get(wanted["path"])
        lfs = becomes_lfs(path, wanted["size"], base64.b64decode(wanted["sample"]))
        mode = "lfs" if lfs else "regular"
        oid = known.etag if known else None
        files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return as_json({"files": files, "commitOid": commit.sha})


@route("upload", "POST", r"/{repo}\.git/info/lfs/objects/batch")
def lfs_batch(call: Call) -> Answer:
    repository = call.writable()
    objects = []
    for wanted in call.json["objects"]:
        answer = {"oid": wanted["oid"], "size": wanted["size"]}
        if not call.store.has_blob(wanted["oid"]):
            verify = {"href": f"{call.site.url}/{repository.id}.git/info/lfs/verify"}
            answer["actions"] = {"upload": {"href": f"{call.site.cdn_url}/{wanted['oid']}"}, "verify": verify}
        objects.append(answer)
    return as_json({"transfer": "basic", "objects": objects})


@route("upload", "POST", r"/{repo}\.git/info/lfs/verify")
def lfs_verify(call: Call) -> Answer:
    call.writable()
    wanted = call.json
    if not call.store.has_blob(wanted["oid"]) or call.store.lfs_file(wanted["oid"]).size != wanted["size"]:
        raise Refusal(404, "The object was not uploaded")
    return as_json({})


@route("commit", "POST", "/api/models/{repo}/commit/{revision}")
def commit(call: Call) -> Answer:
    repository, branch = call.writable(), call.parts["revision"]
    lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    if branch not in repository.branches:
        raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
    head = repository.commits[repository.branches[branch]]
    if header.get("parentCommit") not in (None, head.sha):
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    files = dict(head.files)
    for line in lines:
        _apply(call.store, files, line["key"], line["value"])
    author = call.account.name if call.account else ""
    words = {"title": header["summary"], "message": header.get("description", ""), "author": author}
    made = call.store.commit(repository, branch, files, **words)
    url = f"{call.site.url}/{repository.id}/commit/{made.sha}"
    return as_json({"success": True, "commitUrl": url, "commitOid": made.sha, "hookOutput": ""})


def _apply(store: Store, files: dict[str, File], key: str, value: dict[str, Any]) -> None:
    path = value.get("path", "")
    match key:
        case "file":
            files[path] = store.add_regular(base64.b64decode(value["content"]))
        case "lfsFile" if store.has_blob(value["oid"]):
            files[path] = store.lfs_file(value["oid"])
        case "lfsFile":
            raise Refusal(400, f"The LFS pointer {path} points to a file that was not uploaded")
        case "deletedFile" if path in files:
            del files[path]
        case "deletedFolder" if gone := [name for name in files if name.startswith(path.rstrip("/") + "/")]:
            for name in gone:
                del files[name]
        case "deletedFile" | "deletedFolder":
            what = key.removeprefix("deleted").lower()
            raise Refusal(404, f"A {what} with this name doesn't exist", "EntryNotFound")


@route("commits", "GET", "/api/models/{repo}/commits/{revision}")
def commits(call: Call) -> Answer:
    repository = call.readable()
    return as_json(
        [
            {
                "id": older.sha,
                "title": older.title,
                "message": older.message,
                "date": older.date,
                "authors": [{"user": older.author}],
            }
            for older in repository.history(call.commit_of(repository))
        ]
    )


@route("refs", "GET", "/api/models/{repo}/refs")
def refs(call: Call) -> Answer:
    repository = call.readable()
    branches = [_ref("heads", name, sha) for name, sha in repository.branches.items()]
    tags = [_ref("tags", name, sha) for name, sha in repository.tags.items()]
    return as_json({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})


def _ref(folder: str, name: str, sha: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": sha}


@route("refs", "POST", "/api/models/{repo}/tag/{revision}")
def create_tag(call: Call) -> Answer:
    repository = call.writable()
    return _add_ref(call, repository.tags, call.json["tag"], call.commit_of(repository))


@route("refs", "POST", "/api/models/{repo}/branch/(?P<branch>[^/]+)")
def create_branch(call: Call) -> Answer:
    repository = call.writable()
    call.parts["revision"] = call.json.get("startingPoint") or "main"
    return _add_ref(call, repository.branches, call.parts["branch"], call.commit_of(repository))


def _add_ref(call: Call, refs: dict[str, str], name: str, commit: Commit) -> Answer:
    if name in refs:
        raise Refusal(409, f"Reference already exists: {name}")
    refs[name] = commit.sha
    call.store.save()
    return as_json({})


@route("refs", "DELETE", "/api/models/{repo}/(?P<kind>tag|branch)/{revision}")
def delete_ref(call: Call) -> Answer:
    repository, name = call.writable(), call.parts["revision"]
    refs = repository.tags if call.parts["kind"] == "tag" else repository.branches
    if refs.pop(name, None) is None:
        raise Refusal(404, f"Invalid rev id: {name}", "RevisionNotFound")
    call.store.save()
    return as_json({})


# Last, since its pattern also fits the paths above where the name of a model has one part.
route("info", "GET", "/api/models/{repo}")(model_info)
