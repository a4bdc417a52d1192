"""The keys of callers as the operator lists them: `name:scope+scope:SHA-256 of the key`, never a key itself."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Scope(StrEnum):
    """What a key may do. Every key may read."""

    SCORE = "score"  # score applicants in the call
    JOBS = "jobs"  # submit jobs, cancel, retry and remove its own
    READ = "read"  # see the model, the health of the service, and its own jobs
    ADMIN = "admin"  # everything: change the model, and see and change the jobs of all


class WrongKeys(ValueError):
    """The keys are not as they should be. The sentence says where, and repeats nothing of them."""


ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._@-]{0,63}):(?P<scopes>[a-z+]+):(?P<digest>[0-9a-fA-F]{64})"
    r"(:requests=(?P<requests>[1-9][0-9]{0,5}))?(:rows=(?P<rows>[1-9][0-9]{0,11}))?"
)
FORM = "name:scope+scope:SHA-256 of the key, then perhaps :requests=N or :rows=N, as `pret key new` prints it"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a caller may send; None for no limit."""

    requests: int | None = None
    """Per second."""
    rows: int | None = None
    """Scored per day (UTC)."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. Two of the same name are of the same caller, so that a key can be replaced while the old one still works."""

    name: str
    scopes: frozenset[Scope]
    digest: bytes
    """SHA-256 of the key, 32 bytes."""
    limits: Limits | None = None


def digest_of(key: bytes) -> bytes:
    """Return what is known of a key here."""
    return hashlib.sha256(key).digest()


def parse(text: str) -> list[Key]:
    """Read entries, separated by commas or line ends; lines that begin with # are comments.

    Raises WrongKeys.
    """
    keys = [_key(entry, number) for number, entry in enumerate(_entries(text), 1)]
    if len({key.digest for key in keys}) < len(keys):
        raise WrongKeys("Two entries of API_KEYS are of the same key")
    return keys


def read(path: Path) -> list[Key]:
    """Read the entries of a file; raises WrongKeys."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongKeys(f"API_KEYS_FILE cannot be read ({type(error).__name__})") from None


def parse_plain(text: str) -> list[Key]:
    """Read `name:key,name:key`, the keys of administrators; raises WrongKeys."""
    parts = [entry.strip().partition(":") for entry in text.split(",")]
    if not all(name and key and key.isascii() for name, _, key in parts):
        raise WrongKeys("ADMIN_KEYS must read name:key,name:key, in plain ASCII")
    return [Key(name, frozenset({Scope.ADMIN}), digest_of(key.encode())) for name, _, key in parts]


def _entries(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield from filter(None, map(str.strip, line.split(",")))


def _key(entry: str, number: int) -> Key:
    found = ENTRY.fullmatch(entry)
    if found is None:
        raise WrongKeys(f"Entry {number} of API_KEYS must read {FORM}")
    given = found["scopes"].split("+")
    if not set(given) <= set(Scope):
        raise WrongKeys(f"Entry {number} of API_KEYS may have the scopes {', '.join(Scope)}")
    requests, rows = (int(found[name]) if found[name] else None for name in ("requests", "rows"))
    limits = Limits(requests, rows) if requests or rows else None
    return Key(found["name"], frozenset(map(Scope, given)), bytes.fromhex(found["digest"]), limits)
