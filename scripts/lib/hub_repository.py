"""One model repository on Hugging Face Hub, as the commands that publish and fetch see it."""

import logging
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import (
    CommitOperation,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelInfo,
    errors,
    get_token,
    set_client_factory,
)
from huggingface_hub.utils._http import default_client_factory
from huggingface_hub.utils.tqdm import tqdm

from scripts.lib.command import WRONG_USAGE, CommandError
from shared.errors import BadArtifact, SourceDenied, SourceUnavailable
from shared.models.files import BESIDE_THE_MODEL, FOR_PEOPLE
from shared.models.hub import API_TIMEOUT, RemoteFile, remote_files, translated_errors
from shared.settings import Settings

BRANCH = "main"

REPOSITORY_NAME = re.compile(r"([\w.-]+/)?[\w.-]+", re.ASCII)

ANSWER_TIMEOUT = 60.0
"""Seconds without a byte, for the calls to which the client gives no time-out of its own; a large commit takes a while."""


@dataclass(frozen=True)
class Snapshot:
    """What a revision stands for: a commit and its files by path. A repository without a commit has no sha."""

    sha: str | None
    files: Mapping[str, RemoteFile]


def published_files(model_file: str) -> tuple[str, ...]:
    """Name the files that may make up a published model; others in the repository are left alone."""
    return (model_file, *BESIDE_THE_MODEL, *FOR_PEOPLE)


def model_file_of(settings: Settings) -> str:
    """Give HF_FILENAME; raises CommandError if it is no path within a repository, or that of another file."""
    name = settings.hf_filename
    path = PurePosixPath(name)
    if str(path) != name or path.is_absolute() or not path.name or ".." in path.parts or "\\" in name:
        raise CommandError("HF_FILENAME must be the path of a file in the repository.", WRONG_USAGE)
    if name in published_files("") or path.parts[0] == ".cache":
        raise CommandError(f"HF_FILENAME must not be {name!r}, which is another file.", WRONG_USAGE)
    return name


class FileBar(tqdm):
    """The client's progress bar, labelled with the file's name; the client would show the path of a temporary folder."""

    def __init__(self, *args: Any, desc: str | None = None, **options: Any) -> None:
        super().__init__(*args, desc=desc and desc.rpartition("/")[2], **options)  # type: ignore[no-untyped-call]


class NoSuchRepository(SourceDenied):
    """The Hub has no such repository, or does not show it."""


