"""Every command of the README does what the README shows."""

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import Up, copy_of_the_project
from tests.hub import HubServer
from tests.processes import ROOT, wait_for

HUB_SECTION = "From MLflow to the Hub to every process"
REPO = "credit/scoring"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PARTS = re.split(r"^## ", README, flags=re.MULTILINE)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What differs from run to run and machine to machine.
CHANGING = [
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"local-[0-9a-f]{12}"), "<version>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<version>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    # Each worker answers a broadcast, in any order.
    (re.compile(r"->  \w+@[\w.-]+: OK"), "->  <worker>: OK"),
    (re.compile(r"^(kind|api|worker) .*$", re.MULTILINE), r"\1 <row>"),
    (re.compile(r"^Reloaded: \w+ -> \w+$", re.MULTILINE), "Reloaded"),
    (re.compile(r'"host":"[^"]*","pid":\d+'), '"host":<host>,"pid":<pid>'),
    (re.compile(r'"(seconds|rows_per_second)":[\d.e-]+'), r'"\1":<figure>'),
    (re.compile(r"(after|in) [\d.]+ s"), r"\1 <seconds> s"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
]

# Figures of the model, which another processor may round otherwise while it trains.
MODEL_FIGURES = [
    (re.compile(r'"(score|threshold)":0\.\d+(e-\d+)?'), r'"\1":<figure>'),
    (re.compile(r'"(granted|refused)":[1-9]\d*'), r'"\1":<count>'),
    (re.compile(r'"prediction":[01]'), '"prediction":<class>'),
    (re.compile(r'"decision":"(Accordé|Refusé)"?'), '"decision":<decision>'),
    # The same in a line of CSV, and in a sentence.
    (re.compile(r"0\.\d+(e-\d+)?,[01],(Accordé|Refusé)\b"), "<figure>,<class>,<decision>"),
    (re.compile(r"[\d,]+ (granted|refused)"), r"<count> \1"),
]


@dataclass(frozen=True)
class Step:
    command: str
    output: str


def steps(document: str) -> list[Step]:
    """The commands of the console blocks, each with the output shown below it."""
    found: list[Step] = []
    for block in BLOCK.findall(document):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            found.append(Step(command, output.strip()))
    return found


def on_the_hub(part: str) -> bool:
    return part.startswith(HUB_SECTION)


def stable(text: str) -> str:
    for pattern, replacement in [*CHANGING, *MODEL_FIGURES]:
        text = pattern.sub(replacement, text)
    return text.strip()


def agrees(actual: str, shown: str) -> bool:
    """Compare, with `...` in what is shown standing for any lines, and on a line of its own also for none."""
    pattern = re.escape(stable(shown)).replace(re.escape("...\n"), r"(.*\n)?").replace(re.escape("..."), r".*")
    return re.fullmatch(pattern, stable(actual), re.DOTALL) is not None


def run(up: Up, commands: list[Step]) -> None:
    # `pret` asks where it is told to; the addresses within the commands are replaced as they stand.
    script = f"export PRET_URL={up.url}\n"
    for step in commands:
        # A shell variable set by one command is there for the next.
        if re.match(r"[A-Z]+=", step.command):
            script += step.command + "\n"
            continue
        output = up.shell(script + step.command)
        assert agrees(output, step.output), f"$ {step.command}\n{output}\ninstead of\n{step.output}"


def test_all_commands_in_order(up: Up) -> None:
    told, *others = steps("".join(part for part in PARTS if not on_the_hub(part)))
    assert told.command == "./scripts/up"
    assert agrees(up.log, told.output), up.log
    run(up, others)


def test_the_way_over_the_hub(tmp_path: Path) -> None:
    publish, start, *others = steps("".join(filter(on_the_hub, PARTS)))
    assert start.command == "./scripts/up"
    with HubServer(tmp_path / "hub") as hub:
        settings = {"HF_REPO_ID": REPO, "HF_TOKEN": "hf_alice", "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
        up = Up(copy_of_the_project(tmp_path / "project"), settings=settings)
        up.shell(".venv/bin/python scripts/train_demo_model.py")
        try:
            run(up, [publish])
            up.start()
            assert agrees(up.log, start.output), up.log
            run(up, others)
            wait_for("the broadcast to be followed", lambda: is_converged(up, hub))
        finally:
            up.stop()


def is_converged(up: Up, hub: HubServer) -> bool:
    """Whether every process has the version that is tagged v2."""
    status = httpx.get(f"{up.url}/model_status").json()
    return bool(status["converged"]) and status["active_version"] == hub.site.store.repositories[REPO].tags["v2"]


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(((?!http)[^)]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_endpoints_are_those_of_the_api(client: httpx.Client) -> None:
    told = set(re.findall(r"^\| `([A-Z]+) ([^`]+)` \|", README, re.MULTILINE))
    document = client.get("/openapi.json").json()
    served = {
        (method.upper(), path.replace("{job_id}", "{id}"))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert told == served | {("GET", "/")}


def test_screenshots_are_pictures() -> None:
    for name in re.findall(r"docs/images/\S+\.png", README):
        assert Path(ROOT / name).read_bytes().startswith(b"\x89PNG")
