"""The worker's Celery app: `celery -A worker.app worker`."""

from celery import Celery, signals

from shared import logging as service_logging
from shared.jobs import queue
from shared.memory import use_few_arenas
from shared.settings import Settings
from worker import control as control  # its commands register themselves
from worker.reconciler import ReconcilerStep
from worker.tasks import register


def create_celery(settings: Settings) -> Celery:
    """Make the app with its task, its control commands and its reconciler."""
    use_few_arenas()
    celery = queue.create_app(settings)
    register(celery, settings)
    ReconcilerStep.settings = settings
    celery.steps["consumer"].add(ReconcilerStep)
    signals.setup_logging.connect(lambda **_: service_logging.set_up(settings.log_level), weak=False)
    return celery


app = create_celery(Settings())
