"""Which categories a model saw in training, as far as its file tells: it keeps their hashes, and scores all others alike.

Of a feature whose categories the trees count (CTR), CatBoost keeps the hash of each, up to `ctr_leaf_count_limit`. Of one that is
compared with single categories (one-hot), it keeps those that some tree compares with; they are all of them if they are as many as
could be. Of a feature that only occurs in combinations with others nothing can be told, nor of one that no tree uses.

How CatBoost hashes is its own affair. So CatBoost itself is asked: by a model whose one tree splits on whether a category is in
a table.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from catboost import CatBoost, CatBoostClassifier, CatBoostError, Pool

from shared.reasons import Reason

MAX_MODEL_BYTES = 32 << 20
"""Of a larger file nothing is told: it would have to be written out as text, which takes seconds and its size in memory."""

MULTIPLIER = np.uint64(0x4906BA494954CB65)
"""With this CatBoost makes of the hash of one category the key in a table of combinations."""

NO_KEY = str(2**64 - 1)
"""Marks an empty place in a table."""

FEW = 1000
"""So many categories come fastest to CatBoost as an array; more as a data frame."""

JSON = "json"
CATEGORY = {"cat_feature_index": 0, "combination_element": "cat_feature_value"}
COUNTER = {"identifier": [CATEGORY], "type": "Counter"}
HALF_OF_ONE = 0.25
"""Between the values of a counter for what is not there, 0, and what is there once, 1 / 2."""

Flags = npt.NDArray[np.bool_]


class _Category(msgspec.Struct):
    feature_index: int
    flat_feature_index: int
    values: list[int] = []


class _Features(msgspec.Struct):
    categorical_features: list[_Category] = []


class _Document(msgspec.Struct):
    features_info: _Features
    ctr_data: dict[str, msgspec.Raw] = {}


class _Table(msgspec.Struct):
    hash_map: list[str | float]
    hash_stride: int


class _Seen:
    """The categories of one feature: those of a table of CatBoost's, and some more by their names."""

    def __init__(self, keys: Sequence[str], others: frozenset[str] = frozenset()) -> None:
        self._model = _asking(keys)
        self._others = others

    def have(self, categories: Sequence[str]) -> Flags:
        """Tell of each category whether it is one of them."""
        if not categories:
            return np.zeros(0, np.bool_)
        values: Any = np.array(categories, dtype=object).reshape(-1, 1)
        data = values if len(categories) <= FEW else pd.DataFrame(values)
        there: Flags = self._model.predict(Pool(data, cat_features=[0]), thread_count=1) > 0
        return there | np.isin(values[:, 0], list(self._others)) if self._others else there


class SeenCategories:
    """The categories of the training, by feature; without features of which that cannot be told."""

    def __init__(self, by_feature: Mapping[str, _Seen]) -> None:
        self._by_feature = by_feature

    @property
    def features(self) -> set[str]:
        """The features of which it can be told."""
        return set(self._by_feature)

    def are_unseen(self, feature: str, categories: Sequence[str]) -> Flags:
        """Tell of each category of a feature whether the training had it not."""
        return ~self._by_feature[feature].have(categories)


class UnseenCount:
    """Counts, by feature, the rows of a batch whose category was not seen; `rows` tells which of them count (None: all)."""

    def __init__(self, seen: SeenCategories, rows: Flags | None = None) -> None:
        self.counts = dict.fromkeys(sorted(seen.features), 0)
        self._seen = seen
        self._rows = rows

    def add(self, feature: str, column: pa.DictionaryArray) -> None:
        """Count a feature, whose categories come without nulls."""
        if feature not in self.counts:
            return
        unseen = self._seen.are_unseen(feature, column.dictionary.to_pylist())
        if unseen.any():
            rows = unseen[column.indices.to_numpy()]
            self.counts[feature] += int(np.count_nonzero(rows if self._rows is None else rows & self._rows))


NOTHING_SEEN = SeenCategories({})


