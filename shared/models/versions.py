"""The model versions that this machine can get from its source: verified copies on disk.

A version is fetched into a folder of its own and checked there in a process of its own, the trial load; only then is it one of the
copies. What the trial found of the fast evaluator is noted there too, and found out again where the software or the machine has
changed. Nothing here loads a model: a process that only gets one ready is to start quickly.
"""

import hashlib
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

from filelock import FileLock

from shared.errors import VersionUnavailable
from shared.models import files, trial_load, verdict
from shared.models.assumptions import NO_ASSUMPTIONS, Assumptions
from shared.models.copies import Copies
from shared.models.sources import Source, create_source
from shared.models.verdict import UNTRIED
from shared.models.version import Resolution, VersionRef
from shared.reasons import Reason, cut
from shared.settings import EvaluatorChoice, Settings

LOCK_TIMEOUT = 600.0


class Versions:
    """One source, and one folder that the processes of the machine share."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        assumptions: Assumptions = NO_ASSUMPTIONS,
        evaluator_choice: EvaluatorChoice = "auto",
    ) -> None:
        self.copies = Copies(folder)
        self._source = source
        self._folder = folder
        self._assumptions = assumptions
        self._no_proof = _no_proof(evaluator_choice)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make them as the settings say."""
        assumptions = Assumptions.from_settings(settings)
        source = create_source(settings)
        return cls(source, settings.model_cache_dir, assumptions, evaluator_choice=settings.evaluator)

    @property
    def source_name(self) -> str:
        """The name of the source."""
        return self._source.name

    @property
    def source_is_slow(self) -> bool:
        """Whether resolving may take so long that nobody who serves should wait for it."""
        return self._source.is_slow

    def resolve(self, revision: str | None = None) -> VersionRef:
        """Ask the source which version the revision stands for now; one whose id only its files tell is fetched for it."""
        found = self._found(revision)
        return VersionRef(found.version or self._install(found), found.origin)

    def offered(self) -> Resolution:
        """Ask the source what it offers now, and fetch nothing: where only files tell the id, it is that of a copy that is here."""
        return self._found(None)

    def is_ready(self, version: str) -> bool:
        """Whether a verified copy is here, and it is known what may score it."""
        return self.copies.has(version) and (self._no_proof or self._noted(version)) is not None

    def prepare(self, version: VersionRef) -> None:
        """Get a verified copy onto this machine, if there is none; raises ModelError or Unavailable, and leaves nothing then."""
        if not self.copies.has(version.id):
            self._install(Resolution(version.id, version.origin))
        self._evaluation(version.id)

    def _found(self, revision: str | None) -> Resolution:
        found = self._source.resolve(revision)
        return Resolution(found.version or self.copies.fetched_from(found.origin), found.origin)

    def _install(self, found: Resolution) -> str:
        """Fetch and verify, once for all processes of the machine, and give the id."""
        if found.version is not None and Path(found.version).name != found.version:
            # Versions are read from records; what is one by its form must not lead out of this folder.
            raise VersionUnavailable("version-gone", version=cut(found.version))
        self._folder.mkdir(parents=True, exist_ok=True)
        # The others wait and find the copy. A lock of a process that died is void.
        name = found.version or hashlib.sha256((found.origin or "").encode()).hexdigest()[:12]
        with FileLock(self._folder / f"{name}.lock", timeout=LOCK_TIMEOUT):
            if found.version is not None and self.copies.has(found.version):
                return found.version
            return self.copies.fetched_from(found.origin) or self._fetch(found)

    def _fetch(self, found: Resolution) -> str:
        partial = Path(mkdtemp(prefix=files.PARTIAL_PREFIX, dir=self._folder))
        try:
            self._source.fetch(found, partial)
            digest = files.digest(partial)
            version = found.version or files.folder_version(partial)
            if version.startswith(files.LOCAL_PREFIX) and files.folder_version(partial) != version:
                raise VersionUnavailable("version-gone", version=version)
            # Two origins may have the same content.
            if not self.copies.has(version):
                self._try(partial, version)
                self.copies.add(partial, version, digest)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        if found.origin:
            self.copies.note_origin(version, found.origin)
        return version

    def _try(self, folder: Path, version: str) -> None:
        """Load it in a process of its own, and note what that found of the fast evaluator."""
        if self._no_proof:
            trial_load.check(folder, version, self._assumptions)
        else:
            found = trial_load.check_and_prove(folder, version, self._assumptions)
            verdict.write(folder, self._assumptions.positive_class, found)

    def _noted(self, version: str) -> Reason | None:
        return verdict.read(self._folder / version, self._assumptions.positive_class)

    def _evaluation(self, version: str) -> Reason:
        """Say whether the fast evaluator may score a copy that is here; one that was proven by other software is tried again."""
        if self._no_proof:
            return self._no_proof
        if (noted := self._noted(version)) is None:
            with FileLock(self._folder / f"{version}.lock", timeout=LOCK_TIMEOUT):
                if self._noted(version) is None:
                    self._try(self._folder / version, version)
            noted = self._noted(version)
        return noted or UNTRIED


def _no_proof(choice: EvaluatorChoice) -> Reason | None:
    """Say why no fast evaluator comes into question on this machine, if so."""
    if choice == "catboost":
        return Reason("evaluator-off")
    return None if verdict.is_fast_evaluator_installed() else Reason("evaluator-missing")
