"""The Celery app for Flower: the queue and nothing that scores, so that watching needs no CatBoost."""

from shared.jobs.queue import create_app
from shared.settings import Settings

app = create_app(Settings())
