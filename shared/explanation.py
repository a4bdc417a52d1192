"""Reasons for a score: what people are told of the contributions of its features.

A *factor* is what is told as one: a group of features, or a feature without a group. Its contribution is that of its features
together. Which factors are told never changes the sum: what is not told is in `other`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from shared.contract.contract import Contract, Feature, Group
from shared.contract.text import Language
from shared.models.explainer import Contributions
from shared.models.shapley import Values

Direction = Literal["raises_risk", "lowers_risk"]
RAISES: Direction = "raises_risk"
LOWERS: Direction = "lowers_risk"

Which = Literal["all", "adverse"]
"""Which factors are told: all, or those for a notice to a declined applicant."""

MAX_TOLD = 20
"""Factors that can be asked for by number."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of an explanation."""

    count: int | None = None
    """Factors to tell, those that contribute most; None: all."""
    which: Which = "all"
    language: Language = "en"


class Told(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one factor contributes."""

    feature: str
    """Name of the feature or group."""
    label: str
    contribution: float
    """In log-odds of the positive class."""
    direction: Direction
    reason: str
    """For people: the reason of the notes where it raises the risk and has one, else the label."""
    features: tuple[str, ...] | None = None
    """Of a group, its features."""


class Explanation(msgspec.Struct, frozen=True):
    """Why a row has its score: `base_value`, the contributions and `other` add up to `raw_score`, whose sigmoid is the score."""

    base_value: float
    raw_score: float
    contributions: list[Told]
    other: float
    """Contributions that are not told, together."""
    left_out: int
    """Factors that raise the risk and are kept out of the reasons, being protected or beyond what an applicant can change."""


@dataclass(frozen=True)
class Factor:
    """A group of features or a single one, as people are told of it."""

    named: Feature | Group
    places: tuple[int, ...]
    """Of its features, in the contract."""
    is_adverse: bool
    """Whether it may be a reason for a declined applicant: one member that may not keeps the group out."""

    def told(self, contribution: float, language: Language) -> Told:
        """Tell its contribution in one language."""
        label = self.named.named(language)
        raises = contribution > 0
        return Told(
            feature=self.named.name,
            label=label,
            contribution=contribution,
            direction=RAISES if raises else LOWERS,
            reason=self.named.reason.said(language) if raises and self.named.reason else label,
            features=self.named.features if isinstance(self.named, Group) else None,
        )


class Factors:
    """The factors of a contract, in its order; a group stands where its first feature does."""

    def __init__(self, contract: Contract) -> None:
        self.all = tuple(_factors(contract))
        sizes = [len(factor.places) for factor in self.all]
        self._order = np.array([place for factor in self.all for place in factor.places], np.intp)
        self._starts = np.cumsum([0, *sizes[:-1]], dtype=np.intp)

    def sums(self, values: Values) -> Values:
        """Add up the contributions of features, shape (rows, features), by factor: shape (rows, factors)."""
        sums: Values = np.add.reduceat(values[:, self._order], self._starts, axis=1)
        return sums

    def explain(self, contributions: Contributions, row: int, wanted: Wanted) -> Explanation:
        """Explain one of the rows."""
        sums = self.sums(contributions.values[row : row + 1])[0]
        candidates = [i for i in range(len(sums)) if wanted.which == "all" or sums[i] > 0]
        eligible = [i for i in candidates if wanted.which == "all" or self.all[i].is_adverse]
        chosen = strongest(sums, eligible, wanted.count)
        return Explanation(
            base_value=contributions.base_value,
            raw_score=float(contributions.raw_scores[row]),
            contributions=[self.all[i].told(float(sums[i]), wanted.language) for i in chosen],
            other=float(np.delete(sums, chosen).sum()),
            left_out=len(candidates) - len(eligible),
        )


def strongest(sums: npt.NDArray[np.float64], places: Iterable[int], count: int | None) -> list[int]:
    """Choose of these places those with the largest contributions of either sign, largest first; the order breaks ties."""
    return sorted(places, key=lambda i: (-abs(sums[i]), i))[:count]


def strongest_of_each(sums: Values, count: int) -> npt.NDArray[np.intp]:
    """Choose for each row, as `strongest` does, up to so many factors of all: shape (rows, at most count)."""
    order: npt.NDArray[np.intp] = np.argsort(-np.abs(sums), axis=1, kind="stable")
    return order[:, :count]


def _factors(contract: Contract) -> Iterable[Factor]:
    told: set[str] = set()
    for i, feature in enumerate(contract.features):
        if feature.group is None:
            yield Factor(feature, (i,), _is_adverse([feature]))
        elif feature.group not in told:
            told.add(feature.group)
            group = contract.groups[feature.group]
            places = tuple(map(contract.names.index, group.features))
            yield Factor(group, places, _is_adverse([contract.features[place] for place in places]))


def _is_adverse(features: Sequence[Feature]) -> bool:
    return all(feature.actionable and not feature.protected for feature in features)
