"""The soak: its chosen moments break no promise, and Ctrl-C in the middle leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.processes import ROOT, left_running, processes_of, wait_for

SOAK = [sys.executable, "-u", "scripts/bench/soak.py", "--moments"]
SLOWEST = 900.0
"""Seconds on a machine that does much else; it takes under three minutes on one that does not."""


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder)}


@contextmanager
def soak(folder: Path, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "soak.log").open("wb") as log:
        running = subprocess.Popen([*SOAK, *options], cwd=ROOT, env=environment(folder), stdout=log, stderr=log)
        try:
            yield running
        finally:
            running.kill()
            for process in processes_of(folder):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            running.wait()


@pytest.mark.timeout(SLOWEST + 60)
def test_the_chosen_moments_break_no_promise(tmp_path: Path) -> None:
    with soak(tmp_path, "--seed", "14") as running:
        code = running.wait(SLOWEST)
    said = (tmp_path / "soak.log").read_text()
    assert code == 0, said
    assert re.search(r"^violations +0$", said, re.MULTILINE), said
    assert "Traceback" not in said
    assert int(re.findall(r"^events +(\d+),", said, re.MULTILINE)[0]) >= 20


@pytest.mark.timeout(300)
def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with soak(tmp_path, "--seed", "15") as running:
        log = tmp_path / "soak.log"
        wait_for("the third event", lambda: re.search(r"^ +3 ", log.read_text(), re.MULTILINE), 240)
        assert processes_of(tmp_path)
        running.send_signal(signal.SIGINT)
        code = running.wait(60)
        assert code == 130, log.read_text()
        assert left_running(tmp_path) == []
        assert [path.name for path in tmp_path.iterdir()] == ["soak.log"]
