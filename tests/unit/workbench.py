"""All parts of the job side, real ones: a Redis in memory, Celery's own broker in memory, storage and models in a folder."""

import csv
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import fakeredis
import pyarrow as pa
import pyarrow.parquet as pq
import redis
from celery import Celery

from shared.errors import ModelError, PretError, SourceUnavailable, Unavailable
from shared.fleet.member import Member
from shared.fleet.preparation import Outcome
from shared.fleet.records import DEPLOYMENT_KEY, Deployment, Fleet, Kind
from shared.formats import json_rows
from shared.formats.format import Format
from shared.jobs.job import READING, WRITING, Job
from shared.jobs.queue import QUEUE_PREFIX, QUEUES, Unit, create_app
from shared.jobs.read import read_file
from shared.jobs.results import Results
from shared.jobs.score import score_chunk
from shared.jobs.store import JobStore
from shared.jobs.submit import Intake
from shared.jobs.unit import Limits, Workplace, attempt
from shared.jobs.write import write_output
from shared.models.artifact import Model
from shared.models.cache import ModelCache
from shared.models.sources import FolderSource
from shared.models.version import VersionRef
from shared.settings import Settings
from shared.storage.local import LocalStorage
from tests.factories import Kit, Row, put_in_cache
from worker.services import Services, create_services

CHUNK_ROWS = 4


def settings_in(folder: Path, **changes: Any) -> Settings:
    """Settings whose files lie in `folder` and whose broker is in memory."""
    values: dict[str, Any] = {
        "redis_url": "memory://",
        "model_dir": folder / "source",
        "model_cache_dir": folder / "cache",
        "storage_url": str(folder / "storage"),
        "chunk_rows": CHUNK_ROWS,
    }
    if changes:
        # The broker in memory is none that one could set.
        unchanged = {name: value for name, value in values.items() if name not in changes}
        return Settings(_env_file=None, **changes).model_copy(update=unchanged)
    return _settings_of(tuple(os.environ.get(name.upper()) for name in Settings.model_fields)).model_copy(update=values)


@lru_cache(maxsize=8)
def _settings_of(environment: tuple[str | None, ...]) -> Settings:
    """Read the settings once for each environment; that takes longer than most tests."""
    return Settings(_env_file=None)


_written: dict[int, tuple[Kit, dict[str, bytes]]] = {}


