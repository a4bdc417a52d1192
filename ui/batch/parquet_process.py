"""Have the first rows of a Parquet file read by another process, which a damaged file may end."""

import json
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import Any, BinaryIO

from ui.batch.content import Unreadable
from ui.batch.parquet_rows import LENGTH_BYTES, FirstRows

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
"""Seconds that the process gets."""

MAX_PIECE = 64 << 20


def first_rows(data: BinaryIO, max_unpacked: int) -> FirstRows:
    """Read the first rows of a Parquet file; raises Unreadable, also if the process that reads it dies."""
    command = [sys.executable, "-m", "ui.batch.parquet_rows", str(data.seek(0, 2)), str(max_unpacked)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own program
        limit = Timer(PATIENCE, process.kill)
        limit.start()
        try:
            found = _answered(process, data)
        except (OSError, ValueError) as error:
            raise Unreadable("damaged") from error
        finally:
            limit.cancel()
            process.kill()
    if "unreadable" in found:
        raise Unreadable(found["unreadable"])
    return FirstRows(**found)


def _answered(process: "subprocess.Popen[bytes]", data: BinaryIO) -> dict[str, Any]:
    """Give the process what it asks for, until it is done."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - for the type checker
    for line in process.stdout:
        message = json.loads(line)
        if isinstance(message, dict):
            return message
        position, length = message
        data.seek(position)
        piece = data.read(min(length, MAX_PIECE))
        process.stdin.write(len(piece).to_bytes(LENGTH_BYTES, "big") + piece)
        process.stdin.flush()
    return {"unreadable": "damaged"}
