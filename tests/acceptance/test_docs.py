"""Every command and every example of the guides does what the guide shows."""

import re
from collections.abc import Callable
from typing import cast

import pytest

from shared.jobs.callbacks import sign
from tests.acceptance.conftest import Up
from tests.acceptance.test_readme import run, steps
from tests.processes import ROOT

GUIDES = ROOT / "docs"
BATCHES = (GUIDES / "batches.md").read_text(encoding="utf-8")
CLIENT = (GUIDES / "python-client.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(console|python)\n.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(((?!http)[^)#]+)")

SECRET, BODY, NOW = "shared", b'{"id": "9784c84d4e8540ee9907b2e3e8198fe7"}', 1_795_575_767
Verify = Callable[[str, dict[str, str], bytes, float], bool]


def python_of(block: str) -> str:
    return block.removeprefix("```python\n").removesuffix("```")


def test_the_commands_on_batches(up: Up) -> None:
    run(up, steps(BATCHES))


def test_the_commands_and_examples_on_the_client(up: Up) -> None:
    for found in BLOCK.finditer(CLIENT):
        if found[1] == "console":
            run(up, steps(found[0] + "\n"))
        else:
            up.shell(f"PRET_URL={up.url} .venv/bin/python -W error - <<'END'\n{python_of(found[0])}END\n")


@pytest.fixture
def verify() -> Verify:
    """The receiver's part of a callback, as the guide shows it."""
    [block] = (found[0] for found in BLOCK.finditer(BATCHES) if found[1] == "python")
    names: dict[str, object] = {}
    exec(python_of(block), names)  # noqa: S102 - our own page
    return cast(Verify, names["verify"])


def headers(secret: str) -> dict[str, str]:
    return {"X-Pret-Timestamp": str(NOW), "X-Pret-Signature": sign(secret, NOW, BODY)}


def test_a_receiver_knows_a_genuine_callback(verify: Verify) -> None:
    assert verify(SECRET, headers(SECRET), BODY, NOW + 300)


def test_a_receiver_knows_a_forged_or_old_callback(verify: Verify) -> None:
    assert not verify(SECRET, headers("another"), BODY, NOW)
    assert not verify(SECRET, headers(SECRET), BODY + b" ", NOW)
    assert not verify(SECRET, headers(SECRET), BODY, NOW + 301)


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in GUIDES.rglob("*.md")))
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link
