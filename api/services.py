"""The objects that the routes work with, made once a process."""

from dataclasses import dataclass

from anyio import CapacityLimiter

from api.microbatch import MicroBatcher
from shared.jobs.queue import ChunkQueue, create_app
from shared.jobs.store import JobStore
from shared.models.fleet import ActiveModel, Fleet
from shared.models.sources import ModelLibrary
from shared.redis import connect
from shared.settings import Settings
from shared.storage import Storage

INGESTS_AT_ONCE = 2
"""JSON batches that one process parses at the same time; more would hold their bodies in memory without being faster."""


@dataclass(frozen=True)
class Services:
    """The parts of one API process."""

    settings: Settings
    active: ActiveModel
    fleet: Fleet
    store: JobStore
    storage: Storage
    queue: ChunkQueue
    batcher: MicroBatcher
    ingest_limiter: CapacityLimiter


def create_services(settings: Settings) -> Services:
    """Make the parts; nothing is connected or loaded yet."""
    client = connect(settings.redis_url)
    fleet = Fleet(client)
    return Services(
        settings=settings,
        active=ActiveModel(ModelLibrary(settings.model_dir, settings.model_cache_dir), fleet),
        fleet=fleet,
        store=JobStore(client, job_ttl=settings.job_ttl, lease=settings.chunk_lease, attempts=settings.chunk_attempts),
        storage=Storage(settings.storage_url),
        queue=ChunkQueue(create_app(settings), client),
        batcher=MicroBatcher(),
        ingest_limiter=CapacityLimiter(INGESTS_AT_ONCE),
    )
