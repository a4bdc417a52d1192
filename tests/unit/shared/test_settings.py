"""Every setting has a sentence, here and in the README."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import Settings

README = Path(__file__).resolve().parents[3] / "README.md"
NAMES = sorted(Settings.model_fields)


def table_rows() -> dict[str, list[str]]:
    """The README's table rows: name to the other cells."""
    lines = README.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_has_a_sentence(name: str) -> None:
    description = Settings.model_fields[name].description or ""
    assert description[:1].isupper()
    assert description.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_the_same_of_a_setting(name: str) -> None:
    assert Settings.model_fields[name].description in table_rows().get(name.upper(), [])


def test_a_setting_is_read_from_the_variable_of_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHUNK_ROWS", "7")
    (tmp_path / ".env").write_text("JOB_TTL=60\nCHUNK_ROWS=8\nSOMETHING_ELSE=1\n")
    settings = Settings()
    assert (settings.chunk_rows, settings.job_ttl) == (7, 60)


@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_setting_that_was_renamed_is_still_read_and_said_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if source == "environment":
        monkeypatch.setenv("CALLBACK_HOSTS", "hooks.example.com")
    else:
        (tmp_path / ".env").write_text("CALLBACK_HOSTS=hooks.example.com\n")
    assert Settings().webhook_hosts == "hooks.example.com"
    assert "WEBHOOK_HOSTS is set by its former name" in caplog.text
    monkeypatch.setenv("WEBHOOK_HOSTS", "new.example.com")
    assert Settings().webhook_hosts == "new.example.com"


@pytest.mark.parametrize("name", ["CHUNK_ROWS", "CHUNK_LEASE", "MAX_BODY_BYTES", "JOB_TTL", "CHUNK_ATTEMPTS"])
@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_setting_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()
