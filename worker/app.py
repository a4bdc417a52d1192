"""The worker's Celery app: `celery -A worker.app worker`."""

from functools import lru_cache

from celery import Celery, signals

from shared import metrics_files, tracing
from shared.errors import RedisDenied, RedisUnavailable
from shared.jobs import queue
from shared.memory import set_up_malloc
from shared.redis import connect, ping
from shared.settings import Settings, settings_or_exit
from worker import control as control  # registers the control commands on import
from worker import logs, transport
from worker.exporter import Exporter
from worker.services import Services, create_services
from worker.steps import add_steps
from worker.stopping import Stopping
from worker.tasks import register


def create_celery(settings: Settings) -> Celery:
    """Create the app with its tasks, its control commands and the steps of its parent process."""
    set_up_malloc()
    transport.use()
    celery = queue.create_app(settings)
    celery.conf.worker_consumer = "worker.consumer:Consumer"
    celery.conf.worker_pool = "worker.pool:TaskPool"

    stopping = Stopping()

    # Created in the process that uses them, on first use: connections and models must not be shared across a fork.
    @lru_cache(maxsize=1)
    def of_child() -> Services:
        # A worker scores, and can wait for Redis.
        client = connect(settings.redis_url, patient=True)
        return create_services(settings, celery, client, stopping=stopping.__bool__)

    @lru_cache(maxsize=1)
    def of_parent() -> Services:
        return create_services(settings, celery, connect(settings.redis_url))

    register(celery, of_child, of_parent)
    add_steps(celery, of_parent)
    signals.worker_init.connect(lambda **_: _end_if_denied(settings), weak=False)
    _observe(settings)
    signals.worker_shutting_down.connect(lambda **_: stopping.ask(), weak=False)
    signals.setup_logging.connect(lambda **_: logs.set_up(settings.log_level, settings.log_format), weak=False)
    return celery


def _observe(settings: Settings) -> None:
    """Have the parent and its children count together, the parent tell the metrics of all, and the children trace."""
    exporter = Exporter()

    def begin(**_: object) -> None:
        metrics_files.share()
        metrics_files.begin()
        exporter.start(settings)

    def begin_in_child(**_: object) -> None:
        exporter.leave()
        metrics_files.begin()
        tracing.set_up("pret-worker")

    signals.worker_init.connect(begin, weak=False)
    signals.worker_process_init.connect(begin_in_child, weak=False)
    signals.worker_process_shutdown.connect(lambda **_: tracing.shut_down(), weak=False)


def _end_if_denied(settings: Settings) -> None:
    """Say so where Redis does not accept the login; Celery would try again for ever, as it does while Redis is away."""
    try:
        ping(settings.redis_url)
    except RedisDenied as error:
        raise SystemExit(str(error)) from None
    except RedisUnavailable:
        return


app = create_celery(settings_or_exit())
