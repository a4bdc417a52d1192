"""The version of the service, which stands in `pyproject.toml` and nowhere else; the image of the API holds that file too."""

import tomllib
from functools import cache
from pathlib import Path

PROJECT_FILE = Path(__file__).resolve().parents[1] / "pyproject.toml"


@cache
def service_version() -> str:
    """Read the version, such as 0.1.0."""
    with PROJECT_FILE.open("rb") as file:
        version: str = tomllib.load(file)["project"]["version"]
    return version
