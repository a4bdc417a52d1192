"""`./scripts/secrets` makes what Compose does not start without, and changes nothing that is set."""

import hashlib
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from shared.keys import Scope, parse
from tests.unit.test_containers import ROOT, SECRETS


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/secrets", ".env.example"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(project: Path) -> str:
    return subprocess.run([project / "scripts" / "secrets"], capture_output=True, text=True, check=True).stdout


def variables(project: Path) -> dict[str, str]:
    lines = (project / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_all_secrets_are_made_for_their_owner_alone(project: Path) -> None:
    said = run(project)
    found = variables(project)
    assert found.keys() == SECRETS
    assert len(set(found.values())) == len(SECRETS)
    assert all(len(value) >= 48 for value in found.values())
    assert all(found[name].isalnum() for name in SECRETS if name.startswith("REDIS"))
    assert found["FLOWER_BASIC_AUTH"].startswith("operator:")
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
    [key] = parse(found["API_KEYS"])
    [shown] = [line.strip() for line in said.splitlines() if line.startswith("  pret_")]
    assert (key.scopes, key.digest) == (frozenset({Scope.ADMIN}), hashlib.sha256(shown.encode()).digest())
    assert not any(value in said for value in found.values())


def test_what_is_set_stays(project: Path) -> None:
    text = (project / ".env.example").read_text(encoding="utf-8")
    (project / ".env").write_text(text.replace("\nREDIS_PASSWORD=\n", "\nREDIS_PASSWORD=own\n") + "EXTRA=a=b $c\n")
    run(project)
    before = variables(project)
    assert (before["REDIS_PASSWORD"], before["EXTRA"]) == ("own", "a=b $c")
    assert run(project) == ""
    assert variables(project) == before
