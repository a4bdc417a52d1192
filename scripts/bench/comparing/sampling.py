"""Where the processor time of the service goes: samples of what all its processes execute, by the part of the project."""

import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.comparing.environments import FOLDER, CannotCompare, environment
from scripts.bench.portfolio import kind_of

PY_SPY = ("py-spy==0.4.1",)
RATE = 250
"""Samples a second of each thread."""

ELSEWHERE = "Python itself, mostly its event loop"
PACKAGES = ("api", "worker", "shared")
STARTING = ("api/__main__.py", "api/server/serve.py")
"""What has called all that an API process executes, so that it tells nothing."""

Where = tuple[str, str]
"""Which kind of process, and which part of the project it executes, or has called what it executes."""

Seconds = dict[Where, float]


@contextmanager
def sampled(pid: int, root: Path) -> Iterator[Seconds]:
    """Sample a process and all below it while the block runs; what is given is filled at its end.

    Only threads that are on a processor count. Raises CannotCompare if sampling is not possible or not allowed.
    """
    found: Seconds = {}
    program = environment("py-spy", PY_SPY, FOLDER) / "py-spy"
    with tempfile.TemporaryDirectory(prefix="pret-bench-") as folder:
        output, log = Path(folder, "stacks"), Path(folder, "log")
        options = [
            "--subprocesses",
            "--full-filenames",
            "--format",
            "raw",
            "--rate",
            str(RATE),
            "--output",
            str(output),
        ]
        with log.open("wb") as errors:
            running = subprocess.Popen(
                [str(program), "record", "--pid", str(pid), *options], stdout=errors, stderr=errors
            )
        try:
            yield found
            running.send_signal(signal.SIGINT)
            running.wait(60)
        finally:
            running.kill()
            running.wait()
        if not output.is_file():
            raise CannotCompare(
                f"py-spy could not sample the service; it needs the right to trace it: {log.read_text()}"
            )
        found.update(seconds_by_part(output.read_text().splitlines(), root))


def seconds_by_part(stacks: Iterable[str], root: Path) -> Seconds:
    """Sum up stacks as py-spy writes them: frames `function (file:line)` from the outermost, and how often it was seen."""
    found: Seconds = {}
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        where = _where(frames.split(";"), root)
        found[where] = found.get(where, 0.0) + int(count) / RATE
    return found


def _where(frames: list[str], root: Path) -> Where:
    processes = [frame for frame in frames if frame.startswith("process ")]
    part = library = ""
    for frame in frames:
        path = frame.partition(" (")[2].rpartition(":")[0]
        inner = path.removeprefix(f"{root}/")
        if inner in STARTING:
            continue
        if inner != path and inner.startswith(tuple(f"{package}/" for package in PACKAGES)):
            part, library = inner, ""
        elif "site-packages/" in path:
            library = path.rpartition("site-packages/")[2].partition("/")[0].removesuffix(".py")
    return kind_of(processes[-1:]), ", in ".join(filter(None, (part, library))) or ELSEWHERE
