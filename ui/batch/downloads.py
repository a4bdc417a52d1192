"""The buttons that download the results as files."""

import errno
import io
import os
import shlex
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import streamlit as st

from pret import Client, Job
from pret.formats import media_type
from ui.batch.fetched import shelf
from ui.texts import Texts

MAX_BYTES = 300_000_000
"""Bytes of a file for the browser: the console holds it in memory during the download."""
SAMPLE_ROWS = 1000


def show_downloads(say: Texts, client: Client, job: Job, path: Path) -> None:
    """Show them; each file is prepared when its button is clicked."""
    sizes = {"csv": csv_size(path), "parquet": path.stat().st_size}
    stem = _stem(job)
    with st.container(horizontal=True):
        for format, size in sizes.items():
            st.download_button(
                say("portfolio.download", format=say.plain(f"portfolio.format_{format}"), size=say.size(size)),
                partial(_opened, client, job.id, format),
                f"{stem}-scores.{format}",
                media_type(format),
                key=f"download_{format}",
                icon=":material/download:",
                on_click="ignore",
                disabled=size > MAX_BYTES,
                help=say("portfolio.download_help"),
            )
    if max(sizes.values()) > MAX_BYTES:
        st.caption(say("portfolio.large_file", size=say.size(MAX_BYTES)))
        show_command(job, f"{stem}-scores.csv")


def show_command(job: Job, file: str) -> None:
    """Show the command that fetches the results, to be copied."""
    st.code(f"pret job results {job.id} -o {shlex.quote(file)}", language=None)


def _stem(job: Job) -> str:
    """Return the stem of a file name, without characters that a terminal would interpret."""
    name = "".join(filter(str.isprintable, job.name or ""))
    return Path(name).name.partition(".")[0] or job.id[:8]


@st.cache_data(show_spinner=False, max_entries=64)
def csv_size(path: Path) -> int:
    """Estimate the size of the results as CSV, in bytes, from the first rows."""
    file = pq.ParquetFile(path)
    rows = file.metadata.num_rows
    batch = next(file.iter_batches(SAMPLE_ROWS), None)
    if batch is None:
        return 0
    text = io.BytesIO()
    pacsv.write_csv(pa.table({name: _as_text(batch[name]) for name in batch.schema.names}), text)
    return int(len(text.getvalue()) * rows // batch.num_rows)


def _as_text(column: pa.Array) -> pa.Array:
    if not pa.types.is_list(column.type):
        return column.cast(pa.string())
    # Reasons are columns of their own in CSV.
    return pa.array(
        [",".join(f"{it['feature']},{it['contribution']}" for it in row or ()) for row in column.to_pylist()]
    )


def _opened(client: Client, job_id: str, format: str) -> BinaryIO:
    """Open the file for Streamlit, which reads it into memory; raises OSError if it turns out to be too large."""
    path = shelf().fetch(client, job_id, format)
    if path.stat().st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return path.open("rb")
