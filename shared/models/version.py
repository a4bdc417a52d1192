"""How a model version is named, and what a source says of one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VersionRef:
    """A model version by its id, and by what its source fetches it by."""

    id: str
    origin: str | None = None
    """Such as the MLflow URI of one version of a registered model; None where the id says it all."""


@dataclass(frozen=True)
class Resolution:
    """What a revision stands for: a version, or the origin of one whose id is known only once its files are there."""

    version: str | None
    origin: str | None = None
