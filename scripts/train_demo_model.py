"""Train a CatBoost model, register it in MLflow, and export it to the folder that the service loads.

Without --csv the rows are a synthetic loan portfolio, made on the spot and the same every time. With --csv they are
yours: columns of numbers and of true/false are taken as such, all others as categories, empty cells as missing. What is
no feature is left out, with a note: row numbers and names, columns that are empty or the same everywhere.

The decision threshold is the one of least cost, where a missed default costs ten times what declining a good applicant
does (--cost-ratio), or the one that you give (--threshold).
MLflow's store is the SQLite file .local/mlflow/mlflow.db unless MLFLOW_TRACKING_URI names another.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from os import environ
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

# The project is not installed: its packages are found from its folder, wherever this is run from.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib import command, terminal
from scripts.lib.command import WRONG_USAGE
from scripts.lib.csv_data import csv_data
from scripts.lib.csv_table import TAB, TAB_SIGN, Dialect
from scripts.lib.demo_portfolio import demo_data
from scripts.lib.export import check_replaceable, export_model
from scripts.lib.feature_notes import with_notes
from scripts.lib.training import DEFAULT_COST_RATIO, TrainedModel, train
from scripts.lib.training_data import TrainingData, TrainingError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_ROWS = 80_000
DEFAULT_ITERATIONS = 500
DEFAULT_SEED = 42


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code, 2 when the input or the store is at fault, 130 after Ctrl-C."""
    terminal.use_plain_letters()
    options = parse(arguments)
    return command.run(lambda: trained(options))


def trained(options: argparse.Namespace) -> int:
    """Train and export; returns the exit code."""
    try:
        run(options)
    except TrainingError as error:
        return command.tell(str(error), WRONG_USAGE)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; prints the usage and exits on an unknown or malformed one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="train from this file, in UTF-8 with a header line")
    parser.add_argument("--target", metavar="COL", help="the column to predict (with --csv)")
    parser.add_argument("--positive", metavar="VALUE", help="the target's value that means a default (with --csv)")
    parser.add_argument(
        "--drop", action="append", default=[], metavar="COL", help="do not learn from this column; may be repeated"
    )
    parser.add_argument(
        "--delimiter",
        type=delimiter,
        metavar="C",
        help=f"what separates fields, `{TAB}` for a tab (found by the header)",
    )
    parser.add_argument(
        "--notes",
        type=Path,
        metavar="FILE",
        help="what people call the columns, in YAML, see docs/reasons.md (with --csv)",
    )
    parser.add_argument("--decimal", choices=(".", ","), help="the decimal sign (found by the numbers)")
    parser.add_argument(
        "--cost-ratio",
        type=positive_number,
        default=DEFAULT_COST_RATIO,
        metavar="N",
        help="how many times a missed default costs what declining a good applicant does (%(default)s)",
    )
    parser.add_argument("--threshold", type=share, metavar="T", help="decline scores from here up (that of least cost)")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "exported_model", metavar="DIR", help="export here (exported_model)"
    )
    parser.add_argument(
        "--name", help="register under this name (pret-a-depenser-demo, or pret-a-depenser- and the name of the file)"
    )
    parser.add_argument(
        "--rows", type=at_least_one, default=DEFAULT_ROWS, help="rows of the synthetic portfolio (%(default)s)"
    )
    parser.add_argument(
        "--iterations", type=at_least_one, default=DEFAULT_ITERATIONS, help="at most this many trees (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of split and training (%(default)s)")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Train, register, export and report; raises TrainingError when that is not possible."""
    try:
        check_replaceable(options.output)
    except FileExistsError as error:
        raise TrainingError(str(error)) from error
    if options.name is not None and (not options.name.strip() or set(options.name) & set("/:")):
        raise TrainingError("--name must not be empty, nor hold a slash or a colon.")
    data = load_data(options)
    for note in data.notes:
        print(f"Note: {note}")
    name = options.name or f"pret-a-depenser-{data.name}"
    print(f"Training on {len(data.target):,} rows with {len(data.features)} features: {data.origin}.", flush=True)
    started = time.perf_counter()
    trained = train(data, options.iterations, options.seed, options.cost_ratio, options.threshold)
    print_figures(trained, time.perf_counter() - started)
    version = register_and_export(data, trained, name, options.output)
    print(f"\nRegistered model  {name}, version {version}, alias champion")
    print(f"MLflow store      {shown_store(tracking_uri())}")
    print(f"Export            {shown_path(options.output)}/")


def load_data(options: argparse.Namespace) -> TrainingData:
    """Return the rows that the options ask for."""
    if options.csv is None:
        of_files = (
            options.target,
            options.positive,
            options.delimiter,
            options.decimal,
            options.drop or None,
            options.notes,
        )
        if any(option is not None for option in of_files):
            raise TrainingError(
                "--target, --positive, --drop, --delimiter, --decimal and --notes describe a file, so they need --csv FILE."
            )
        return demo_data(options.rows)
    if options.target is None or options.positive is None:
        raise TrainingError("--csv needs --target COL and --positive VALUE, to know what to predict.")
    said = Dialect(options.delimiter, options.decimal)
    data = csv_data(options.csv, options.target, options.positive, options.drop, said)
    return with_notes(data, options.notes) if options.notes else data


def model_metadata(data: TrainingData, trained: TrainedModel, name: str) -> dict[str, Any]:
    """Return the metadata of the MLmodel: threshold, feature contract, and what a model card tells."""
    return {
        **data.contract(),
        "best_threshold": trained.threshold,
        "metrics": dict(trained.metrics),
        "registered_model": name,
        "training_data": data.origin,
    }


def register_and_export(data: TrainingData, trained: TrainedModel, name: str, output: Path) -> str:
    """Put the model into MLflow, export what MLflow then holds, and return the registered version."""
    from scripts.lib import mlflow_registry as registry  # noqa: PLC0415 - it takes seconds, which --help need not wait

    metadata = model_metadata(data, trained, name)
    with registry.store_errors():
        registered = registry.register(data, trained, metadata, name, tracking_uri())
        with registry.downloaded(registered) as folder:
            export_model(folder, trained.golden_rows, trained.sample, data.input_example, output)
    return registered.version


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI, or the project's own SQLite store."""
    return environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{ROOT / '.local' / 'mlflow' / 'mlflow.db'}"


