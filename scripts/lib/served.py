"""What a start serves, and whether that is what the source of models holds now.

A start goes on with the version that is active, so that it undoes no rollback, and takes no change that nobody has asked for.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

from scripts.lib.health import http
from shared.errors import PretError
from shared.fleet.records import REPORT_TTL, Deployment, Fleet
from shared.models.version import Resolution, VersionRef
from shared.models.versions import Versions
from shared.redis import connect
from shared.settings import Settings

SETTLING = REPORT_TTL + 5.0
"""Seconds until a source that was set anew is taken: the processes of a run that was killed count as alive for a while."""

PAUSE = 0.1
EARLIER = "an earlier run"
ANOTHER_SOURCE = "The other processes take their models from another source than this machine is set to."


@dataclass(frozen=True)
class Served:
    """The active version, where it comes from, and what there is to know about it."""

    version: str
    origin: str
    note: str | None = None


def look(api_url: str, settings: Settings, stop: threading.Event) -> Served:
    """Tell what is active once this machine's source has had its turn."""
    versions = Versions.from_settings(settings)
    status, deployed = _settled(api_url, settings, versions.source_name, stop)
    if deployed is None or deployed.source != versions.source_name:
        return Served(status["version"], EARLIER, ANOTHER_SOURCE if deployed else None)
    try:
        found = versions.offered()
    except PretError as error:
        return Served(deployed.active.id, EARLIER, str(error))
    if note := told_of(found, deployed.active, settings):
        return Served(deployed.active.id, EARLIER, note)
    return Served(deployed.active.id, settings.hf_repo_id or settings.model_uri or str(settings.model_dir))


def told_of(found: Resolution, active: VersionRef, settings: Settings) -> str | None:
    """Say that the source holds another version than the active one; None if it holds the same."""
    if found.version == active.id or (found.version is None and found.origin == active.origin):
        return None
    return f"{_holder(settings)} another version, {found.version or found.origin}; reload to serve it."


def _settled(
    api_url: str, settings: Settings, source: str, stop: threading.Event
) -> tuple[dict[str, Any], Deployment | None]:
    deadline = time.monotonic() + SETTLING
    fleet = Fleet(connect(settings.redis_url))
    while True:
        status: dict[str, Any] = http.get(f"{api_url}/model_status").json()
        try:
            deployed, _ = fleet.look()
        except PretError:
            deployed = None
        is_ours = deployed and (deployed.source, deployed.active.id) == (source, status["version"])
        if is_ours or status["error"] or stop.wait(PAUSE) or time.monotonic() > deadline:
            return status, deployed


def _holder(settings: Settings) -> str:
    if settings.hf_repo_id:
        return "The Hub has"
    return "The registry has" if settings.model_uri else "The folder holds"
