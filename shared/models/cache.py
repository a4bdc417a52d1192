"""The model versions that this machine can serve, a few of them loaded."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Self

from shared.models import artifact, proof
from shared.models.artifact import Model
from shared.models.assumptions import NO_ASSUMPTIONS, Assumptions
from shared.models.sources import Source
from shared.models.version import VersionRef
from shared.models.versions import Versions
from shared.settings import EvaluatorChoice, Settings

LOADED_VERSIONS = 3
"""Versions that a process keeps in memory: the active one, a candidate, and one that jobs in flight are pinned to."""

OriginOf = Callable[[str], str | None]
"""From the id of a version to its origin, where somebody noted one."""


class ModelCache(Versions):
    """The versions, and what this process has loaded of them."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        assumptions: Assumptions = NO_ASSUMPTIONS,
        origin_of: OriginOf = lambda _: None,
        evaluator_choice: EvaluatorChoice = "auto",
    ) -> None:
        super().__init__(source, folder, assumptions, evaluator_choice)
        self._origin_of = origin_of
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings, origin_of: OriginOf = lambda _: None) -> Self:
        """Make the cache of a process."""
        models = super().from_settings(settings)
        models._origin_of = origin_of
        return models

    def load(self, version: str) -> Model:
        """Give the version from memory or disk, fetched first if need be; raises ModelError or Unavailable."""
        with self._lock:
            model = self._loaded.pop(version, None)
            if model is None:
                if not self.copies.has(version):
                    self.prepare(VersionRef(version, self._origin_of(version)))
                evaluation = self._evaluation(version)
                model = proof.apply(artifact.load(self._folder / version, version, self._assumptions), evaluation)
            self._loaded[version] = model
            while len(self._loaded) > LOADED_VERSIONS:
                self._loaded.popitem(last=False)
            return model
