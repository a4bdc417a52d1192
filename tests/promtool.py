"""Prometheus' own tool, which judges metrics and rules. Where it is missing its tests are skipped, except in the gate."""

import os
import shutil
import subprocess

import pytest

PROGRAM = shutil.which("promtool")


def run(*arguments: str, text: str = "") -> None:
    """Run it; what it complains about fails the test."""
    if PROGRAM is None:
        assert os.environ.get("PRET_PROMTOOL") != "required", "promtool is missing; the package prometheus has it"
        pytest.skip("promtool is missing; Debian's package prometheus has it")
    done = subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr.strip(), done.stderr
