"""Run one reload: `python -m worker.reload [REVISION]`, started by the control command."""

import logging
import sys

from shared import logging as service_logging
from shared import metrics_files, tracing
from shared.errors import PretError
from shared.fleet.records import Fleet
from shared.fleet.reload import Coordinator
from shared.redis import connect
from shared.settings import Settings

logger = logging.getLogger(__name__)

BY = "celery control"


def main(revision: str | None) -> int:
    """Reload, and log the outcome."""
    settings = Settings()
    service_logging.set_up(settings.log_level, settings.log_format)
    # It counts with the worker that started it.
    metrics_files.begin()
    tracing.set_up("pret-worker")
    coordinator = Coordinator.from_settings(settings, Fleet(connect(settings.redis_url, patient=True)))
    try:
        outcome = coordinator.reload(revision, BY)
    except PretError as error:
        logger.error("The model was not reloaded: %s", error)
        return 1
    finally:
        tracing.shut_down()
    logger.info("Reload to model version %s: %s", outcome.version, outcome.status)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
