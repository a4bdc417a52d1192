"""What is assumed of models that do not say it themselves."""

from dataclasses import dataclass

from shared.settings import Settings


@dataclass(frozen=True)
class Assumptions:
    """What the operator says of models that do not say it themselves."""

    positive_class: str | None = None
    threshold: float = 0.5

    @classmethod
    def from_settings(cls, settings: Settings) -> "Assumptions":
        """Read them."""
        return cls(settings.positive_class, settings.default_threshold)


NO_ASSUMPTIONS = Assumptions()
