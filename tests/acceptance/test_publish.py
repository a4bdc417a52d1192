"""The commands between MLflow, the Hub and the running service, as a person runs them, against a Hub on this machine."""

import hashlib
import json
import shutil
import signal
import subprocess
from typing import Any

import pytest
import yaml

from shared.models import artifact
from tests.acceptance.person import REPO, SOURCES, TOKEN, Done, Person, contents, files
from tests.factories import Kit, make_kit, write_checksums
from tests.hub import Kind
from tests.processes import DEADLINE, service, wait_for
from tests.registry import log_models, logged


@pytest.fixture
def published(person: Person, numbers: Kit) -> str:
    """The sha of a model on the Hub, tagged v1; its folder is `v1`."""
    folder = numbers.write(person.folder / "v1")
    repository = person.hub.store.create(REPO, private=True)
    sha = person.hub.store.commit(REPO, {path.name: path.read_bytes() for path in folder.iterdir()}, "v1")
    repository.tags["v1"] = sha
    return sha


# Publishing a folder


def test_a_folder_becomes_one_commit(person: Person, numbers: Kit) -> None:
    numbers.write(person.folder / "v1")
    done = person.upload("v1", "--create", "--private", "--tag", "v1")
    assert done.code == 0, done.errors
    published = done.last_line
    assert [commit.sha for commit in person.hub.commits(REPO)[1:]] == [published]
    assert person.hub.store.repositories[REPO].private
    assert person.hub.store.repositories[REPO].tags == {"v1": published}
    repository = files(person)
    assert repository.keys() == SOURCES | {"README.md", ".gitattributes"}
    card = repository["README.md"].decode()
    assert yaml.safe_load(card.split("---")[1])["library_name"] == "catboost"
    assert "| `income` | double | yes | no | ≥ 0 | Monthly income. |" in card
    assert "score = probability of `1`." in card
    local = contents(person.folder / "v1")
    assert repository["model.cb"] == local["model.cb"]
    assert json.loads(repository["input_example.json"]) == json.loads(local["input_example.json"])
    assert json.loads(repository["golden.json"]) == json.loads(local["golden.json"]) | {"positive_class": "1"}
    noted = {"saved_input_example_info": {"artifact_path": "input_example.json", "type": "json_object"}}
    assert yaml.safe_load(repository["MLmodel"]) == yaml.safe_load(local["MLmodel"]) | noted
    assert done.output.splitlines()[:2] == [
        "Validated CatBoost classifier as a server would.",
        "score = probability of 1 (plain from the classes); threshold 0.4 (metadata.best_threshold)",
    ]

    # Nothing unchanged is committed again, but a tag is set.
    again = person.upload("v1", "--tag", "v2")
    assert (again.code, again.last_line) == (0, published)
    assert f"Nothing has changed: {REPO} has this model already.\n" in again.output
    assert len(person.hub.commits(REPO)) == 2
    assert person.hub.store.repositories[REPO].tags == {"v1": published, "v2": published}
    assert person.upload("v1", "--tag", "v1").code == 0


def test_what_the_new_model_does_not_have_is_removed(person: Person, published: str) -> None:
    model = make_kit(purpose=True, seed=2).write(person.folder / "v2")
    (model / "golden.json").unlink()
    (model / "input_example.json").unlink()
    write_checksums(model)
    done = person.upload("v2", "--message", "without golden rows")
    assert done.code == 0
    assert (
        "Unsafe:\n- The model has no golden rows: nothing shows that it scores as it did when it was trained.\n"
        in done.output
    )
    head = person.hub.commits(REPO)[-1]
    assert (head.sha, head.title) == (done.last_line, "without golden rows")
    assert "golden.json (removed)" in done.output
    assert head.files.keys().isdisjoint({"golden.json", "input_example.json"})
    assert person.download("fetched").code == 0


def test_the_model_file_is_named_as_the_repository_wants_it(person: Person, numbers: Kit) -> None:
    numbers.write(person.folder / "v1")
    person.settings["HF_FILENAME"] = "models/credit.cbm"
    assert person.upload("v1", "--create").code == 0
    repository = files(person)
    checksum = hashlib.sha256(repository["models/credit.cbm"]).hexdigest()
    assert f"{checksum}  models/credit.cbm\n" in repository["SHA256SUMS"].decode()
    assert "model.cb" not in repository
    assert person.download("fetched").code == 0
    assert artifact.load(person.folder / "fetched", "local").mlmodel.run_id == "0" * 32
    # All is as it is in the repository.
    repository.pop(".gitattributes")
    assert contents(person.folder / "fetched") == repository
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=person.folder / "fetched", check=True)
    assert "Nothing has changed" in person.upload("fetched").output


