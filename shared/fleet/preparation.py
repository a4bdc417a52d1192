"""Getting a version ready in a process of its own, while this one goes on.

Run as `python -m shared.fleet.preparation [ID [ORIGIN]]`: fetches and verifies the version, or what the source offers, by the
settings of its environment, and prints which it was. A download that hangs, a full disk or a model that crashes its reader
then never touches a process that serves. One such process for a version is enough on a machine.
"""

import fcntl
import hashlib
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
from shared.models.version import VersionRef
from shared.models.versions import Versions
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
    """A preparation in a child process; while there is one of the same thing on this machine, it waits for that one."""

    def __init__(self, version: VersionRef | None, models: Versions, settings: Settings) -> None:
        self.started_at = time.monotonic()
        self._version = version
        self._models = models
        self._settings = settings
        self._timeout = SHARE_OF_TIMEOUT * settings.reload_timeout
        self._process: subprocess.Popen[str] | None = None
        self._begin()

    def outcome(self) -> Outcome | None:
        """Look whether the version is ready or the process has ended; what takes longer than a reload may is given up."""
        seconds = time.monotonic() - self.started_at
        if self._process is None:
            if self._version is not None and self._models.is_ready(self._version.id):
                return Outcome(None, seconds, self._version)
            self._begin()
        if self._process is None or self._process.poll() is None:
            if seconds < self._timeout:
                return None
            self.cancel()
            return Outcome(SourceUnavailable("preparation-timed-out"), seconds)
        message, _ = self._process.communicate()
        if self._process.returncode == 0:
            return Outcome(None, seconds, VersionRef(**json.loads(message)))
        return Outcome(_error(message, self._process.returncode), seconds)

    def cancel(self) -> None:
        """Kill the process, if it is this one's."""
        if self._process is not None:
            with self._process as process:
                process.kill()

    def _begin(self) -> None:
        """Start the process, unless one is preparing the same version, or what the same source offers."""
        wanted = self._version.id if self._version else f"what is offered by {self._models.source_name}"
        turn = _take_turn(self._settings.model_cache_dir, wanted)
        if turn is None:
            return
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", __name__, *filter(None, astuple(self._version) if self._version else ())],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **self._settings.as_environment(), "PYTHONPATH": str(ROOT)},
                pass_fds=turn,
            )
        finally:
            for descriptor in turn:
                os.close(descriptor)


def _take_turn(folder: Path, wanted: str) -> tuple[int, ...] | None:
    """Lock what is wanted; None if another process has. The lock lasts until whoever inherits the descriptors has ended.

    There are none where nothing can be locked, as the folder takes no file; the process will find that out, and say so.
    """
    descriptor = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(wanted.encode()).hexdigest()[:12]
        descriptor = os.open(folder / f"{name}.turn", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return (descriptor,)
    except OSError as error:
        if descriptor is not None:
            os.close(descriptor)
        return None if isinstance(error, BlockingIOError) else ()


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
    models = Versions.from_settings(Settings())
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
