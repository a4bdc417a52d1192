"""The Celery app for Flower: the queue without any scoring, so that monitoring does not need CatBoost."""

import os
from importlib import import_module
from importlib.util import find_spec

from shared.jobs.queue import create_app
from shared.settings import settings_or_exit

# Flower reads this after the module. Its default columns omit the task's job and chunk, and the queue.
os.environ.setdefault("FLOWER_TASKS_COLUMNS", "name,args,state,routing_key,received,runtime,worker,uuid")

if find_spec("flower"):
    # Workers load this module to be asked how they are; their images have no Flower.
    import_module("worker.monitor_guard").install()

app = create_app(settings_or_exit())