def test_a_model_of_another_name_takes_the_place_of_the_former_one(
    person: Person, published: str, numbers: Kit
) -> None:
    person.settings["HF_FILENAME"] = "credit.cbm"
    done = person.upload("v1")
    assert done.code == 0, done.errors
    assert "model.cb (removed)" in done.output
    assert files(person).keys() == (SOURCES - {"model.cb"}) | {"credit.cbm", "README.md"}
    # A setting that is out of date does no harm, and is told.
    person.settings["HF_FILENAME"] = "older.cb"
    fetched = person.download("fetched")
    assert (fetched.code, fetched.last_line) == (0, f"{done.last_line} fetched")
    assert "The repository has no older.cb (HF_FILENAME); its model is credit.cbm.\n" in fetched.errors
    loaded = artifact.load(person.folder / "fetched", "local")
    assert loaded.scorer.score_rows(numbers.rows).tolist() == numbers.expected()


def test_the_settings_may_stand_in_a_file(person: Person, numbers: Kit) -> None:
    numbers.write(person.folder / "v1")
    person.settings = {"HF_TOKEN": "", "HF_REPO_ID": ""}
    (person.folder / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nHF_REPO_ID=alice/mine\n")
    assert person.upload("v1", "--create").code == 0
    assert len(person.hub.commits("alice/mine")) == 2


def test_who_comes_second_is_told(person: Person, published: str) -> None:
    make_kit(purpose=True).write(person.folder / "v2")
    make_kit(purpose=False, seed=3).write(person.folder / "v3")
    person.hub.fail("commit", "stall", times=1)
    person.hub.forget()
    with person.start("upload_model_to_hf.py", "v2") as first:
        wait_for("the first commit", lambda: person.hub.count("commit"))
        second = person.upload("v3")
        person.hub.heal()
        output, errors = first.communicate(timeout=60)
    assert second.code == 0
    Done(first.returncode, output, errors).rejected(
        f"Someone else published to {REPO} meanwhile; nothing was changed. Run the command again."
    )
    assert person.hub.commits(REPO)[-1].sha == second.last_line
    assert len(person.hub.commits(REPO)) == 3


def test_a_tag_is_never_moved(person: Person, published: str) -> None:
    make_kit(purpose=True).write(person.folder / "v2")
    done = person.upload("v2", "--tag", "v1")
    done.rejected(f"{REPO} has a tag v1 already, for {published}; choose another.")
    assert len(person.hub.commits(REPO)) == 2


def test_a_version_that_could_not_be_tagged_is_said(person: Person, published: str) -> None:
    make_kit(purpose=True).write(person.folder / "v2")
    person.hub.fail("refs", 500, path="*/tag/*")
    done = person.upload("v2", "--tag", "v2")
    done.rejected("The Hub answers 500. Try again later.")
    assert "published, but not tagged v2" in done.errors
    assert done.last_line == person.hub.commits(REPO)[-1].sha


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"HF_TOKEN": "hf_nobody"}, f"The Hub denies access to {REPO} (401). Check the token and its rights."),
        ({"HF_TOKEN": "hf_alice_reads"}, f"The Hub denies access to {REPO} (403). Check the token and its rights."),
        (
            {"HF_TOKEN": "hf_bob"},
            f"The Hub has no repository {REPO}, or the token may not read it. With --create it is created.",
        ),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "The Hub does not answer (ConnectError)."),
    ],
)
def test_a_publication_that_is_rejected(
    person: Person, published: str, settings: dict[str, str], sentence: str
) -> None:
    make_kit(purpose=True).write(person.folder / "v2")
    person.settings = settings
    person.upload("v2").rejected(sentence)
    assert len(person.hub.commits(REPO)) == 2


def test_nobody_creates_a_repository_where_they_have_no_right(person: Person, numbers: Kit) -> None:
    numbers.write(person.folder / "v1")
    person.settings = {"HF_TOKEN": "hf_bob"}
    person.upload("v1", "--create").rejected(f"The Hub denies access to {REPO} (403). Check the token and its rights.")


