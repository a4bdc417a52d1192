"""Control commands: `celery -A worker.app control reload_model [REVISION]` and `inspect model_report`.

A command runs in the worker's main process, which must keep dispatching chunks; so the reload runs in a separate process, and
`model_report` shows its outcome.
"""

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from celery.worker.control import control_command, inspect_command

from shared.errors import RedisUnavailable
from shared.fleet.records import Fleet, HistoryEntry
from shared.redis import connect
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


@control_command(args=[("revision", str)], signature="[REVISION]")  # type: ignore[untyped-decorator]
def reload_model(state: Any, revision: str | None = None) -> dict[str, str]:
    """Activate a new model on all processes of the service or on none."""
    command = [sys.executable, "-m", "worker.reload", *([revision] if revision else [])]
    subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S603
    return {"ok": "the reload has begun; inspect model_report tells what comes of it"}


@inspect_command()  # type: ignore[untyped-decorator]
def model_report(state: Any) -> dict[str, Any]:
    """Show the active version, the last change and the version of each process."""
    fleet = Fleet(connect(Settings().redis_url))
    try:
        (deployed, candidate), history = fleet.look(), fleet.history()
        processes = fleet.processes()
    except RedisUnavailable as error:
        return {"error": error.reason.as_dict()}
    return {
        "active": deployed.active.id if deployed else None,
        "candidate": candidate.version.id if candidate else None,
        "last_change": _shown(history[0]) if history else None,
        "processes": [f"{process.name} {process.version}" for process in processes],
    }


def _shown(entry: HistoryEntry) -> dict[str, Any]:
    return asdict(entry) | {"reason": entry.reason.as_dict() if entry.reason else None}
