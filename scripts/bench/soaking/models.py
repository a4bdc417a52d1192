"""The rows and models of a soak, and what CatBoost itself says of them."""

import bz2
import gzip
import io
import json
import lzma
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import yaml

from scripts.bench.make_portfolio import BAD_COLUMN, BAD_VALUE, ID_COLUMN, WRITERS, portfolio
from scripts.bench.soaking.orders import BASE_ROWS, Order
from scripts.lib import golden, model_folder
from scripts.lib.demo_portfolio import demo_data
from scripts.lib.export import replacing
from scripts.lib.training import train
from scripts.lib.training_data import catboost_frame
from shared.contract.contract import Row
from shared.formats.format import Format
from shared.models import artifact, files
from shared.models.files import MLMODEL_FILE, MODEL_FILE

Floats = npt.NDArray[np.float64]

TRAINING_ROWS, TREES = 4000, 60
VERSIONS = 3

DEFAULT_DAMAGE = b"not a model"


@dataclass(frozen=True)
class Version:
    """A model version: where its files are, and what it says of every row there is."""

    id: str
    folder: Path
    threshold: float
    scores: Floats


class Models:
    """The rows that orders are made of, and the versions that score them."""

    def __init__(self, seed: int, folder: Path, versions: int = VERSIONS) -> None:
        self.base = pa.Table.from_batches(portfolio(BASE_ROWS, seed))
        self._folder = folder
        self._rows = self.base.drop_columns([ID_COLUMN]).to_pandas()
        self.versions = {version.id: version for version in (self._version(seed + i) for i in range(versions))}

    def install(self, version: str, destination: Path) -> None:
        """Put a version where the service takes models from."""
        with replacing(destination) as staging:
            shutil.copytree(self.versions[version].folder, staging, dirs_exist_ok=True)

    def damage(self, version: str, destination: Path) -> None:
        """Put a version there whose model file is not what its checksums say."""
        with replacing(destination) as staging:
            shutil.copytree(self.versions[version].folder, staging, dirs_exist_ok=True)
            (staging / MODEL_FILE).write_bytes(DEFAULT_DAMAGE)

    def row(self, number: int) -> Row:
        """Give one row as JSON has it, without its id."""
        return self.rows(number, 1)[0]

    def rows(self, first: int, count: int) -> list[Row]:
        """Give some rows as JSON has them, without their ids."""
        found: list[Row] = self.base.slice(first, count).drop_columns([ID_COLUMN]).to_pylist()
        return found

    def ids(self, order: Order) -> npt.NDArray[np.int64]:
        """Give the ids of the rows of an order."""
        numbers: npt.NDArray[np.int64] = self.base[ID_COLUMN].slice(order.first, order.rows).to_numpy()
        return numbers

    def bad_rows(self, order: Order) -> npt.NDArray[np.int64]:
        """Give the positions, within an order, of the rows that break the contract."""
        return np.unique(np.arange(order.bad) * order.rows // max(order.bad, 1))

    def expected(self, order: Order, version: str) -> Floats:
        """Give the scores of an order, NaN for rows that break the contract."""
        scores = self.versions[version].scores[order.first : order.first + order.rows].copy()
        scores[self.bad_rows(order)] = np.nan
        return scores

    def table(self, order: Order) -> pa.Table:
        """Give the rows of an order, with their ids where they are to be kept."""
        table = self.base.slice(order.first, order.rows)
        bad = self.bad_rows(order)
        if len(bad):
            values = table[BAD_COLUMN].to_numpy().copy()
            values[bad] = BAD_VALUE
            table = table.set_column(table.schema.get_field_index(BAD_COLUMN), BAD_COLUMN, pa.array(values))
        return table if order.keep else table.drop_columns([ID_COLUMN])

    def body(self, order: Order) -> bytes:
        """Write the rows of an order in its format and compression."""
        ending = Format.NDJSON if order.format is Format.JSON else order.format
        path = self._folder / f"{uuid4().hex}.{ending}"
        batch = self.table(order).combine_chunks().to_batches()[0]
        try:
            with WRITERS[path.suffix](path, batch.schema) as write:
                write(batch)
            content = path.read_bytes()
        finally:
            path.unlink(missing_ok=True)
        if order.format is Format.JSON:
            content = b"[" + b",".join(content.splitlines()) + b"]"
        return compressed(content, order)

    def _version(self, seed: int) -> Version:
        data = demo_data(TRAINING_ROWS, seed)
        trained = train(data, TREES, seed)
        folder = self._folder / f"version-{seed}"
        folder.mkdir(parents=True)
        trained.classifier.save_model(str(folder / MODEL_FILE))
        description = {
            "signature": {"inputs": json.dumps(data.signature_inputs)},
            "metadata": {"best_threshold": trained.threshold, **data.contract()},
        }
        (folder / MLMODEL_FILE).write_text(yaml.safe_dump(description), encoding="utf-8")
        loaded = artifact.load(folder, files.folder_version(folder))
        golden_rows = golden.rows_of_frame(trained.golden_rows, loaded.contract)
        model = model_folder.complete(loaded, rows=golden_rows)
        frame = catboost_frame(self._rows, data.signature_inputs, data.missing_category)
        scores: Floats = trained.classifier.predict_proba(frame)[:, 1]
        return Version(model.version, folder, model.threshold, scores)


def compressed(content: bytes, order: Order) -> bytes:
    """Compress as an order wants it, quickly rather than well."""
    match order.encoding:
        case None:
            return content
        case "gzip":
            return gzip.compress(content, 1)
        case "bz2":
            return bz2.compress(content, 1)
        case "xz":
            return lzma.compress(content, preset=0)
        case "zip":
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
                file.writestr(f"rows.{order.format}", content)
            return archive.getvalue()
        case "zstd":
            sink = pa.BufferOutputStream()
            with pa.CompressedOutputStream(sink, "zstd") as stream:
                stream.write(content)
            packed: bytes = sink.getvalue().to_pybytes()
            return packed


def same(found: Sequence[float | None], expected: Floats) -> bool:
    """Whether scores are the same to the bit, and missing where they should be."""
    scores = np.array([np.nan if score is None else score for score in found], dtype=np.float64)
    return bool(np.array_equal(scores, expected, equal_nan=True))
