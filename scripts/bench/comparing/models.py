"""The models that are compared with: trained once, below .local/peers."""

import json
import os
import subprocess
import sys
from pathlib import Path

from scripts.bench.comparing.environments import FOLDER, CannotCompare
from scripts.bench.comparing.protocols import Row

GERMAN_CREDIT = ("--csv", "tests/data/german_credit.csv", "--target", "creditability", "--positive", "bad")


def demo_model() -> Path:
    """Give the folder of the demo model, of numbers; raises CannotCompare if it cannot be trained."""
    return _trained("demo")


def german_credit_model() -> Path:
    """Give the folder of a model with categories; raises CannotCompare if it cannot be trained."""
    return _trained("german_credit", *GERMAN_CREDIT)


def example(model: Path) -> Row:
    """Read the example of a model."""
    row: Row = json.loads((model / "input_example.json").read_text(encoding="utf-8"))
    return row


def _trained(name: str, *options: str) -> Path:
    folder = (FOLDER / "models" / name).absolute()
    if not folder.is_dir():
        print(f"training the model {name} ...", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        store = f"sqlite:///{folder.parent}/mlflow.db"
        command = [sys.executable, "scripts/train_demo_model.py", "--output", str(folder), *options]
        done = subprocess.run(
            command, env={**os.environ, "MLFLOW_TRACKING_URI": store}, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            raise CannotCompare(f"The model {name} could not be trained; the lines above say why.")
    return folder
