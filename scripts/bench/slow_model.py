"""Writes a copy of the exported model that gives the same scores, many times more slowly: for measurements with a heavy model.

Run: .venv/bin/python scripts/bench/slow_model.py --times 25 --output slow_model; then MODEL_DIR=slow_model ./scripts/up
"""

import argparse
import shutil
from pathlib import Path

from catboost import CatBoostClassifier, sum_models

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ("golden.json", "SHA256SUMS")
"""Files that belong to the bytes of the original."""


def main() -> None:
    """Write the folder that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "exported_model", help="folder of the model to copy")
    parser.add_argument("--times", type=int, default=25, help="how many times as many trees (%(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="a folder that does not exist yet")
    options = parser.parse_args()
    trees = write_slow_model(options.model, options.output, options.times)
    print(f"{options.output}: {trees:,} trees")


def write_slow_model(source: Path, target: Path, times: int) -> int:
    """Copy the folder with every tree `times` times, each of a share of its weight; give the number of trees."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*PUBLISHED))
    model = CatBoostClassifier().load_model(str(source / "model.cb"))
    slow = sum_models([model] * times, weights=[1 / times] * times)
    slow.save_model(str(target / "model.cb"))
    trees: int = slow.tree_count_
    return trees


if __name__ == "__main__":
    main()
