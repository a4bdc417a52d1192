"""Requests made from the service's own OpenAPI document, by Schemathesis, with the checks that schemathesis.toml leaves on."""

import re
import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).with_name("schemathesis.toml")
GRACE = 120.0
"""Seconds after its time in which it must have ended."""

MADE = re.compile(r"^ +([\d,]+) generated", re.MULTILINE)


def run(url: str, seed: int, seconds: float, patience: float, log: Path) -> tuple[int, str | None]:
    """Send requests for so many seconds; return how many there were, and what was wrong, if anything."""
    # No `--checks`: a check named here, also by "all", runs although the file has it off.
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{url}/openapi.json"),
        *("--seed", str(seed), "--max-time", str(max(1, int(seconds))), "--request-timeout", str(patience)),
        *("--continue-on-failure", "--no-shrink", "--no-color", "--generation-database", "none"),
    ]
    # In this folder it also leaves what it remembers for its next run, which there is none of.
    with log.open("wb") as output:
        code = subprocess.run(
            command, cwd=log.parent, stdout=output, stderr=output, timeout=seconds + GRACE, check=False
        ).returncode
    said = log.read_text(encoding="utf-8", errors="replace")
    made = MADE.search(said)
    return int(made[1].replace(",", "")) if made else 0, None if code == 0 else said
