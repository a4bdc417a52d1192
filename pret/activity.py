"""The last hour of the service."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ActivityPoint:
    """What happened since the point before it."""

    at: datetime
    requests_per_second: float
    p99_seconds: float | None = None
    """Of single scores; None if there were none."""
    waiting: int | None = None
    """Tasks in all queues; None while Redis is down."""
    refused_share: float | None = None
    """Of the applicants that the API scored itself, from 0 to 1; None if there were none."""


@dataclass(frozen=True)
class Activity:
    """The last hour of the service, a point every so many seconds, the oldest first."""

    seconds: float
    points: tuple[ActivityPoint, ...] = ()
