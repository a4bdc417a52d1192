"""Runs the whole service on this machine until Ctrl-C: Valkey, workers, API, console and Flower.

The first start installs what is needed into .venv and trains a demo model; everything that is written stays below
.local/ and exported_model/. Every process listens on 127.0.0.1 only, but for Flower, which you may have listen elsewhere
if you give it a login. A process that dies is started again.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from pydantic import ValidationError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.lib import example, loopback, own_key, served, terminal
from scripts.lib.command import INTERRUPTED
from scripts.lib.health import Health, require_redis
from scripts.lib.programs import HOST, Ports, StartError, configuration, programs
from scripts.lib.served import Served
from scripts.lib.supervisor import Supervisor
from shared.errors import BadArtifact
from shared.models import files
from shared.settings import Settings, sentences

LOCAL = Path(".local")
"""As the paths below, in the project's folder, which is the working folder."""

CONFIG = LOCAL / "supervisord.conf"
PID_FILE = LOCAL / "supervisord.pid"
LOGS = LOCAL / "logs"
DEFAULT_MODEL = "exported_model"

CALLER = Path(os.environ.get("OLDPWD") or ROOT)
"""The folder that the script was called in, before it went to the project's."""

EPILOG = """environment variables:
  UI_PORT            port of the console (default 8501)
  API_PORT           port of the API (default 8000)
  WEB_CONCURRENCY    processes of the API (default 2)
  FLOWER_PORT        port of Flower (default 5555)
  FLOWER_ADDRESS     where Flower listens (default 127.0.0.1); elsewhere only with a login
  FLOWER_BASIC_AUTH  login of Flower, user:password (default none)
  FLOWER_URL_PREFIX  path below which the pages of Flower are (default none)
  FLOWER_URL         where people find Flower, for the link in the console
  PRET_KEY           key of everyone who uses the console (default: it asks for one where one is needed)
  REDIS_PORT         port of the embedded Valkey (default 6379)
  METRICS_PORT       port of the worker's metrics; the reader's have the next one (default none)
  REDIS_URL          use this server instead of the embedded one
  MODEL_DIR          folder of the model to serve (default exported_model, where the demo model is trained if there is none)
The README lists the settings of the service itself; all of them work here too."""


def main() -> int:
    """Run until a signal ends it; the exit code is 0 for an orderly end."""
    terminal.use_plain_letters()
    parser = argparse.ArgumentParser(
        "./scripts/up", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    os.chdir(ROOT)
    loopback.exempt(os.environ)
    try:
        return run()
    except StartError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except ValidationError as error:
        print("\n".join(sentences(error)), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped before the service was started.", file=sys.stderr)
        return INTERRUPTED


def run() -> int:
    """Prepare, start, report, wait, stop."""
    began = time.monotonic()
    _prevent_second_start()
    ports = _prepared()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    supervisor = Supervisor(CONFIG)
    health = Health(ports, supervisor, stop)
    try:
        health.wait_for_scoring()
        active = served.look(ports.api_url, Settings(), stop)
        down = health.wait_for_monitors()
        if not stop.is_set():
            print(_table(ports, active, down, time.monotonic() - began), flush=True)
        while not stop.wait(0.5):
            if supervisor.has_ended:
                raise StartError("The supervisor has ended; the service is down.")
    finally:
        print("\nStopping ...", flush=True)
        supervisor.stop()
        print("Stopped.", flush=True)
    return 0


def _prepared() -> Ports:
    """See that all is there that the programs need, and write down which they are; raises StartError."""
    settings = Settings()
    ports = Ports.from_environment()
    if ports.redis is None:
        require_redis(settings.redis_url)
    _ensure_model(settings)
    own_key.take(settings)
    os.environ["REDIS_URL"] = settings.redis_url if ports.redis is None else f"redis://{HOST}:{ports.redis}/0"
    # What is below is for this user alone: files of applicants, records, logs. The processes inherit it.
    os.umask(0o077)
    LOGS.mkdir(parents=True, exist_ok=True)
    LOCAL.chmod(0o700)
    CONFIG.write_text(configuration(programs(ports, LOCAL), PID_FILE, LOGS), encoding="utf-8")
    return ports


def _prevent_second_start() -> None:
    try:
        pid = int(PID_FILE.read_text())
        os.kill(pid, 0)
        running = b"supervisord" in Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").exists() else True
    except (OSError, ValueError):
        return
    if running:
        raise StartError(f"The service already runs from this folder. Stop it with: kill {pid}")


def _ensure_model(settings: Settings) -> None:
    """See that there is a model to serve; the demo model is trained where its folder is empty."""
    folder = settings.model_dir
    if settings.hf_repo_id or settings.model_uri:
        return
    if str(folder) == DEFAULT_MODEL and not (folder.is_dir() and any(folder.iterdir())):
        _train_demo_model()
        return
    try:
        files.model_file(folder)
    except BadArtifact as error:
        if any(folder.glob("**/*")):
            raise StartError(f"MODEL_DIR={folder}: {error}") from error
        raise StartError(
            f"MODEL_DIR={folder} holds no model.cb. Export a model there, or leave MODEL_DIR unset for the demo model."
        ) from error


def _train_demo_model() -> None:
    print("No model yet; training the demo model ...", flush=True)
    if subprocess.run([sys.executable, "scripts/train_demo_model.py"], check=False).returncode:
        raise StartError("The demo model could not be trained; the lines above say why.")


def _table(ports: Ports, active: Served, down: set[str], seconds: float) -> str:
    settings = Settings()
    redis_place = f"{HOST}:{ports.redis}" if ports.redis else "from REDIS_URL"
    shown = {
        name: f"{url} (not up yet; see .local/logs/{name}.log)" if name in down else url
        for name, url in (("console", ports.console_url), ("flower", ports.flower_url))
    }
    note = f"\n           {active.note}" if active.note else ""
    return f"""
Prêt à Dépenser is up after {seconds:.1f} s.

  Console  {shown["console"]}
  API      {ports.api_url}/docs
  Flower   {shown["flower"]}
  Redis    {redis_place}
  Model    {active.version} from {active.origin}{note}
  Logs     .local/logs/

{example.first_steps(ports.api_url, settings.model_dir, LOCAL / example.EXAMPLE_FILE, CALLER)}

Ctrl-C stops everything."""


if __name__ == "__main__":
    sys.exit(main())
