"""What the proof of a fast evaluator found, noted beside the verified copy of a version, so that it is made once a machine."""

import hashlib
import json
import platform
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from shared.models import files
from shared.reasons import Reason

NOTE = ".evaluator"
"""A file in the folder of a version."""

PROOF = 1
"""Counts up with each change of the proof or of the evaluators, after which what was proven before no longer counts."""

UNTRIED = Reason("evaluator-untried")

LIBRARIES = ("catboost", "pylignum", "numpy", "pyarrow")


def is_fast_evaluator_installed() -> bool:
    """Whether pylignum is there; it has no wheels for some platforms."""
    return find_spec("lignum") is not None


def read(folder: Path, positive_class: str | None) -> Reason | None:
    """Give what was noted of the version in `folder`; None unless it was found by the same software on such a machine.

    `positive_class` is what the operator says, where a model says nothing.
    """
    try:
        note = json.loads((folder / NOTE).read_bytes())
        return Reason.from_dict(note["reason"]) if note["circumstances"] == _key(positive_class) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(folder: Path, positive_class: str | None, reason: Reason) -> None:
    """Note it, in one step for readers."""
    note = {"circumstances": _key(positive_class), "reason": reason.as_dict()}
    files.write_in_one_step(folder / NOTE, json.dumps(note))


def _key(positive_class: str | None) -> str:
    return hashlib.sha256(json.dumps([circumstances(), positive_class]).encode()).hexdigest()


@cache
def circumstances() -> list[str]:
    """Name all that may change a bit: the software, and the processor, by which libraries choose their code."""
    versions = [f"{name} {metadata.version(name)}" for name in LIBRARIES]
    return [str(PROOF), *versions, platform.machine(), *platform.libc_ver(), _processor()]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
