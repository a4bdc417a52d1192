"""One log format for every process: time, level, logger, the request that it is about, message."""

import logging
from contextvars import ContextVar

FORMAT = "%(asctime)s %(levelname)-7s %(name)s:%(request)s %(message)s"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this task or thread works for; empty where there is none."""


def set_up(level: str) -> None:
    """Send the logs of this process to standard error, from `level` up."""
    logging.basicConfig(format=FORMAT, level=level.upper(), force=True)
    for handler in logging.root.handlers:
        handler.addFilter(_name_request)


def _name_request(record: logging.LogRecord) -> bool:
    named = request_id.get()
    record.request = f" [{named}]" if named else ""
    return True
