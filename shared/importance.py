"""The importance of the features of a model: how much each moves the score of an applicant on average, in either direction.

It is worked out where a model is trained or published, and lies in the artifact (`importance.json`). Where it does not, the golden
rows give it, which are few.
"""

from pathlib import Path
from typing import Literal, Self

import msgspec
import numpy as np
import pyarrow as pa

from shared.contract.contract import Contract
from shared.errors import NotExplainable
from shared.explanation import Factors
from shared.models.artifact import Model
from shared.models.files import IMPORTANCE_FILE
from shared.models.shapley import Values

Source = Literal["training", "golden rows"]


class Importance(msgspec.Struct, frozen=True):
    """Mean absolute contributions over some rows, in log-odds; what `importance.json` holds."""

    source: Source
    rows: int
    features: dict[str, float]
    groups: dict[str, float]
    """Of the contributions of the features of a group together."""

    @classmethod
    def over(cls, model: Model, batch: pa.RecordBatch, source: Source) -> Self:
        """Work it out over rows in the contract's Arrow schema; raises NotExplainable."""
        values = model.explainer.explain_encoded(model.scorer.encode(batch)).values
        factors = Factors(model.contract)
        together = dict(zip((factor.named.name for factor in factors.all), _means(factors.sums(values)), strict=True))
        return cls(
            source,
            batch.num_rows,
            dict(zip(model.contract.names, _means(values), strict=True)),
            {name: together[name] for name in model.contract.groups},
        )

    def fits(self, contract: Contract) -> bool:
        """Whether it is of the features and groups of a contract."""
        return self.features.keys() == contract.names_known and self.groups.keys() == contract.groups.keys()


def importance_of(model: Model) -> Importance:
    """Give what lies in the artifact, or else work it out from the golden rows; raises NotExplainable if there are none."""
    if (found := _read(model.folder)) and found.fits(model.contract):
        return found
    rows = model.golden_rows
    if not rows:
        raise NotExplainable("importance-unknown")
    return Importance.over(model, model.contract.to_batch(rows), "golden rows")


def _read(folder: Path) -> Importance | None:
    """Read the file; None if there is none, or a team has one of this name for something else."""
    try:
        return msgspec.json.decode((folder / IMPORTANCE_FILE).read_bytes(), type=Importance)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _means(values: Values) -> list[float]:
    means: list[float] = np.abs(values).mean(axis=0).tolist()
    return means
