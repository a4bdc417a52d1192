"""The servers that are compared: how each is started, and what it is asked."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.comparing import protocols
from scripts.bench.comparing.environments import PINS, environment
from scripts.bench.comparing.processes import Started, running
from scripts.bench.comparing.protocols import Call
from scripts.bench.comparing.service import service
from scripts.lib.loopback import free_port

Start = Callable[[Path, Path], AbstractContextManager[Started]]
"""Given a folder of its own and that of the model."""


@dataclass(frozen=True)
class Server:
    """One of those that are compared."""

    title: str
    start: Start
    single: Call | None = None
    single_with_text: Call | None = None
    """The same for a model with text among its features, if it is another."""
    batches: Mapping[str, Call] = field(default_factory=dict)
    """The ways to send a batch, by name."""
    peer: str = ""
    """The environment that it runs in, if it is not this checkout's."""

    @property
    def says_classes(self) -> bool:
        """Whether it answers the class and not the probability, as peers do with a plain CatBoostClassifier."""
        return bool(self.peer)


def _app(app: str) -> Start:
    """Serve an ASGI app of this checkout with one process of uvicorn."""

    @contextmanager
    def start(folder: Path, model: Path) -> Iterator[Started]:
        port = free_port()
        options = ["--port", str(port), "--no-access-log", "--log-level", "error"]
        command = [sys.executable, "-m", "uvicorn", app, *options]
        with running(command, port, folder / "log", {"MODEL_DIR": str(model)}) as started:
            yield started

    return start


@contextmanager
def _mlserver(folder: Path, model: Path) -> Iterator[Started]:
    ports = {f"{what}_port": free_port() for what in ("http", "grpc", "metrics")}
    # Without a process for inference besides its own: the fastest there, as nothing is sent between the two.
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    served = {
        "name": "model",
        "implementation": "mlserver_catboost.CatboostModel",
        "parameters": {"uri": str(model / "model.cb")},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(served))
    command = [str(environment("mlserver", PINS["mlserver"]) / "mlserver"), "start", str(folder)]
    with running(command, ports["http_port"], folder / "log", {}) as started:
        yield started


@contextmanager
def _mlflow(folder: Path, model: Path) -> Iterator[Started]:
    programs, port = environment("mlflow", PINS["mlflow"]), free_port()
    options = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command = [str(programs / "mlflow"), "models", "serve", "--model-uri", str(model), *options]
    # It starts uvicorn by its name.
    with running(command, port, folder / "log", {"PATH": f"{programs}:/usr/bin:/bin"}) as started:
        yield started


SERVERS = {
    "bare": Server(
        "bare ASGI app, constant answer",
        _app("scripts.bench.reference_apps:bare"),
        protocols.CONSTANT,
    ),
    "route": Server(
        "FastAPI route, pydantic body, constant answer",
        _app("scripts.bench.reference_apps:usual"),
        protocols.CONSTANT,
    ),
    "ours": Server(
        "Prêt à Dépenser",
        service,
        protocols.ONE_ROW,
        batches={"records": protocols.RECORDS, "columns": protocols.COLUMNS, "dataframe_split": protocols.SPLIT},
    ),
    "mlserver": Server(
        "MLServer",
        _mlserver,
        protocols.V2_FLAT,
        protocols.V2_NAMED,
        {"flat V2 tensor": protocols.V2_FLAT},
        "mlserver",
    ),
    "mlflow": Server(
        "mlflow models serve",
        _mlflow,
        protocols.INVOCATIONS,
        batches={"dataframe_split": protocols.INVOCATIONS},
        peer="mlflow",
    ),
    "pydantic": Server(
        "FastAPI route with CatBoost, pydantic",
        _app("scripts.bench.comparing.inline_apps:with_pydantic"),
        batches={"records": protocols.RECORDS},
    ),
    "msgspec": Server(
        "FastAPI route with CatBoost, msgspec",
        _app("scripts.bench.comparing.inline_apps:with_msgspec"),
        batches={"records": protocols.RECORDS},
    ),
}
"""By the names that the command line takes."""
