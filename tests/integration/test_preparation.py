"""What goes wrong while a model is made ready stays in the process that does it."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from pydantic import SecretStr

from scripts import check_model
from shared.errors import BadArtifact
from shared.fleet.preparation import Outcome, PreparationProcess
from shared.models import trial_load
from shared.models.cache import ModelCache
from shared.models.sources import FolderSource
from shared.models.version import VersionRef
from shared.reasons import Reason
from shared.settings import Settings
from tests.factories import Kit, fitted, write_bare_artifact
from tests.hub import HubServer
from tests.integration.test_reload import REPO, TOKEN, publish
from tests.processes import ROOT, wait_for

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


def test_a_model_that_loads_and_crashes_its_first_score_is_rejected(tmp_path: Path) -> None:
    data = pd.DataFrame({"income": np.linspace(0, 1, 60), "town": [*"uvwxyz"] * 10})
    # Without the tables of its categories, CatBoost writes a file that it cannot score with.
    classifier = fitted(
        data,
        data["town"] > "w",
        cat_features=["town"],
        one_hot_max_size=2,
        final_ctr_computation_mode="Skip",
    )
    inputs = [{"name": "income", "type": "double"}, {"name": "town", "type": "string"}]
    folder = write_bare_artifact(tmp_path / "model", classifier, inputs)
    with pytest.raises(BadArtifact, match="CatBoost cannot score with it"):
        trial_load.check_and_prove(folder, "local-000000000000")


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


@pytest.fixture
def stalled(
    hub: HubServer, numbers: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[VersionRef, ModelCache]:
    """A version whose files are not sent for now, and the models of a machine that has none."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    version = VersionRef(publish(hub, numbers, tmp_path / "model"))
    hub.fail("download", "stall")
    return version, ModelCache.from_settings(of_the_hub(hub, tmp_path))


def of_the_hub(hub: HubServer, folder: Path, reload_timeout: float = 60.0) -> Settings:
    return Settings(
        hf_repo_id=REPO,
        hf_endpoint=hub.url,
        hf_token=SecretStr(TOKEN),
        model_cache_dir=folder / "cache",
        reload_timeout=reload_timeout,
    )


def outcome_of(preparation: PreparationProcess) -> Outcome:
    return wait_for("an outcome", preparation.outcome)


def at_work() -> list[psutil.Process]:
    """The processes that prepare a version for this one."""
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "shared.fleet.preparation" in child.cmdline()]


def test_one_process_prepares_a_version_and_whoever_needs_it_too_waits_for_it(
    hub: HubServer, stalled: tuple[VersionRef, ModelCache], tmp_path: Path
) -> None:
    version, models = stalled
    of_all = [PreparationProcess(version, models, of_the_hub(hub, tmp_path)) for _ in range(4)]
    assert [one.outcome() for one in of_all] == [None] * 4
    assert len(at_work()) == 1
    hub.heal()
    outcomes = [outcome_of(one) for one in of_all]
    assert [(one.version, one.error) for one in outcomes] == [(version, None)] * 4
    assert models.is_ready(version.id)
    assert at_work() == []


@pytest.mark.parametrize("end", [PreparationProcess.cancel, lambda _: at_work()[0].kill()], ids=["cancelled", "killed"])
def test_where_the_one_that_prepares_ends_another_does_it(
    hub: HubServer,
    stalled: tuple[VersionRef, ModelCache],
    tmp_path: Path,
    end: Callable[[PreparationProcess], None],
) -> None:
    version, models = stalled
    first, second = (PreparationProcess(version, models, of_the_hub(hub, tmp_path)) for _ in range(2))
    assert second.outcome() is None
    end(first)
    wait_for("the second to begin", lambda: second.outcome() is None and len(at_work()) == 1)
    hub.heal()
    assert outcome_of(second).version == version
    first.cancel()


def test_a_process_that_cannot_start_stands_in_nobodys_way(
    hub: HubServer,
    stalled: tuple[VersionRef, ModelCache],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version, models = stalled
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "none"))
        with pytest.raises(OSError, match="none"):
            PreparationProcess(version, models, of_the_hub(hub, tmp_path))
    hub.heal()
    assert outcome_of(PreparationProcess(version, models, of_the_hub(hub, tmp_path))).version == version


def test_who_waits_gives_up_in_its_own_time(
    hub: HubServer, stalled: tuple[VersionRef, ModelCache], tmp_path: Path
) -> None:
    version, models = stalled
    patient = PreparationProcess(version, models, of_the_hub(hub, tmp_path, reload_timeout=300))
    hasty = PreparationProcess(version, models, of_the_hub(hub, tmp_path, reload_timeout=0.5))
    error = outcome_of(hasty).error
    assert error is not None
    assert error.reason.type == "preparation-timed-out"
    assert patient.outcome() is None
    patient.cancel()


def test_what_is_wanted_of_nobody_else_waits_for_nobody(
    hub: HubServer, stalled: tuple[VersionRef, ModelCache], numbers: Kit, tmp_path: Path
) -> None:
    version, models = stalled
    elsewhere = Settings(model_dir=numbers.write(tmp_path / "folder"), model_cache_dir=tmp_path / "cache")
    wanted = [(version, models), (VersionRef("local-000000000000"), models), (None, models)]
    others = [(None, ModelCache.from_settings(elsewhere))]
    of_all = [PreparationProcess(one, its, of_the_hub(hub, tmp_path)) for one, its in wanted + others]
    assert len(at_work()) == 4
    for one in of_all:
        one.cancel()


def test_one_process_finds_out_what_a_source_offers_and_the_others_ask_after_it(
    hub: HubServer, stalled: tuple[VersionRef, ModelCache], tmp_path: Path
) -> None:
    version, models = stalled
    of_all = [PreparationProcess(None, models, of_the_hub(hub, tmp_path)) for _ in range(3)]
    assert [one.outcome() for one in of_all] == [None] * 3
    assert len(at_work()) == 1
    hub.heal()
    assert [outcome_of(one).version for one in of_all] == [version] * 3


def test_a_folder_that_takes_no_files_is_named_by_the_one_who_waits_for_nobody(numbers: Kit, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    settings = Settings(model_dir=numbers.write(tmp_path / "model"), model_cache_dir=tmp_path / "cache")
    models = ModelCache.from_settings(settings)
    for one in [PreparationProcess(models.resolve(), models, settings) for _ in range(2)]:
        error = outcome_of(one).error
        assert error is not None
        assert error.reason.type == "model-cache-not-writable"
