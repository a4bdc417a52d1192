"""The files of an artifact: which of them serve, what they are called, their checksums, and the version that they make up."""

import hashlib
import shutil
import threading
from collections.abc import Collection
from pathlib import Path

from shared.contract import mlmodel
from shared.errors import BadArtifact
from shared.models.example import EXAMPLE_FILE, SERVING_EXAMPLE_FILE
from shared.reasons import cut_names

MODEL_FILE = "model.cb"
"""What the model is called in MLflow's artifacts and in our own exports."""

MODEL_SUFFIXES = (".cb", ".cbm", ".bin")
"""How the names of CatBoost files end."""

MLMODEL_FILE = "MLmodel"
GOLDEN_FILE = "golden.json"
IMPORTANCE_FILE = "importance.json"
CHECKSUM_FILE = "SHA256SUMS"
REGISTRY_FILE = "registry.json"
"""What a registry said of the version besides its files; written by whoever fetched it from there."""

CARD_FILE = "README.md"
MAX_CARD_BYTES = 2**20
"""A larger card is none: it would be read as a whole, into the memory of the API and into somebody's browser."""

REQUIREMENTS_FILE = "requirements.txt"

PARTIAL_PREFIX = ".partial-"
"""Before what tells one unfinished folder or file of the model cache from another."""

LOCAL_PREFIX = "local-"
VERSION_PREFIX_LENGTH = 12

BESIDE_THE_MODEL = (
    *(MLMODEL_FILE, EXAMPLE_FILE, GOLDEN_FILE, IMPORTANCE_FILE, CHECKSUM_FILE),
    REGISTRY_FILE,
)

FOR_PEOPLE = (SERVING_EXAMPLE_FILE, REQUIREMENTS_FILE, CARD_FILE)
"""What comes along, but is no part of a version."""


def model_file(folder: Path) -> str:
    """Find the CatBoost file; raises BadArtifact if there is none, or if nothing tells which of several it is."""
    if not (folder / MLMODEL_FILE).is_file():
        raise _without_mlmodel(folder)
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return choose(there, mlmodel.read(folder / MLMODEL_FILE).data)


def choose(there: Collection[str], *wanted: str) -> str:
    """Choose the CatBoost file among those that are there: the first of the wanted ones, else `model.cb`, else the only one."""
    for name in (*wanted, MODEL_FILE):
        if name in there and is_plain(name):
            return name
    found = sorted(name for name in there if name.endswith(MODEL_SUFFIXES) and is_plain(name))
    if len(found) > 1:
        raise BadArtifact("model-files-several", files=cut_names(found))
    if not found:
        raise BadArtifact("model-file-missing", file=wanted[0])
    return found[0]


def is_plain(name: str) -> bool:
    """Whether a name leads to a place below the folder, and nowhere else."""
    return bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts and "\\" not in name


def served_files(folder: Path) -> tuple[str, ...]:
    """Name what a server reads, and so what makes up a version; anything else in the folder is passed over."""
    return (model_file(folder), *BESIDE_THE_MODEL)


def fetched_files(folder: Path) -> tuple[str, ...]:
    """Name what is fetched of a version: what serves, and what is for people."""
    return (*served_files(folder), *FOR_PEOPLE)


def copy(folder: Path, destination: Path) -> None:
    """Copy what is fetched of a version; raises BadArtifact if there is no model, FileNotFoundError if a file vanishes."""
    for name in fetched_files(folder):
        source = folder / name
        # A link could lead anywhere on this machine; the model itself may be one, as in caches of downloads.
        if source.is_file() and not (name in FOR_PEOPLE and source.is_symlink()):
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, destination / name)


def write_in_one_step(path: Path, text: str) -> None:
    """Write a small file of which readers see the old text or the new one, never a part."""
    partial = path.with_name(f"{path.name}{PARTIAL_PREFIX}{threading.get_native_id()}")
    partial.write_text(text)
    partial.replace(path)


def digest(folder: Path) -> str:
    """Give the SHA-256, in hex, over all that serves in `folder`; raises BadArtifact if a required file is missing."""
    total = hashlib.sha256()
    for name in served_files(folder):
        if (folder / name).is_file():
            total.update(f"{sha256(folder / name)}  {name}\n".encode())
    return total.hexdigest()


def folder_version(folder: Path) -> str:
    """Name the version that lies in `folder`: `local-` and the start of its digest; raises BadArtifact."""
    return f"{LOCAL_PREFIX}{digest(folder)[:VERSION_PREFIX_LENGTH]}"


def verify_checksums(folder: Path) -> None:
    """Compare the folder with its SHA256SUMS, where it has one; every file that serves must be listed there."""
    sums = folder / CHECKSUM_FILE
    if not sums.is_file():
        return
    listed = {}
    for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
        checksum, _, name = line.strip().partition(" ")
        listed[name.strip().lstrip("*")] = checksum.lower()
    for name in served_files(folder):
        path = folder / name
        if name in (CHECKSUM_FILE, REGISTRY_FILE) or (not path.is_file() and name not in listed):
            continue
        if name not in listed:
            raise BadArtifact("model-file-unlisted", file=name)
        if not path.is_file() or sha256(path) != listed[name]:
            raise BadArtifact("model-file-damaged", file=name)


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without_mlmodel(folder: Path) -> BadArtifact:
    below = [path.parent.name for path in folder.glob(f"*/{MLMODEL_FILE}")] if folder.is_dir() else []
    if len(below) == 1:
        return BadArtifact("model-in-subfolder", folder=below[0])
    return BadArtifact("model-file-missing", file=MLMODEL_FILE)
