"""The model versions that this machine can serve: verified copies on disk, a few of them loaded.

A version is fetched into a folder of its own and checked there in a process of its own, the trial load; only then does it get its
final name, with a mark that holds the digest of its files. What bears the mark and still has that digest may be loaded.
"""

import shutil
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from filelock import FileLock

from shared.errors import BadArtifact, VersionUnavailable
from shared.models import artifact, trial_load
from shared.models.artifact import Model
from shared.models.sources import Source, create_source
from shared.settings import Settings

LOADED_VERSIONS = 3
"""Versions that a process keeps in memory: the active one, a candidate, and one that jobs in flight are pinned to."""

MARK = ".verified"
LAST_SERVED = "last-served"
PARTIAL_PREFIX = ".partial-"
LOCK_TIMEOUT = 600.0


class ModelCache:
    """One source, one cache on disk that the processes of the machine share, and what this process has loaded."""

    def __init__(self, source: Source, cache: Path, model_file: str = artifact.MODEL_FILE) -> None:
        self._source = source
        self._cache = cache
        self._model_file = model_file
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings) -> "ModelCache":
        """Make the library of a process."""
        model_file = settings.hf_filename if settings.hf_repo_id else artifact.MODEL_FILE
        return cls(create_source(settings), settings.model_cache_dir, model_file)

    def resolve(self, revision: str | None = None) -> str:
        """Ask the source which version the revision stands for now."""
        return self._source.resolve(revision)

    def has(self, version: str) -> bool:
        """Whether a verified copy is on this machine, undamaged."""
        folder = self._cache / version
        try:
            return (folder / MARK).read_text() == artifact.digest(folder, self._model_file)
        except (OSError, BadArtifact):
            return False

    def prepare(self, version: str) -> None:
        """Get a verified copy onto this machine, if there is none; raises ModelError or Unavailable, and leaves nothing then."""
        if self.has(version):
            return
        self._cache.mkdir(parents=True, exist_ok=True)
        # One process of the machine fetches; the others wait and find the copy. A lock of a process that died is void.
        with FileLock(self._cache / f"{version}.lock", timeout=LOCK_TIMEOUT):
            if not self.has(version):
                self._fetch(version)

    def _fetch(self, version: str) -> None:
        partial = Path(mkdtemp(prefix=PARTIAL_PREFIX, dir=self._cache))
        try:
            self._source.fetch(version, partial)
            digest = artifact.digest(partial, self._model_file)
            if (
                version.startswith(artifact.LOCAL_PREFIX)
                and artifact.folder_version(partial, self._model_file) != version
            ):
                raise VersionUnavailable(f"The model source no longer has version {version}.")
            trial_load.check(partial, version, self._model_file)
            (partial / MARK).write_text(digest)
            partial.chmod(0o755)
            # What may lie there bears no mark that fits: it is damaged.
            shutil.rmtree(self._cache / version, ignore_errors=True)
            partial.rename(self._cache / version)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def load(self, version: str) -> Model:
        """Give the version from memory or disk, fetched first if need be; raises ModelError or Unavailable."""
        with self._lock:
            model = self._loaded.pop(version, None)
            if model is None:
                self.prepare(version)
                model = artifact.load(self._cache / version, version, self._model_file)
            self._loaded[version] = model
            while len(self._loaded) > LOADED_VERSIONS:
                self._loaded.popitem(last=False)
            return model

    def remember(self, version: str) -> None:
        """Note the version as the one to serve if this machine starts while neither Redis nor the source answers."""
        with suppress(OSError):
            partial = self._cache / f"{LAST_SERVED}{PARTIAL_PREFIX}{threading.get_native_id()}"
            partial.write_text(version)
            partial.replace(self._cache / LAST_SERVED)

    def last_served(self) -> str | None:
        """Give the version noted last, if its copy is still whole."""
        try:
            version = (self._cache / LAST_SERVED).read_text()
        except OSError:
            return None
        return version if self.has(version) else None

    def discard(self, keep: set[str], older_than: float) -> None:
        """Remove the copies that nobody needs and that are older than a time (seconds since the epoch)."""
        for folder in self._cache.iterdir() if self._cache.is_dir() else ():
            needed = folder.name in keep or folder.name == self.last_served()
            with suppress(OSError):
                if folder.is_dir() and not needed and folder.stat().st_mtime < older_than:
                    shutil.rmtree(folder)
