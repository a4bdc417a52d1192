"""The objects that the routes use, created once per process."""

from dataclasses import dataclass
from functools import partial

import redis
from anyio import CapacityLimiter
from prometheus_client.registry import Collector

from api.access.audit import Audit
from api.access.quotas import Quotas
from api.activity import Activity
from api.closing import Closing
from api.following import Following
from api.gauges import Gauges
from api.immediate import ImmediateBatches
from api.intake.admission import Admission
from api.microbatch import MicroBatcher
from api.rows import RowReader
from api.traffic import Traffic
from shared.audit import AuditLog
from shared.fleet.member import Member
from shared.fleet.preparation import PreparationProcess
from shared.fleet.records import Fleet
from shared.fleet.reload import Coordinator
from shared.jobs.queue import TaskQueue, create_app
from shared.jobs.store import JobStore
from shared.jobs.submit import Intake
from shared.jobs.totals import Totals
from shared.jobs.window import Window
from shared.metrics import Metrics
from shared.metrics_files import Together
from shared.models.cache import ModelCache
from shared.settings import Settings
from shared.storage import Storage, create_storage
from shared.usage import Usage

INGESTS_AT_ONCE = 2
"""JSON batches that one process parses concurrently; more would hold their bodies in memory without being faster."""

EXPLANATIONS_AT_ONCE = 2
"""Scores that one process explains concurrently, and what-ifs; more would only delay single scores."""


@dataclass(frozen=True)
class Services:
    """The services of one API process."""

    settings: Settings
    member: Member
    fleet: Fleet
    coordinator: Coordinator
    store: JobStore
    storage: Storage
    queue: TaskQueue
    intake: Intake
    admission: Admission
    batcher: MicroBatcher
    immediate: ImmediateBatches
    ingest_limiter: CapacityLimiter
    explaining_limiter: CapacityLimiter
    making_limiter: CapacityLimiter
    """Result files that are written concurrently, for downloads that are resumed."""
    rows: RowReader
    looking_limiter: CapacityLimiter
    """Searches for rows that are under way concurrently, each through all results of a job."""
    closing: Closing
    following: Following
    quotas: Quotas
    audit: Audit
    metrics: Metrics
    traffic: Traffic
    collectors: tuple[Collector, ...]
    """What gives the metrics: of this process and those beside it, and of the service as a whole."""
    activity: Activity


def create_services(settings: Settings, client: redis.Redis) -> Services:
    """Create the services; nothing is connected or loaded yet."""
    fleet = Fleet(client)
    models = ModelCache.from_settings(settings, fleet.origin_of)
    store = JobStore.from_settings(client, settings)
    storage = create_storage(settings.storage_url)
    queue = TaskQueue(create_app(settings), client)
    closing = Closing()
    metrics = Metrics()
    traffic = Traffic(metrics)
    together = Together(metrics.registry)

    return Services(
        settings=settings,
        member=Member("api", models, fleet, partial(PreparationProcess, models=models, settings=settings), loads=True),
        fleet=fleet,
        coordinator=Coordinator(fleet, models, settings.reload_timeout, metrics, ends=lambda: closing),
        store=store,
        storage=storage,
        queue=queue,
        intake=Intake(store, storage, queue, Window(fleet), settings.chunk_rows),
        admission=Admission(settings, store, storage),
        batcher=MicroBatcher(traffic),
        immediate=ImmediateBatches(settings.sync_rows, metrics),
        ingest_limiter=CapacityLimiter(INGESTS_AT_ONCE),
        explaining_limiter=CapacityLimiter(EXPLANATIONS_AT_ONCE),
        making_limiter=CapacityLimiter(1),
        rows=RowReader(queue, storage),
        looking_limiter=CapacityLimiter(1),
        closing=closing,
        following=Following(store, closing, settings.max_event_streams, metrics.streams),
        quotas=Quotas(Usage(client)),
        audit=Audit(AuditLog(client)),
        metrics=metrics,
        traffic=traffic,
        collectors=(
            together,
            Gauges(storage, settings.min_free_bytes, queue, store, Totals(client), fleet),
        ),
        activity=Activity(together, traffic, queue),
    )
