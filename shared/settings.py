"""The settings of the service, each read from the environment variable of its name (or from a file `.devenv` or `.env`)."""

import logging
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared import keys
from shared.redis_url import check

logger = logging.getLogger(__name__)

SOURCES = SettingsConfigDict(
    env_file=(".devenv", ".env"), env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
)

ORIGIN = re.compile(r"https?://[\w.-]+(:\d+)?|https?://\[[0-9A-Fa-f:.]+\](:\d+)?", re.ASCII)

SIGNED_AS_GIVEN = ("webhook_secret",)
"""What is not stripped: a receiver may have the same secret with the same space at its end."""


EvaluatorChoice = Literal["auto", "catboost"]
LogFormat = Literal["text", "json"]


class FormerNames(BaseSettings):
    """Settings that were renamed; the former names are read for one version more, each named after its present one."""

    model_config = SOURCES

    callback_hosts: str | None = Field(None, serialization_alias="webhook_hosts")
    callback_secret: SecretStr | None = Field(None, serialization_alias="webhook_secret")


class Settings(BaseSettings):
    """One field a setting; the README's table repeats these sentences, and a test compares the two."""

    model_config = SOURCES

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0", description="Redis or Valkey server: job records and task queue."
    )
    model_dir: Path = Field(Path("exported_model"), description="Folder that holds the model to serve.")
    model_cache_dir: Path = Field(
        Path(".local/models"), description="Folder for verified copies of served models, one a version."
    )
    hf_repo_id: str | None = Field(None, description="Hugging Face Hub repository to take models from, `owner/name`.")
    hf_revision: str = Field("main", description="Branch, tag or commit of the repository to begin with.")
    hf_filename: str = Field("model.cb", description="Name of the CatBoost file in the repository.")
    hf_token: SecretStr | None = Field(None, description="Token for a private repository.")
    huggingface_token: SecretStr | None = Field(None, description="Another name for `HF_TOKEN`.")
    hf_endpoint: str | None = Field(None, description="Address of the Hub, where it is not the public one.")
    model_uri: str | None = Field(
        None, description="MLflow model to serve, `models:/NAME@ALIAS`, where there is no Hub; needs the extra `train`."
    )
    positive_class: str | None = Field(
        None,
        description="Class whose probability is the score, for models that do not state it.",
    )
    evaluator: EvaluatorChoice = Field(
        "auto",
        description="What scores models: `auto`, a fast evaluator where it equals CatBoost, else CatBoost; or `catboost`.",
    )
    default_threshold: float = Field(0.5, ge=0, le=1, description="Threshold of models that state none.")
    mlflow_tracking_uri: str | None = Field(None, description="MLflow server or store.")
    reload_timeout: PositiveFloat = Field(
        60.0, description="Seconds that every process has to get a new model ready before a reload is given up."
    )
    api_keys: str | None = Field(
        None, description="Keys of callers, `name:scope+scope:SHA-256,…`, as `pret key new` prints them."
    )
    api_keys_file: Path | None = Field(
        None, description="File with more of them, one a line; it is read again when it changes."
    )
    admin_keys: SecretStr | None = Field(
        None, description="Keys of administrators, `name:key,name:key`, where scoring and jobs may need none."
    )
    allow_anonymous: bool = Field(
        False, description="Serve other machines without keys, in a network that is closed otherwise."
    )
    allowed_hosts: str = Field(
        "localhost,127.0.0.1,[::1]",
        description="Names by which the API may be called, `host,*.domain`; a request for another is rejected.",
    )
    cors_origins: str | None = Field(
        None, description="Sites whose pages may call the API from a browser, `https://host,…`; without any, none may."
    )
    storage_url: str = Field(
        ".local/storage", description="Folder, or `s3://bucket/prefix`, for the inputs and scores of jobs."
    )
    min_free_bytes: NonNegativeInt = Field(
        2**30, description="Bytes that must stay free in a storage folder; below that, no jobs are taken."
    )
    max_body_bytes: PositiveInt = Field(32 * 2**20, description="Largest JSON body accepted, in bytes.")
    max_file_bytes: PositiveInt = Field(
        64 * 2**30, description="Largest file accepted as a job, in bytes, before and after decompression."
    )
    max_connections: PositiveInt = Field(
        1000,
        description="Connections that one API process holds; beyond that, those that wait for a request are closed.",
    )
    max_event_streams: PositiveInt = Field(500, description="Event streams of jobs that one API process serves.")
    head_timeout: PositiveFloat = Field(
        10.0, description="Seconds that a client has to send the first line and the headers of a request."
    )
    stall_timeout: PositiveFloat = Field(
        30.0,
        description="Seconds for which a body may come slower than 500 bytes a second, or a response not be taken.",
    )
    max_queued_rows: PositiveInt = Field(
        500_000_000, description="Rows that may wait to be scored; beyond that, no jobs are taken, nor larger files."
    )
    input_uri_prefixes: str | None = Field(
        None, description="Where jobs may read from, `s3://bucket/folder,…`; without any, from nowhere."
    )
    output_uri_prefixes: str | None = Field(
        None, description="Where jobs may write to, `s3://bucket/folder,…`; without any, to nowhere."
    )
    webhook_hosts: str | None = Field(
        None,
        description="Hosts that webhooks may be sent to, `host,host:port,*.domain`; without any, none is sent.",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Secret that webhooks are signed with.",
    )
    max_wait: PositiveFloat = Field(30.0, description="Longest `Prefer: wait` honoured, in seconds.")
    sync_rows: NonNegativeInt = Field(
        20_000, description="Rows up to which a batch with `Prefer: wait` is scored by the API itself, without a job."
    )
    chunk_rows: PositiveInt | None = Field(
        None, description="Rows that one task scores; by default as many as take 0.25 seconds."
    )
    chunk_lease: PositiveFloat = Field(
        15.0, description="Seconds that a worker may take for one chunk before another may do it instead."
    )
    chunk_attempts: PositiveInt = Field(3, description="Attempts at one chunk before its job fails.")
    reconcile_interval: PositiveFloat = Field(
        5.0, description="Seconds between two searches for lost work and expired jobs."
    )
    job_ttl: PositiveInt = Field(7 * 24 * 3600, description="Seconds that an ended job and its results are kept.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Port on which a worker tells its metrics; without one, it does not."
    )
    metrics_host: str = Field("127.0.0.1", description="Address on which it does.")
    log_level: str = Field("INFO", description="Level of the logs: DEBUG, INFO, WARNING or ERROR.")
    log_format: LogFormat = Field("text", description="Form of the logs: `text`, or `json`, one object a line.")
    access_log_share: float = Field(
        0.001,
        ge=0,
        le=1,
        description="Share of the single scores that the access log names; it names all other requests.",
    )

    @model_validator(mode="before")
    @classmethod
    def _take_former_names(cls, given: dict[str, Any]) -> dict[str, Any]:
        former = FormerNames().model_dump(by_alias=True, exclude_none=True)
        for name in former.keys() - given.keys():
            logger.warning("%s is set by its former name, which the next version will not read", name.upper())
        return former | given

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: Any, info: ValidationInfo) -> Any:
        """Drop the line end that a file or a secret of Kubernetes brings along."""
        return value.strip() if isinstance(value, str) and info.field_name not in SIGNED_AS_GIVEN else value

    @field_validator("redis_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        check(url)
        return url

    @field_validator("admin_keys")
    @classmethod
    def _has_names_and_keys(cls, given: SecretStr | None) -> SecretStr | None:
        if given:
            keys.parse_plain(given.get_secret_value())
        return given

    @field_validator("api_keys")
    @classmethod
    def _are_entries(cls, given: str | None) -> str | None:
        if given:
            keys.parse(given)
        return given

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, given: str | None) -> str | None:
        if not all(map(ORIGIN.fullmatch, cls.listed(given))):
            raise ValueError("CORS_ORIGINS must read https://host,https://host:port, without * and without paths")
        return given

    @staticmethod
    def listed(value: str | None) -> tuple[str, ...]:
        """Split a setting that holds several values."""
        return tuple(part.strip() for part in (value or "").split(",") if part.strip())

    @property
    def hub_token(self) -> str | None:
        """The token for the Hub, under whichever name it was given."""
        token = self.hf_token or self.huggingface_token
        return token.get_secret_value() if token else None

    def as_environment(self) -> dict[str, str]:
        """Write the settings as the environment of a child process that is to have the same."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name.upper(): str(value.get_secret_value() if isinstance(value, SecretStr) else value)
            for name, value in values.items()
            if value is not None
        }


def settings_or_exit() -> Settings:
    """Read the settings of a process that begins; wrong ones end it with a sentence each and no traceback."""
    try:
        return Settings()
    except ValidationError as error:
        raise SystemExit("\n".join(sentences(error))) from None


def sentences(error: ValidationError) -> list[str]:
    """Say which settings are wrong, and why; never a value, which may be a secret."""
    return [_sentence(detail) for detail in error.errors(include_input=False, include_url=False)]


def _sentence(detail: Any) -> str:
    if detail["type"] == "value_error":
        return f"{detail['ctx']['error']}".rstrip(".") + "."
    return f"{'.'.join(map(str, detail['loc'])).upper()}: {detail['msg']}."
