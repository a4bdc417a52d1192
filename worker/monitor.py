"""The Celery app for Flower: the queue and nothing that scores, so that watching needs no CatBoost."""

import os

from shared.jobs.queue import create_app
from shared.settings import settings_or_exit

# Flower reads it after this module. Its own choice leaves out what says which chunk of which job a task is, and the queue.
os.environ.setdefault("FLOWER_TASKS_COLUMNS", "name,args,state,routing_key,received,runtime,worker,uuid")

app = create_app(settings_or_exit())
