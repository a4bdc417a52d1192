"""What is asked: one plain function a request."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pret.uploads import Upload, upload_of

JSON = "application/json"
CONTENT_TYPES = {
    "json": JSON,
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
    "arrows": "application/vnd.apache.arrow.stream",
}
RESULT_FORMATS = ("csv", "ndjson", "parquet", "arrow")
"""Formats of whole result files."""

FILE_SECONDS = 120.0
"""The answer to a file comes when all of it is stored, and that to a resumed download when the file is made again."""

RELOAD_SECONDS = 300.0
"""A reload takes as long as a download of the model does."""

Row = Mapping[str, Any]
"""One applicant: feature name to number, boolean, string or None."""
Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """A request, before it is known who sends it."""

    method: str
    path: str
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Upload | None = None
    repeatable: bool = True
    """Whether it does no harm if it arrives twice."""
    patient: bool = True
    """Whether it is asked again where the service says that it is busy."""
    seconds: float | None = None
    """Time to wait for a piece of the answer; None is the client's."""
    answers: frozenset[int] = frozenset()
    """Statuses that are answers here, though they are errors elsewhere."""


@dataclass(frozen=True)
class Options:
    """How the rows of a job are to be read and what comes with the results."""

    keep: Sequence[str] = ()
    on_invalid: str = "reject"
    delimiter: str | None = None
    decimal: str | None = None
    name: str | None = None
    callback_url: str | None = None

    def query(self) -> Query:
        """Give the parameters that differ from the service's own defaults."""
        keep = (self.keep,) if isinstance(self.keep, str) else self.keep
        given = {
            "on_invalid": None if self.on_invalid == "reject" else self.on_invalid,
            "delimiter": self.delimiter,
            "decimal": self.decimal,
            "name": self.name,
            "callback_url": self.callback_url,
        }
        return (*(("keep", column) for column in keep), *_given(given))


def score(row: Row) -> Request:
    """Score one row."""
    return _post_json("/individual_score", row, repeatable=True)


def multiple(rows: Iterable[Row], wait: float, seconds: float) -> Request:
    """Score rows and wait up to `wait` seconds for it; `seconds` more for the answer itself."""
    return _post_json("/multiple_score", list(rows), {"Prefer": f"wait={math.ceil(wait)}"}, seconds=wait + seconds)


def submit(body: Upload, format: str, encoding: str | None, options: Options, key: str) -> Request:
    """Submit a file; the same `key` makes the same job, however often it arrives."""
    if format not in CONTENT_TYPES:
        raise ValueError(f"The format {format!r} is none of {', '.join(CONTENT_TYPES)}.")
    headers = {"Content-Type": CONTENT_TYPES[format], "Idempotency-Key": key}
    if encoding:
        headers["Content-Encoding"] = encoding
    return Request("POST", "/jobs", options.query(), headers, body, seconds=FILE_SECONDS)


def submit_uri(input_uri: str, output_uri: str, options: Options, key: str) -> Request:
    """Submit a file that lies in an object store; the results go there too."""
    rows = {"input_uri": input_uri, "output_uri": output_uri}
    return _post_json("/jobs", rows, {"Idempotency-Key": key}, query=options.query(), repeatable=True)


def job(job_id: str) -> Request:
    """Look at a job."""
    return Request("GET", _job_path(job_id))


def jobs(state: str | None = None, limit: int = 50, offset: int = 0) -> Request:
    """Look at some of the jobs."""
    return Request("GET", "/jobs", _given({"state": state, "limit": str(limit), "offset": str(offset)}))


def cancel(job_id: str) -> Request:
    """Cancel a job. A second time it would be refused, but a job that is cancelled stays so."""
    return Request("DELETE", _job_path(job_id))


def retry(job_id: str) -> Request:
    """Give a failed job another try."""
    return Request("POST", f"{_job_path(job_id)}/retry", repeatable=False)


def events(job_id: str, seconds: float) -> Request:
    """Follow a job; silent for `seconds`, the connection counts as lost."""
    return Request("GET", f"{_job_path(job_id)}/events", headers={"Accept": "text/event-stream"}, seconds=seconds)


def results_page(job_id: str, offset: int, limit: int, partial: bool = False) -> Request:
    """Fetch some of the results."""
    query = {"format": "json", "offset": str(offset), "limit": str(limit), "partial": "true" if partial else None}
    return Request("GET", f"{_job_path(job_id)}/results", _given(query))


def results_file(job_id: str, format: str, partial: bool = False) -> Request:
    """Fetch all results as a file, byte for byte: without a content encoding, or its pieces could not be resumed."""
    if format not in RESULT_FORMATS:
        raise ValueError(f"Results come as {', '.join(RESULT_FORMATS)}, not as {format!r}.")
    query = _given({"format": format, "partial": "true" if partial else None})
    return Request("GET", f"{_job_path(job_id)}/results", query, {"Accept-Encoding": "identity"}, seconds=FILE_SECONDS)


def model_status() -> Request:
    """Ask for the model file and who serves it."""
    return Request("GET", "/model_status")


def model_signature() -> Request:
    """Ask for the features."""
    return Request("GET", "/model_signature")


def model_info() -> Request:
    """Ask where the model comes from."""
    return Request("GET", "/model_info")


def model_versions() -> Request:
    """Ask for the history of versions."""
    return Request("GET", "/model_versions")


def model_card() -> Request:
    """Ask for the text that describes the model."""
    return Request("GET", "/model_card")


def reload(revision: str | None) -> Request:
    """Make a new version the active one."""
    body = None if revision is None else {"revision": revision}
    return _post_json("/reload_model", body, seconds=RELOAD_SECONDS, patient=False)


def rollback() -> Request:
    """Return to the version before."""
    return _post_json("/rollback_model", None, seconds=RELOAD_SECONDS, patient=False)


def health() -> Request:
    """Ask what is up. Not ready is an answer too."""
    return Request("GET", "/router_health", patient=False, answers=frozenset({503}))


def version() -> Request:
    """Ask which version of the service answers."""
    return Request("GET", "/version")


def dump(value: Any) -> bytes:
    """Write JSON, with NaN as null and the scalars of numpy as numbers; raises ValueError on an infinite number."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError:
        text = json.dumps(_without_nan(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _post_json(
    path: str,
    value: Any,
    headers: Mapping[str, str] | None = None,
    *,
    query: Query = (),
    repeatable: bool = False,
    patient: bool = True,
    seconds: float | None = None,
) -> Request:
    body = None if value is None else upload_of(dump(value))
    return Request("POST", path, query, {"Content-Type": JSON, **(headers or {})}, body, repeatable, patient, seconds)


def _job_path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _given(values: Mapping[str, str | None]) -> Query:
    return tuple((name, value) for name, value in values.items() if value is not None)


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"A value of type {type(value).__name__} cannot be sent as JSON.")


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    if not isinstance(value, str | int | float | None):
        return _without_nan(_plain(value))
    return None if isinstance(value, float) and math.isnan(value) else value