def print_figures(trained: TrainedModel, seconds: float) -> None:
    """Print what the model does to the test rows, which took no part in its training."""
    figures, outcome = trained.metrics, trained.outcome
    print(f"Trained {figures['trees']} trees on {figures['training_rows']:,} rows in {seconds:.1f} s.")
    print(f"\nOn {figures['test_rows']:,} test rows, of which {figures['default_rate']:.1%} default:")
    print(f"  AUC        {figures['auc']:.4f}")
    print(f"  threshold  {trained.threshold:.6f}  (a score that reaches it is refused: {figures['refusal_rate']:.1%})")
    print(f"\n  {'':12}{'granted':>10}{'refused':>10}")
    print(f"  {'good':12}{outcome.granted_good:>10,}{outcome.refused_good:>10,}")
    print(f"  {'default':12}{outcome.missed_defaults:>10,}{outcome.refused_defaults:>10,}")
    print(
        f"\n  cost {outcome.cost:,} = {outcome.cost_ratio} x {outcome.missed_defaults:,} missed defaults"
        f" + {outcome.refused_good:,} declined good applicants (granting all: {outcome.cost_of_granting_all:,})"
    )


def shown_path(path: Path) -> str:
    """Return the path relative to the working folder where it lies under it."""
    absolute = path.resolve()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(path)


def shown_store(uri: str) -> str:
    """Return a SQLite store as a path, any other as its address without user and password."""
    if uri.startswith("sqlite:///"):
        return shown_path(Path(uri.removeprefix("sqlite:///")))
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def at_least_one(text: str) -> int:
    """Return an option's whole number; argparse tells of any other."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def positive_number(text: str) -> float:
    """Return an option's number, as a whole one where it is; argparse tells of any that is not above zero."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(number) if number.is_integer() else number


def share(text: str) -> float:
    """Return an option's number from 0 to 1; argparse tells of any other."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return number


def delimiter(text: str) -> str:
    """Return an option's sign; argparse tells of what cannot stand between fields."""
    sign = TAB_SIGN if text == TAB else text
    if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in '"\r\n\0 .+-_':
        raise argparse.ArgumentTypeError(f"{text!r} is not one sign that occurs in no number, nor `{TAB}`")
    return sign


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


if __name__ == "__main__":
    sys.exit(main())
