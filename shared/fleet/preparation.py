"""Getting a version ready in a process of its own, while this one goes on.

Run as `python -m shared.fleet.preparation [ID [ORIGIN]]`: fetches and verifies the version, or what the source offers, by the
settings of its environment, and prints which it was. A download that hangs, a full disk or a model that crashes its reader
then never touches a process that serves.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Protocol

from shared.errors import BadArtifact, ModelError, PretError, SourceUnavailable, Unavailable, VersionUnavailable
from shared.fleet.records import Blame
from shared.models.cache import ModelCache
from shared.models.version import VersionRef
from shared.reasons import Reason
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

FAILED = 3

SHARE_OF_TIMEOUT = 0.8
"""Of the time that a reload waits; so that a process says why it has nothing, before it is taken for one that is silent."""


ERRORS: dict[Blame, type[PretError]] = {
    "model": BadArtifact,
    "version": VersionUnavailable,
    "source": SourceUnavailable,
}
"""What is raised, by what is to blame."""


class Preparation(Protocol):
    """One version on its way; `outcome` is asked again and again."""

    started_at: float

    def outcome(self) -> "Outcome | None":
        """Give what came of it, or None while it lasts."""

    def cancel(self) -> None:
        """Give it up."""


class Outcome:
    """How a preparation ended: the version that is ready, or the error that says why none is."""

    def __init__(self, error: PretError | None, seconds: float, version: VersionRef | None = None) -> None:
        self.error = error
        self.seconds = seconds
        self.version = version


Prepare = Callable[[VersionRef | None], Preparation]
"""Begins to get a version ready; without one, what the source offers now."""


class PreparationProcess:
    """A preparation in a child process."""

    def __init__(self, version: VersionRef | None, settings: Settings) -> None:
        self.started_at = time.monotonic()
        self._timeout = SHARE_OF_TIMEOUT * settings.reload_timeout
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", __name__, *filter(None, astuple(version) if version else ())],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings.as_environment(), "PYTHONPATH": str(ROOT)},
        )

    def outcome(self) -> Outcome | None:
        """Look whether the process has ended; one that takes longer than a reload may is killed."""
        seconds = time.monotonic() - self.started_at
        if self._process.poll() is None:
            if seconds < self._timeout:
                return None
            self.cancel()
            return Outcome(SourceUnavailable("preparation-timed-out"), seconds)
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        message = self._process.stdout.read()
        self._close()
        if self._process.returncode == 0:
            return Outcome(None, seconds, VersionRef(**json.loads(message)))
        return Outcome(_error(message, self._process.returncode), seconds)

    def cancel(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()


def _error(message: str, code: int) -> PretError:
    if code != FAILED:
        return SourceUnavailable("preparation-died", code=code)
    report = json.loads(message)
    return ERRORS[report["blame"]].of(Reason.from_dict(report["reason"]))


def blame_of(error: ModelError | Unavailable) -> Blame:
    """Tell what is to blame for an error of getting a version ready."""
    if isinstance(error, Unavailable):
        return "source"
    return "version" if isinstance(error, VersionUnavailable) else "model"


def main(version: str | None = None, origin: str | None = None) -> int:
    """Prepare the version; the exit code tells, and one line of JSON says which it was, or why there is none."""
    models = ModelCache.from_settings(Settings())
    try:
        ref = VersionRef(version, origin) if version else models.resolve()
        models.prepare(ref)
    except (ModelError, Unavailable) as error:
        return _failed(error)
    except OSError as error:
        return _failed(SourceUnavailable("model-cache-not-writable", fault=error.strerror or type(error).__name__))
    sys.stdout.write(json.dumps(asdict(ref)))
    return 0


def _failed(error: ModelError | Unavailable) -> int:
    sys.stdout.write(json.dumps({"blame": blame_of(error), "reason": error.reason.as_dict()}))
    return FAILED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
