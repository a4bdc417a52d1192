"""The fuzzer: half a minute of odd requests finds no fault."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.processes import ROOT, left_running

# How long an answer takes on a machine that does much else says nothing.
FUZZ = [
    sys.executable,
    "scripts/bench/fuzz.py",
    "--minutes",
    "0.6",
    "--bodies",
    "3000",
    "--seed",
    "1",
    "--patience",
    "100",
]
SLOWEST = 800.0


@pytest.mark.timeout(SLOWEST + 60)
def test_odd_requests_are_answered_in_order(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    try:
        found = subprocess.run(
            FUZZ, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SLOWEST, check=False
        )
    finally:
        left = left_running(tmp_path)
        for process in left:
            process.kill()
        psutil.wait_procs(left)
    said = found.stdout + found.stderr
    assert found.returncode == 0, said
    for kind in ("from the document", "raw"):
        made = re.search(rf"^{kind} +([\d,]+) requests", said, re.MULTILINE)
        assert made, said
        # How many there are in the time depends on the machine.
        assert int(made[1].replace(",", "")) > 0
    assert not left
    assert not list(tmp_path.iterdir())
