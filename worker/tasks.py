"""The tasks: ids in, a plain function of `shared` called."""

from functools import lru_cache
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals

from shared.jobs import run
from shared.jobs.queue import SCORE_CHUNK
from shared.settings import Settings
from worker.parts import Parts, create_parts


def register(celery: Celery, settings: Settings) -> None:
    """Add the tasks to the app."""

    # Made in the process that scores, at its first chunk: connections and models must not be shared across a fork.
    @lru_cache(maxsize=1)
    def parts() -> Parts:
        return create_parts(settings, celery, patient=True)

    @celery.task(name=SCORE_CHUNK, shared=False)  # type: ignore[untyped-decorator]
    def score_chunk(job_id: str, chunk: int) -> None:
        """Score one chunk of a job."""
        run.score_chunk(job_id, chunk, store=parts().store, storage=parts().storage, library=parts().library)

    @signals.task_failure.connect(sender=score_chunk, weak=False)  # type: ignore[untyped-decorator]
    def hand_back(exception: BaseException, args: tuple[str, int], **_: Any) -> None:
        """Publish the chunk of a child that died or took too long again at once; runs in the parent."""
        job_id, chunk = args
        if isinstance(exception, WorkerLostError | TimeLimitExceeded):
            supervisor = create_parts(settings, celery, patient=False)
            supervisor.store.release(job_id, chunk, "Its worker process died or took too long.")
            supervisor.queue.publish([(job_id, chunk)])
