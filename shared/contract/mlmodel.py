"""The file `MLmodel` that MLflow writes beside a model, read as plain YAML: no MLflow is needed to serve."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json, Strict, StrictInt, StrictStr, ValidationError

from shared.errors import BadArtifact

DEFAULT_MISSING_CATEGORY = "nan"
"""What a missing category was trained as where the model does not say: `str(nan)`, as pandas' `astype(str)` writes it."""

ColumnType = Literal["double", "float", "long", "integer", "boolean", "string"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Column(_Part):
    """One input column of the signature."""

    name: str
    type: ColumnType
    required: bool = True


class FeatureNotes(_Part):
    """What the metadata may add to a feature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str | None = None
    ge: StrictInt | float | None = Field(None, allow_inf_nan=False)
    le: StrictInt | float | None = Field(None, allow_inf_nan=False)
    values: tuple[StrictStr | StrictInt, ...] | None = Field(None, min_length=1)


class Metadata(_Part):
    """The part of `metadata` that serving reads."""

    best_threshold: Annotated[float, Strict()] = Field(ge=0, le=1)
    features: dict[str, FeatureNotes] = {}
    ordered: tuple[tuple[str, ...], ...] = ()
    missing_category: str = DEFAULT_MISSING_CATEGORY


class Signature(_Part):
    """The MLflow signature; `inputs` is a JSON text within the YAML."""

    inputs: Json[Annotated[tuple[Column, ...], Field(min_length=1)]]


def _as_utc(value: Any) -> Any:
    """MLflow writes the time in UTC without saying so."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) and moment.tzinfo is None else moment


class MLmodel(_Part):
    """The file, as far as serving reads it."""

    signature: Signature
    metadata: Metadata
    utc_time_created: Annotated[datetime | None, BeforeValidator(_as_utc)] = None
    mlflow_version: str | None = None
    model_id: str | None = None
    model_uuid: str | None = None
    run_id: str | None = None


def read(path: Path) -> MLmodel:
    """Read and check the file; raises BadArtifact with the place and the reason."""
    try:
        return MLmodel.model_validate(yaml.safe_load(path.read_bytes()))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadArtifact("mlmodel-invalid", file=path.name, place=place, fault=first["msg"]) from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # A ValueError or OverflowError is a text that looks like a date, a number or UTF-8 and is none.
        raise BadArtifact("model-file-not-yaml", file=path.name) from error
