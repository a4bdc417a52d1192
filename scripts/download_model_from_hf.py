"""Fetch a model from Hugging Face Hub into a folder: checked as a server would, and put in place as a whole.

The folder is replaced once the new model is there, whole and checked; until then, and when something fails, the old one
stays as it is. All files keep the names and the content that they have in the repository.
The last line on stdout is the sha of the commit, which is the version of the model, and the folder.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

# The project is not installed: its packages are found from its folder, wherever this is run from.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib import command
from scripts.lib.command import ROOT, CommandError
from scripts.lib.export import replacing
from scripts.lib.hub_repository import HubRepository, model_file_of
from scripts.lib.model_source import commit_at, fetch_commit
from shared.models import trial_load
from shared.models.assumptions import Assumptions

EPILOG = f"""settings, from the environment, .devenv or .env:
  HF_REPO_ID                     repository, OWNER/NAME
  HF_REVISION                    branch, tag or commit, where --revision is not given (main)
  HF_TOKEN or HUGGINGFACE_TOKEN  token, for a private repository
  HF_FILENAME                    name of the model file in the repository (model.cb)
  HF_ENDPOINT                    address of the Hub, where it is not the public one

{command.EXIT_CODES}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = parse(arguments)
    return command.run(lambda: fetch(options))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; prints the usage and exits on an unknown or malformed one."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=ROOT / "exported_model", help="put the model here (exported_model)"
    )
    parser.add_argument("--repo", metavar="OWNER/NAME", help="fetch from this repository instead of HF_REPO_ID")
    parser.add_argument("--revision", metavar="REVISION", help="branch, tag or commit")
    return parser.parse_args(arguments)


def fetch(options: argparse.Namespace) -> int:
    """Resolve, download, check, swap; raises CommandError or PretError with a sentence."""
    settings = command.read_settings()
    model_file_of(settings)
    repository = HubRepository.from_settings(settings, options.repo)
    revision = options.revision or settings.hf_revision
    snapshot = commit_at(repository, revision)
    try:
        with replacing(options.folder) as staging:
            fetch_commit(repository, snapshot, settings, staging)
            trial_load.check(staging, str(snapshot.sha), Assumptions.from_settings(settings))
    except FileExistsError as error:
        raise CommandError(
            f"{command.shown_path(options.folder)} holds something else than a model; it is left as it is."
        ) from error
    print(f"Fetched {repository.name} at {revision}, checked, in place:")
    print(f"{snapshot.sha} {command.shown_path(options.folder)}")
    return 0


if __name__ == "__main__":
    command.clean_up_when_terminated()
    sys.exit(main())