@pytest.mark.parametrize(
    ("kind", "what", "sentence"),
    [
        ("upload", 403, f"The Hub denies access to {REPO} (403). Check the token and its rights."),
        ("commit", "lose", "The Hub does not answer (RemoteProtocolError). {again}"),
    ],
)
def test_a_hub_that_fails(person: Person, published: str, kind: Kind, what: Any, sentence: str) -> None:
    make_kit(purpose=True).write(person.folder / "v2")
    person.hub.fail(kind, what, times=1)
    again = "Run the command again: what has reached the Hub is not committed twice."
    person.upload("v2").rejected(sentence.format(again=again))
    # An answer may be lost after the commit was made.
    assert len(person.hub.commits(REPO)) == (3 if what == "lose" else 2)
    assert person.upload("v2").last_line == person.hub.commits(REPO)[-1].sha
    assert len(person.hub.commits(REPO)) == 3


# Publishing from MLflow


def log_model(person: Person, kit: Kit, rows: list[dict[str, Any]] | None) -> None:
    """Log a model as a team's own pipeline might: with a data frame as its input example."""
    kit.write(person.folder / "v1")
    person.use_registry(person.folder)
    log_models(person.folder, logged(kit, person.folder / "v1" / "model.cb", rows))


def test_an_mlflow_model_is_exported_and_published(person: Person, mixed: Kit) -> None:
    rows = [row for row in mixed.rows if len(row) == len(mixed.inputs) and None not in row.values()][:5]
    log_model(person, mixed, rows)
    person.settings["MLFLOW_MODEL_URI"] = "models:/credit@champion"
    done = person.upload("--create")
    assert done.code == 0, done.errors
    repository = files(person)
    assert repository.keys() == SOURCES | {"README.md", "requirements.txt", ".gitattributes"}
    golden = json.loads(repository["golden.json"])
    assert golden == {"positive_class": "1", "rows": rows, "scores": mixed.expected(rows)}
    assert json.loads(repository["input_example.json"]) == rows[0]
    assert str(person.folder).encode() not in b"".join(repository.values())
    assert "Nothing has changed" in person.upload("models:/credit/1").output
    person.upload("models:/credit@none").rejected(
        "MLflow has no such model. Is it registered, or its run there; is it named with a version or an alias, "
        "as in models:/NAME@ALIAS; and is MLFLOW_TRACKING_URI right?"
    )
    assert person.left() == {"v1", "mlflow.db", "artifacts"}


def test_an_mlflow_model_without_rows_to_try_it_with_is_published_and_this_is_said(
    person: Person, numbers: Kit
) -> None:
    log_model(person, numbers, None)
    done = person.upload("models:/credit/1", "--create")
    assert done.code == 0, done.errors
    assert (
        "- The model has no golden rows: nothing shows that it scores as it did when it was trained.\n" in done.output
    )
    assert files(person).keys() == (SOURCES - {"golden.json", "importance.json", "input_example.json"}) | {
        "README.md",
        "requirements.txt",
        ".gitattributes",
    }


# Fetching


def test_a_revision_is_fetched_into_a_folder(person: Person, published: str, mixed: Kit) -> None:
    mixed.write(person.folder / "v2")
    latest = person.upload("v2").last_line
    done = person.download("fetched")
    assert (done.code, done.last_line) == (0, f"{latest} fetched")
    older = person.download("fetched", "--revision", "v1")
    assert (older.code, older.last_line) == (0, f"{published} fetched")
    assert contents(person.folder / "fetched") == contents(person.folder / "v1")
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=person.folder / "fetched", check=True)
    person.settings["HF_REVISION"] = latest
    assert person.download("fetched").last_line == f"{latest} fetched"
    assert person.left() == {"v1", "v2", "fetched"}


@pytest.mark.parametrize(
    ("kind", "what", "path", "sentence"),
    [
        ("info", 503, "*", "The Hub answers 503. Try again later."),
        ("info", 401, "*", f"The Hub denies access to {REPO} (401). Check the token and its rights."),
        ("download", 500, "*", "The Hub answers 500. Try again later."),
        ("download", 404, "*", f"A file of {REPO} could not be fetched from the Hub."),
        (
            "download",
            "corrupt",
            "*/model.cb",
            "'model.cb' arrived damaged: it does not match the Hub's checksum. Try again.",
        ),
        (
            "download",
            "corrupt",
            "*/MLmodel",
            "'MLmodel' arrived damaged: it does not match the Hub's checksum. Try again.",
        ),
    ],
)
def test_a_download_that_fails_leaves_the_old_folder(
    person: Person, published: str, kind: Kind, what: Any, path: str, sentence: str
) -> None:
    before = contents(person.folder / "v1")
    person.hub.fail(kind if path != "*/MLmodel" else "metadata", what, path=path)
    if path == "*/MLmodel":
        person.hub.fail("download", what, path=path)
    person.download("v1").rejected(sentence)
    assert contents(person.folder / "v1") == before
    assert person.left() == {"v1"}