def write_again(kit: Kit, folder: Path) -> Path:
    """Write the artifact of a kit as it was written for another test, which takes no time."""
    if id(kit) not in _written:
        kit.write(folder)
        _written[id(kit)] = kit, {path.name: path.read_bytes() for path in folder.iterdir()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _written[id(kit)][1].items():
        (folder / name).write_bytes(content)
    return folder


def as_file(rows: Sequence[Row], format: Format = Format.CSV) -> bytes:
    """Write rows as a file that a caller might upload: CSV, NDJSON or Parquet."""
    if format is Format.NDJSON:
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    if format is Format.PARQUET:
        table = pa.table({name: [row.get(name) for row in rows] for name in names})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        content: bytes = sink.getvalue().to_pybytes()
        return content
    assert format is Format.CSV
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([row.get(name) for name in names] for row in rows)
    return text.getvalue().encode()


_loaded: dict[str, Model] = {}


class QuickCache(ModelCache):
    """A library that reads each version once for all tests; it still looks whether the copy is there and whole."""

    def load(self, version: str) -> Model:
        if version in _loaded and version not in self._loaded:
            self.prepare(VersionRef(version))
            self._loaded[version] = _loaded[version]
        return _loaded.setdefault(version, super().load(version))


class PreparationInProcess:
    """A preparation that is over when it has begun."""

    def __init__(self, version: VersionRef | None, models: ModelCache) -> None:
        self.started_at = 0.0
        self._error: PretError | None = None
        try:
            self._version = version or models.resolve()
            models.prepare(self._version)
        except (ModelError, Unavailable) as error:
            self._error = error
        except OSError:
            self._error = SourceUnavailable("model-cache-not-writable", fault="OSError")

    def outcome(self) -> Outcome:
        return Outcome(self._error, 0.0, None if self._error else self._version)

    def cancel(self) -> None:
        """There is nothing left to end."""


def member_of(kind: Kind, models: ModelCache, fleet: Fleet) -> Member:
    """A process of the fleet that prepares versions by itself."""
    return Member(kind, models, fleet, partial(PreparationInProcess, models=models), loads=kind == "api")


def services_over(settings: Settings, app: Celery, client: redis.Redis) -> Services:
    """The parts as a worker has them, over this client."""
    models = QuickCache.from_settings(settings)
    return create_services(settings, app, client, models, partial(PreparationInProcess, models=models))


Meddle = Callable[[], object]
"""Something else that happens meanwhile."""


class MeddlingCache(QuickCache):
    """A library that is meddled with whenever a model is asked for, so at the beginning of a unit of work."""

    def __init__(self, bench: "Workbench", meddle: Meddle) -> None:
        super().__init__(FolderSource(bench.folder / "source"), bench.folder / "cache")
        self._meddle = meddle

    def load(self, version: str) -> Model:
        self._meddle()
        return super().load(version)


class MeddlingStorage(LocalStorage):
    """A storage that is meddled with once a blob is written, so at the end of a unit of work."""

    def __init__(self, bench: "Workbench", meddle: Meddle) -> None:
        super().__init__(bench.folder / "storage")
        self._meddle = meddle

    @contextmanager
    def write(self, name: str) -> Iterator[pa.NativeFile]:
        with super().write(name) as file:
            yield file
        self._meddle()


class MeddlingStore(JobStore):
    """Tells how many rows are read at every sign of life, and is meddled with then."""

    def __init__(self, bench: "Workbench", meddle: Callable[[int], object]) -> None:
        settings = bench.settings
        super().__init__(
            bench.client, job_ttl=settings.job_ttl, lease=settings.chunk_lease, attempts=settings.chunk_attempts
        )
        self._meddle = meddle

    def renew(self, job_id: str, unit: str, owner: str, rows_read: int | None = None) -> bool:
        goes_on = super().renew(job_id, unit, owner, rows_read)
        self._meddle(rows_read or 0)
        return goes_on


@dataclass(frozen=True)
class Workbench:
    """One machine's parts, and the hands of a client and a worker."""

    folder: Path
    settings: Settings
    app: Celery
    server: fakeredis.FakeServer
    client: redis.Redis
    parts: Services

    @classmethod
    def set_up(cls, folder: Path, server: fakeredis.FakeServer, client: redis.Redis) -> "Workbench":
        settings = settings_in(folder)
        app = create_app(settings)
        bench = cls(folder, settings, app, server, client, services_over(settings, app, client))
        bench.take_messages()
        return bench

    def offer(self, kit: Kit) -> str:
        """Put a model into the source folder, and a verified copy of it into the cache; give its version."""
        return put_in_cache(write_again(kit, self.folder / "source"), self.folder / "cache")

    def activate(self, version: str) -> None:
        """Make a version active, as a reload would."""
        self.client.delete(DEPLOYMENT_KEY)
        source = self.parts.models.source_name
        self.parts.fleet.deploy_first(Deployment(VersionRef(version), None, source, "test", 0.0))

    def model(self) -> Model:
        """Load what the source folder offers."""
        return self.parts.models.load(self.parts.models.resolve().id)

    def submit(self, rows: list[Row], *, chunk_rows: int = CHUNK_ROWS, key: str | None = None, **facts: Any) -> Job:
        """Submit rows for the model in the source folder; with `key` as the submission of that name and these rows."""
        model = self.model()
        body = json.dumps(rows).encode()
        job = Job(uuid4().hex, model.version, model.threshold, time.time(), **facts)
        return self.intake(chunk_rows).submit_rows(
            body,
            lambda options: json_rows.validated_from_json(body, model.contract, options, ignore_extra=True),
            job,
            model,
            key,
            sha256(body).hexdigest(),
        )

    def submit_file(self, content: bytes, *, key: str | None = None, **facts: Any) -> Job:
        """Submit a file, CSV unless `format` says otherwise, for the model in the source folder."""
        model = self.model()
        values: dict[str, Any] = {"format": Format.CSV, "upload_bytes": len(content)} | facts
        job = Job(uuid4().hex, model.version, model.threshold, time.time(), **values)
        if job.input_uri is None:
            with self.parts.storage.write(job.upload_blob) as file:
                file.write(content)
        return self.intake().submit_file(job, key, sha256(content).hexdigest())

    def intake(self, chunk_rows: int = CHUNK_ROWS) -> Intake:
        """Where jobs are taken on."""
        parts = self.parts
        return Intake(parts.store, parts.storage, parts.queue, parts.window, chunk_rows)

    def place(self, **exchanged: Any) -> Workplace:
        """What a unit of work needs, some of it exchanged."""
        return replace(self.parts.workplace, **exchanged)

    def score(self, job_id: str, chunk: int, models: ModelCache | None = None) -> list[str]:
        """Do what the worker's task does; give the units to publish."""
        return self.attempt(job_id, str(chunk), self.place(models=models) if models else self.parts.workplace)

    def attempt(self, job_id: str, chunk: str, at: Workplace) -> list[str]:
        """Score a chunk at some workplace."""
        return attempt(job_id, chunk, score_chunk, at)

    def read(self, job_id: str, at: Workplace | None = None, limits: Limits | None = None) -> Job:
        """Read the file of a job as the worker's task does, and give the job as it is then."""
        self.read_units(job_id, at, limits)
        return self.parts.store.get(job_id)

    def read_units(
        self, job_id: str, at: Workplace | None = None, limits: Limits | None = None, window: int = 10
    ) -> list[str]:
        """Read the file of a job, and give the units to publish then."""
        at = replace(at or self.place(), window=lambda: window)
        return attempt(job_id, READING, read_file, replace(at, limits=limits) if limits else at)

    def write(self, job_id: str, at: Workplace | None = None) -> None:
        """Write the output of a job as the worker's task does."""
        attempt(job_id, WRITING, write_output, at or self.place())

    def results(self, job: Job, *, partial: bool = False) -> Results:
        """Look at what there is of the results."""
        return Results.of(self.parts.store.get(job.id), self.parts.store, self.parts.storage, partial=partial)

    def score_all(self, job: Job) -> Job:
        """Score every chunk and give the job as it is then."""
        for chunk in range(job.chunks or 0):
            self.score(job.id, chunk)
        return self.parts.store.get(job.id)

    def take_messages(self) -> list[dict[str, Any]]:
        """Take all messages off the broker."""
        taken = []
        with self.app.connection_for_read() as connection:
            for queue in QUEUES:
                bound = self.app.amqp.queues[queue].bind(connection.default_channel)
                bound.declare()
                while message := bound.get(no_ack=True):
                    taken.append({"headers": message.headers, "args": message.payload[0], "queue": queue})
        return taken

    def take_units(self) -> list[Unit]:
        """Take all messages off the broker, as the units of work that they name."""
        return [tuple(message["args"]) for message in self.take_messages()]

    def remove_jobs(self) -> None:
        """Make it as if there had never been a job."""
        self.server.connected = True
        self.take_messages()
        for pattern in ("pret:job*", f"{QUEUE_PREFIX}*"):
            for key in self.client.keys(pattern):
                self.client.delete(key)
        shutil.rmtree(self.folder / "storage", ignore_errors=True)

    def let_messages_wait(self) -> None:
        """Move what was published to the lists where it would wait on a Redis broker."""
        for message in self.take_messages():
            self.client.lpush(f"{QUEUE_PREFIX}{message['queue']}", json.dumps(message))

    def stored_files(self) -> list[str]:
        """Name all blobs, whole or not."""
        root = self.folder / "storage"
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
