"""All parts of the job side, real ones: a Redis in memory, Celery's own broker in memory, storage and models in a folder."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fakeredis
import redis
from celery import Celery

from shared.errors import ModelError, PretError, SourceUnavailable, Unavailable
from shared.formats.json_rows import batches_from_json
from shared.jobs import run
from shared.jobs.ingest import submit
from shared.jobs.job import Job
from shared.jobs.queue import CHUNK_QUEUE, QUEUE_PREFIX, Chunk, ChunkQueue, create_app
from shared.jobs.store import JobStore
from shared.models import artifact
from shared.models.artifact import Model
from shared.models.fleet import ACTIVE_KEY, ActiveVersion, Fleet, Kind
from shared.models.library import MARK, ModelLibrary
from shared.models.member import Member
from shared.models.preparation import Outcome
from shared.settings import Settings
from shared.storage import Storage
from tests.factories import Kit, Row
from worker.parts import Parts

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
    return Settings(_env_file=None, **(values | changes))


def put_in_cache(source: Path, cache: Path) -> str:
    """Make the verified copy of an artifact that a preparation would make, without its processes; give the version."""
    version = artifact.folder_version(source)
    shutil.copytree(source, cache / version, dirs_exist_ok=True)
    (cache / version / MARK).write_text(artifact.digest(source))
    return version


class PreparationInProcess:
    """A preparation that is over when it has begun."""

    def __init__(self, version: str, library: ModelLibrary) -> None:
        self.version = version
        self.started_at = 0.0
        self._error: PretError | None = None
        try:
            library.prepare(version)
        except (ModelError, Unavailable) as error:
            self._error = error
        except OSError:
            self._error = SourceUnavailable("The model cache cannot be written.")

    def outcome(self) -> Outcome:
        return Outcome(self._error, 0.0)

    def cancel(self) -> None:
        """There is nothing left to end."""


def member_of(kind: Kind, library: ModelLibrary, fleet: Fleet) -> Member:
    """A process of the fleet that prepares versions by itself."""
    return Member(kind, library, fleet, lambda version: PreparationInProcess(version, library), loads=kind == "api")


def parts_over(settings: Settings, app: Celery, client: redis.Redis) -> Parts:
    """The parts as a worker has them, over this client."""
    library = ModelLibrary.from_settings(settings)
    fleet = Fleet(client)
    return Parts(
        store=JobStore(client, job_ttl=settings.job_ttl, lease=settings.chunk_lease, attempts=settings.chunk_attempts),
        storage=Storage(settings.storage_url),
        library=library,
        queue=ChunkQueue(app, client),
        fleet=fleet,
        member=member_of("worker", library, fleet),
    )


@dataclass(frozen=True)
class Workbench:
    """One machine's parts, and the hands of a client and a worker."""

    folder: Path
    settings: Settings
    app: Celery
    server: fakeredis.FakeServer
    client: redis.Redis
    parts: Parts

    @classmethod
    def set_up(cls, folder: Path, server: fakeredis.FakeServer, client: redis.Redis) -> "Workbench":
        settings = settings_in(folder)
        app = create_app(settings)
        bench = cls(folder, settings, app, server, client, parts_over(settings, app, client))
        bench.take_messages()
        return bench

    def offer(self, kit: Kit) -> str:
        """Put a model into the source folder, and a verified copy of it into the cache; give its version."""
        return put_in_cache(kit.write(self.folder / "source"), self.folder / "cache")

    def activate(self, version: str) -> None:
        """Make a version active, as a reload would."""
        self.client.delete(ACTIVE_KEY)
        self.parts.fleet.activate_first(ActiveVersion(version, None, "test", 0.0))

    def model(self) -> Model:
        """Load what the source folder offers."""
        return self.parts.library.load(self.parts.library.resolve())

    def submit(self, rows: list[Row], *, chunk_rows: int = CHUNK_ROWS) -> Job:
        """Submit rows for the model in the source folder."""
        model = self.model()
        return submit(
            batches_from_json(json.dumps(rows).encode(), model.contract),
            model,
            chunk_rows=chunk_rows,
            storage=self.parts.storage,
            store=self.parts.store,
            queue=self.parts.queue,
        )

    def score(self, job_id: str, chunk: int, library: ModelLibrary | None = None) -> None:
        """Do what the worker's task does."""
        library = library or self.parts.library
        run.score_chunk(job_id, chunk, store=self.parts.store, storage=self.parts.storage, library=library)

    def score_all(self, job: Job) -> Job:
        """Score every chunk and give the job as it is then."""
        for chunk in range(job.chunks):
            self.score(job.id, chunk)
        return self.parts.store.get(job.id)

    def take_messages(self) -> list[dict[str, Any]]:
        """Take all messages off the broker."""
        taken = []
        with self.app.connection_for_read() as connection:
            queue = self.app.amqp.queues[CHUNK_QUEUE].bind(connection.default_channel)
            queue.declare()
            while message := queue.get(no_ack=True):
                taken.append({"headers": message.headers, "args": message.payload[0]})
        return taken

    def take_chunks(self) -> list[Chunk]:
        """Take all messages off the broker, as the chunks that they name."""
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
        """Move what was published to the list where it would wait on a Redis broker."""
        for message in self.take_messages():
            self.client.lpush(f"{QUEUE_PREFIX}{CHUNK_QUEUE}", json.dumps(message))

    def stored_files(self) -> list[str]:
        """Name all blobs, whole or not."""
        root = self.folder / "storage"
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
