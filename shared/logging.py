"""The logs of every process: time, level, logger, the request and the unit of work that a line is about, message.

As text or as JSON, one object a line, on standard error.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

FORMAT = "%(asctime)s %(levelname)-7s %(name)s:%(about)s %(message)s"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this task or thread works for; empty where there is none."""

_work: ContextVar[tuple[str, str]] = ContextVar("work", default=("", ""))


@contextmanager
def about(job: str, unit: str = "", request: str = "") -> Iterator[None]:
    """Have the lines of the block name a job, one of its units, and the request that they come from."""
    work, origin = _work.set((job, unit)), request_id.set(request or request_id.get())
    try:
        yield
    finally:
        request_id.reset(origin)
        _work.reset(work)


def set_up(level: str, form: str = "text") -> None:
    """Send the logs of this process to standard error, from `level` up, as `text` or `json`."""
    logging.basicConfig(format=FORMAT, level=level.upper(), force=True)
    for handler in logging.root.handlers:
        handler.addFilter(_name_what_it_is_about)
        if form == "json":
            handler.setFormatter(_Json())


def _name_what_it_is_about(record: logging.LogRecord) -> bool:
    record.request = request_id.get()
    job, unit = getattr(record, "work", None) or _work.get()
    record.job, record.unit = job, unit
    names = (request_id.get(), ".".join(filter(None, (job, unit))))
    record.about = "".join(f" [{name}]" for name in names if name)
    return True


class _Json(logging.Formatter):
    """One object a line; what a line has in `fields` comes along."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name in ("request", "job", "unit") if (value := getattr(record, name, ""))},
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts, default=str)