def test_what_is_not_there_is_said(person: Person, published: str) -> None:
    person.download("new", "--revision", "v9").rejected(f"{REPO} on the Hub has no such revision.")
    person.download("new", "--repo", "credit/none").rejected(
        "The Hub has no repository credit/none, or the token may not read it."
    )
    person.hub.store.create("credit/empty", private=False)
    person.download("new", "--repo", "credit/empty").rejected(
        "credit/empty has no model at main: it needs MLmodel and a CatBoost file."
    )
    person.settings = {"HF_TOKEN": ""}
    person.download("new").rejected(
        f"The Hub has no repository {REPO}, or it is private and no token is set (HF_TOKEN)."
    )
    assert person.left() == {"v1"}


def test_a_folder_of_something_else_is_left_alone(person: Person, published: str) -> None:
    (person.folder / "notes").mkdir()
    (person.folder / "notes" / "todo").write_text("keep")
    person.download("notes").rejected("notes holds something else than a model; it is left as it is.")
    assert contents(person.folder / "notes") == {"todo": b"keep"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_download_leaves_nothing_behind(person: Person, published: str, number: int) -> None:
    before = contents(person.folder / "v1")
    person.hub.fail("download", "stall", path="*/model.cb")
    person.hub.forget()
    with person.start("download_model_from_hf.py", "v1") as process:
        wait_for("the download", lambda: person.hub.count("download", path="*/model.cb"))
        process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE)
    Done(process.returncode, "", errors).rejected("Interrupted.", 130)
    assert contents(person.folder / "v1") == before
    assert person.left() == {"v1"}


# From MLflow's model to every process


def test_a_published_model_is_served_everywhere_after_a_reload(person: Person, published: str, mixed: Kit) -> None:
    mixed.write(person.folder / "v2")
    shutil.rmtree(person.folder / "v1")
    with service(person.folder, **person.environment) as running:
        person.settings["REDIS_URL"] = running.redis.url
        running.start_api()
        running.start_worker()
        assert running.client.get("/model_info").json()["version"] == published
        latest = person.upload("v2", "--tag", "v2").last_line

        done = person.run("reload_model.py", "v2")
        assert (done.code, done.last_line) == (0, f"Reloaded: {published} -> {latest}"), done.errors
        header, *rows = [line.split() for line in done.output.splitlines()[:-1]]
        assert header == ["kind", "host", "pid", "before", "after", "seconds", "error"]
        expected = {("api", str(running.api.pid)), ("worker", str(running.workers[0].pid))}
        assert {(row[0], row[2]) for row in rows} == expected
        assert {(row[3], row[4], row[6]) for row in rows} == {(published[:12], latest[:12], "-")}
        answer = running.client.post("/individual_score", json=mixed.rows[0]).json()
        assert (answer["model_version"], answer["score"]) == (latest, mixed.expected()[0])
        unchanged = person.run("reload_model.py", latest)
        assert (unchanged.code, unchanged.last_line) == (0, f"Unchanged: {latest} is the active version already.")

        _publish_broken_model(person)
        broken = person.run("reload_model.py")
        assert broken.code == 1
        assert broken.errors.endswith("Nothing was changed.\n")
        assert "does not match SHA256SUMS" in broken.output

        person.hub.stop()
        away = person.run("reload_model.py", "v1")
        away.rejected("The Hub does not answer (ConnectError).")
        back = person.run("reload_model.py", "--rollback")
        assert (back.code, back.last_line) == (0, f"Reloaded: {latest} -> {published}")
        assert running.client.get("/model_info").json()["version"] == published


def _publish_broken_model(person: Person) -> None:
    """Put a model on the Hub that the upload would have rejected, as any git client could."""
    published = files(person)
    person.hub.store.commit(REPO, {**published, "MLmodel": published["MLmodel"] + b"\n"}, "damaged")


def test_a_reload_without_redis_is_one_sentence(person: Person) -> None:
    person.settings["REDIS_URL"] = "redis://:secret@127.0.0.1:9/0"
    done = person.run("reload_model.py")
    assert (done.code, done.output) == (1, "")
    assert done.errors.startswith("Redis does not answer")
    assert "secret" not in done.errors
