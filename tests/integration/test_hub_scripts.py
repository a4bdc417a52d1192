"""The commands as far as they get without a Hub: options, settings, folders, the model card. See also tests/acceptance."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pandas as pd
import pytest
import yaml
from huggingface_hub.utils._http import default_client_factory

from scripts import download_model_from_hf, reload_model, upload_model_to_hf
from scripts.lib import command, model_folder
from scripts.lib.command import CommandError
from scripts.lib.hub_repository import HubRepository, model_file_of, published_files
from scripts.lib.model_card import model_card
from scripts.lib.model_source import gather
from shared.fleet.reload import ProcessOutcome
from shared.models import artifact, files
from shared.models.assumptions import Assumptions
from shared.models.hub import RemoteFile
from shared.reasons import Reason
from shared.settings import Settings
from tests.factories import Kit, fitted, write_bare_artifact, write_checksums

NOWHERE = "http://127.0.0.1:9"
TOKEN = "hf_secret"  # noqa: S105 - nobody's


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A working folder, a repository on a Hub that is away, and the client's own ways back afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    for name in ("HUGGINGFACE_TOKEN", "HF_FILENAME", "HF_REVISION", "MLFLOW_MODEL_URI", "MODEL_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("scripts.lib.hub_repository.get_token", lambda: None)
    for name, value in {"HF_REPO_ID": "credit/model", "HF_TOKEN": TOKEN, "HF_ENDPOINT": NOWHERE}.items():
        monkeypatch.setenv(name, value)
    yield
    huggingface_hub.set_client_factory(default_client_factory)


class TestUpload:
    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("HF_TOKEN", "", "No token: set HF_TOKEN (or HUGGINGFACE_TOKEN) to one that may write to the repository."),
            ("HF_TOKEN", "hf secret", "The token holds characters that no token has; is it copied whole?"),
            ("HF_TOKEN", "hf_sécret", "The token holds characters that no token has; is it copied whole?"),
            ("HF_REPO_ID", "", "No repository: set HF_REPO_ID or give --repo OWNER/NAME."),
            ("HF_REPO_ID", "a/b/c", "A repository is named OWNER/NAME on the Hub."),
            ("HF_ENDPOINT", "hub", "HF_ENDPOINT must be an address such as https://huggingface.co."),
            ("HF_ENDPOINT", "http://hub:x", "HF_ENDPOINT must be an address such as https://huggingface.co."),
            ("HF_FILENAME", "../model.cb", "HF_FILENAME must be the path of a file in the repository."),
            ("HF_FILENAME", "MLmodel", "HF_FILENAME must not be 'MLmodel', which is another file."),
            (
                "RELOAD_TIMEOUT",
                "soon",
                "RELOAD_TIMEOUT: Input should be a valid number, unable to parse string as a number.",
            ),
        ],
    )
    def test_wrong_settings_are_told_before_anything_is_done(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, sentence: str
    ) -> None:
        monkeypatch.setenv(name, value)
        assert upload_model_to_hf.main([]) == command.WRONG_USAGE
        assert capsys.readouterr() == ("", sentence + "\n")

    @pytest.mark.parametrize(
        "options", [["--private"], ["--tag", "v 1"], ["--tag", "a..b"], ["--message", " "], ["a", "b"]]
    )
    def test_wrong_options_are_told(self, options: list[str]) -> None:
        with pytest.raises(SystemExit, match="2"):
            upload_model_to_hf.main(options)

    @pytest.mark.parametrize("source", ["nothing", "/nothing"])
    def test_a_folder_that_is_not_there(self, capsys: pytest.CaptureFixture[str], source: str) -> None:
        assert upload_model_to_hf.main([source]) == command.FAILED
        assert capsys.readouterr().err == "There is no folder nothing; train or export a model first.\n"

    def test_a_folder_that_is_no_model(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert upload_model_to_hf.main([str(tmp_path)]) == command.FAILED
        assert capsys.readouterr().err == "The model folder has no file 'MLmodel'.\n"

    def test_a_model_that_must_not_serve(
        self, numbers: Kit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = numbers.write(tmp_path / "model")
        (model / "golden.json").write_text(json.dumps({"rows": numbers.rows[:1], "scores": [0.5]}))
        assert upload_model_to_hf.main(["model"]) == command.FAILED
        assert capsys.readouterr().err == "'golden.json' is missing or damaged: it does not match SHA256SUMS.\n"
        write_checksums(model)
        assert upload_model_to_hf.main(["model"]) == command.FAILED
        assert capsys.readouterr().err == "The model does not reproduce the scores in its 'golden.json'.\n"

    def test_a_hub_that_is_away(self, numbers: Kit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        numbers.write(tmp_path / "model")
        assert upload_model_to_hf.main(["model"]) == command.FAILED
        assert capsys.readouterr().err == "The Hub does not answer (ConnectError).\n"

    def test_the_checksums_are_those_of_the_published_names(self, numbers: Kit, tmp_path: Path) -> None:
        source, folder = numbers.write(tmp_path / "model"), tmp_path / "staged"
        (source / "notes.txt").write_text("not for the public")
        gather("model", command.read_settings(), folder)
        model_folder.complete(model_folder.load(folder), model_file="deep/credit.cbm")
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert names == {
            "deep/credit.cbm",
            "MLmodel",
            "input_example.json",
            "golden.json",
            "importance.json",
            "SHA256SUMS",
        }
        assert names < set(published_files("deep/credit.cbm"))
        lines = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
        listed = {name: checksum for checksum, name in lines}
        assert listed.keys() == names - {"SHA256SUMS"}
        assert listed["deep/credit.cbm"] == files.sha256(source / "model.cb")


class TestDownload:
    def test_a_hub_that_is_away_leaves_the_folder(
        self, numbers: Kit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        numbers.write(tmp_path / "model")
        version = files.folder_version(tmp_path / "model")
        assert download_model_from_hf.main(["model"]) == command.FAILED
        assert capsys.readouterr() == ("", "The Hub does not answer (ConnectError).\n")
        assert files.folder_version(tmp_path / "model") == version

    def test_no_token_is_needed_to_ask(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delenv("HF_TOKEN")
        assert download_model_from_hf.main(["--repo", "credit/public"]) == command.FAILED
        assert capsys.readouterr().err == "The Hub does not answer (ConnectError).\n"


class TestReload:
    def test_rollback_takes_no_revision(self) -> None:
        with pytest.raises(SystemExit, match="2"):
            reload_model.main(["v1", "--rollback"])

    @pytest.mark.parametrize(
        ("url", "code", "sentence"),
        [
            ("redis://:secret@127.0.0.1:9/0", command.FAILED, "Redis does not answer"),
            ("nonsense", command.WRONG_USAGE, "REDIS_URL must begin with redis:// or rediss://"),
        ],
    )
    def test_redis_is_away_or_misspelt(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, code: int, sentence: str
    ) -> None:
        monkeypatch.setenv("REDIS_URL", url)
        assert reload_model.main([]) == code
        told = capsys.readouterr()
        assert told.err.startswith(sentence)
        assert "secret" not in told.err

    def test_the_table_has_a_line_a_process(self, capsys: pytest.CaptureFixture[str]) -> None:
        reload_model.print_table(
            [
                ProcessOutcome("api", "laptop", 7, "a" * 40, "b" * 40, 1.25, None),
                ProcessOutcome(
                    "worker", "a-long-name", 4711, None, "local-0123456789ab", None, Reason("hub-unreadable")
                ),
            ]
        )
        assert capsys.readouterr().out.splitlines() == [
            "kind    host         pid   before        after               seconds  error",
            "api     laptop       7     aaaaaaaaaaaa  bbbbbbbbbbbb        1.2      -",
            "worker  a-long-name  4711  -             local-0123456789ab  -        The answer of the Hub cannot be read.",
        ]
        reload_model.print_table([])
        assert capsys.readouterr().out == "No process of the service is running.\n"


class TestSettings:
    def test_the_working_folder_comes_before_the_project_and_the_environment_before_both(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        project = tmp_path / "project"
        project.mkdir()
        monkeypatch.setattr(command, "ROOT", project)
        monkeypatch.delenv("HF_TOKEN")
        (project / ".env").write_text("HF_REPO_ID=project/x\nHF_REVISION=project\nHF_TOKEN=project\nHF_FILENAME=p.cb")
        (tmp_path / ".devenv").write_text("HF_REVISION=folder\nHUGGINGFACE_TOKEN=other\nMLFLOW_MODEL_URI=models:/m@c")
        (tmp_path / ".env").write_text("HF_TOKEN=folder")
        read = command.read_settings()
        assert (read.hf_repo_id, read.hf_revision, read.hub_token) == ("credit/model", "folder", "folder")
        assert (read.hf_filename, read.mlflow_model_uri) == ("p.cb", "models:/m@c")

    def test_a_repository_may_be_named_on_the_command_line(self) -> None:
        assert HubRepository.from_settings(command.read_settings(), "other/model").name == "other/model"

    @pytest.mark.parametrize("name", ["", "/model.cb", "a/../b", "a//b", "./a", "a\\b", "README.md", ".cache/x"])
    def test_what_cannot_be_the_name_of_the_model_file(self, name: str) -> None:
        with pytest.raises(CommandError):
            model_file_of(Settings(hf_filename=name))

    def test_a_path_elsewhere_is_shown_by_its_last_part(self, tmp_path: Path) -> None:
        assert command.shown_path(tmp_path / "a" / "b") == "a/b"
        assert command.shown_path(Path("/somewhere/else")) == "else"


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (CommandError("No.", 2), 2, "No.\n"),
        (
            PermissionError(13, "Permission denied", "/somewhere"),
            1,
            "A file could not be read or written: Permission denied.\n",
        ),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_an_error_becomes_a_sentence(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, sentence: str
) -> None:
    def failing() -> int:
        raise error

    assert command.run(failing) == code
    assert capsys.readouterr() == ("", sentence)


@pytest.mark.parametrize("main", [upload_model_to_hf.main, download_model_from_hf.main, reload_model.main])
def test_the_help_tells_settings_and_exit_codes(
    capsys: pytest.CaptureFixture[str], main: Callable[[list[str]], int]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = capsys.readouterr().out
    assert "HF_REPO_ID" in told
    assert "exit codes: 0 done" in told


def test_a_file_is_compared_by_what_the_hub_keeps_of_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello\n")
    oid = "ce013625030ba8dba906f756967f9e9ca394464a"  # `git hash-object` says so
    assert RemoteFile(oid, None).is_same_as(path)
    assert not RemoteFile("0" * 40, None).is_same_as(path)
    assert not RemoteFile(None, None).is_same_as(path)
    assert RemoteFile("0" * 40, hashlib.sha256(b"hello\n").hexdigest()).is_same_as(path)
    assert not RemoteFile(oid, "0" * 64).is_same_as(path)


class TestModelCard:
    def card(self, kit: Kit, folder: Path, **metadata: Any) -> str:
        kit.write(folder, metadata=kit.metadata | metadata)
        (folder / "model.cb").rename(folder / "credit.cbm")
        (folder / "SHA256SUMS").unlink()
        return model_card(artifact.load(folder, "any"))

    def test_it_tells_threshold_metrics_features_and_origin(self, mixed: Kit, tmp_path: Path) -> None:
        metrics = {"auc": 0.7473677818835514, "test_rows": 16000, "note": "text"}
        text = self.card(mixed, tmp_path / "model", metrics=metrics, registered_model="credit")
        _, front, body = text.split("---\n", 2)
        assert yaml.safe_load(front)["pipeline_tag"] == "tabular-classification"
        for line in (
            "# credit",
            "| `auc` | 0.747368 |",
            "| `test_rows` | 16,000 |",
            "A CatBoost classifier of two classes, `0` and `1`.",
            "score = probability of `1`.",
            "| `income` | double | yes | no | ≥ 0 | Monthly income. |",
            "| `age` | long | yes | no | ≥ 18, ≤ 100 |  |",
            "| `children` | integer | no | yes | `0`, `1`, `2`, `3` |  |",
            "These must not decrease from left to right: `lowest`, `highest`.",
            "| Created (UTC) | `2026-01-02 03:04:05` |",
        ):
            assert line in body.splitlines()
        assert "The threshold is `0.4` (metadata.best\\_threshold): a score that reaches it is refused" in body
        assert "- `credit.cbm`: the model, in CatBoost's own format\n- `MLmodel`" in body
        assert "requirements.txt" not in body
        assert "note" not in body

    def test_a_bare_model_has_a_card_too(self, numbers: Kit, tmp_path: Path) -> None:
        folder = write_bare_artifact(tmp_path, numbers.classifier, numbers.inputs)
        text = model_card(artifact.load(folder, "any"))
        assert "# CatBoost classifier" in text
        assert "## Metrics" not in text

    def test_it_is_the_same_whatever_the_publisher_assumes(self, numbers: Kit, tmp_path: Path) -> None:
        folder = write_bare_artifact(tmp_path, numbers.classifier, numbers.inputs)
        (folder / "MLmodel").write_text("flavors: {}\n")
        text = model_card(artifact.load(folder, "any", Assumptions(threshold=0.2)))
        assert "The model states no threshold, so the setting `DEFAULT_THRESHOLD` of the service decides." in text
        assert text == model_card(artifact.load(folder, "any", Assumptions(threshold=0.9)))

    def test_it_says_which_class_is_scored_and_who_states_the_threshold(self, tmp_path: Path) -> None:
        data = pd.DataFrame({"x": np.arange(60) / 60})
        classifier = fitted(data, np.where(data["x"] > 0.5, "bad|", "good"))
        classifier.set_probability_threshold(0.25)
        inputs = [{"name": "x", "type": "double", "required": True}]
        folder = write_bare_artifact(tmp_path, classifier, inputs, positive_class="bad|", best_threshold=None)
        text = model_card(artifact.load(folder, "any"))
        assert "of two classes, `bad\\|` and `good`." in text
        assert "score = probability of `bad\\|`." in text
        assert "(set\\_probability\\_threshold of the CatBoost model)" in text

    def test_words_of_the_model_stay_words(self, numbers: Kit, tmp_path: Path) -> None:
        evil = "a|b\n<script>`x`"
        features = {"income": {"description": evil}}
        text = self.card(numbers, tmp_path / "model", features=features, registered_model=evil, training_data=evil)
        assert "<script>" not in re.sub(r"`[^`]*`", "", text)
        assert "| `income` | double | yes | no |  | a\\|b &lt;script>`x` |" in text
        assert "| Training data | `a\\|b <script>'x'` |" in text

    def test_the_same_model_has_the_same_card(self, numbers: Kit, tmp_path: Path) -> None:
        assert self.card(numbers, tmp_path / "one") == self.card(numbers, tmp_path / "two")
