"""Every command of the README does what the README shows."""

import re
import shlex
from dataclasses import dataclass

import pytest

from tests.acceptance.conftest import Up
from tests.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What differs from run to run and machine to machine.
CHANGING = [
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"local-[0-9a-f]{12}"), "<version>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<version>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r'"request_id":"[0-9a-f]{16}"'), '"request_id":<id>'),
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
    (re.compile(r"; threshold 0\.\d+ "), "; threshold <figure> "),
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
    """The commands of the console blocks, each with the output shown below it; and the examples in Python, as commands."""
    found: list[Step] = []
    for language, block in BLOCK.findall(document):
        if language == "python":
            found.append(Step(f".venv/bin/python -W error - <<'END'\n{block}END\n", "..."))
            continue
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            found.append(Step(command, output.strip()))
    return found


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
        # A shell variable set by one command has the same value for those that follow.
        if assigned := re.match(r"([A-Z]+)=\$", step.command):
            value = up.shell(f'{script}{step.command}\necho "${assigned[1]}"')
            script += f"{assigned[1]}={shlex.quote(value.strip())}\n"
            continue
        output = started(up, step) if step.command.endswith("./scripts/up") else up.shell(script + step.command)
        assert agrees(output, step.output), f"$ {step.command}\n{output}\ninstead of\n{step.output}"


def started(up: Up, step: Step) -> str:
    """What the service says at its start: it runs already, or is started with the settings before the command."""
    settings = dict(word.split("=", 1) for word in step.command.split()[:-1])
    if settings or up.process is None:
        up.stop()
        up.settings |= settings
        up.start()
    # Not what it said later on, of a process that another test has killed.
    said, end, _ = up.log.partition("Ctrl-C stops everything.")
    return said + end


@pytest.mark.timeout(300)
def test_all_commands_in_order(up: Up) -> None:
    first, *_ = commands = steps(README)
    assert first.command == "./scripts/up"
    run(up, commands)
