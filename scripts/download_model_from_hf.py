"""Fetch a model from Hugging Face Hub into a folder: checked as a server would, and put in place as a whole.

The folder is replaced once the new model is there, whole and checked; until then, and when something fails, the old one
stays as it is. The model file is called model.cb in the folder, whatever its name in the repository.
The last line on stdout is the sha of the commit, which is the version of the model, and the folder.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

# The project is not installed: its packages are found from its folder, wherever this is run from.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib import command
from scripts.lib.command import ROOT, CommandError
from scripts.lib.export import replacing, write_checksums
from scripts.lib.hub_repository import HubRepository, Snapshot, model_file_of, published_files
from shared.errors import BadArtifact
from shared.models import artifact, trial_load

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
    model_file = model_file_of(settings)
    repository = HubRepository.from_settings(settings, options.repo)
    revision = options.revision or settings.hf_revision
    snapshot = repository.snapshot(revision)
    if snapshot.sha is None or not snapshot.files.keys() >= {model_file, artifact.MLMODEL_FILE}:
        raise CommandError(
            f"{repository.name} has no model at {revision}: it needs {model_file} (see HF_FILENAME) and MLmodel."
        )
    try:
        with replacing(options.folder) as staging:
            download(repository, snapshot, model_file, staging)
            check(snapshot, model_file, staging)
    except FileExistsError as error:
        raise CommandError(
            f"{command.shown_path(options.folder)} holds something else than a model; it is left as it is."
        ) from error
    print(f"Fetched {repository.name} at {revision}, checked, in place:")
    print(f"{snapshot.sha} {command.shown_path(options.folder)}")
    return 0


def download(repository: HubRepository, snapshot: Snapshot, model_file: str, folder: Path) -> None:
    """Fetch the files of the model and compare them with the Hub's own checksums, which the client does not."""
    names = [name for name in published_files(model_file) if name in snapshot.files]
    repository.download(str(snapshot.sha), names, folder)
    # The client's notes on what it fetched.
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    for name in names:
        if not snapshot.files[name].is_same_as(folder / name):
            raise BadArtifact("hub-file-damaged", file=name)


def check(snapshot: Snapshot, model_file: str, folder: Path) -> None:
    """Check the model as a server would, then give its file the name that it has in a folder."""
    trial_load.check(folder, str(snapshot.sha), model_file)
    if model_file == artifact.MODEL_FILE:
        return
    (folder / model_file).rename(folder / artifact.MODEL_FILE)
    if (folder / artifact.CHECKSUM_FILE).is_file():
        write_checksums(folder)


if __name__ == "__main__":
    command.clean_up_when_terminated()
    sys.exit(main())
