"""The version stands in one place, and the changelog agrees."""

import re
from pathlib import Path

from shared.version import service_version

ROOT = Path(__file__).resolve().parents[3]


def test_it_is_a_version_as_semver_has_it() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", service_version())


def test_the_first_release_of_the_changelog_is_this_one() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    releases = [heading for heading in headings if heading.lower() != "unreleased"]
    assert releases[0] == service_version()


def test_no_code_repeats_it() -> None:
    for folder in ("api", "pret", "scripts", "shared", "ui", "worker"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "__version__ =" not in path.read_text(encoding="utf-8"), path
