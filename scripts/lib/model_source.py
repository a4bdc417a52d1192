"""Brings a model from where a team has it into a folder: from another folder, from MLflow, or from Hugging Face Hub."""

import re
import sys
from pathlib import Path

from scripts.lib import command
from scripts.lib.command import ROOT, WRONG_USAGE, CommandError, CommandSettings
from scripts.lib.hub_repository import HubRepository, Snapshot
from shared.contract import mlmodel
from shared.errors import SourceUnavailable
from shared.models import files
from shared.models.files import BESIDE_THE_MODEL, FOR_PEOPLE, MLMODEL_FILE, MODEL_FILE
from shared.models.mlflow_source import SCHEMES as MLFLOW_SCHEMES
from shared.models.mlflow_source import MlflowSource
from shared.settings import Settings

HUB_SCHEME = "hub:"
ADDRESS = re.compile("[a-z][a-z0-9+.-]*:/")


def is_folder(source: str) -> bool:
    """Whether the source is a folder of this machine."""
    return not source.startswith((*MLFLOW_SCHEMES, HUB_SCHEME))


def gather(source: str, settings: CommandSettings, folder: Path) -> None:
    """Bring the files of a model into `folder`, which does not exist yet; raises PretError or CommandError with a sentence."""
    if source.startswith(HUB_SCHEME):
        _from_hub(source.removeprefix(HUB_SCHEME), settings, folder)
    elif source.startswith(MLFLOW_SCHEMES):
        _from_mlflow(source, settings, folder)
    elif scheme := ADDRESS.match(source):
        raise CommandError(
            f"Models are not read from {scheme[0]} addresses: give a folder, models:/NAME@ALIAS, runs:/RUN/PATH or hub:OWNER/NAME."
        )
    else:
        _from_folder(Path(source), folder)


def commit_at(repository: HubRepository, revision: str) -> Snapshot:
    """Look up the commit that a revision stands for; raises CommandError if it has no model."""
    snapshot = repository.snapshot(revision)
    if snapshot.sha is None or MLMODEL_FILE not in snapshot.files:
        raise CommandError(
            f"{repository.name} has no model at {revision}: it needs {MLMODEL_FILE} and a CatBoost file."
        )
    return snapshot


def fetch_commit(repository: HubRepository, snapshot: Snapshot, settings: Settings, folder: Path) -> None:
    """Bring the model of a commit into `folder`, under the names that it has there; says so if HF_FILENAME is none of them."""
    beside = [name for name in (*BESIDE_THE_MODEL, *FOR_PEOPLE) if name in snapshot.files]
    repository.download(snapshot, beside, folder)
    # The default of a setting states nothing.
    wanted = () if settings.hf_filename == MODEL_FILE else (settings.hf_filename,)
    chosen = files.choose(snapshot.files, *wanted, mlmodel.read(folder / MLMODEL_FILE).data)
    if wanted and chosen not in wanted:
        print(f"The repository has no {settings.hf_filename} (HF_FILENAME); its model is {chosen}.", file=sys.stderr)
    repository.download(snapshot, [chosen], folder)


def _from_folder(source: Path, folder: Path) -> None:
    if source.is_file():
        raise CommandError(
            f"{command.shown_path(source)} is a file; give its folder, in which there must be a file {MLMODEL_FILE}, too."
        )
    if not source.is_dir():
        raise CommandError(f"There is no folder {command.shown_path(source)}; train or export a model first.")
    folder.mkdir()
    files.copy(source, folder)


def _from_mlflow(uri: str, settings: CommandSettings, folder: Path) -> None:
    store = settings.mlflow_tracking_uri or f"sqlite:///{ROOT / '.local' / 'mlflow' / 'mlflow.db'}"
    source = MlflowSource(uri, store)
    print(f"Fetching {uri} from MLflow ...", file=sys.stderr, flush=True)
    folder.mkdir()
    try:
        source.fetch(source.resolve(None), folder)
    except SourceUnavailable as error:
        if error.reason.type == "mlflow-not-installed":
            raise CommandError("This needs MLflow: install the extra `train`.", WRONG_USAGE) from error
        raise


def _from_hub(name: str, settings: CommandSettings, folder: Path) -> None:
    repo, _, revision = name.partition("@")
    repository = HubRepository.from_settings(settings, repo)
    snapshot = commit_at(repository, revision or settings.hf_revision)
    folder.mkdir()
    fetch_commit(repository, snapshot, settings, folder)
