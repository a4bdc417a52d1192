"""Models come from a folder that may change at any time; what serves is a verified copy that does not."""

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from shared.errors import BadArtifact, VersionUnavailable
from shared.models import artifact, files, trial_load, verdict
from shared.models.artifact import Model
from shared.models.assumptions import Assumptions
from shared.models.cache import LOADED_VERSIONS, ModelCache
from shared.models.copies import MARK
from shared.models.proof import PROVEN, prove
from shared.models.sources import FolderSource
from shared.models.version import Resolution, VersionRef
from shared.reasons import Reason
from tests.factories import Kit, make_kit, write_checksums


@pytest.fixture
def source(numbers: Kit, tmp_path: Path) -> Path:
    return numbers.write(tmp_path / "source")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _trial_load_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the process of its own; what the trial load checks is checked all the same."""
    monkeypatch.setattr(trial_load, "check", artifact.load)
    monkeypatch.setattr(trial_load, "check_and_prove", lambda *given: prove(artifact.load(*given)))


def library_of(source: Path, cache: Path) -> ModelCache:
    return ModelCache(FolderSource(source), cache)


def take_current(models: ModelCache) -> Model:
    return models.load(models.resolve().id)


@pytest.fixture
def models(source: Path, cache: Path) -> ModelCache:
    return library_of(source, cache)


def change_threshold(source: Path, threshold: float) -> str:
    """Put another version into the source."""
    description = source / "MLmodel"
    description.write_text(re.sub("best_threshold: .*", f"best_threshold: {threshold}", description.read_text()))
    write_checksums(source)
    return files.folder_version(source)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_serves_is_a_copy_of_the_served_files(models: ModelCache, source: Path, cache: Path) -> None:
    (source / "notes.txt").write_text("not for serving")
    model = take_current(models)
    assert model.version == files.folder_version(source)
    assert model.folder == cache / model.version
    assert names(model.folder) == {*files.served_files(source), MARK, verdict.NOTE} - {"registry.json"}


def test_the_card_of_the_source_comes_along(models: ModelCache, source: Path) -> None:
    (source / "README.md").write_text("# A model\n")
    assert take_current(models).card == "# A model\n"


@pytest.mark.parametrize("name", ["README.md", "requirements.txt", "serving_input_example.json"])
def test_no_link_to_elsewhere_comes_along(models: ModelCache, source: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("of this machine")
    (source / name).unlink(missing_ok=True)
    (source / name).symlink_to(tmp_path / "secret")
    model = take_current(models)
    assert name not in names(model.folder)
    assert model.card is None


def test_a_copy_without_checksums_is_known_by_the_digest_of_when_it_was_fetched(
    models: ModelCache, source: Path, cache: Path
) -> None:
    for name in ("SHA256SUMS", "golden.json"):
        (source / name).unlink()
    version = take_current(models).version
    for bit in range(0, 8 * 2000, 997):
        content = bytearray((source / "model.cb").read_bytes())
        content[bit // 8] ^= 1 << bit % 8
        (cache / version / "model.cb").write_bytes(content)
        assert not models.copies.has(version)


def test_a_change_of_the_source_does_not_touch_the_version_that_serves(
    models: ModelCache, source: Path, numbers: Kit
) -> None:
    before = take_current(models)
    changed = change_threshold(source, 0.7)
    assert models.load(before.version) is before
    after = take_current(models)
    assert (after.version, after.threshold) == (changed, 0.7)
    assert (before.threshold, before.file.is_file()) == (0.4, True)
    assert before.scorer.score_rows(numbers.rows).tolist() == numbers.expected()


class Registry:
    """A source that does not say the id of a version; that is known once it is here."""

    name = "registry"
    is_slow: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resolve(self, revision: str | None) -> Resolution:
        return Resolution(None, f"models:/m/{self._folder.name}")

    def fetch(self, found: Resolution, folder: Path) -> None:
        files.copy(self._folder, folder)


def test_a_version_that_is_here_is_known_by_its_origin(source: Path, cache: Path) -> None:
    models = ModelCache(Registry(source), cache)
    assert models.copies.fetched_from("models:/m/source") is None
    version = models.resolve()
    assert version.origin == "models:/m/source"
    assert models.copies.fetched_from(version.origin) == version.id


def test_a_pinned_version_is_loaded_from_the_cache_when_the_source_has_moved_on(
    models: ModelCache, source: Path, cache: Path
) -> None:
    pinned = take_current(models).version
    change_threshold(source, 0.7)
    assert library_of(source, cache).load(pinned).threshold == 0.4
    shutil.rmtree(source)
    assert library_of(source, cache).load(pinned).threshold == 0.4


def test_the_sources_version_is_copied_when_it_is_asked_for_by_name(models: ModelCache, source: Path) -> None:
    assert models.load(files.folder_version(source)).threshold == 0.4


@pytest.mark.parametrize("source_is_there", [True, False])
def test_a_version_that_is_nowhere_is_unavailable(models: ModelCache, source: Path, source_is_there: bool) -> None:
    if not source_is_there:
        shutil.rmtree(source)
    with pytest.raises((BadArtifact, VersionUnavailable)):
        models.load("local-ffffffffffff")


def damage_by_a_bit(folder: Path) -> None:
    content = bytearray((folder / "model.cb").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.cb").write_bytes(content)


def lose_a_file(folder: Path) -> None:
    (folder / "model.cb").unlink()


def lose_an_optional_file(folder: Path) -> None:
    (folder / "golden.json").unlink()


DAMAGES = pytest.mark.parametrize("damage", [damage_by_a_bit, lose_a_file, lose_an_optional_file])


@DAMAGES
@pytest.mark.parametrize("by_name", [True, False])
def test_a_damaged_copy_is_repaired_from_the_source(
    models: ModelCache, source: Path, cache: Path, damage: Callable[[Path], None], by_name: bool, numbers: Kit
) -> None:
    version = take_current(models).version
    damage(cache / version)
    fresh = library_of(source, cache)
    model = fresh.load(version) if by_name else take_current(fresh)
    assert model.scorer.score_rows(numbers.rows).tolist() == numbers.expected()
    assert files.folder_version(cache / version) == version


@DAMAGES
def test_a_damaged_copy_is_refused_when_the_source_has_moved_on(
    models: ModelCache, source: Path, cache: Path, damage: Callable[[Path], None]
) -> None:
    version = take_current(models).version
    damage(cache / version)
    change_threshold(source, 0.7)
    with pytest.raises((BadArtifact, VersionUnavailable)):
        library_of(source, cache).load(version)


def test_threads_that_copy_at_the_same_time_all_get_the_model(source: Path, cache: Path) -> None:
    libraries = [library_of(source, cache) for _ in range(4)]
    with ThreadPoolExecutor(len(libraries)) as pool:
        models = list(pool.map(take_current, libraries))
    assert {model.version for model in models} == {files.folder_version(source)}
    assert {path.name for path in cache.iterdir() if path.is_dir()} == {files.folder_version(source)}


def test_a_version_is_loaded_once_and_the_longest_unused_is_dropped_first(models: ModelCache, source: Path) -> None:
    first = take_current(models)
    second = models.load(change_threshold(source, 0.5))
    assert models.load(first.version) is first
    newer = [models.load(change_threshold(source, 0.6 + i / 100)) for i in range(LOADED_VERSIONS - 1)]
    assert models.load(first.version) is first
    assert all(models.load(model.version) is model for model in newer)
    assert models.load(second.version) is not second


def test_a_bad_source_is_refused_and_the_loaded_version_stays(models: ModelCache, source: Path) -> None:
    good = take_current(models)
    (source / "golden.json").write_text("{}")
    write_checksums(source)
    with pytest.raises(BadArtifact, match="golden"):
        take_current(models)
    assert models.load(good.version) is good


def test_another_model_in_the_same_folder_scores_its_own_way(models: ModelCache, source: Path) -> None:
    take_current(models)
    other = make_kit(purpose=False, seed=8)
    other.write(source)
    assert take_current(models).scorer.score_rows(other.rows).tolist() == other.expected()


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each proof that is made, by the version."""
    made: list[str] = []

    def check_and_prove(folder: Path, version: str, assumptions: Assumptions) -> Reason:
        made.append(version)
        return prove(artifact.load(folder, version, assumptions))

    monkeypatch.setattr(trial_load, "check_and_prove", check_and_prove)
    return made


