"""Which lines a service may log while everything around it fails. Any other line is a violation."""

import re
from collections import defaultdict
from pathlib import Path

from scripts.bench.soaking.record import Record

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>[A-Z]+) +(?P<text>.*)$")
"""Of the service, as `shared.logging` writes it."""

REDIS_LINE = re.compile(r"^\d+:[A-Z] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} (?P<mark>[.\-*#]) (?P<text>.*)$")

HARMLESS = {"DEBUG", "INFO", ".", "-", "*"}

EXPECTED: tuple[tuple[str, str], ...] = (
    (r"worker\.reconciler: Republishing \d+ unit", "a message was lost"),
    (r"worker\.reconciler: Redis is unavailable", "Redis was away"),
    (r"shared\.fleet\.member: Redis is away", "Redis was away"),
    (r"shared\.fleet\.member: The active model version is not known", "Redis was away"),
    (r"shared\.jobs\.queue: \d+ task\(s\) could not be published yet", "Redis was away; the reconciler publishes them"),
    (r"shared\.jobs\.notify: The webhook of job \w+ was not delivered", "webhooks go to no address of this machine"),
    (r"celery\.worker\.consumer\.consumer: consumer: (Connection to broker lost|Cannot connect)", "Redis was away"),
)
"""What is expected at WARNING and above, and why."""

VARIABLE = re.compile(r"[0-9a-f]{8,}|\d+(\.\d+)?")


def check(folder: Path, record: Record) -> None:
    """Look at every line of every log; lines that differ in numbers alone are told once."""
    for path in sorted(folder.glob("*.log*")):
        for shape, (example, count) in unexpected(path.read_text(encoding="utf-8", errors="replace")).items():
            record.violation(
                "every line of the logs is an expected one", f"{path.stem}, {count} times: {example[:400]}"
            )
            record.count(record.notes, *[f"unexpected lines in {path.stem}"] * (count if shape else 0))


def unexpected(text: str) -> dict[str, tuple[str, int]]:
    """Give the lines that are not expected: by what they have in common, the first one and how many there are."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        if not is_expected(line):
            found[VARIABLE.sub("…", line)].append(line)
    return {shape: (lines[0], len(lines)) for shape, lines in found.items()}


def is_expected(line: str) -> bool:
    """Whether a line may be there."""
    if not line.strip() or BANNER.match(line):
        return True
    if match := LINE.match(line):
        return match["level"] in HARMLESS or any(re.match(pattern, match["text"]) for pattern, _ in EXPECTED)
    match = REDIS_LINE.match(line)
    return match is not None and (
        match["mark"] in HARMLESS or any(re.match(p, match["text"]) for p, _ in REDIS_EXPECTED)
    )


BANNER = re.compile(r"^( -|-|\*|  \.|\[(config|queues|tasks)\]|.{0,60}\.> |\s*[ _.'`|\\/(),:;*-]*$)")
"""What Celery and Redis draw when they start."""

REDIS_EXPECTED: tuple[tuple[str, str], ...] = (
    (r"WARNING", "advice about the settings of the machine"),
    (r"User requested shutdown|.*SIGTERM scheduling shutdown|.*ready to exit, bye bye", "it was ended"),
    (r"AOF loaded anyway because aof-load-truncated is enabled|!!! Warning: short read", "it was killed in a write"),
)
"""What is expected of Redis at its level of warnings, and why."""
