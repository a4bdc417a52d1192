"""Which model version is active, and which process serves what: records in Redis that every process shares.

The record of the active version is the only truth. An `ActiveModel` follows it: each API process keeps one and calls
`follow` every few seconds, so a process that missed a reload catches up.
"""

import json
import logging
import os
import socket
import time
from dataclasses import asdict, dataclass
from typing import Literal

import redis

from shared.errors import ModelError, NoModel, RedisUnavailable
from shared.models.artifact import Model
from shared.models.sources import ModelLibrary
from shared.redis import KEY_PREFIX, translated_errors

logger = logging.getLogger(__name__)

ACTIVE_KEY = f"{KEY_PREFIX}model:active"
PROCESS_KEY = f"{KEY_PREFIX}process:"

FOLLOW_INTERVAL = 2.0
"""Seconds between two looks at the active version, and between two reports of a process."""

REPORT_TTL = 10
"""Seconds after which a process that stopped reporting is no longer counted as alive."""

Kind = Literal["api", "worker"]


@dataclass(frozen=True)
class ProcessReport:
    """What one live process says of itself; `version` is None for a worker, which loads what each job is pinned to."""

    kind: Kind
    host: str
    pid: int
    version: str | None
    since: float


class Fleet:
    """The shared records. Every method raises RedisUnavailable while Redis is away."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def active_version(self) -> str | None:
        """Give the active version, or None before the first process has started."""
        with translated_errors():
            version: str | None = self._redis.get(ACTIVE_KEY)  # type: ignore[assignment]
            return version

    def activate(self, version: str, *, only_if_none: bool = False) -> None:
        """Make `version` the one that new requests and new jobs use."""
        with translated_errors():
            self._redis.set(ACTIVE_KEY, version, nx=only_if_none)

    def report(self, kind: Kind, version: str | None, since: float) -> None:
        """Say that this process is alive, and what it serves since when (seconds since the epoch)."""
        report = ProcessReport(kind, socket.gethostname(), os.getpid(), version, since)
        with translated_errors():
            self._redis.set(
                f"{PROCESS_KEY}{kind}:{report.host}:{report.pid}", json.dumps(asdict(report)), ex=REPORT_TTL
            )

    def processes(self) -> list[ProcessReport]:
        """List the live processes, API first."""
        with translated_errors():
            keys = sorted(self._redis.scan_iter(f"{PROCESS_KEY}*", count=1000))
            reports = self._redis.mget(keys) if keys else []
        return [ProcessReport(**json.loads(report)) for report in reports if report]


class ActiveModel:
    """The model that this process serves, following the fleet's active version."""

    def __init__(self, library: ModelLibrary, fleet: Fleet) -> None:
        self._library = library
        self._fleet = fleet
        self._model: Model | None = None
        self._since = 0.0
        self.error: str | None = None
        """Why there is no model, or why the active version could not be taken; None while all is well."""

    @property
    def model(self) -> Model:
        """The loaded model; raises NoModel while there is none."""
        if self._model is None:
            raise NoModel(f"No model is loaded. {self.error}" if self.error else None)
        return self._model

    def follow(self) -> None:
        """Take the active version if this process does not serve it yet, then report. Never raises: serving goes on."""
        try:
            active = self._fleet.active_version()
        except RedisUnavailable:
            # Without Redis a process that has no model yet serves what its machine offers; a running one goes on.
            if self._model is None:
                self._take(None)
            return
        self._take(active)
        self._announce(active)

    def reload(self) -> tuple[str | None, str]:
        """Make what the source holds now the active version of the whole fleet; returns the version before and after.

        Raises ModelError with the model left as it was, or RedisUnavailable.
        """
        before = self._fleet.active_version()
        model = self._library.take_current()
        self._fleet.activate(model.version)
        self._serve(model)
        self._announce(model.version)
        return before, model.version

    def _take(self, version: str | None) -> None:
        if self._model is not None and version in (None, self._model.version):
            return
        try:
            self._serve(self._library.load(version) if version else self._library.take_current())
        except ModelError as error:
            if self.error != str(error):
                logger.error("The model cannot be taken: %s", error)
            self.error = str(error)

    def _serve(self, model: Model) -> None:
        logger.info("Serving model version %s", model.version)
        self._model, self._since, self.error = model, time.time(), None

    def _announce(self, active: str | None) -> None:
        try:
            if active is None and self._model is not None:
                self._fleet.activate(self._model.version, only_if_none=True)
            self._fleet.report("api", self._model.version if self._model else None, self._since)
        except RedisUnavailable:
            logger.warning("Redis is away; this process could not report itself")
