"""Traces: what a request, its messages and its units of work did when.

Off unless OpenTelemetry's environment variables say who collects them, and then OpenTelemetry is not even imported.
"""

import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Literal, Protocol

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TRACEPARENT = "traceparent"
"""The header of W3C Trace Context, in requests and in messages."""

Kind = Literal["internal", "server", "producer", "consumer"]
Value = str | int | float | bool


class Span(Protocol):
    """Something that takes time."""

    def name(self, name: str) -> None:
        """Give it another name."""

    def note(self, **facts: Value) -> None:
        """Add facts, with `_` for each dot in their names, and `__` for what is `_` there."""

    def fail(self, reason: str) -> None:
        """Mark it as failed."""


class Tracer(Protocol):
    """What makes spans."""

    def span(
        self, name: str, kind: Kind, parent: str | None, facts: Mapping[str, Value]
    ) -> AbstractContextManager[Span]:
        """Begin a span within the one that is under way, or within a parent of another process; it ends with the block."""

    def past(self, name: str, began: int, ended: int, facts: Mapping[str, Value]) -> None:
        """Add a span that is over, within the one that is under way; times in nanoseconds since the epoch."""

    def traceparent(self) -> str | None:
        """Return what tells another process which span is under way."""

    def shut_down(self) -> None:
        """Send what waits, but not for long."""


class _NoSpan:
    """Stands for every span while there are no traces."""

    def name(self, name: str) -> None: ...

    def note(self, **facts: Value) -> None: ...

    def fail(self, reason: str) -> None: ...


_NONE = nullcontext[Span](_NoSpan())
_tracer: Tracer | None = None


def set_up(service: str) -> None:
    """Begin to trace in this process if it is asked for; after a fork, a child does so again."""
    if not _is_wanted():
        return
    if find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        logger.warning("There are no traces: the extra `traces` is not installed")
        return
    use(import_module("shared.opentelemetry").create(service))


def use(tracer: Tracer | None) -> None:
    """Trace with this from now on; with None, not at all."""
    global _tracer
    _tracer = tracer


def is_on() -> bool:
    """Whether there are traces."""
    return _tracer is not None


def span(name: str, kind: Kind = "internal", parent: str | None = None, **facts: Value) -> AbstractContextManager[Span]:
    """Return a span that takes as long as the block; `parent` is the `traceparent` of another process."""
    return _NONE if _tracer is None else _tracer.span(name, kind, parent, facts)


def past(name: str, began: int, ended: int, **facts: Value) -> None:
    """Add a span that is over to the one that is under way; times in nanoseconds since the epoch."""
    if _tracer is not None:
        _tracer.past(name, began, ended, facts)


def traceparent() -> str | None:
    """Return what tells another process which span is under way; None without one."""
    return None if _tracer is None else _tracer.traceparent()


def shut_down() -> None:
    """Send what waits, for some seconds at most."""
    if _tracer is not None:
        _tracer.shut_down()


def _is_wanted() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    is_told_where = any(os.environ.get(name) for name in ENDPOINTS)
    return is_told_where and os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
