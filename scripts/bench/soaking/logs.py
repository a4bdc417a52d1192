"""Which lines a service may log while everything around it fails. Anything else is a violation.

A state that is expected is one line. An entry that goes on over several, as one with a traceback does, is told by its first line
and its last.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.soaking.record import Record

SERVICE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>[A-Z]+) +(?P<text>.*)"
"""A line of the service, as `shared.logging` writes it."""

UVICORN = r"(?P<uvicorn>INFO|WARNING|ERROR): +(?P<said>.*)"
REDIS = r"\d+:[A-Z] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} (?P<mark>[.\-*#]) (?P<told>.*)"
HEAD = re.compile(f"{SERVICE}|{UVICORN}|{REDIS}")

ABOUT = re.compile(r"(?<=:)( \[[\w.-]+\])+(?= )")
"""What stands between the logger and the message: the request and the unit that the line is about."""

HARMLESS = {"DEBUG", "INFO", ".", "-", "*"}

EXPECTED: tuple[tuple[str, str], ...] = (
    (r"worker\.reconciler: Republishing \d+ unit\(s\) of job \w+$", "a message was lost"),
    (r"worker\.reconciler: Redis is unavailable", "Redis was away"),
    (r"shared\.fleet\.member: (Redis is away|This process could not report itself)", "Redis was away"),
    (r"shared\.fleet\.member: The active model version is not known", "Redis was away"),
    (r"shared\.fleet\.member: Model version .+ cannot be served", "the disk took no model, or the machine is slow"),
    (
        r"shared\.jobs\.queue: \d+ task\(s\) could not be published yet",
        "Redis was away; the reconciler publishes them",
    ),
    (r"shared\.jobs\.notify: The webhook of job \w+ was not delivered", "webhooks go to no address of this machine"),
    (r"worker\.consumer: Redis is unavailable", "Redis was away"),
    (r"kombu\.transport\.redis: Redis BRPOP got no reply", "its answer was lost, or Redis frozen"),
    (r"kombu\.transport\.redis: maybe_refresh_binding_expiry: Redis error, will retry$", "Redis was away"),
    (
        r"api\.streaming: A response was cut off: ",
        "Redis or the storage was away; the caller sees that its end is missing",
    ),
    (r"ASGI callable returned without completing response\.$", "what the line before it says"),
    (r"celery\.worker\.consumer\.consumer: consumer: (Connection to broker lost|Cannot connect)", "Redis was away"),
    (
        r"celery\.worker\.request: (Task handler raised error: (WorkerLostError|TimeLimitExceeded)|Hard time limit)",
        "a child was killed or frozen",
    ),
    (r"kombu\.transport\.virtual\.base: Requeuing undeliverable message", "a worker ended"),
    (r"celery\.worker\.request: Couldn't ack .* reason:network:", "Redis was away; the message comes again"),
    (r"(WARNING|.*overcommit_memory)", "advice of Redis about the machine"),
    (r"User requested shutdown|.* is now ready to exit, bye bye", "Redis was ended"),
    (r"!!! Warning: short read|AOF loaded anyway", "Redis was killed in a write"),
)
"""What is expected above the level of information, and why."""

BESIDES = re.compile(
    r"\s*$|[\s\-*.+|'`_,:;=/\\()]+$"
    r"|.*\.> |\s*-+ (\w+@|\[)|[- *]+ (Linux|\[config)|\[(config|queues|tasks)\]|\s*\[queues\]"
    r"|.*SecurityWarning|absolutely not recommended!|Please specify a different user|User information: uid="
    r"|  _warn_or_raise_security_error|worker: (Warm|Cold|Soft|Hitting) |\d+:signal-handler "
    r"|could not ensure all messages were consumed prior to exiting$"
    r"|Process 'ForkPoolWorker-\d+' pid:\d+ exited with 'signal "
)
"""What Celery draws when it starts and says when it ends, and what it says to whoever runs it as root."""

VARIABLE = re.compile(r"\b[0-9a-f]{6,}\b|\b\d+\b")


WEBHOOK = re.compile(r"The webhook of job (\w+) was not delivered")


def check(folder: Path, record: Record) -> None:
    """Look at every entry of every log; those that differ in numbers alone are told once."""
    for path in sorted(folder.glob("*.log*")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for example, count in unexpected(text).items():
            record.violation(
                "every line of the logs is an expected one", f"{path.stem}, {count} times: {example[:500]}"
            )


def check_webhooks(folder: Path, jobs: set[str], record: Record) -> None:
    """See that every job that has a caller to be told was told: the log says so, as no webhook goes to this machine."""
    told: set[str] = set()
    for path in folder.glob("*.log*"):
        told.update(WEBHOOK.findall(path.read_text(encoding="utf-8", errors="replace")))
    for job in sorted(jobs - told):
        record.violation("every caller who wants to be told is told", f"job {job}")


def unexpected(text: str) -> Counter[str]:
    """Give the entries that are not expected, each as the first of its kind is written, with how many there are."""
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for entry in entries(text):
        if not is_expected(entry):
            example = examples.setdefault(VARIABLE.sub("…", entry), entry)
            counts[example] += 1
    return counts


def entries(text: str) -> Iterator[str]:
    """Give each entry in one line: its first one, and the last one where it goes on over several."""
    entry: list[str] = []
    for line in text.splitlines():
        if HEAD.match(line):
            yield from _joined(entry)
            entry = [line]
        elif not BESIDES.match(line):
            entry.append(line)
    yield from _joined(entry)


def _joined(entry: list[str]) -> Iterator[str]:
    if entry:
        yield entry[0] if len(entry) == 1 else f"{entry[0]} … {entry[-1].strip()}"


def is_expected(entry: str) -> bool:
    """Whether an entry may be there."""
    match = HEAD.match(entry)
    if match is None:
        return False
    level, text = match["level"] or match["uvicorn"] or match["mark"], match["text"] or match["said"] or match["told"]
    text = ABOUT.sub("", text or "", count=1)
    return (level in HARMLESS and " … " not in entry) or any(re.match(pattern, text) for pattern, _ in EXPECTED)
