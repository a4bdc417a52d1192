"""Environments of their own for the servers that are compared with: made from PyPI once, below .local/peers."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.lib.command import WRONG_USAGE, CommandError

FOLDER = Path(".local/peers")
STAMP = "installed"

CATBOOST = "catboost==1.2.10"
"""What the service itself has: the trees take the same time everywhere."""

PINS: Mapping[str, Sequence[str]] = {
    "mlserver": (
        "mlserver==1.7.1",
        "mlserver-catboost==1.7.1",
        CATBOOST,
        "fastapi==0.115.14",
        "numpy==2.4.6",
        "orjson==3.13.0",
        "pandas==3.1.1",
        "pydantic==2.14.4",
        "uvicorn==0.54.0",
        "uvloop==0.23.0",
    ),
    "mlflow": (
        "mlflow==3.17.2",
        CATBOOST,
    ),
}
"""The versions of what decides how fast a server is; the rest is what these ask for."""


class CannotCompare(CommandError):
    """The comparison cannot be made; the message says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, WRONG_USAGE)


def environment(name: str, pins: Sequence[str], folder: Path = FOLDER) -> Path:
    """Give the folder of the programs of an environment that has these packages; raises CannotCompare if it cannot be made."""
    home = folder / name
    listed = "\n".join(pins)
    stamp = home / STAMP
    if not (stamp.is_file() and stamp.read_text() == listed):
        print(f"installing {pins[0]} into {home} ...", flush=True)
        _install(name, pins, home)
        stamp.write_text(listed)
    return (home / "bin").absolute()


def _install(name: str, pins: Sequence[str], home: Path) -> None:
    # Without its stamp, one that is there is half made, or has other versions.
    shutil.rmtree(home, ignore_errors=True)
    try:
        venv.create(home, with_pip=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *pins], check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        raise CannotCompare(
            f"{name} could not be installed with {Path(sys.executable).name} -m venv and pip; the lines above say why. "
            "It needs PyPI: see that the network is there. scripts/bench/peers.py can leave a server out with --servers."
        ) from error
