"""What goes wrong while a model is made ready stays in the process that does it."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import check_model
from shared.errors import BadArtifact
from shared.models import trial_load
from shared.models.cache import ModelCache
from shared.models.sources import FolderSource
from shared.reasons import Reason
from tests.factories import Kit
from tests.hub import HubServer
from tests.integration.test_reload import REPO, TOKEN, publish
from tests.processes import ROOT

FLIPS = 20_000
LOAD_FLIPS = """
import sys
from catboost import CatBoostClassifier
content = open(sys.argv[1], "rb").read()
for bit in range(int(sys.argv[2])):
    place = bit * 7919 % (8 * len(content))
    flipped = bytearray(content)
    flipped[place // 8] ^= 1 << place % 8
    print(place, flush=True)
    try:
        model = CatBoostClassifier().load_model(blob=bytes(flipped))
        model.predict_proba([[0.0] * len(model.feature_names_)])
    except Exception:
        pass
"""


@pytest.fixture(scope="module")
def deadly(tmp_path_factory: pytest.TempPathFactory, numbers: Kit) -> Path:
    """An artifact whose model kills the process that loads it: one bit of a real one is flipped, found by trying."""
    folder = numbers.write(tmp_path_factory.mktemp("deadly"))
    (folder / "SHA256SUMS").unlink()
    file = folder / "model.cb"
    tried = subprocess.run(
        [sys.executable, "-c", LOAD_FLIPS, str(file), str(FLIPS)], capture_output=True, text=True, timeout=100
    )
    assert tried.returncode < 0, "no flipped bit kills CatBoost; has it learned to check its files?"
    place = int(tried.stdout.split()[-1])
    content = bytearray(file.read_bytes())
    content[place // 8] ^= 1 << place % 8
    file.write_bytes(content)
    return folder


def test_a_model_that_crashes_its_reader_kills_the_trial_load_only(deadly: Path) -> None:
    with pytest.raises(BadArtifact, match="died"):
        trial_load.check(deadly, "local-000000000000")


def test_it_kills_no_command_either(deadly: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in deadly.iterdir()}
    assert check_model.main([str(deadly), "--write"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("Rejected: The process that tried the model died with exit code -")
    assert "Fetch the file again" in out
    assert {path.name: path.read_bytes() for path in deadly.iterdir()} == before


ENDS = {
    "os.kill(os.getpid(), signal.SIGSEGV)": Reason("evaluator-crashed", {"code": -signal.SIGSEGV}),
    "while True: pass": Reason("evaluator-slow", {"limit": 2}),
    "time.sleep(1000)": Reason("evaluator-slow", {"limit": 2}),
    "raise ValueError": Reason("evaluator-unable", {"fault": "ValueError"}),
}
"""What a fast evaluator does when it is given a model, and what is told of that."""


@pytest.mark.parametrize("end", ENDS)
def test_an_evaluator_that_crashes_hangs_or_raises_leaves_a_good_model_to_catboost(
    numbers: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    (tmp_path / "shared").symlink_to(ROOT / "shared")
    (tmp_path / "lignum.py").write_text(f"import os, signal, time\ndef load(*_, **__):\n    {end}\n")
    monkeypatch.setattr(trial_load, "ROOT", tmp_path)
    source = numbers.write(tmp_path / "model")
    models = ModelCache(FolderSource(source), tmp_path / "cache")
    version = models.resolve()
    models.prepare(version)
    model = models.load(version.id)
    assert (model.evaluation, model.scorer.evaluator.name.partition(" ")[0]) == (ENDS[end], "catboost")
    assert model.scorer.score_rows(numbers.rows).tolist() == numbers.expected()


def test_a_model_that_is_rejected_is_rejected_whatever_the_evaluator_makes_of_it(
    deadly: Path, numbers: Kit, tmp_path: Path
) -> None:
    with pytest.raises(BadArtifact, match="died"):
        trial_load.check_and_prove(deadly, "local-000000000000")
    folder = numbers.write(tmp_path / "model")
    (folder / "golden.json").write_text("{}")
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(BadArtifact, match="golden"):
        trial_load.check_and_prove(folder, "local-000000000000")
    assert trial_load.check_and_prove(numbers.write(tmp_path / "good"), "local-000000000000").type == "evaluator-proven"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.store.create(REPO, private=True)
        yield server


def prepare(hub: HubServer, folder: Path, version: str, largest_file: int) -> "subprocess.CompletedProcess[str]":
    environment = {
        "HF_REPO_ID": REPO,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(folder / "home"),
        # A cache file that the limit cuts short would break every later import.
        "PYTHONDONTWRITEBYTECODE": "1",
        "MODEL_CACHE_DIR": str(folder / "cache"),
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run(
        [sys.executable, "-m", "shared.fleet.preparation", version],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file)),
    )


def test_a_disk_that_is_full_is_named_and_nothing_is_left(hub: HubServer, numbers: Kit, tmp_path: Path) -> None:
    version = publish(hub, numbers, tmp_path / "model")
    size = (tmp_path / "model" / "model.cb").stat().st_size
    failed = prepare(hub, tmp_path, version, largest_file=size // 2)
    assert failed.returncode != 0
    report = json.loads(failed.stdout)
    assert (report["blame"], report["reason"]["type"]) == ("source", "model-not-fetched"), failed.stderr
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []
    assert prepare(hub, tmp_path, version, largest_file=10**9).returncode == 0
    assert (tmp_path / "cache" / version / "model.cb").is_file()
