"""What the server keeps: repositories with their commits and refs, and blobs named by their SHA-256."""

import hashlib
import json
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

INITIAL_FILES = {".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n"}
LFS_SUFFIXES = (".cb", ".cbm", ".bin", ".joblib", ".parquet", ".pkl", ".safetensors")
LFS_SIZE = 10_000_000


@dataclass(frozen=True)
class File:
    """A file of a commit; `oid` is git's id of the content, or for an LFS file of the pointer to it."""

    size: int
    sha256: str
    oid: str
    lfs: bool

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Commit:
    """One commit, with the whole tree it leads to."""

    sha: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str
    branch: str
    files: dict[str, File]


@dataclass
class Repository:
    """A model repository; `commits` is by sha, oldest first, over all branches."""

    id: str
    private: bool
    created: str
    gated: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.id.split("/")[0]

    def find(self, revision: str) -> Commit | None:
        """Look up a branch, a tag or a full sha."""
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        return self.commits.get(sha)

    def history(self, commit: Commit) -> list[Commit]:
        """List the commit and all before it, newest first."""
        found = [commit]
        while parent := found[-1].parent:
            found.append(self.commits[parent])
        return found


class Store:
    """Everything below one folder; hold `lock` from a check to the change that rests on it."""

    def __init__(self, root: Path) -> None:
        self.lock = threading.RLock()
        self._state = root / "state.json"
        self._blobs = root / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self.repositories: dict[str, Repository] = {}
        if self._state.exists():
            saved = json.loads(self._state.read_text())
            self.repositories = {item["id"]: _repository(item) for item in saved}

    def save(self) -> None:
        """Write the repositories; all at once, so that a killed process leaves the old state or the new."""
        partial = self._state.with_suffix(".partial")
        partial.write_text(json.dumps([asdict(repository) for repository in self.repositories.values()], indent=1))
        partial.replace(self._state)

    def create(self, repo_id: str, *, private: bool) -> Repository:
        repository = Repository(repo_id, private, _now())
        self.repositories[repo_id] = repository
        files = {path: self.add_regular(content) for path, content in INITIAL_FILES.items()}
        self.commit(repository, "main", files, title="initial commit", message="", author="system")
        return repository

    def commit(
        self, repository: Repository, branch: str, files: dict[str, File], *, title: str, message: str, author: str
    ) -> Commit:
        """Put one commit on top of the branch, which is made if it is not there."""
        parent, date = repository.branches.get(branch), _now()
        content = json.dumps([repository.id, len(repository.commits), parent, title, message, author, date])
        sha = hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest()
        commit = Commit(sha, parent, title, message, author, date, branch, files)
        repository.commits[sha] = commit
        repository.branches[branch] = sha
        self.save()
        return commit

    def add_regular(self, content: bytes) -> File:
        return File(len(content), self.add_blob(content), git_oid(content), lfs=False)

    def lfs_file(self, sha256: str) -> File:
        """Describe a blob that was uploaded before; raises FileNotFoundError."""
        size = (self._blobs / sha256).stat().st_size
        return File(size, sha256, git_oid(pointer(sha256, size)), lfs=True)

    def add_blob(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        partial = self._blobs / f"{sha256}.{threading.get_ident()}.partial"
        partial.write_bytes(content)
        partial.replace(self._blobs / sha256)
        return sha256

    def has_blob(self, sha256: str) -> bool:
        return (self._blobs / sha256).is_file()

    def read_blob(self, sha256: str) -> bytes:
        return (self._blobs / sha256).read_bytes()


def becomes_lfs(path: str, size: int, sample: bytes) -> bool:
    """Decide as the Hub does: by name, by size, and by what looks binary."""
    return path.endswith(LFS_SUFFIXES) or size > LFS_SIZE or b"\0" in sample


def pointer(sha256: str, size: int) -> bytes:
    """Give the text that git keeps in the place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _repository(saved: dict[str, Any]) -> Repository:
    commits = {sha: _commit(commit) for sha, commit in saved["commits"].items()}
    return Repository(**{**saved, "commits": commits})


def _commit(saved: dict[str, Any]) -> Commit:
    files = {path: File(**file) for path, file in saved["files"].items()}
    return Commit(**{**saved, "files": files})
