"""Derive the contract from the MLmodel file and the model's own features. Assumptions are noted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from shared.contract.contract import FEATURE_TYPES, Contract, Feature, Group, Nullability
from shared.contract.mlmodel import (
    ANY,
    DEFAULT_MISSING_CATEGORY,
    Column,
    FeatureNotes,
    GroupNotes,
    Metadata,
    MLmodel,
)
from shared.errors import BadArtifact
from shared.reasons import Reason, cut_names


@dataclass(frozen=True)
class ModelFeatures:
    """What a model knows about its features, by their index in `names`."""

    names: tuple[str, ...]
    categories: frozenset[int] = frozenset()
    gaps: frozenset[int] = frozenset()
    """Numeric features that had missing values in training."""

    @property
    def are_numbered(self) -> bool:
        """Whether the model was trained without names, and numbers its features."""
        return self.names == tuple(map(str, range(len(self.names))))


def derive(mlmodel: MLmodel, model: ModelFeatures) -> tuple[Contract, tuple[Reason, ...]]:
    """Build the contract, with the features in the model's order; raises BadArtifact if file and model contradict each other.

    The second element of the result lists the assumptions.
    """
    metadata = mlmodel.metadata
    columns, assumed = _columns(mlmodel, model)
    names = [str(column.name) for column in columns]
    _check_distinct(names)
    if untyped := [name for name, column in zip(names, columns, strict=True) if column.type == ANY]:
        assumed.append(Reason("signature-types-unknown", {"columns": cut_names(untyped)}))
    _check_mentioned(names, mlmodel)
    features = tuple(
        _feature(column, metadata.features.get(name, FeatureNotes()), i, model, metadata)
        for i, (name, column) in enumerate(zip(names, columns, strict=True))
    )
    missing_category = DEFAULT_MISSING_CATEGORY if metadata.missing_category is None else metadata.missing_category
    contract = Contract(features, metadata.ordered, missing_category, _groups(features, metadata.groups))
    for name in chain.from_iterable(metadata.ordered):
        if contract.features[names.index(name)].kind.python not in (int, float):
            raise BadArtifact("feature-not-ordered", column=name)
    return contract, tuple(assumed)


def _columns(mlmodel: MLmodel, model: ModelFeatures) -> tuple[list[Column], list[Reason]]:
    """Return one column per feature of the model, in its order."""
    given = mlmodel.columns
    if not given:
        if mlmodel.width not in (None, len(model.names)):
            raise BadArtifact("features-count", count=mlmodel.width, expected=len(model.names))
        return [Column(name=name, type=_type_of(model, i)) for i, name in enumerate(model.names)], [_without(mlmodel)]
    if all(column.name is None for column in given):
        return _in_order(given, model), [Reason("signature-without-names")]
    # CatBoost gives a number to a feature whose name is empty.
    names = [
        str(i) if column.name == "" and "" not in model.names else str(column.name) for i, column in enumerate(given)
    ]
    _check_distinct([name for name in names if name in model.names])
    named = dict(zip(names, given, strict=True))
    if not named.keys() >= set(model.names):
        if model.are_numbered:
            return _in_order(given, model), [Reason("model-without-names")]
        raise BadArtifact("features-differ", columns=cut_names(sorted(named.keys() ^ set(model.names))))
    if model.are_numbered and names != [*model.names]:
        raise BadArtifact("features-numbered", columns=cut_names(names))
    extra = [name for name in named if name not in model.names]
    assumed = [Reason("signature-columns-unused", {"columns": cut_names(extra)})] if extra else []
    return [named[name] for name in model.names], assumed


def _check_distinct(names: Sequence[str]) -> None:
    """Raise BadArtifact for a name of several features: neither a row nor CatBoost's own tables could tell them apart."""
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise BadArtifact("features-repeated", columns=cut_names(repeated))


def _in_order(given: Sequence[Column], model: ModelFeatures) -> list[Column]:
    """Match columns and features by position if one of the two has no names."""
    if len(given) != len(model.names):
        raise BadArtifact("features-count", count=len(given), expected=len(model.names))
    return [
        column if column.name is not None else column.model_copy(update={"name": name})
        for column, name in zip(given, model.names, strict=True)
    ]


