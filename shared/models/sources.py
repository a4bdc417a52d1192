"""Where models come from, and the versions that this machine can serve.

A folder may change under a running service, so what it holds is first copied into the machine's cache under the name of its
version; only such copies are ever loaded, and a version never changes.
"""

import shutil
import threading
from collections import OrderedDict
from pathlib import Path
from tempfile import mkdtemp

from shared.errors import BadArtifact, ModelError, VersionUnavailable
from shared.models import artifact
from shared.models.artifact import Model

LOADED_VERSIONS = 2
"""Versions that a process keeps in memory: the active one, and one that jobs in flight are still pinned to."""


class ModelLibrary:
    """The model versions of one machine: a source folder, a cache on disk shared by its processes, a few loaded models."""

    def __init__(self, source: Path, cache: Path) -> None:
        self._source = source
        self._cache = cache
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()

    def take_current(self) -> Model:
        """Load what the source holds now; raises BadArtifact if that must not serve."""
        return self.load(self._copy_from_source())

    def load(self, version: str) -> Model:
        """Give the version from memory, cache or source; raises VersionUnavailable or BadArtifact."""
        with self._lock:
            model = self._loaded.pop(version, None) or artifact.load(self._find(version), version)
            self._loaded[version] = model
            while len(self._loaded) > LOADED_VERSIONS:
                self._loaded.popitem(last=False)
            return model

    def _find(self, version: str) -> Path:
        folder = self._cache / version
        if not folder.is_dir() and self._version_in_source() != version:
            raise VersionUnavailable(f"This machine has no copy of model version {version}.")
        if not folder.is_dir() or artifact.folder_version(folder) != version:
            self._copy_from_source()
        if artifact.folder_version(folder) != version:
            raise BadArtifact(f"The copy of model version {version} on this machine is damaged.")
        return folder

    def _version_in_source(self) -> str | None:
        try:
            return artifact.folder_version(self._source)
        except ModelError:
            return None

    def _copy_from_source(self) -> str:
        """Copy the source's files into the cache, named by what was copied, whatever happens to the source meanwhile."""
        artifact.folder_version(self._source)
        self._cache.mkdir(parents=True, exist_ok=True)
        partial = Path(mkdtemp(prefix=".partial-", dir=self._cache))
        try:
            for name in artifact.SERVED_FILES:
                if (self._source / name).is_file():
                    shutil.copyfile(self._source / name, partial / name)
            version = artifact.folder_version(partial)
            _put_in_place(partial, self._cache / version, version)
            return version
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, folder: Path, version: str) -> None:
    """Rename the copy to its final name, unless a whole copy is there already; a damaged one is replaced."""
    if folder.is_dir():
        if _is_whole(folder, version):
            return
        shutil.rmtree(folder, ignore_errors=True)
    partial.chmod(0o755)
    try:
        partial.replace(folder)
    except OSError:
        # Another process of this machine was quicker.
        if not _is_whole(folder, version):
            raise


def _is_whole(folder: Path, version: str) -> bool:
    try:
        return artifact.folder_version(folder) == version
    except ModelError:
        return False
