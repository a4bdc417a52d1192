"""What each leaf of a model contributes, worked out once: a row is then explained by looking up its leaves.

CatBoost works these values out anew in each call: milliseconds for a row alone, a quarter of a second before the first row of a
batch. They depend on the model only. What they mean stays CatBoost's: a question about several categories at once counts for
them in equal parts.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import msgspec
import numpy as np
from catboost import CatBoostClassifier, CatBoostError, Pool

from shared.models.shapley import Pattern, Places, Values, leaf_values

MAX_DEPTH = 8
"""Of deeper trees there are too many combinations of answers."""

MAX_BYTES = 64 << 20
"""Of a table; a larger one is not made."""

PIECE_TREES = 32
"""Trees that are worked out at a time; of the largest, they take 16 MB."""

PIECE_ROWS = 32
"""Rows that are looked up at a time: what is found for them stays near the processor."""

JSON = "json"


class _Feature(msgspec.Struct):
    flat_feature_index: int
    borders: list[float] | None = None
    values: list[int] | None = None


class _Element(msgspec.Struct):
    cat_feature_index: int | None = None


class _Counter(msgspec.Struct):
    elements: list[_Element]
    borders: list[float]


class _Features(msgspec.Struct):
    float_features: list[_Feature] = []
    categorical_features: list[_Feature] = []
    ctrs: list[_Counter] = []


class _Split(msgspec.Struct):
    split_index: int


class _Tree(msgspec.Struct):
    leaf_values: list[float]
    leaf_weights: list[float]
    splits: list[_Split] | None = None
    """None for a tree of one leaf."""


class _Document(msgspec.Struct):
    features_info: _Features
    oblivious_trees: list[_Tree]
    scale_and_bias: tuple[float, list[float]]


Subject = tuple[int, ...]
"""What a question is about: a feature, or several categories at once."""


@dataclass(frozen=True)
class LeafTable:
    """The contributions of the leaves of a model, in log-odds of its second class.

    Its *entries* are the features of each tree, in the order of the features.
    """

    base_value: float
    _classifier: CatBoostClassifier
    _found: Values
    """The contributions, one after another for each tree, leaf, and subject of the tree."""
    _trees: Places
    """The tree of each entry."""
    _strides: Places
    """Of each entry, from one leaf of its tree to the next."""
    _starts: Places
    """Of each entry, where its contribution in the first leaf is."""
    _features: Places
    """The features that any tree asks about."""
    _firsts: Places
    """Of each of them, its first entry."""

    @classmethod
    def of(cls, classifier: CatBoostClassifier, explained: Pool | None = None) -> Self | None:
        """Work it out; None for a model of other trees, of larger ones, or of several values in a leaf.

        With `explained`, it is as CatBoost explains these rows where leaves that no row of the training reached have a value: they
        count for nothing, but the rows count as if they had been in the training.
        """
        document = _document(classifier)
        if document is None or not _is_fit(document):
            return None
        if explained is not None:
            _add_rows(document, classifier.calc_leaf_indexes(explained, thread_count=1))
        subjects = _subjects(document.features_info)
        asked = [[subjects[split.split_index] for split in tree.splits or ()] for tree in document.oblivious_trees]
        of_trees = [list(dict.fromkeys(questions)) for questions in asked]
        base, found = _leaves(document, asked)
        entries = sorted(
            (feature, tree, place)
            for tree, each in enumerate(of_trees)
            for place, subject in enumerate(each)
            for feature in subject
        )
        features, trees, places = np.array(entries, np.intp).T
        begins = np.cumsum([0, *map(len, found)])
        asked_about, firsts = np.unique(features, return_index=True)
        return cls(
            base_value=base,
            _classifier=classifier,
            _found=np.concatenate(found),
            _trees=trees,
            _strides=np.array([*map(len, of_trees)], np.intp)[trees],
            _starts=begins[trees] + places,
            _features=asked_about,
            _firsts=firsts,
        )

    def explain(self, pool: Pool) -> Values:
        """Look up what the features of some rows contribute, shape (rows, features)."""
        leaves = self._classifier.calc_leaf_indexes(pool, thread_count=1).astype(np.intp)
        values = np.zeros((len(leaves), len(self._classifier.feature_names_)))
        for start in range(0, len(leaves), PIECE_ROWS):
            piece = slice(start, start + PIECE_ROWS)
            found = self._found.take(leaves[piece, self._trees] * self._strides + self._starts)
            values[piece, self._features] = np.add.reduceat(found, self._firsts, axis=1)
        return values


def _document(classifier: CatBoostClassifier) -> _Document | None:
    with TemporaryDirectory() as folder, suppress(CatBoostError, msgspec.DecodeError, msgspec.ValidationError):
        path = Path(folder) / JSON
        classifier.save_model(str(path), format=JSON)
        return msgspec.json.decode(path.read_bytes(), type=_Document)
    return None


def _add_rows(document: _Document, reached: Places) -> None:
    """Add rows to those of the training, by the leaf that each reaches in each tree, shape (rows, trees)."""
    for tree, leaves in zip(document.oblivious_trees, reached.T, strict=True):
        rows = np.bincount(leaves, minlength=len(tree.leaf_weights))
        tree.leaf_weights = (tree.leaf_weights + rows).tolist()
        tree.leaf_values = np.where(np.array(tree.leaf_weights) > 0, tree.leaf_values, 0.0).tolist()


def _is_fit(document: _Document) -> bool:
    depths = [len(tree.splits or ()) for tree in document.oblivious_trees]
    size = 8 * sum(depth * 2**depth for depth in depths)
    scale, biases = document.scale_and_bias
    # CatBoost explains no model of another scale.
    return any(depths) and max(depths) <= MAX_DEPTH and size <= MAX_BYTES and scale == 1 and len(biases) == 1


def _subjects(features: _Features) -> list[Subject]:
    """List what each question is about that a tree may ask, by the number that CatBoost gives it."""
    flat = [feature.flat_feature_index for feature in features.categorical_features]
    subjects: list[Subject] = []
    for feature in features.float_features:
        subjects += [(feature.flat_feature_index,)] * len(feature.borders or ())
    for feature in features.categorical_features:
        subjects += [(feature.flat_feature_index,)] * len(feature.values or ())
    for counter in features.ctrs:
        about = [flat[part.cat_feature_index] for part in counter.elements if part.cat_feature_index is not None]
        subjects += [tuple(sorted(about))] * len(counter.borders)
    return subjects


def _leaves(document: _Document, asked: Sequence[Sequence[Subject]]) -> tuple[float, list[Values]]:
    """Work out the average over the training, and for each tree its contributions by leaf and subject, one after another."""
    [base] = document.scale_and_bias[1]
    trees = document.oblivious_trees
    found = [np.zeros(0)] * len(trees)
    alike: dict[Pattern, list[int]] = defaultdict(list)
    for tree, questions in enumerate(asked):
        alike[tuple(map(list(dict.fromkeys(questions)).index, questions))].append(tree)
    for pattern, numbers in alike.items():
        for start in range(0, len(numbers), PIECE_TREES):
            piece = numbers[start : start + PIECE_TREES]
            leaves = np.array([trees[tree].leaf_values for tree in piece])
            weights = np.array([trees[tree].leaf_weights for tree in piece])
            means, values = leaf_values(leaves, weights, pattern)
            base += float(means.sum())
            for tree, each in zip(piece, values, strict=True):
                parts = [len(subject) for subject in dict.fromkeys(asked[tree])]
                found[tree] = (each / parts).ravel()
    return base, found
