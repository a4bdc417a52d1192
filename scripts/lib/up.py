"""Runs the whole service on this machine until Ctrl-C: Valkey, workers, API, console and Flower.

The first start installs what is needed into .venv and trains a demo model; everything that is written stays below
.local/ and exported_model/. Every process listens on 127.0.0.1 only, but for Flower, which you may have listen elsewhere
if you give it a login. A process that dies is started again.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import redis
from pydantic import ValidationError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.lib.programs import HOST, STOP_SECONDS, Ports, StartError, configuration, programs
from shared.errors import PretError
from shared.fleet.records import Fleet
from shared.fleet.reload import Coordinator
from shared.redis import connect
from shared.settings import Settings

LOCAL = ROOT / ".local"
CONFIG = LOCAL / "supervisord.conf"
PID_FILE = LOCAL / "supervisord.pid"
LOGS = LOCAL / "logs"
DEFAULT_MODEL = "exported_model"

SUPERVISOR_LINE = re.compile(r"^\S+ \S+ [A-Z]+ ")
"""Date, time and level, which begin every line of the supervisor's log."""

SERVING = ("redis", "api", "model", "worker", "reader")
SHOWING = ("console", "flower")
"""What is waited for: first what serves the model, which is then the current one, and then what shows it."""

http = httpx.Client()
"""One for all requests: to make a client reads all certificate authorities, 50 ms of processor time."""

START_DEADLINE = 120.0
"""Seconds until a process that is not healthy is called broken."""

EPILOG = """environment variables:
  UI_PORT            port of the console (default 8501)
  API_PORT           port of the API (default 8000)
  FLOWER_PORT        port of Flower (default 5555)
  FLOWER_ADDRESS     where Flower listens (default 127.0.0.1); elsewhere only with a login
  FLOWER_BASIC_AUTH  login of Flower, user:password (default none)
  FLOWER_URL         where people find Flower, for the link in the console
  PRET_KEY           admin key with which the console changes the model (default: it asks for one where one is needed)
  REDIS_PORT         port of the embedded Valkey (default 6379)
  REDIS_URL          use this server instead of the embedded one
  MODEL_DIR          folder of the model to serve (default exported_model, where the demo model is trained if there is none)
The README lists the settings of the service itself; all of them work here too."""


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
    _prevent_second_start()
    ports = Ports.from_environment()
    _ensure_model()
    own_redis = f"redis://{HOST}:{ports.redis}/0"
    os.environ["REDIS_URL"] = Settings().redis_url if ports.redis is None else own_redis
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
        _wait_for(SERVING, ports, supervisor, stop)
        if not stop.is_set():
            origin = _take_current_model()
            _wait_for(SHOWING, ports, supervisor, stop)
        if not stop.is_set():
            print(_table(ports, origin, time.monotonic() - began), flush=True)
        while not stop.wait(0.5):
            if supervisor.poll() is not None:
                raise StartError("The supervisor has ended; the service is down.")
    finally:
        _stop(supervisor)
    return 0


def _prevent_second_start() -> None:
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
    CONFIG.write_text(configuration(programs(ports, LOCAL), ROOT, PID_FILE, LOGS))


def _relay_events(supervisor: "subprocess.Popen[str]") -> None:
    """Say when a process dies and is started again; the rest of the supervisor's log is not worth a user's time."""
    assert supervisor.stdout is not None  # noqa: S101 - it was opened as a pipe
    for line in supervisor.stdout:
        event = SUPERVISOR_LINE.sub("", line).strip()
        if event.startswith("exited:"):
            print(f"{event}; it is started again", flush=True)
        elif event.startswith("gave up:"):
            print(f"{event}; see .local/logs/", flush=True)


def _wait_for(names: tuple[str, ...], ports: Ports, supervisor: "subprocess.Popen[str]", stop: threading.Event) -> None:
    """Wait until these are up, or somebody stops it; raises StartError."""
    checks: dict[str, Callable[[], bool]] = {
        "redis": lambda: bool(redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=2).ping()),
        "api": lambda: http.get(f"{ports.api_url}/api_health").is_success,
        "model": lambda: _model_is_loaded(ports),
        "worker": lambda: _parts(ports)["workers"]["status"] == "ok",
        "reader": lambda: _parts(ports)["readers"]["status"] == "ok",
        "console": lambda: http.get(f"{ports.console_url}/_stcore/health").is_success,
        "flower": lambda: http.get(f"{ports.flower_url}/healthcheck").is_success,
    }
    deadline = time.monotonic() + START_DEADLINE
    for name in names:
        check = checks[name]
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
    parts: dict[str, Any] = http.get(f"{ports.api_url}/router_health").json()["parts"]
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
    status = http.get(f"{ports.api_url}/model_status").json()
    settings = Settings()
    own_folder = str(settings.model_dir) == origin
    folder = settings.model_dir if own_folder else settings.model_cache_dir / status["version"]
    example = f"@{folder}/input_example.json"
    redis_place = f"{HOST}:{ports.redis}" if ports.redis else "from REDIS_URL"
    return f"""
Prêt à Dépenser is up after {seconds:.1f} s.

  Console  {ports.console_url}
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
