"""What the server keeps: repositories with their commits and tags, and the objects of LFS."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

SAMPLE = 512
"""Bytes of a file that are looked at to tell whether it is binary; the client sends as many before it uploads."""


@dataclass(frozen=True)
class File:
    """A file of a commit. A binary one is kept in LFS, and git knows only a pointer to it."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def lfs(self) -> bool:
        return is_binary(self.content[:SAMPLE])

    @property
    def oid(self) -> str:
        """Git's id of the content, or of the pointer."""
        return git_oid(self.pointer if self.lfs else self.content)

    @property
    def pointer(self) -> bytes:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Commit:
    """One commit, with the whole tree it leads to."""

    sha: str
    title: str
    files: dict[str, File]


@dataclass
class Repository:
    """A model repository with the one branch `main`; commits are oldest first."""

    id: str
    private: bool
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    def find(self, revision: str) -> Commit | None:
        """Look up the branch, a tag or a full sha."""
        sha = self.head.sha if revision == "main" else self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit.sha == sha), None)


class Store:
    """All repositories by their ids, and all LFS objects by their SHA-256."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}

    def create(self, repo_id: str, *, private: bool) -> Repository:
        repository = self.repositories[repo_id] = Repository(repo_id, private)
        self.commit(repo_id, {".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n"}, "initial commit")
        return repository

    def commit(self, repo_id: str, contents: Mapping[str, bytes], title: str) -> str:
        """Put one commit with exactly these files on top of `main`; gives its sha."""
        repository = self.repositories[repo_id]
        files = {path: File(content) for path, content in contents.items()}
        parent = repository.head.sha if repository.commits else ""
        sha = git_oid(
            "\n".join([repo_id, parent, title, *(f"{path} {files[path].oid}" for path in sorted(files))]).encode()
        )
        repository.commits.append(Commit(sha, title, files))
        self.objects |= {file.sha256: file.content for file in files.values() if file.lfs}
        return sha


def is_binary(sample: bytes) -> bool:
    return b"\0" in sample


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
