"""The command that `./scripts/up` prints for a first score: with the model's example, or with a row made from its signature."""

import json
import math
import os
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from scripts.lib.health import http

Row = dict[str, Any]
Column = dict[str, Any]
"""A feature, as `/model_signature` tells it."""

EXAMPLE_FILE = "input_example.json"
PROXIES = ("http_proxy", "all_proxy", "ALL_PROXY")

MADE_TEXT = "text"


def first_steps(api_url: str, folder: Path, own_file: Path, base: Path) -> str:
    """Write what a user does next. The row is the file of the model's folder if that has it, else `own_file` is written.

    Paths are shown from `base`, where the command is pasted. The row is scored here first, so that it is right.
    """
    signature = http.get(f"{api_url}/model_signature").json()
    for row in rows_for(signature):
        if http.post(f"{api_url}/individual_score", json=row).is_success:
            path = file_of(row, folder) or _written(row, own_file)
            return f"Score an applicant:\n\n  {command_for(path, api_url, base)}"
    return f"The model brings no example; {api_url}/docs shows what it takes."


def rows_for(signature: Row) -> Iterator[Row]:
    """Give rows that the model may take: its example, one with all features, and one with only those that it needs."""
    if signature["input_example"] is not None:
        yield signature["input_example"]
    columns = signature["columns"]
    for chosen in (columns, [column for column in columns if column["required"]]):
        yield _in_order({column["name"]: _value(column) for column in chosen}, signature["ordered"])


def _value(column: Column) -> Any:
    if column["values"]:
        return column["values"][0]
    if column["type"] == "string":
        return MADE_TEXT
    if column["type"] == "boolean":
        return False
    low, high = column["ge"], column["le"]
    number = low if low is not None else min(0, high if high is not None else 0)
    return math.ceil(number) if column["type"] in ("long", "integer") else float(number)


def _in_order(row: Row, ordered: Sequence[Sequence[str]]) -> Row:
    """Raise what must not be less than what comes before it."""
    for names in ordered:
        there = [name for name in names if name in row]
        for before, name in pairwise(there):
            row[name] = max(row[before], row[name])
    return row


def file_of(row: Row, folder: Path) -> Path | None:
    """Find the example's own file, if it is a body as it stands: MLflow has written others."""
    path = folder / EXAMPLE_FILE
    try:
        return path if json.loads(path.read_bytes()) == row else None
    except (OSError, ValueError):
        return None


def _written(row: Row, path: Path) -> Path:
    path.write_text(json.dumps(row, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def command_for(path: Path, api_url: str, base: Path) -> str:
    """Write the command that sends a file; a relative path is one from `base`, or else it is shown in full."""
    shown = path if base.resolve() == Path.cwd() else path.resolve()
    # Of proxies curl heeds these alone for such an address.
    direct = "--noproxy 127.0.0.1 " if any(os.environ.get(name) for name in PROXIES) else ""
    key = '-H "Authorization: Bearer $PRET_KEY" ' if "Authorization" in http.headers else ""
    return f"curl {direct}{key}-H 'Content-Type: application/json' -d {shlex.quote(f'@{shown}')} {api_url}/individual_score"
