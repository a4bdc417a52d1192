"""What Flower loads, and what it shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHOWN = """
import worker.monitor
from flower.command import apply_env_options, options
from flower.views.tasks import visible_task_columns
apply_env_options()
print([each[0] if isinstance(each, tuple) else each for each in visible_task_columns(options.tasks_columns)])
"""


def columns(**variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")} | variables
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("column", ["name", "args", "state", "routing_key", "worker", "uuid"])
def test_flower_shows_which_chunk_of_which_job_a_task_is_and_its_lane(column: str) -> None:
    assert f"'{column}'" in columns()


def test_another_choice_of_columns_is_kept() -> None:
    assert "'args'" not in columns(FLOWER_TASKS_COLUMNS="name,state")
