"""Publish a model on Hugging Face Hub: check it as a server would, and make one commit of what has changed.

The model is a folder as scripts/train_demo_model.py exports it, or an MLflow model, which is exported first (this needs
the extra `train`; the store is the SQLite file .local/mlflow/mlflow.db unless MLFLOW_TRACKING_URI names another). Its
input example, of which a few rows are best, then gives the rows that every server tries the model with; they are published.
The model card README.md is written anew each time. What is published goes to the branch `main`; nothing unchanged is
committed again. The last line on stdout is the sha of the commit, which is the version of the model.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

# The project is not installed: its packages are found from its folder, wherever this is run from.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib import command
from scripts.lib.command import ROOT, WRONG_USAGE, CommandError, CommandSettings
from scripts.lib.export import REQUIREMENTS_FILE, write_checksums
from scripts.lib.hub_repository import (
    BRANCH,
    HubRepository,
    NoSuchRepository,
    Snapshot,
    model_file_of,
    published_files,
)
from scripts.lib.model_card import model_name, write_card
from shared.models import artifact, trial_load

MLFLOW_SCHEMES = ("models:/", "runs:/")
DEFAULT_FOLDER = ROOT / "exported_model"
EPILOG = f"""settings, from the environment, .devenv or .env:
  HF_REPO_ID                     repository, OWNER/NAME
  HF_TOKEN or HUGGINGFACE_TOKEN  token that may write to it
  HF_FILENAME                    name of the model file in the repository (model.cb)
  HF_ENDPOINT                    address of the Hub, where it is not the public one
  MLFLOW_MODEL_URI               MLflow model to publish, where SOURCE is not given
  MLFLOW_TRACKING_URI            MLflow server or store

{command.EXIT_CODES}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = parse(arguments)
    return command.run(lambda: publish(options))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; prints the usage and exits on an unknown or malformed one."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", nargs="?", metavar="SOURCE", help="folder, models:/NAME@ALIAS or runs:/RUN/PATH (exported_model)"
    )
    parser.add_argument("--repo", metavar="OWNER/NAME", help="publish to this repository instead of HF_REPO_ID")
    parser.add_argument("--create", action="store_true", help="create the repository if there is none")
    parser.add_argument("--private", action="store_true", help="with --create: one that only its owners see")
    parser.add_argument("--tag", type=tag_name, metavar="NAME", help="tag the version, for example v2")
    parser.add_argument("--message", type=not_empty, metavar="TEXT", help="first line of the commit's message")
    options = parser.parse_args(arguments)
    if options.private and not options.create:
        parser.error("--private says how to --create the repository, so it needs that")
    return options


def publish(options: argparse.Namespace) -> int:
    """Gather, check, compare, commit, tag; raises CommandError or PretError with a sentence."""
    settings = command.read_settings()
    model_file = model_file_of(settings)
    repository = HubRepository.from_settings(settings, options.repo)
    repository.check_token()
    with TemporaryDirectory(prefix="pret-upload-") as temporary:
        folder = Path(temporary) / "model"
        gather(options.source or settings.mlflow_model_uri, settings, folder)
        complete(folder, model_file)
        print(f"Validated {model_name(folder)} as a server would.", flush=True)
        if options.create:
            repository.create(private=options.private)
        sha = commit(repository, folder, model_file, options)
    print(sha)
    return 0


def gather(source: str | None, settings: CommandSettings, folder: Path) -> None:
    """Put the files of the model into `folder`, which does not exist yet."""
    if source is None:
        copy_artifact(DEFAULT_FOLDER, folder)
    elif source.startswith(MLFLOW_SCHEMES):
        export_from_mlflow(source, settings, folder)
    else:
        copy_artifact(Path(source), folder)


def copy_artifact(source: Path, folder: Path) -> None:
    """Copy what is to be published, and check that it arrived as it was exported."""
    if not source.is_dir():
        raise CommandError(f"There is no folder {command.shown_path(source)}; train or export a model first.")
    folder.mkdir()
    for name in (*artifact.served_files(), REQUIREMENTS_FILE):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    artifact.digest(folder)
    artifact.verify_checksums(folder)


