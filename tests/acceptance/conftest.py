"""The service as a user has it: a fresh copy of the project, started with `./scripts/up`."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from filelock import FileLock

from scripts.lib.loopback import free_port
from tests.acceptance.person import Person
from tests.factories import Kit, put_in_cache
from tests.hub import HubServer
from tests.processes import ROOT, wait_for

START_DEADLINE = 240.0
"""Seconds; the first start trains the demo model."""


def copy_of_the_project(destination: Path) -> Path:
    """What git would give a new user, with the environment and uv that this run has already."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name)
    (destination / ".venv").symlink_to(ROOT / ".venv")
    if (ROOT / ".local" / "uv").exists():
        (destination / ".local").mkdir()
        (destination / ".local" / "uv").symlink_to(ROOT / ".local" / "uv")
    return destination


def command_line(process: psutil.Process) -> str:
    """The command line; empty for a process that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@dataclass
class Up:
    """A run of `./scripts/up`."""

    folder: Path
    ports: dict[str, int] = field(
        default_factory=lambda: {name: free_port() for name in ("API_PORT", "UI_PORT", "FLOWER_PORT", "REDIS_PORT")}
    )
    settings: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def environment(self) -> dict[str, str]:
        own = ("REDIS_URL", "MODEL_DIR", "MODEL_URI", "MLFLOW_TRACKING_URI")
        families = ("HF_", "FLOWER_", "PRET_")
        inherited = {
            name: value for name, value in os.environ.items() if name not in own and not name.startswith(families)
        }
        # A machine that is busy with other tests may take long over a first model.
        patience = {"RELOAD_TIMEOUT": f"{START_DEADLINE:.0f}"}
        return inherited | patience | {name: str(port) for name, port in self.ports.items()} | self.settings

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['API_PORT']}"

    @property
    def console_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['UI_PORT']}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['FLOWER_PORT']}"

    def start(self) -> None:
        with (self.folder / "up.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["./scripts/up"], cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_for("the table of scripts/up", self._is_up_or_dead, START_DEADLINE)
        assert "Ctrl-C stops everything." in self.log, self.log

    def _is_up_or_dead(self) -> bool:
        assert self.process is not None
        return "Ctrl-C stops everything." in self.log or self.process.poll() is not None

    def processes(self) -> list[psutil.Process]:
        """All that runs below the script."""
        assert self.process is not None
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]

    def process_of(self, words: str) -> psutil.Process:
        """The first process whose command line holds the words."""
        return next(process for process in self.processes() if words in command_line(process))

    def interrupt(self) -> int:
        """Press Ctrl-C, and give the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            processes = self.processes()
            with suppress(subprocess.TimeoutExpired):
                self.interrupt()
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def shell(self, command: str) -> str:
        """Run a command of the README in the project's folder; the ports in it are this run's."""
        for default, name in (("8000", "API_PORT"), ("8501", "UI_PORT"), ("5555", "FLOWER_PORT")):
            command = command.replace(f"127.0.0.1:{default}", f"127.0.0.1:{self.ports[name]}")
        redis_url = f"redis://127.0.0.1:{self.ports['REDIS_PORT']}/0"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={"REDIS_URL": redis_url} | self.environment,
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def refusal(up: Up) -> str:
    """What `./scripts/up` says when it does not start."""
    done = subprocess.run(
        ["./scripts/up"], cwd=up.folder, env=up.environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def small(folder: Path, kit: Kit, **settings: str) -> Up:
    """A copy of the project that starts with less work: one process of the API, and a small model that was made ready before."""
    running = Up(copy_of_the_project(folder), settings={"WEB_CONCURRENCY": "1"} | settings)
    put_in_cache(kit.write(running.folder / "exported_model"), running.folder / ".local" / "models")
    return running


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of the demo model, as the first start trains it; trained once, whoever of those that run the tests needs it."""
    own = tmp_path_factory.getbasetemp()
    common = own if worker_id == "master" else own.parent
    folder = common / "demo_model"
    with FileLock(common / "demo_model.lock"):
        if not folder.exists():
            project = Up(copy_of_the_project(common / "training"))
            project.shell(".venv/bin/python scripts/train_demo_model.py")
            (project.folder / "exported_model").rename(folder)
    return folder


@pytest.fixture(scope="module")
def up(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The service with the demo model, started once for all tests of a module, which leave it as it is."""
    running = Up(copy_of_the_project(tmp_path_factory.mktemp("project")))
    shutil.copytree(demo_model, running.folder / "exported_model")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def client(up: Up) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=up.url, timeout=60, trust_env=False) as made:
        yield made


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    with HubServer() as hub:
        yield Person(tmp_path, hub)
