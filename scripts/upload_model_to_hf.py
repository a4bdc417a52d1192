"""Publish a model on Hugging Face Hub: check it as a server would, and make one commit of what has changed.

The model is a folder as `mlflow artifacts download` or scripts/train_demo_model.py makes it, or an MLflow model, which is
fetched first (this needs the extra `train`; the store is the SQLite file .local/mlflow/mlflow.db unless MLFLOW_TRACKING_URI
names another). A model without golden rows gets them from its input example, of which a few rows are best: every server
tries the model with them, and they are published. What the registry states of the model, and what --threshold and
--positive-class state, is written into MLmodel. The model card README.md is written anew each time. What is published goes
to the branch `main`; nothing unchanged is committed again. The last line on stdout is the sha of the commit, which is the
version of the model.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

# The project is not installed: its packages are found from its folder, wherever this is run from.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.lib import command, model_folder
from scripts.lib.command import ROOT, CommandError
from scripts.lib.hub_repository import (
    BRANCH,
    HubRepository,
    NoSuchRepository,
    Snapshot,
    model_file_of,
    published_files,
)
from scripts.lib.mlmodel_file import Stated
from scripts.lib.model_card import model_name, write_card
from scripts.lib.model_options import add_statements, not_empty, stated_in
from scripts.lib.model_report import remarks, score_of, threshold_of
from scripts.lib.model_source import gather
from shared.contract import mlmodel
from shared.errors import BadArtifact
from shared.models.artifact import Model
from shared.models.assumptions import Assumptions
from shared.models.files import MLMODEL_FILE, choose, sha256

DEFAULT_FOLDER = ROOT / "exported_model"
EPILOG = f"""settings, from the environment, .devenv or .env:
  HF_REPO_ID                     repository, OWNER/NAME
  HF_TOKEN or HUGGINGFACE_TOKEN  token that may write to it
  HF_FILENAME                    name that the model file gets in the repository (model.cb)
  HF_ENDPOINT                    address of the Hub, where it is not the public one
  MLFLOW_MODEL_URI               MLflow model to publish, where SOURCE is not given
  MLFLOW_TRACKING_URI            MLflow server or store
  POSITIVE_CLASS                 class whose probability is the score, of models that do not state it

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
    add_statements(parser)
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
    source = options.source or settings.mlflow_model_uri or str(DEFAULT_FOLDER)
    assumptions, stated = Assumptions.from_settings(settings), stated_in(options)
    with TemporaryDirectory(prefix="pret-upload-") as temporary:
        folder = Path(temporary) / "model"
        gather(source, settings, folder)
        model_folder.state(folder, stated)
        loaded = model_folder.load(folder, assumptions)
        model = model_folder.complete(loaded, assumptions, model_file=model_file)
        write_card(model)
        tell(loaded, model, stated)
        if options.create:
            repository.create(private=options.private)
        sha = commit(repository, model, options)
    print(sha)
    return 0


def tell(loaded: Model, model: Model, stated: Stated) -> None:
    """Say what was checked, who states what of it, and what is assumed of what will be published."""
    print(f"Validated {model_name(model)} as a server would.")
    print(f"score = {score_of(loaded, stated)}; threshold {threshold_of(loaded, stated)}")
    print("".join(f"{line}\n" for line in remarks(model) if line), end="", flush=True)


def commit(repository: HubRepository, model: Model, options: argparse.Namespace) -> str:
    """Publish what differs from the head of the repository and tag it; gives the sha of the version."""
    folder, model_file = model.folder, model.file.relative_to(model.folder).as_posix()
    head = head_of(repository)
    present = [name for name in published_files(model_file) if (folder / name).is_file()]
    additions = {name: folder / name for name in present if is_changed(name, folder, head)}
    # A file of the last model that this one does not have, such as its golden rows, would speak against this one.
    formerly = (*published_files(model_file), *former_model_files(repository, head, model_file))
    deletions = [name for name in formerly if name in head.files and name not in present]
    unchanged = not additions and not deletions
    tagged = repository.tags().get(options.tag) if options.tag else None
    if tagged is not None and not (unchanged and tagged == head.sha):
        raise CommandError(f"{repository.name} has a tag {options.tag} already, for {tagged}; choose another.")
    if unchanged and head.sha is not None:
        sha = head.sha
        print(f"Nothing has changed: {repository.name} has this model already.")
    else:
        title = options.message or f"Publish {model_name(model)}"
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


def former_model_files(repository: HubRepository, head: Snapshot, model_file: str) -> list[str]:
    """Name what the head calls the model if it has none of our name: a server would find two, and perhaps take the old one."""
    if model_file in head.files or MLMODEL_FILE not in head.files:
        return []
    with TemporaryDirectory(prefix="pret-head-") as temporary, suppress(BadArtifact):
        repository.download(head, [MLMODEL_FILE], Path(temporary))
        return [choose(head.files, mlmodel.read(Path(temporary) / MLMODEL_FILE).data)]
    return []


def is_changed(name: str, folder: Path, head: Snapshot) -> bool:
    """Tell whether a file differs from the one in the repository, or is not there."""
    return name not in head.files or not head.files[name].is_same_as(folder / name)


def description(folder: Path, model_file: str) -> str:
    """Write the rest of the commit's message."""
    return f"SHA-256 of {model_file}: {sha256(folder / model_file)}"


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


if __name__ == "__main__":
    command.clean_up_when_terminated()
    sys.exit(main())
