"""The settings of the service, each read from the environment variable of its name (or from a file `.env`)."""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One field a setting; the README's table repeats these sentences, and a test compares the two."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0", description="Redis or Valkey server: job records and task queue."
    )
    model_dir: Path = Field(Path("exported_model"), description="Folder that holds the model to serve.")
    model_cache_dir: Path = Field(
        Path(".local/models"), description="Folder for verified copies of served models, one a version."
    )
    storage_url: str = Field(".local/storage", description="Folder for the inputs and scores of jobs.")
    max_body_bytes: PositiveInt = Field(64 * 2**20, description="Largest request body accepted, in bytes.")
    max_wait: PositiveFloat = Field(30.0, description="Longest `Prefer: wait` honoured, in seconds.")
    chunk_rows: PositiveInt = Field(20_000, description="Rows that one task scores.")
    chunk_lease: PositiveFloat = Field(
        15.0, description="Seconds that a worker may take for one chunk before another may do it instead."
    )
    chunk_attempts: PositiveInt = Field(3, description="Attempts at one chunk before its job fails.")
    reconcile_interval: PositiveFloat = Field(
        5.0, description="Seconds between two searches for lost work and expired jobs."
    )
    job_ttl: PositiveInt = Field(7 * 24 * 3600, description="Seconds that an ended job and its results are kept.")
    log_level: str = Field("INFO", description="Level of the logs: DEBUG, INFO, WARNING or ERROR.")
