"""The `MLmodel` file that MLflow writes beside a model, read as plain YAML: serving does not need MLflow.

Files of MLflow 1.x, 2.x and 3.x are supported. Fields that serving does not need may be absent or have any form.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from shared.contract.text import OptionalText
from shared.errors import BadArtifact
from shared.reasons import cut_names

DEFAULT_MISSING_CATEGORY = "nan"
"""The default training value of a missing category: `str(nan)`, as written by `astype(str)` of pandas."""

THRESHOLD_KEYS = ("best_threshold", "threshold", "optimal_threshold")
"""Metadata keys that are searched for a threshold, in this order."""

TENSOR = "tensor"
ANY = "any"
"""What MLflow calls a type that it does not know; without a name, it stands for all columns together."""

DEFAULT_DATA = "model.cb"

PYFUNC = "python_function"
"""The flavour that every model has, by which MLflow loads it whatever it is."""

Label = StrictInt | float | bool | StrictStr
"""A class label in the metadata."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


def _column(given: Any) -> Any:
    """Read what MLflow versions wrote: numeric names, `optional` instead of `required`, the shapes of tensors."""
    if not isinstance(given, Mapping):
        return given
    column = dict(given)
    column["name"] = None if column.get("name") is None else column_name(column["name"])
    if "required" not in column and isinstance(column.get("optional"), bool):
        column["required"] = not column["optional"]
    if not isinstance(column.get("type"), str):
        column["type"] = "object"
    column["width"] = _width(column.get("tensor-spec"))
    return column


def column_name(given: Any) -> str:
    """Write a name of pandas' as CatBoost does, which may be a number, or a list: a name of several levels."""
    return str(tuple(given)) if isinstance(given, list) else str(given)


def _width(tensor: Any) -> int | None:
    shape = tensor.get("shape") if isinstance(tensor, Mapping) else None
    width = shape[1] if isinstance(shape, list) and len(shape) == 2 else None
    # -1 stands for any.
    return width if isinstance(width, int) and width > 0 else None


class Column(_Part):
    """One input column of the signature, of any MLflow type; the name may be absent."""

    name: str | None = None
    type: str
    required: bool = True
    width: int | None = None
    """Of a tensor whose rows are rows of features: how many these are, if it says so."""


def _one_group(given: Any) -> Any:
    """Reject a list of groups: a contribution that counts in two of them would be told twice."""
    if given is not None and not (isinstance(given, str) and given.strip()):
        raise PydanticCustomError("group", "A feature belongs to one group: give its name")
    return given


def _within_float(bound: float) -> float:
    """Reject a whole number that has more digits than any float."""
    try:
        float(bound)
    except OverflowError:
        raise PydanticCustomError("finite_number", "Input should be a finite number") from None
    return bound


Bound = Annotated[StrictInt | Annotated[float, Field(allow_inf_nan=False)], AfterValidator(_within_float)]
"""A minimum or maximum."""


class FeatureNotes(_Part):
    """Optional metadata of a feature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: OptionalText = None
    description: OptionalText = None
    reason: OptionalText = None
    """What a declined applicant is told if this feature counted against them."""
    group: Annotated[str | None, BeforeValidator(_one_group)] = None
    actionable: StrictBool = True
    """Whether the applicant can do anything about it."""
    protected: StrictBool = False
    """Whether a decision must not be explained with it to the applicant."""
    ge: Bound | None = None
    le: Bound | None = None
    values: tuple[StrictStr | StrictInt, ...] | None = Field(None, min_length=1)
    nullable: bool | None = None


class GroupNotes(_Part):
    """Optional metadata of a group of features."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: OptionalText = None
    reason: OptionalText = None


class StatedThreshold(_Part):
    """A threshold and its metadata key."""

    key: str
    value: float


