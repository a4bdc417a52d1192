"""This service with Redis, worker and reader, for the time of a comparison: on free ports, in a folder of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.comparing.processes import Started
from scripts.lib.loopback import free_port
from scripts.lib.programs import Ports, configuration, programs
from scripts.lib.supervisor import Supervisor

PROGRAMS = ("redis", "worker", "reader", "api")


@contextmanager
def service(folder: Path, model: Path) -> Iterator[Started]:
    """Serve a model with one API process while the block runs."""
    ports = Ports(free_port(), free_port(), free_port(), free_port())
    for name in ("valkey", "tmp"):
        (folder / name).mkdir()
    settings = {
        "REDIS_URL": f"redis://127.0.0.1:{ports.redis}/0",
        "MODEL_DIR": str(model),
        "MODEL_CACHE_DIR": str(folder / "cache"),
        "STORAGE_URL": str(folder / "storage"),
        "TMPDIR": str(folder / "tmp"),
        "WEB_CONCURRENCY": "1",
    }
    with _environment(settings):
        found = programs(ports, folder)
        config = folder / "supervisord.conf"
        sections = configuration({name: found[name] for name in PROGRAMS}, folder / "supervisord.pid", folder)
        config.write_text(sections, encoding="utf-8")
        supervisor = Supervisor(config)
        try:
            yield Started(ports.api_url, supervisor.pid, folder / "api-1.log", lambda: supervisor.has_ended)
        finally:
            supervisor.stop()


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Add settings to the environment of this process, which the programs inherit, while the block runs."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
