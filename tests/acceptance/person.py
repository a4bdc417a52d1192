"""A person at a terminal, with a working folder, a Hub on this machine, and the commands of the project."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub import HubServer
from tests.processes import ROOT
from tests.registry import tracking_uri

REPO = "credit/model"
TOKEN = "hf_alice"  # noqa: S105 - an account of the test server
SOURCES = {"model.cb", "MLmodel", "input_example.json", "golden.json", "importance.json", "SHA256SUMS"}
"""What serves of a published model."""


@dataclass
class Person:
    """A working folder and a Hub; a command's environment holds nothing else that the commands read."""

    folder: Path
    hub: HubServer
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "MLFLOW_"))}
        own = {
            "HF_ENDPOINT": self.hub.url,
            "HF_HOME": str(self.folder / ".home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_REPO_ID": REPO,
            "HF_TOKEN": TOKEN,
        }
        return {name: value for name, value in (kept | own | self.settings).items() if value}

    def start(self, script: str, *options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, str(ROOT / "scripts" / script), *options]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *options: str) -> "Done":
        return self._finished(self.start(script, *options))

    def _finished(self, started: "subprocess.Popen[str]") -> "Done":
        with started as process:
            output, errors = process.communicate(timeout=100)
        done = Done(process.returncode, output, errors)
        assert "Traceback" not in done.errors, done.errors
        for secret in (TOKEN, str(ROOT), str(self.folder)):
            assert secret not in done.output + done.errors
        return done

    def upload(self, *options: str) -> "Done":
        return self.run("upload_model_to_hf.py", *options)

    def download(self, *options: str) -> "Done":
        return self.run("download_model_from_hf.py", *options)

    def pret(self, *options: str) -> "Done":
        """Run `pret model …`."""
        return self._finished(
            subprocess.Popen(
                [sys.executable, "-m", "pret", "model", *options],
                cwd=self.folder,
                env={**self.environment, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    def use_registry(self, folder: Path) -> None:
        """Let the commands find the MLflow registry in a folder."""
        self.settings["MLFLOW_TRACKING_URI"] = tracking_uri(folder)

    def left(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - {".home"}


@dataclass(frozen=True)
class Done:
    code: int
    output: str
    errors: str

    @property
    def last_line(self) -> str:
        return self.output.splitlines()[-1]

    def rejected(self, sentence: str, code: int = 1) -> None:
        """Check that the command ended with this sentence as its last word."""
        assert (self.code, self.errors.splitlines()[-1]) == (code, sentence), self.output + self.errors


def files(person: Person) -> dict[str, bytes]:
    return {path: file.content for path, file in person.hub.commits(REPO)[-1].files.items()}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