def _threshold(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadArtifact("threshold-invalid", place=f"metadata.{key}")
    return {"key": key, "value": value}


def _metadata(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return {}
    metadata = dict(given)
    key = next((key for key in THRESHOLD_KEYS if metadata.get(key) is not None), None)
    if key is not None:
        metadata["stated_threshold"] = _threshold(key, metadata[key])
    for key in ("features", "groups"):
        # Others use these keys too, for instance for a list of names.
        if not _are_notes(metadata.get(key)):
            metadata.pop(key, None)
    return metadata


def _are_notes(given: Any) -> bool:
    return isinstance(given, Mapping) and all(isinstance(notes, Mapping) for notes in given.values())


class Metadata(_Part):
    """The part of `metadata` that serving uses."""

    stated_threshold: StatedThreshold | None = None
    positive_class: Label | None = None
    features: dict[str, FeatureNotes] = {}
    groups: dict[str, GroupNotes] = {}
    ordered: tuple[tuple[str, ...], ...] = ()
    missing_category: str | None = None


def _inputs(given: Any) -> Any:
    return json.loads(given) if isinstance(given, str) else given


class Signature(_Part):
    """The MLflow signature; `inputs` is a JSON string within the YAML."""

    inputs: Annotated[tuple[Annotated[Column, BeforeValidator(_column)], ...] | None, BeforeValidator(_inputs)] = None


def _as_utc(value: Any) -> Any:
    """MLflow writes the time in UTC without saying so."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) and moment.tzinfo is None else moment


def _as_text(value: Any) -> Any:
    """Convert to a string what YAML parses as a number: an id of digits, a version such as 2.10."""
    return str(value) if isinstance(value, int | float) else value


Identifier = Annotated[str | None, BeforeValidator(_as_text)]


class MLmodel(_Part):
    """The part of the file that serving uses."""

    signature: Signature = Signature()
    metadata: Annotated[Metadata, BeforeValidator(_metadata)] = Metadata()
    flavors: dict[str, Any] = {}
    utc_time_created: Annotated[datetime | None, BeforeValidator(_as_utc)] = None
    mlflow_version: Identifier = None
    model_id: Identifier = None
    model_uuid: Identifier = None
    run_id: Identifier = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the signature; empty without a signature, or with one that does not tell columns apart."""
        inputs = self.signature.inputs or ()
        return () if self.is_tensor or self.is_anything else inputs

    @property
    def is_tensor(self) -> bool:
        """Whether this is a tensor signature."""
        return any(column.type == TENSOR for column in self.signature.inputs or ())

    @property
    def is_anything(self) -> bool:
        """Whether the signature says of all columns together that they are of any type."""
        return [(column.type, column.name) for column in self.signature.inputs or ()] == [(ANY, None)]

    @property
    def width(self) -> int | None:
        """How many features a row has that is one of a tensor; None where the signature does not say."""
        widths = [column.width for column in self.signature.inputs or ()]
        return widths[0] if len(widths) == 1 else None

    @property
    def data(self) -> str:
        """Path of the model within the folder, according to the CatBoost flavour."""
        return str(self._flavour.get("data") or DEFAULT_DATA)

    @property
    def save_format(self) -> str:
        """Format of the saved model, according to the CatBoost flavour."""
        return str(self._flavour.get("save_format") or "cbm")

    @property
    def instead_of_catboost(self) -> list[str]:
        """What MLflow loads the model with, where it has no flavour of CatBoost's: there may be code before or after the trees."""
        if "catboost" in self.flavors:
            return []
        if named := sorted(self.flavors.keys() - {PYFUNC}):
            return named
        loader = self._flavour_of(PYFUNC).get("loader_module")
        return [] if loader in (None, "mlflow.catboost") else [str(loader)]

    @property
    def _flavour(self) -> Mapping[str, Any]:
        return self._flavour_of("catboost")

    def _flavour_of(self, name: str) -> Mapping[str, Any]:
        flavour = self.flavors.get(name)
        return flavour if isinstance(flavour, Mapping) else {}


def read(path: Path) -> MLmodel:
    """Read and validate the file; raises BadArtifact with the location and the reason, or for a model of another flavour."""
    found = _read(path)
    if found.instead_of_catboost:
        raise BadArtifact("model-flavour", flavours=cut_names(found.instead_of_catboost))
    return found


def _read(path: Path) -> MLmodel:
    try:
        content = yaml.safe_load(path.read_bytes())
        # A key without a value counts as absent.
        plain = (
            {key: value for key, value in content.items() if value is not None}
            if isinstance(content, dict)
            else content
        )
        return MLmodel.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadArtifact("mlmodel-invalid", file=path.name, place=place, fault=first["msg"]) from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # A ValueError or OverflowError is raised for text that looks like a date, number or UTF-8 but is invalid.
        raise BadArtifact("model-file-not-yaml", file=path.name) from error
