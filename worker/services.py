"""The objects that the processes of a worker use, created once per process from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import redis
from celery import Celery

from shared.fleet.member import Member
from shared.fleet.preparation import PreparationProcess, Prepare
from shared.fleet.records import Fleet
from shared.jobs.queue import TaskQueue
from shared.jobs.store import JobStore
from shared.jobs.unit import Limits, Workplace
from shared.jobs.window import Window
from shared.metrics import Metrics
from shared.models.cache import ModelCache
from shared.settings import Settings
from shared.storage import Storage, create_storage

WORKER = uuid4().hex[:12]
"""Name of this worker in the leases of its children, which inherit it: so their parent can release what they hold."""


@dataclass(frozen=True)
class Services:
    """The services of one worker process: the parent, which forks, or a child, which does the work."""

    settings: Settings
    store: JobStore
    storage: Storage
    models: ModelCache
    queue: TaskQueue
    fleet: Fleet
    member: Member
    window: Window
    limits: Limits
    metrics: Metrics
    stopping: Callable[[], bool]

    @property
    def workplace(self) -> Workplace:
        """Return the dependencies of a unit of work."""
        own = (self.store, self.storage, self.models, self.window, self.limits, self.metrics, self.stopping)
        return Workplace(WORKER, *own)


def create_services(
    settings: Settings,
    app: Celery,
    client: redis.Redis,
    models: ModelCache | None = None,
    prepare: Prepare | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Services:
    """Create the services; nothing is loaded or forked yet. Versions are prepared in a separate process, or by `prepare`."""
    fleet = Fleet(client)
    models = models or ModelCache.from_settings(settings, fleet.origin_of)
    prepare = prepare or partial(PreparationProcess, models=models, settings=settings)

    return Services(
        settings=settings,
        store=JobStore.from_settings(client, settings),
        storage=create_storage(settings.storage_url),
        models=models,
        queue=TaskQueue(app, client),
        fleet=fleet,
        # The parent forks and must not load a model; its children load the version that each job is pinned to.
        member=Member("worker", models, fleet, prepare, loads=False),
        window=Window(fleet),
        limits=Limits.from_settings(settings),
        metrics=Metrics(),
        stopping=stopping,
    )
