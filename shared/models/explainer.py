"""Explanations: what each feature adds to the score of a row, as exact SHAP values in log-odds of the positive class.

The values are CatBoost's own (`get_feature_importance` with `ShapValues`), unless those depend on the rows beside a row: a score is
the average over the training and what each feature adds to it, shared out evenly among features that work together.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from catboost import CatBoostClassifier, CatBoostError, Pool

from shared.contract.contract import Row
from shared.errors import NotExplainable
from shared.models import classifier as facts
from shared.models.evaluator import Scores
from shared.models.leaf_table import LeafTable
from shared.models.pools import pool_of_batch, pool_of_table
from shared.models.scorer import Scorer
from shared.models.shapley import Values

TOLERANCE = 1e-9
"""By how much the probability that the contributions give may differ from the score."""

SOFTMAX = "MultiClass"
"""The loss whose probability of one of two classes depends on the difference of two values."""

TRIALS = 32
"""Rows on which a table of leaves is compared with CatBoost, and the sums with the scores."""

ALONE = 4
"""Of these, the rows that are explained without the others, too."""

SPEED_REPEATS = 16
SPEED_TRIALS = 2
"""How often these rows are taken, and explained, to measure the speed."""


@dataclass(frozen=True)
class Contributions:
    """What the features add to the scores of some rows, in log-odds of the positive class, unrounded."""

    base_value: float
    """The average over the training: the raw score of a row of which nothing is known."""
    values: Values
    """By row and feature, shape (rows, features), in the order of the contract."""

    @property
    def raw_scores(self) -> Values:
        """The sums, shape (rows,): the log-odds of the scores."""
        sums: Values = self.base_value + self.values.sum(axis=1)
        return sums

    def check(self, scores: Scores) -> None:
        """Raise NotExplainable unless they add up to the scores of the rows; NaN, of a row that is not scored, is passed over.

        CatBoost shares out other values where a model was changed after the training, and of trees of `Depthwise` or `Lossguide`.
        """
        with np.errstate(over="ignore"):
            explained = 1 / (1 + np.exp(-self.raw_scores))
        if (np.abs(explained - scores) > TOLERANCE).any():
            raise NotExplainable("explanation-differs")

    def equal(self, other: "Contributions") -> bool:
        """Whether they are those of the other ones."""
        is_same_base = abs(self.base_value - other.base_value) <= TOLERANCE
        return is_same_base and float(np.abs(self.values - other.values).max()) <= TOLERANCE


class Explainer:
    """Explains the scores of one model; no state between calls, and several threads may call it at the same time.

    A row alone takes some 20 microseconds where a `LeafTable` equals CatBoost, else milliseconds, without the GIL.
    Raises NotExplainable for a model whose scores cannot be explained. To make an explainer takes a part of a second.
    """

    def __init__(
        self, classifier: CatBoostClassifier, scorer: Scorer, positive: int, known_rows: Sequence[Row]
    ) -> None:
        # Without the weights of its leaves CatBoost would take those of the rows that it is given, each time others.
        if not classifier._object._has_leaf_weights_in_model():
            raise NotExplainable("explanation-without-weights")
        # Asked to explain a model without any question, CatBoost ends the process.
        if (classifier.get_tree_leaf_counts() == 1).all():
            raise NotExplainable("explanation-of-constant")
        self._classifier = classifier
        self._scorer = scorer
        self._positive = positive
        self._categories = classifier.get_cat_feature_indices()
        self._is_softmax = facts.loss_of(classifier) == SOFTMAX
        self._tried = self._trials(known_rows)
        pool = pool_of_table(self._tried, self._categories)
        # First, since CatBoost may be unable to explain the model.
        expected = self._by_catboost(pool)
        self._table = self._proven_table(pool, expected)
        own = expected if self._table is None else self._by_table(self._table, pool)
        own.check(scorer.evaluator.score_table(self._tried))

    @cached_property
    def rows_per_second(self) -> float:
        """About how many rows one core explains in a second, measured on rows made for the model, which reach many leaves."""
        pool = pool_of_table(self._tried * SPEED_REPEATS, self._categories)
        return TRIALS * SPEED_REPEATS / min(self._seconds(pool) for _ in range(SPEED_TRIALS))

    @property
    def is_prepared(self) -> bool:
        """Whether the contributions are looked up, and not worked out for each call."""
        return self._table is not None

    def explain_rows(self, rows: Sequence[Row]) -> Contributions:
        """Explain a handful of rows that keep the contract."""
        return self._explain(pool_of_table(self._scorer.table(rows), self._categories))

    def explain_encoded(self, batch: pa.RecordBatch) -> Contributions:
        """Explain a record batch of the scorer's `encoded_schema`."""
        return self._explain(pool_of_batch(self._scorer.columns(batch), self._categories))

    def _seconds(self, pool: Pool) -> float:
        began = time.perf_counter()
        self._explain(pool)
        return time.perf_counter() - began

    def _explain(self, pool: Pool) -> Contributions:
        return self._by_catboost(pool) if self._table is None else self._by_table(self._table, pool)

    def _by_table(self, table: LeafTable, pool: Pool) -> Contributions:
        sign = 1 if self._positive else -1
        return Contributions(sign * table.base_value, sign * table.explain(pool))

    def _by_catboost(self, pool: Pool) -> Contributions:
        try:
            found = self._classifier.get_feature_importance(pool, type="ShapValues", thread_count=1)
        except CatBoostError as error:
            raise NotExplainable("explanation-failed", fault=type(error).__name__) from error
        values = self._of_positive(found)
        # The last column is the average, which is the same for each row.
        return Contributions(float(values[0, -1]), values[:, :-1])

    def _of_positive(self, found: npt.NDArray[Any]) -> Values:
        """Give the values for the positive class, shape (rows, features + 1)."""
        if found.ndim == 2:
            return found if self._positive else -found
        own, other = found[:, self._positive], found[:, 1 - self._positive]
        return own - other if self._is_softmax else own

    def _proven_table(self, pool: Pool, expected: Contributions) -> LeafTable | None:
        """Make a table, and give it if it equals what CatBoost says of the trials in the pool."""
        some = self._by_catboost(pool_of_table(self._tried[:ALONE], self._categories))
        # With values in leaves that no row of the training reached, as monotone constraints bring about, CatBoost takes the rows
        # that it is given for some of the training, too: an applicant would have other reasons alone than in a job.
        depends = not some.equal(Contributions(expected.base_value, expected.values[:ALONE]))
        compared = LeafTable.of(self._classifier, pool if depends else None)
        if compared is not None and self._by_table(compared, pool).equal(expected):
            return LeafTable.of(self._classifier) if depends else compared
        if depends:
            raise NotExplainable("explanation-of-empty-leaves")
        return None

    def _trials(self, known_rows: Sequence[Row]) -> list[list[Any]]:
        """Make rows in which values of known ones, borders of the model and missing values meet at random."""
        random = np.random.default_rng(0)
        borders: dict[int, list[float]] = self._classifier.get_borders()
        known = self._scorer.table([*known_rows, {}])
        tried = [[*{row[i] for row in known}, *borders.get(i, ())] for i in range(len(known[0]))]
        return [[values[random.integers(len(values))] for values in tried] for _ in range(TRIALS)]
