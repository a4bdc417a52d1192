"""The parts that tasks, control commands and reconciler work with, made once a process from the settings."""

from dataclasses import dataclass
from functools import partial

from celery import Celery

from shared.jobs.queue import TaskQueue
from shared.jobs.run import Limits, Workplace
from shared.jobs.store import JobStore
from shared.jobs.window import Window
from shared.models.fleet import Fleet
from shared.models.library import ModelLibrary
from shared.models.member import Member
from shared.models.preparation import PreparationProcess
from shared.redis import connect
from shared.settings import Settings
from shared.storage import Storage, create_storage


@dataclass(frozen=True)
class Parts:
    """What one worker process needs."""

    store: JobStore
    storage: Storage
    library: ModelLibrary
    queue: TaskQueue
    fleet: Fleet
    member: Member
    window: Window
    limits: Limits

    @property
    def workplace(self) -> Workplace:
        """What a unit of work needs."""
        return Workplace(self.store, self.storage, self.library)


def create_parts(settings: Settings, app: Celery, *, patient: bool) -> Parts:
    """Make the parts; `patient` for a child, which scores and can wait for Redis, not for the parent, which must not."""
    client = connect(settings.redis_url, patient=patient)
    fleet = Fleet(client)
    library = ModelLibrary.from_settings(settings)

    return Parts(
        store=JobStore(client, job_ttl=settings.job_ttl, lease=settings.chunk_lease, attempts=settings.chunk_attempts),
        storage=create_storage(settings.storage_url),
        library=library,
        queue=TaskQueue(app, client),
        fleet=fleet,
        # The parent forks and must not load a model; its children load what each job is pinned to.
        member=Member("worker", library, fleet, partial(PreparationProcess, settings=settings), loads=False),
        window=Window(fleet),
        limits=limits_of(settings),
    )


def limits_of(settings: Settings) -> Limits:
    """Read how much one file may become."""
    return Limits(settings.max_file_bytes, settings.max_queued_rows, settings.min_free_bytes, settings.chunk_rows)
