"""Say what would be served of a model, without a running service: what it scores, which rows it takes, what is missing.

Nothing is changed, unless --write completes a folder: with golden rows, checksums, the example as one object, and what
--threshold and --positive-class state. A model that must not be served is rejected with the reason, and with what to write where.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

# The project is not installed: its packages are found from its folder, wherever this is run from.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib import command, model_folder
from scripts.lib.command import FAILED
from scripts.lib.mlmodel_file import Stated
from scripts.lib.model_options import add_statements, stated_in
from scripts.lib.model_report import rejection, report
from scripts.lib.model_source import gather, is_folder
from shared.errors import BadArtifact
from shared.models.artifact import Model
from shared.models.assumptions import Assumptions

EPILOG = """settings, from the environment, .devenv or .env:
  POSITIVE_CLASS, DEFAULT_THRESHOLD  what the service says of models that do not say it themselves
  MLFLOW_TRACKING_URI                MLflow server or store
  HF_REVISION, HF_FILENAME, HF_TOKEN, HF_ENDPOINT  as the service reads them, for a model on the Hub

exit codes: 0 fit to be served; 1 rejected, or not to be had; 2 wrong options or settings; 130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = parse(arguments)
    return command.run(lambda: check(options))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; prints the usage and exits on an unknown or malformed one."""
    parser = argparse.ArgumentParser(
        prog="pret model check",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="folder, models:/NAME@ALIAS, runs:/RUN/PATH or hub:OWNER/NAME[@REVISION]"
    )
    add_statements(parser)
    parser.add_argument("--write", action="store_true", help="complete the folder in place")
    options = parser.parse_args(arguments)
    if options.write and not is_folder(options.source):
        parser.error("--write completes a folder of this machine; scripts/upload_model_to_hf.py publishes any model")
    return options


def check(options: argparse.Namespace) -> int:
    """Fetch, load, report; raises CommandError or PretError with a sentence."""
    settings = command.read_settings()
    assumptions = Assumptions.from_settings(settings)
    with TemporaryDirectory(prefix="pret-check-") as temporary:
        folder, stated = Path(temporary) / "model", stated_in(options)
        try:
            gather(options.source, settings, folder)
            model = try_out(folder, stated, assumptions)
            if options.write:
                model = write(model, Path(options.source), assumptions)
        except BadArtifact as error:
            print("\n".join(rejection(error.reason)))
            return FAILED
        print("\n".join([*report(model, stated), "", "Fit to be served."]))
    if options.write:
        print(f"Completed {command.shown_path(Path(options.source))}.")
    return 0


def try_out(folder: Path, stated: Stated, assumptions: Assumptions) -> Model:
    """Load a copy of the model, with what is stated on the command line; raises BadArtifact if it must not serve."""
    model_folder.state(folder, stated)
    return model_folder.load(folder, assumptions)


def write(model: Model, destination: Path, assumptions: Assumptions) -> Model:
    """Complete the copy, and put what is new into the folder that it was copied from."""
    completed = model_folder.complete(model, assumptions, home=destination)
    model_folder.install(completed.folder, destination)
    return completed


if __name__ == "__main__":
    command.clean_up_when_terminated()
    sys.exit(main())
