"""Servers as processes of their own, ended with the block in which they are used, with whatever they have started."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from scripts.bench.comparing.environments import CannotCompare
from scripts.bench.comparing.load import Request

START_SECONDS = 180.0
STOP_SECONDS = 15.0
LAST_LINES = 15

http = httpx.Client(trust_env=False, timeout=60)


@dataclass(frozen=True)
class Started:
    """A server that has been started, perhaps not up yet."""

    url: str
    pid: int
    log: Path
    is_over: Callable[[], bool]


@contextmanager
def running(command: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> Iterator[Started]:
    """Run a program while the block runs, with the environment of this process and what is given."""
    # A session of its own: Ctrl-C reaches the script alone, which then ends each server with all its children.
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Started(f"http://127.0.0.1:{port}", process.pid, log, lambda: process.poll() is not None)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def first_answer(request: Request, server: Started) -> bytes:
    """Ask until the answer is 200, and give its body; raises CannotCompare, with the end of the log, if it never is."""
    deadline = time.monotonic() + START_SECONDS
    said = "nothing"
    while time.monotonic() < deadline and not server.is_over():
        with suppress(httpx.TransportError):
            answer = http.post(request.url, content=request.body, headers=dict(request.headers))
            if answer.status_code == httpx.codes.OK:
                return answer.content
            said = f"{answer.status_code} {answer.text[:300]}"
            if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
                break
        time.sleep(0.2)
    log = server.log.read_text(errors="replace").splitlines()[-LAST_LINES:] if server.log.is_file() else []
    raise CannotCompare("\n".join([f"{request.url} gives no scores. Its answer: {said}. The end of its log:", *log]))
