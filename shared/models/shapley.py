"""Shapley values of the leaves of trees that ask one question on each level, as CatBoost's do.

What a tree says when only some answers are known is the average over the other ones, level by level, by the rows of the training.
A Shapley value is the average of what a subject changes, over all orders in which the subjects may become known.
"""

from functools import cache
from math import factorial

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

Pattern = tuple[int, ...]
"""Of each question of a tree, the number of its subject in the tree: two questions may be about one subject."""

UNKNOWN = 2
"""The answer to a question, besides 0 and 1."""


def leaf_values(leaves: Values, weights: Values, pattern: Pattern) -> tuple[Values, Values]:
    """Share out the values of the leaves of trees that have the same pattern among the subjects.

    `leaves` and `weights` have the shape (trees, 2 ** questions); the weights count rows of the training. Returns the averages of
    the trees, shape (trees,), and what each subject adds to them in each leaf, shape (trees, leaves, subjects).
    """
    means = _means(leaves, weights)
    places, orders = _plan(pattern)
    shared: Values = np.einsum("cs,tsl->tlc", orders, means[:, places])
    return means[:, -1], shared


def _means(leaves: Values, weights: Values) -> Values:
    """Give what trees say for all combinations of answers, shape (trees, 3 ** questions).

    The answers are the digits of a number in base 3, that to the first question lowest.
    """
    means = leaves[:, :, None]
    # The first question stands in the lowest bit of a leaf, and is asked last.
    while means.shape[1] > 1:
        below, above = weights[:, 0::2], weights[:, 1::2]
        weights = below + above
        low, high = means[:, 0::2], means[:, 1::2]
        # Where no row of the training was on either side, neither side is the likelier one.
        share = np.divide(above, weights, out=np.full_like(weights, 0.5), where=weights > 0)[:, :, None]
        mean = low * (1 - share) + high * share
        means = np.stack([low, high, mean], axis=2).reshape(len(means), len(weights[0]), -1)
    return means[:, 0]


@cache
def _plan(pattern: Pattern) -> tuple[Places, Values]:
    """Give the place in `_means` by set of known subjects and leaf, and the weight of each set by subject."""
    count = max(pattern, default=-1) + 1
    leaves = np.arange(2 ** len(pattern))
    places = np.zeros((2**count, len(leaves)), np.intp)
    weights = np.zeros((count, 2**count))
    for known in range(2**count):
        for bit, subject in enumerate(pattern):
            places[known] += (leaves >> bit & 1 if known >> subject & 1 else UNKNOWN) * 3**bit
        others = known.bit_count()
        for subject in range(count):
            before = others - 1 if known >> subject & 1 else others
            weight = factorial(before) * factorial(count - before - 1) / factorial(count)
            weights[subject, known] = weight if known >> subject & 1 else -weight
    return places, weights
