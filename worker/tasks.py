"""The tasks: ids in, a plain function of `shared` called."""

from contextlib import suppress
from functools import lru_cache
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals

from shared.errors import UnknownJob
from shared.jobs import expiry, notify, output, queue, reading, run
from shared.settings import Settings
from worker.parts import Parts, create_parts

UNIT_ARGUMENTS = 2
"""A task with a job and a unit of its work is recorded, and so may be handed back."""

FILE_TIME_LIMIT = 24 * 3600.0
"""Seconds for a task that takes as long as a file is large; it shows signs of life while it works, in the job record."""


def register(celery: Celery, settings: Settings) -> None:
    """Add the tasks to the app."""

    # Made in the process that works, at its first task: connections and models must not be shared across a fork.
    @lru_cache(maxsize=1)
    def parts() -> Parts:
        return create_parts(settings, celery, patient=True)

    def publish(job_id: str, units: list[str]) -> None:
        if units:
            parts().queue.publish(parts().store.get(job_id), units)

    @celery.task(name=queue.SCORE_CHUNK, shared=False)  # type: ignore[untyped-decorator]
    def score_chunk(job_id: str, chunk: str) -> None:
        """Score one chunk of a job."""
        publish(job_id, run.score_chunk(job_id, chunk, parts().window(), parts().workplace))

    @celery.task(name=queue.READ_FILE, shared=False, time_limit=FILE_TIME_LIMIT)  # type: ignore[untyped-decorator]
    def read_file(job_id: str, _unit: str) -> None:
        """Turn the file of a job into chunks."""
        publish(job_id, reading.read_file(job_id, parts().window(), parts().workplace, parts().limits))

    @celery.task(name=queue.WRITE_OUTPUT, shared=False, time_limit=FILE_TIME_LIMIT)  # type: ignore[untyped-decorator]
    def write_output(job_id: str, _unit: str) -> None:
        """Write the results of a job to where its submission asked for them."""
        output.write_output(job_id, parts().workplace)

    @celery.task(name=queue.SEND_CALLBACK, shared=False)  # type: ignore[untyped-decorator]
    def send_callback(job_id: str) -> None:
        """Tell the caller of a job that it has ended."""
        secret = settings.callback_secret
        hosts = settings.listed(settings.callback_hosts)
        notify.tell_caller(job_id, hosts, secret.get_secret_value() if secret else None, parts().store)

    @celery.task(name=queue.REMOVE_EXPIRED, shared=False)  # type: ignore[untyped-decorator]
    def remove_expired() -> None:
        """Remove jobs past their time to live, and folders that belong to no job."""
        expiry.remove_expired(parts().store, parts().storage)

    _hand_back_lost_units(celery, settings)


def _hand_back_lost_units(celery: Celery, settings: Settings) -> None:
    @signals.task_failure.connect(weak=False)  # type: ignore[untyped-decorator]
    def hand_back(exception: BaseException, args: tuple[Any, ...], **_: Any) -> None:
        """Publish the unit of a child that died or took too long again at once; runs in the parent."""
        if isinstance(exception, WorkerLostError | TimeLimitExceeded) and len(args) == UNIT_ARGUMENTS:
            job_id, unit = args
            parts = create_parts(settings, celery, patient=False)
            parts.store.release(job_id, unit, "Its worker process died or took too long.")
            with suppress(UnknownJob):
                parts.queue.publish(parts.store.get(job_id), [unit])
