"""The objects that the routes work with, made once a process."""

from dataclasses import dataclass
from functools import partial

from anyio import CapacityLimiter

from api.microbatch import MicroBatcher
from shared.jobs.queue import ChunkQueue, create_app
from shared.jobs.store import JobStore
from shared.models.fleet import Fleet
from shared.models.library import ModelLibrary
from shared.models.member import Member
from shared.models.preparation import PreparationProcess
from shared.models.reload import Coordinator
from shared.redis import connect
from shared.settings import Settings
from shared.storage import Storage

INGESTS_AT_ONCE = 2
"""JSON batches that one process parses at the same time; more would hold their bodies in memory without being faster."""


@dataclass(frozen=True)
class Services:
    """The parts of one API process."""

    settings: Settings
    member: Member
    fleet: Fleet
    coordinator: Coordinator
    store: JobStore
    storage: Storage
    queue: ChunkQueue
    batcher: MicroBatcher
    ingest_limiter: CapacityLimiter


def create_services(settings: Settings) -> Services:
    """Make the parts; nothing is connected or loaded yet."""
    client = connect(settings.redis_url)
    fleet = Fleet(client)
    library = ModelLibrary.from_settings(settings)

    return Services(
        settings=settings,
        member=Member("api", library, fleet, partial(PreparationProcess, settings=settings), loads=True),
        fleet=fleet,
        coordinator=Coordinator(fleet, library.resolve, settings.reload_timeout),
        store=JobStore(client, job_ttl=settings.job_ttl, lease=settings.chunk_lease, attempts=settings.chunk_attempts),
        storage=Storage(settings.storage_url),
        queue=ChunkQueue(create_app(settings), client),
        batcher=MicroBatcher(),
        ingest_limiter=CapacityLimiter(INGESTS_AT_ONCE),
    )
