"""Models straight from an MLflow registry, for teams without a Hub.

MLflow is not installed where models are only served, and is never imported there: a process of its own downloads.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.errors import SourceUnavailable, UnknownRevision
from shared.models import artifact

DOWNLOAD = """
import sys
from mlflow.artifacts import download_artifacts
download_artifacts(artifact_uri=sys.argv[1], dst_path=sys.argv[2], tracking_uri=sys.argv[3] or None)
"""
DOWNLOAD_TIMEOUT = 300.0


class MlflowSource:
    """One model URI, such as `models:/name@alias`; what it stands for is known once it is downloaded."""

    def __init__(self, uri: str, tracking_uri: str | None) -> None:
        self._uri = uri
        self._tracking_uri = tracking_uri

    def resolve(self, revision: str | None) -> str:
        """Download the model and name its content; a revision is another `models:/…` or `runs:/…` URI."""
        with TemporaryDirectory(prefix="pret-mlflow-") as folder:
            self._download(revision or self._uri, Path(folder))
            return artifact.folder_version(Path(folder))

    def fetch(self, version: str, folder: Path) -> None:
        """Download the model, whatever version it is by now; the caller looks at what it got."""
        with TemporaryDirectory(prefix="pret-mlflow-") as downloaded:
            self._download(self._uri, Path(downloaded))
            for name in artifact.fetched_files():
                if (Path(downloaded) / name).is_file():
                    shutil.copyfile(Path(downloaded) / name, folder / name)

    def _download(self, uri: str, folder: Path) -> None:
        if not uri.startswith(("models:/", "runs:/")):
            raise UnknownRevision("A revision must be an MLflow URI here: models:/NAME@ALIAS or runs:/RUN/PATH.")
        command = [sys.executable, "-c", DOWNLOAD, uri, str(folder), self._tracking_uri or ""]
        try:
            done = subprocess.run(command, capture_output=True, timeout=DOWNLOAD_TIMEOUT, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise SourceUnavailable("MLflow does not answer.") from error
        if b"No module named 'mlflow'" in done.stderr:
            raise SourceUnavailable(
                "MODEL_URI needs MLflow: install the extra 'train', or publish the model to the Hub."
            )
        if done.returncode:
            raise SourceUnavailable(f"MLflow does not give {uri}; is it registered, and MLFLOW_TRACKING_URI right?")
