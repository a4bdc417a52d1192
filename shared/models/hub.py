"""Models on Hugging Face Hub; a version is the sha of a commit.

The client is told a sha, never a branch: asked for a branch it would quietly give an old copy while the Hub is away. It checks
sizes and not content, so the files are compared here with the checksums that the Hub keeps of them.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import httpx2
from huggingface_hub import HfApi, ModelInfo, constants, errors

from shared.contract import mlmodel
from shared.contract.mlmodel import MLmodel
from shared.errors import BadArtifact, SourceDenied, SourceUnavailable, UnknownRevision, VersionUnavailable
from shared.models.files import (
    BESIDE_THE_MODEL,
    CARD_FILE,
    FOR_PEOPLE,
    MAX_CARD_BYTES,
    MLMODEL_FILE,
    MODEL_FILE,
    choose,
    sha256,
)
from shared.models.version import Resolution

# The client would report to the Hub which tools it runs among; nobody asked a credit team for that.
constants.HF_HUB_DISABLE_TELEMETRY = True

COMMIT_SHA = re.compile("[0-9a-f]{40}")
API_TIMEOUT = 10.0
"""Seconds; the client itself would wait for ever."""


class HubSource:
    """One model repository."""

    is_slow: ClassVar[bool] = False

    def __init__(self, repo: str, revision: str, *, model_file: str, token: str | None, endpoint: str | None) -> None:
        self._repo = repo
        self._revision = revision
        self._model_file = model_file
        self._api = HfApi(endpoint=endpoint, token=token)

    @property
    def name(self) -> str:
        """Repository, revision and file; of another Hub than the public one only a digest of its address is shown."""
        endpoint = hashlib.sha256((self._api.endpoint or "").encode()).hexdigest()[:12]
        return f"hub:{endpoint}:{self._repo}@{self._revision}/{self._model_file}"

    def resolve(self, revision: str | None) -> Resolution:
        """Find the sha that a branch, tag or sha (default: the configured revision) stands for now.

        Raises UnknownRevision, SourceDenied or SourceUnavailable.
        """
        with translated_errors(self._repo):
            wanted = revision or self._revision
            found = self._api.model_info(self._repo, revision=wanted, expand=["sha"], timeout=API_TIMEOUT).sha
        if found is None:
            raise SourceUnavailable("hub-commit-unknown", repo=self._repo)
        return Resolution(found)

    def fetch(self, found: Resolution, folder: Path) -> None:
        """Download the version's files into `folder` and check them against the Hub's own checksums."""
        version = found.version or ""
        if not COMMIT_SHA.fullmatch(version):
            raise VersionUnavailable("version-not-from-hub", version=version)
        with translated_errors(self._repo):
            info = self._api.model_info(self._repo, revision=version, files_metadata=True, timeout=API_TIMEOUT)
            files = remote_files(info)
            beside = (*BESIDE_THE_MODEL, *FOR_PEOPLE)
            names = [name for name in beside if name in files and not _is_oversized_card(name, files[name])]
            self._download(names, version, folder)
            if MLMODEL_FILE not in names:
                raise BadArtifact("model-file-missing", file=MLMODEL_FILE)
            model = choose(files, *self._wanted(mlmodel.read(folder / MLMODEL_FILE)))
            self._download([model], version, folder)
        names.append(model)
        # The client's notes on what it fetched.
        shutil.rmtree(folder / ".cache", ignore_errors=True)
        for name in names:
            if not files[name].is_same_as(folder / name):
                raise BadArtifact("hub-file-damaged", file=name)

    def _wanted(self, description: MLmodel) -> tuple[str, ...]:
        """Name the CatBoost file that the operator states, then the one that MLmodel does; a setting's default states nothing."""
        return (description.data,) if self._model_file == MODEL_FILE else (self._model_file, description.data)

    def _download(self, names: list[str], version: str, folder: Path) -> None:
        # One after the other: the client's threads would not end before their last byte, whatever happens.
        for name in names:
            self._api.hf_hub_download(self._repo, name, revision=version, local_dir=folder)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a commit: its git object, and its SHA-256 if it is kept in LFS (the git object is then a pointer)."""

    git_oid: str | None
    sha256: str | None
    size: int | None = None
    """Bytes."""

    def is_same_as(self, path: Path) -> bool:
        """Compare with a file on this machine, by checksum."""
        if self.sha256 is not None:
            return self.sha256 == sha256(path)
        content = path.read_bytes()
        digest = hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False)
        return self.git_oid == digest.hexdigest()


def remote_files(info: ModelInfo) -> dict[str, RemoteFile]:
    """Give the files that the Hub lists (with `files_metadata=True`), by path."""
    return {
        file.rfilename: RemoteFile(file.blob_id, file.lfs.sha256 if file.lfs else None, file.size)
        for file in info.siblings or []
    }


def _is_oversized_card(name: str, file: RemoteFile) -> bool:
    return name == CARD_FILE and file.size is not None and file.size > MAX_CARD_BYTES


@contextmanager
def translated_errors(repo: str) -> Iterator[None]:
    """Tell what of a failure the caller can mend (revision, repo, token) from a Hub that is away."""
    try:
        yield
    except errors.HFValidationError as error:
        raise SourceDenied("hub-repository-name") from error
    except (errors.RevisionNotFoundError, errors.RevisionResolutionError) as error:
        raise UnknownRevision("revision-unknown", repo=repo) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceDenied("hub-repository-unknown", repo=repo) from error
    except errors.EntryNotFoundError as error:
        raise SourceUnavailable("hub-file-unavailable", repo=repo) from error
    except errors.HfHubHTTPError as error:
        raise _http_error(repo, error) from error
    except (httpx2.HTTPError, errors.OfflineModeIsEnabled, errors.FileMetadataError) as error:
        raise SourceUnavailable("hub-unavailable", fault=type(error).__name__) from error
    except ImportError as error:
        # The client makes its connection at the first request, and finds only then what the environment asks of it.
        raise SourceUnavailable("hub-unavailable", fault="a SOCKS proxy is set, and not supported") from error
    except ValueError as error:
        raise SourceUnavailable("hub-unreadable") from error
    except OSError as error:
        raise SourceUnavailable("model-not-fetched", fault=error.strerror or type(error).__name__) from error


def _http_error(repo: str, error: errors.HfHubHTTPError) -> UnknownRevision | SourceDenied | SourceUnavailable:
    if error.response is None:
        return SourceUnavailable("hub-unavailable", fault=type(error).__name__)
    status = error.response.status_code
    if status == 400:
        return UnknownRevision("revision-invalid", repo=repo)
    if status in (401, 403):
        return SourceDenied("hub-access-denied", repo=repo, status=status)
    return SourceUnavailable("hub-answered", status=status)