def export_from_mlflow(uri: str, settings: CommandSettings, folder: Path) -> None:
    """Export a model from MLflow, which is imported for that alone."""
    store = settings.mlflow_tracking_uri or f"sqlite:///{ROOT / '.local' / 'mlflow' / 'mlflow.db'}"
    try:
        from scripts.lib import mlflow_model  # noqa: PLC0415 - it takes seconds, and may not be installed
    except ImportError as error:
        raise CommandError("This needs MLflow: install the extra `train`.", WRONG_USAGE) from error
    print(f"Exporting {uri} from MLflow ...", flush=True)
    mlflow_model.export(uri, store, folder)


def complete(folder: Path, model_file: str) -> None:
    """Name the model file as the repository does, renew the checksums, try the model, and write its card."""
    (folder / model_file).parent.mkdir(parents=True, exist_ok=True)
    (folder / artifact.MODEL_FILE).rename(folder / model_file)
    write_checksums(folder)
    trial_load.check(folder, artifact.folder_version(folder, model_file), model_file)
    write_card(folder, model_file)


def commit(repository: HubRepository, folder: Path, model_file: str, options: argparse.Namespace) -> str:
    """Publish what differs from the head of the repository and tag it; gives the sha of the version."""
    head = head_of(repository)
    present = [name for name in published_files(model_file) if (folder / name).is_file()]
    additions = {name: folder / name for name in present if is_changed(name, folder, head)}
    # A file of the last model that this one does not have, such as its golden rows, would speak against this one.
    deletions = [name for name in published_files(model_file) if name in head.files and name not in present]
    unchanged = not additions and not deletions
    tagged = repository.tags().get(options.tag) if options.tag else None
    if tagged is not None and not (unchanged and tagged == head.sha):
        raise CommandError(f"{repository.name} has a tag {options.tag} already, for {tagged}; choose another.")
    if unchanged and head.sha is not None:
        sha = head.sha
        print(f"Nothing has changed: {repository.name} has this model already.")
    else:
        title = options.message or f"Publish {model_name(folder)}"
        sha = repository.commit(additions, deletions, head.sha, title, description(folder, model_file))
        print(
            f"Published to {repository.name}: {', '.join([*additions, *(f'{name} (removed)' for name in deletions)])}"
        )
    if options.tag and tagged is None:
        set_tag(repository, options.tag, sha)
    return sha


def head_of(repository: HubRepository) -> Snapshot:
    """Look up what is published now."""
    try:
        return repository.snapshot(BRANCH)
    except NoSuchRepository as error:
        raise CommandError(f"{error} With --create it is created.") from error


def is_changed(name: str, folder: Path, head: Snapshot) -> bool:
    """Tell whether a file differs from the one in the repository, or is not there."""
    return name not in head.files or not head.files[name].is_same_as(folder / name)


def description(folder: Path, model_file: str) -> str:
    """Write the rest of the commit's message."""
    return f"SHA-256 of {model_file}: {artifact.sha256(folder / model_file)}"


def set_tag(repository: HubRepository, tag: str, sha: str) -> None:
    """Tag the version; where that fails, it is published all the same, and its sha is said."""
    try:
        repository.tag(tag, sha)
    except Exception:
        print(f"The model is published, but not tagged {tag}; run the command again to tag it.", file=sys.stderr)
        print(sha, flush=True)
        raise
    print(f"Tagged {tag}")


def tag_name(text: str) -> str:
    """Return the tag; argparse tells of one that git would not take."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", text) or text.endswith((".", ".lock")) or ".." in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no name for a tag; use letters, digits, dots and dashes")
    return text


def not_empty(text: str) -> str:
    """Return an option's text; argparse tells of an empty one."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it must not be empty")
    return text


if __name__ == "__main__":
    command.clean_up_when_terminated()
    sys.exit(main())