def test_a_proof_is_made_once_a_machine(source: Path, cache: Path, proofs: list[str]) -> None:
    models = [take_current(library_of(source, cache)) for _ in range(2)]
    assert [model.evaluation.type for model in models] == [PROVEN] * 2
    assert [model.scorer.evaluator.name.partition(" ")[0] for model in models] == ["pylignum"] * 2
    assert proofs == [models[0].version]


@pytest.mark.parametrize("change", ["software", "positive class", "note"])
def test_what_was_proven_otherwise_is_proven_again_and_the_copy_is_not_ready_before(
    source: Path, cache: Path, proofs: list[str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    version = take_current(library_of(source, cache)).version
    assumptions = Assumptions("1" if change == "positive class" else None)
    if change == "software":
        monkeypatch.setattr(verdict, "circumstances", lambda: ["another processor"])
    if change == "note":
        (cache / version / verdict.NOTE).write_text("{")
    models = ModelCache(FolderSource(source), cache, assumptions)
    assert (models.copies.has(version), models.is_ready(version)) == (True, False)
    models.prepare(VersionRef(version))
    assert (models.is_ready(version), proofs) == (True, [version] * 2)
    assert models.load(version).evaluation.type == PROVEN


def test_a_copy_without_a_note_is_loaded_all_the_same(source: Path, cache: Path, proofs: list[str]) -> None:
    version = take_current(library_of(source, cache)).version
    (cache / version / verdict.NOTE).unlink()
    assert library_of(source, cache).load(version).evaluation.type == PROVEN
    assert len(proofs) == 2


@pytest.mark.parametrize(("is_installed", "why"), [(True, "evaluator-off"), (False, "evaluator-missing")])
def test_without_the_fast_evaluator_nothing_is_proven_and_catboost_scores(
    source: Path, cache: Path, proofs: list[str], monkeypatch: pytest.MonkeyPatch, is_installed: bool, why: str
) -> None:
    monkeypatch.setattr(verdict, "is_fast_evaluator_installed", lambda: is_installed)
    models = ModelCache(FolderSource(source), cache, evaluator_choice="catboost" if is_installed else "auto")
    model = take_current(models)
    assert (model.evaluation, proofs) == (Reason(why), [])
    assert model.scorer.evaluator.name.startswith("catboost ")
    assert models.is_ready(model.version)


def test_an_evaluator_that_did_not_survive_its_proof_is_not_used(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = Reason("evaluator-crashed", {"code": -11})
    monkeypatch.setattr(trial_load, "check_and_prove", lambda *_: died)
    for _ in range(2):
        model = take_current(library_of(source, cache))
        assert (model.evaluation, model.scorer.evaluator.name.partition(" ")[0]) == (died, "catboost")


@pytest.mark.parametrize("version", ["../outside", "local-1/../../outside", "{folder}/outside"])
def test_a_version_whose_id_is_a_path_leads_nowhere(models: ModelCache, tmp_path: Path, version: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    with pytest.raises(VersionUnavailable):
        models.load(version.format(folder=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "source"]
    assert (tmp_path / "outside" / "file").exists()
