"""Where models come from: a folder, Hugging Face Hub or MLflow, chosen by the settings."""

import hashlib
from pathlib import Path
from typing import ClassVar, Protocol

from shared.errors import BadArtifact, UnknownRevision, VersionUnavailable
from shared.models import files
from shared.models.hub import HubSource
from shared.models.mlflow_source import MlflowSource
from shared.models.version import Resolution
from shared.settings import Settings


class Source(Protocol):
    """Knows which version a revision stands for, and brings a version's files."""

    @property
    def name(self) -> str:
        """Tell it from other sources, without secrets and paths; the same settings give the same name on every machine."""

    is_slow: ClassVar[bool]
    """Whether resolving takes longer than a request or two."""

    def resolve(self, revision: str | None) -> Resolution:
        """Find what the revision (None: the configured one) stands for now; raises ModelError or Unavailable."""

    def fetch(self, found: Resolution, folder: Path) -> None:
        """Put the files of what was resolved into the empty `folder`; raises VersionUnavailable, BadArtifact or Unavailable."""


class FolderSource:
    """A folder whose content is the model; it knows one version, that of what lies in it now."""

    is_slow: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """A folder is told by its path, of which only a digest is shown."""
        return f"folder:{hashlib.sha256(str(self._folder.absolute()).encode()).hexdigest()[:12]}"

    def resolve(self, revision: str | None) -> Resolution:
        """Name what lies in the folder; raises BadArtifact if that is no model, UnknownRevision for any other revision."""
        version = files.folder_version(self._folder)
        if revision not in (None, version):
            raise UnknownRevision("revision-in-folder")
        return Resolution(version)

    def fetch(self, found: Resolution, folder: Path) -> None:
        """Copy the folder's files, whatever version they are by now; the caller looks at what it got."""
        if not (found.version or "").startswith(files.LOCAL_PREFIX):
            raise VersionUnavailable("version-not-from-folder", version=found.version)
        try:
            files.copy(self._folder, folder)
        except FileNotFoundError as error:
            raise BadArtifact("model-folder-changed") from error


def create_source(settings: Settings) -> Source:
    """Make the source: the Hub if a repository is set, else MLflow if a model is named, else the folder."""
    if settings.hf_repo_id:
        return HubSource(
            settings.hf_repo_id,
            settings.hf_revision,
            model_file=settings.hf_filename,
            token=settings.hub_token,
            endpoint=(settings.hf_endpoint or "").rstrip("/") or None,
        )
    if settings.model_uri:
        return MlflowSource(settings.model_uri, settings.mlflow_tracking_uri)
    return FolderSource(settings.model_dir)