def _type_of(model: ModelFeatures, i: int) -> str:
    return "string" if i in model.categories else "double"


def _without(mlmodel: MLmodel) -> Reason:
    """Say why no column is known from the signature."""
    if mlmodel.is_tensor:
        return Reason("signature-of-tensors")
    return Reason("signature-of-anything" if mlmodel.is_anything else "signature-missing")


def _check_mentioned(names: list[str], mlmodel: MLmodel) -> None:
    """Raise BadArtifact for features that only the metadata know; notes on a column that the model does not use may stand."""
    noted = mlmodel.metadata.features.keys() - {column.name for column in mlmodel.columns}
    if unknown := sorted({*noted, *chain.from_iterable(mlmodel.metadata.ordered)} - {*names}):
        raise BadArtifact("features-unknown", columns=cut_names(unknown))


def _feature(column: Column, notes: FeatureNotes, i: int, model: ModelFeatures, metadata: Metadata) -> Feature:
    name = str(column.name)
    type_name = _type_of(model, i) if column.type == ANY else column.type
    if type_name not in FEATURE_TYPES:
        raise BadArtifact("feature-type-unsupported", column=name, kind=type_name)
    kind = FEATURE_TYPES[type_name]
    _check_kind(name, kind.python, is_category=i in model.categories)
    if notes.values is not None and any(type(value) is not kind.python for value in notes.values):
        raise BadArtifact("feature-values-type", column=name, kind=type_name)
    if kind.bounds and not all(kind.bounds[0] <= int(value) <= kind.bounds[1] for value in notes.values or ()):
        raise BadArtifact("feature-values-range", column=name, kind=type_name)
    if (notes.ge is not None or notes.le is not None) and kind.python not in (int, float):
        raise BadArtifact("feature-not-bounded", column=name)
    nullable, why = _nullability(column, notes, i, model, metadata)
    return Feature(
        name,
        type_name,
        # What must not be missing must be there.
        required=column.required or not nullable,
        nullable=nullable,
        nullable_because=why,
        **{field: getattr(notes, field) for field in FeatureNotes.model_fields.keys() - {"nullable"}},
    )


def _groups(features: Sequence[Feature], notes: Mapping[str, GroupNotes]) -> dict[str, Group]:
    """Put the features into their groups, in the order in which the model has them; raises BadArtifact."""
    members: dict[str, list[str]] = {}
    for feature in features:
        if feature.group is not None:
            members.setdefault(feature.group, []).append(feature.name)
    if unknown := sorted(notes.keys() - members.keys()):
        raise BadArtifact("groups-unknown", names=cut_names(unknown))
    if confusing := sorted(members.keys() & {feature.name for feature in features}):
        raise BadArtifact("groups-like-features", names=cut_names(confusing))
    return {name: Group(name, tuple(names), **dict(notes.get(name, GroupNotes()))) for name, names in members.items()}


def _check_kind(name: str, python: type, *, is_category: bool) -> None:
    if python is str and not is_category:
        raise BadArtifact("feature-not-a-category", column=name)
    if python is float and is_category:
        raise BadArtifact("feature-not-a-fraction", column=name)


def _nullability(
    column: Column, notes: FeatureNotes, i: int, model: ModelFeatures, metadata: Metadata
) -> tuple[bool, Nullability]:
    """Return whether a value may be missing, and why: MLflow's `required` only says that the column must be present."""
    if notes.nullable is not None:
        return notes.nullable, "stated"
    if not column.required:
        return True, "optional"
    if i in model.categories:
        return (True, "missing-category") if metadata.missing_category is not None else (False, "no-missing-category")
    return (True, "gaps-in-training") if i in model.gaps else (False, "no-gaps-in-training")


WHY_NULLABLE: Mapping[Nullability, str] = {
    "stated": "metadata.features states it",
    "optional": "the signature says that it is not required",
    "gaps-in-training": "the model was trained with missing values of it",
    "no-gaps-in-training": "the model was trained without missing values of it",
    "missing-category": "metadata.missing_category says what a missing category was trained as",
    "no-missing-category": "nothing says what a missing category was trained as",
}
"""The reasons in words."""
