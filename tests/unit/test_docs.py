"""What can be checked of the pages without a server: links, names of settings, files and services, and where commands stand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.lib.demo_portfolio import FEATURES
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README, API = ROOT / "README.md", ROOT / "docs" / "api.md"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)

LANGUAGES = {"", "console", "python", "mermaid"}
"""Of blocks; those of `console` and `python` are run by the acceptance tests."""

CANNOT_RUN = {"docker", "kubectl", "git", "./scripts/test", "./scripts/lock", ".ci/run"}
"""They need what a test has not: a daemon, a cluster, an address, the network; or they would run the test itself."""

PROGRAMS = CANNOT_RUN | {
    "cat",
    "cp",
    "curl",
    "export",
    "mv",
    "pip",
    "pret",
    "python",
    "python3",
    "rm",
    "sed",
    "systemctl",
    "uv",
}
FOLDERS = (".ci/", "api/", "docs/", "pret/", "scripts/", "shared/", "tests/", "ui/", "worker/")

NO_SETTINGS = {"RLIMIT_DATA", "SK_ID_CURR", *(feature.name for feature in FEATURES)}
"""A limit of the system, and the columns of the demo portfolio."""


@dataclass(frozen=True)
class Block:
    language: str
    text: str

    def commands(self) -> Iterator[list[str]]:
        """The lines that are commands, as words; what stands behind a `#` is no part of them."""
        for line in self.text.replace("\\\n", " ").splitlines():
            for command in re.sub(r"(^|\s)#.*", "", line).split("&&"):
                words = command.split()
                while words and ASSIGNMENT.fullmatch(words[0]):
                    words.pop(0)
                if words and (words[0] in PROGRAMS or words[0].startswith(("./", ".venv/"))):
                    yield words


def blocks(page: str) -> list[Block]:
    return [Block(language, text) for language, text in FENCED.findall(PAGES[page])]


def prose(page: str) -> str:
    """The page without what is run, and without diagrams."""
    return FENCED.sub(lambda found: "" if found[1] else found[0], PAGES[page])


def spans(page: str) -> list[str]:
    return SPAN.findall(FENCED.sub("", PAGES[page]))


def unrunnable() -> list[list[str]]:
    return [words for page in PAGES for block in blocks(page) if not block.language for words in block.commands()]


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def table_below(heading: str) -> dict[str, list[str]]:
    """The first cells of the rows in a section of the README, with the other cells."""
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## )", PAGES["README.md"], re.MULTILINE | re.DOTALL)
    rows = [re.split(r"\s*\|\s*", row) for row in ROW.findall(section)]
    return {row[0].strip("`"): row[1:] for row in rows if row[0].startswith("`")}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_images_lead_somewhere(page: str) -> None:
    for target, anchor in LINK.findall(PAGES[page]):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in map(slug, HEADING.findall(path.read_text(encoding="utf-8"))), f"{target}#{anchor}"


def test_images_are_pictures() -> None:
    shown = {(ROOT / page).parent / target for page in PAGES for target, _ in LINK.findall(PAGES[page])}
    for image in shown:
        if image.suffix == ".png":
            assert image.read_bytes().startswith(b"\x89PNG"), image


def test_every_guide_is_named_in_the_readme() -> None:
    named = {target for target, _ in LINK.findall(PAGES["README.md"])}
    assert {page for page in PAGES if page != "README.md" and "decisions" not in page} <= named
    assert "docs/decisions/" in named


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_where_a_test_runs_them(page: str) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES
        if block.language == "console":
            assert block.text.startswith("$ "), block.text
        elif not block.language:
            assert "$ " not in block.text, block.text
            first_words = {words[0] for words in block.commands()}
            assert not first_words or first_words & CANNOT_RUN, block.text


@pytest.mark.parametrize("words", unrunnable(), ids=" ".join)
def test_a_command_that_no_test_can_run_names_what_exists(words: list[str]) -> None:
    command = " ".join(words)
    for word in words:
        if word.startswith(("./", *FOLDERS, ".env.")):
            assert (ROOT / word).exists(), word
    if words[:2] == ["docker", "compose"]:
        scaled = re.findall(r"--scale (\w+)=", command)
        places = re.findall(r"\b([a-z]+):(/[\w/]*)", command)
        asked = [word for word in words[3:] if word.isalpha()] if words[2] in ("logs", "exec", "restart") else []
        assert {*scaled, *asked, *(service for service, _ in places)} <= SERVICES.keys()
        for service, folder in places:
            mounts = [volume.split(":")[1] for volume in SERVICES[service]["volumes"]]
            assert any(f"{folder}/".startswith(f"{mount}/") for mount in mounts), folder
    if words[0] == "./scripts/test" and len(words) > 1:
        assert f" {words[1]}" in (ROOT / "scripts" / "test").read_text().split("case $what in")[1].split("esac")[0]


@pytest.mark.parametrize("page", PAGES)
def test_files_and_options_named_in_the_text_exist(page: str) -> None:
    for span in spans(page):
        words = [word for word in span.split() if not ASSIGNMENT.fullmatch(word)]
        path = words[0].removeprefix("./") if words else ""
        if not path.startswith(FOLDERS) or "*" in path:
            continue
        assert (ROOT / path).exists(), span
        for option in words[1:]:
            if option.startswith("--") and option != "--help":
                assert f'"{option}"' in (ROOT / path).read_text(encoding="utf-8"), span


def test_the_table_of_settings_is_that_of_the_code() -> None:
    table = table_below("Settings")
    for name, field in Settings.model_fields.items():
        default, sentence = table.pop(name.upper())
        assert default.strip("`") == ("" if field.default is None else str(field.default)), name
        assert sentence == field.description
    folders = ("scripts/lib", "pret", "ui")
    sources = "".join(path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert {name for name in table if name not in sources} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_is_named_exists(page: str) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    known = table_below("Settings").keys() | set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE)) | NO_SETTINGS
    assert set(VARIABLE.findall(prose(page))) - known == set()


def test_the_readme_has_its_diagrams() -> None:
    kinds = [block.text.split()[0] for block in blocks("README.md") if block.language == "mermaid"]
    assert kinds == ["flowchart", "sequenceDiagram", "sequenceDiagram"]


def sections_of_routes() -> dict[str, str]:
    """The sections of the guide to the API, by method and path."""
    found = re.split(r"^### `([A-Z]+ /[^`]*)`\n", PAGES["docs/api.md"], flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def test_the_guide_has_every_route_with_its_statuses() -> None:
    told = {route: re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE) for route, text in sections_of_routes().items()}
    # A test of the API compares this table with the OpenAPI document.
    assert told == {route: cells[0].split(", ") for route, cells in table_below("Endpoints").items()}


@pytest.mark.parametrize("route", sections_of_routes())
def test_every_route_has_an_example(route: str) -> None:
    method, path = route.split()
    place = r"127\.0\.0\.1:8000" + re.sub(r"\\\{\w+\\\}", r"\\$?\\w+", re.escape(path)) + r"[\"?\s]"
    examples = "".join(text for language, text in FENCED.findall(sections_of_routes()[route]) if language == "console")
    used = [line for line in examples.splitlines() if re.search(place, f"{line}\n")]
    assert used
    if method != "POST":
        assert any("-X " not in line for line in used) == (method == "GET")