class HubRepository:
    """Operations to the Hub for one repository; all raise PretError or CommandError with a sentence."""

    def __init__(self, name: str, token: str | None, endpoint: str | None) -> None:
        self.name = name
        self._token = token
        self._api = HfApi(endpoint=endpoint, token=token)

    @classmethod
    def from_settings(cls, settings: Settings, name: str | None) -> "HubRepository":
        """Make it from HF_REPO_ID (or `name` instead), HF_TOKEN and HF_ENDPOINT; raises CommandError if one is wrong."""
        _prepare_client()
        repo_id = name or settings.hf_repo_id
        if not repo_id:
            raise CommandError("No repository: set HF_REPO_ID or give --repo OWNER/NAME.", WRONG_USAGE)
        if not REPOSITORY_NAME.fullmatch(repo_id):
            raise CommandError("A repository is named OWNER/NAME on the Hub.", WRONG_USAGE)
        return cls(repo_id, _token(settings), _endpoint(settings))

    def check_token(self) -> None:
        """Raise CommandError if there is no token, without which nothing can be published."""
        if self._token is None:
            message = "No token: set HF_TOKEN (or HUGGINGFACE_TOKEN) to one that may write to the repository."
            raise CommandError(message, WRONG_USAGE)

    def create(self, *, private: bool) -> None:
        """Create the repository; one that is there stays as it is."""
        with self._errors():
            self._api.create_repo(self.name, private=private or None, exist_ok=True)

    def snapshot(self, revision: str) -> Snapshot:
        """Look up what a branch, tag or commit stands for now."""
        with self._errors():
            info: ModelInfo = self._api.model_info(
                self.name, revision=revision, files_metadata=True, timeout=API_TIMEOUT
            )
        return Snapshot(info.sha, remote_files(info))

    def download(self, snapshot: Snapshot, names: Sequence[str], folder: Path) -> None:
        """Fetch files of a commit into `folder`, and compare them with the Hub's own checksums, which the client does not."""
        # One after the other: with threads, Ctrl-C would wait for the last byte.
        for name in names:
            with self._errors():
                self._api.hf_hub_download(self.name, name, revision=snapshot.sha, local_dir=folder, tqdm_class=FileBar)
            if not snapshot.files[name].is_same_as(folder / name):
                raise BadArtifact("hub-file-damaged", file=name)
        # The client's notes on what it fetched.
        shutil.rmtree(folder / ".cache", ignore_errors=True)

    def tags(self) -> dict[str, str]:
        """Give the commit of each tag."""
        with self._errors():
            return {tag.name: tag.target_commit for tag in self._api.list_repo_refs(self.name).tags}

    def tag(self, name: str, sha: str) -> None:
        """Give a commit a tag that does not exist yet."""
        with self._errors():
            self._api.create_tag(self.name, tag=name, revision=sha)

    def commit(
        self, additions: Mapping[str, Path], deletions: Sequence[str], parent: str | None, title: str, message: str
    ) -> str:
        """Make one commit on top of `parent` and give its sha; raises CommandError if `parent` is no longer the head."""
        operations: list[CommitOperation] = [CommitOperationAdd(name, path) for name, path in additions.items()]
        operations += [CommitOperationDelete(name, is_folder=False) for name in deletions]
        try:
            with self._errors():
                return self._api.create_commit(
                    self.name,
                    operations,
                    commit_message=title,
                    commit_description=message,
                    revision=BRANCH,
                    parent_commit=parent,
                ).oid
        except SourceUnavailable as error:
            # The answer may have been lost after the commit was made.
            again = "Run the command again: what has reached the Hub is not committed twice."
            raise CommandError(f"{error} {again}") from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with translated_errors(self.name):
            try:
                yield
            except errors.HfHubHTTPError as error:
                self._explain(error)
                raise
            except errors.HFValidationError as error:
                raise CommandError("A repository is named OWNER/NAME on the Hub.", WRONG_USAGE) from error
            except (RuntimeError, ValueError) as error:
                # The client's wrapping of whatever went wrong with the storage behind the Hub.
                raise SourceUnavailable("hub-upload-failed") from error

    def _explain(self, error: errors.HfHubHTTPError) -> None:
        """Raise where a command can say more than the service, which only reads."""
        if isinstance(error, errors.GatedRepoError):
            raise SourceDenied("hub-access-gated", repo=self.name) from error
        if isinstance(error, errors.RepositoryNotFoundError):
            raise NoSuchRepository(
                "hub-repository-unknown" if self._token else "hub-repository-private", repo=self.name
            ) from error
        if error.response.status_code == 412:
            message = f"Someone else published to {self.name} meanwhile; nothing was changed. Run the command again."
            raise CommandError(message) from error
        if error.response.status_code == 400:
            raise CommandError(f"The Hub does not accept the request for {self.name} (400).") from error


def _prepare_client() -> None:
    """Give the client's calls an end, and keep its own words, which hold addresses and paths, off the terminal."""

    def make_client() -> httpx2.Client:
        client = default_client_factory()
        client.timeout = httpx2.Timeout(ANSWER_TIMEOUT)
        return client

    set_client_factory(make_client)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="huggingface_hub")


def _token(settings: Settings) -> str | None:
    token = settings.hub_token or get_token()
    # The client would put such a token into its error message.
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise CommandError("The token holds characters that no token has; is it copied whole?", WRONG_USAGE)
    return token or None


def _endpoint(settings: Settings) -> str | None:
    endpoint = (settings.hf_endpoint or "").rstrip("/")
    if endpoint and not _is_address(endpoint):
        raise CommandError("HF_ENDPOINT must be an address such as https://huggingface.co.", WRONG_USAGE)
    return endpoint or None


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
