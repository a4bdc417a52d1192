"""The parts that tasks and reconciler work with, made once a process from the settings."""

from dataclasses import dataclass

from celery import Celery

from shared.jobs.queue import ChunkQueue
from shared.jobs.store import JobStore
from shared.models.fleet import Fleet
from shared.models.sources import ModelLibrary
from shared.redis import connect
from shared.settings import Settings
from shared.storage import Storage


@dataclass(frozen=True)
class Parts:
    """What one worker process needs."""

    store: JobStore
    storage: Storage
    library: ModelLibrary
    queue: ChunkQueue
    fleet: Fleet


def create_parts(settings: Settings, app: Celery, *, patient: bool) -> Parts:
    """Make the parts; `patient` for a child that scores (it can wait for Redis), not for the parent (it must stay responsive)."""
    client = connect(settings.redis_url, patient=patient)
    return Parts(
        store=JobStore(client, job_ttl=settings.job_ttl, lease=settings.chunk_lease, attempts=settings.chunk_attempts),
        storage=Storage(settings.storage_url),
        library=ModelLibrary(settings.model_dir, settings.model_cache_dir),
        queue=ChunkQueue(app, client),
        fleet=Fleet(client),
    )