def seen_categories(
    classifier: CatBoostClassifier, names: Sequence[str], examples: Sequence[Mapping[str, str]], size: int
) -> SeenCategories:
    """Read what a model of `size` bytes keeps; `names` are its features, `examples` categories of rows of the training."""
    if size > MAX_MODEL_BYTES or not classifier.get_cat_feature_indices():
        return NOTHING_SEEN
    document = _document(classifier)
    if document is None:
        return NOTHING_SEEN
    tables, options = _tables(document.ctr_data), _options(classifier)
    most, most_counted = options.get("one_hot_max_size"), options.get("ctr_leaf_count_limit")
    found: dict[str, _Seen] = {}
    for category in document.features_info.categorical_features:
        name = names[category.flat_feature_index]
        if (table := tables.get(category.feature_index)) is not None:
            # Of a full one, CatBoost has left out the rarest.
            if most_counted is not None and len(table) < most_counted:
                found[name] = _Seen(table)
        elif category.values and most is not None:
            shown = {example[name] for example in examples if name in example}
            if seen := _compared(category.values, shown, most):
                found[name] = seen
    return SeenCategories(found)


def uncounted(classifier: CatBoostClassifier, size: int) -> Reason | None:
    """Say that nothing is told of the categories of a model of `size` bytes, if it is so for its size."""
    if size <= MAX_MODEL_BYTES or not classifier.get_cat_feature_indices():
        return None
    return Reason("categories-not-counted", {"limit": MAX_MODEL_BYTES >> 20})


def _compared(values: Sequence[int], shown: Iterable[str], most: int) -> _Seen | None:
    """Put together what trees compare with and what examples show; None unless these are as many as there can be."""
    keys = _keys(values)
    names = sorted(shown)
    others = frozenset(name for name, there in zip(names, _Seen(keys).have(names), strict=True) if not there)
    return _Seen(keys, others) if len(keys) + len(others) == most else None


def _document(classifier: CatBoostClassifier) -> _Document | None:
    with TemporaryDirectory() as folder, suppress(CatBoostError, msgspec.DecodeError):
        path = Path(folder) / JSON
        classifier.save_model(str(path), format=JSON)
        return msgspec.json.decode(path.read_bytes(), type=_Document)
    return None


def _tables(data: Mapping[str, msgspec.Raw]) -> dict[int, list[str]]:
    """Read the keys of the tables of single features, one of each; other tables are of combinations."""
    found: dict[int, list[str]] = {}
    for identifier, raw in data.items():
        elements = json.loads(identifier)["identifier"]
        index = elements[0].get("cat_feature_index")
        if index not in found and elements == [CATEGORY | {"cat_feature_index": index}]:
            table = msgspec.json.decode(raw, type=_Table)
            found[index] = [str(key) for key in table.hash_map[:: table.hash_stride] if key != NO_KEY]
    return found


def _options(classifier: CatBoostClassifier) -> dict[str, Any]:
    """Return the parameters that the model was trained with; none if the file does not say."""
    with suppress(CatBoostError):
        options: dict[str, Any] = classifier.get_all_params()
        return options
    return {}


def _keys(values: Sequence[int]) -> list[str]:
    """Make keys of hashes of 32 bits with a sign."""
    return [str(key) for key in MULTIPLIER * (MULTIPLIER * np.array(values, np.int64).view(np.uint64))]


def _asking(keys: Sequence[str]) -> CatBoost:
    """Make a model that predicts 1 for a category whose key is among these, and 0 for any other."""
    identifier = json.dumps(COUNTER, separators=(",", ":"))
    table = {"counter_denominator": 1, "hash_map": [part for key in keys for part in (key, 1)], "hash_stride": 2}
    counter = {"ctr_type": "Counter", "elements": [CATEGORY], "identifier": identifier, "borders": [HALF_OF_ONE]}
    value = {"prior_numerator": 0, "prior_denomerator": 1, "scale": 1, "shift": 0, "target_border_idx": 0}
    split = {"border": HALF_OF_ONE, "ctr_target_border_idx": 0, "split_index": 0, "split_type": "OnlineCtr"}
    document = {
        "ctr_data": {identifier: table},
        "features_info": {
            "categorical_features": [{"feature_id": "0", "feature_index": 0, "flat_feature_index": 0}],
            "ctrs": [counter | value],
        },
        "model_info": {},
        "oblivious_trees": [{"leaf_values": [0, 1], "leaf_weights": [1, 1], "splits": [split]}],
        "scale_and_bias": [1, [0]],
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / JSON
        path.write_bytes(msgspec.json.encode(document))
        return CatBoost().load_model(str(path), format=JSON)
