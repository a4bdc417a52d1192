"""The requests: one plain function per operation."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from pret.encoded import dump
from pret.formats import READABLE, WRITABLE, media_type
from pret.tables import Table, row_of, rows_of
from pret.uploads import Upload, upload_of

JSON = media_type("json")

FILE_SECONDS = 120.0
"""For the response to an upload, which is sent once all of it is stored, and to a resumed download, which is regenerated."""
RELOAD_SECONDS = 300.0
"""For the response to a reload, which takes as long as a download of the model."""

Row = Mapping[str, Any]
"""One applicant: numbers, booleans, strings or None, by feature."""
Query = tuple[tuple[str, str], ...]
Explain = int | Literal["all"]
"""How many contributions to list, the largest first."""
Reasons = Literal["all", "adverse"]
"""adverse: only those that an applicant may be given as reasons for a refusal."""


@dataclass(frozen=True)
class Request:
    """A request, whichever transport sends it."""

    method: str
    path: str
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Upload | None = None
    idempotent: bool = True
    """Whether it can safely be sent twice."""
    retry_if_busy: bool = True
    """Whether to send it again if the service is busy."""
    read_timeout: float | None = None
    """Seconds to wait for the next chunk of the response; None for the client's default."""
    expected: frozenset[int] = frozenset()
    """Error statuses that are expected for this request."""


@dataclass(frozen=True)
class Options:
    """How to read the rows of a job, and which columns to keep beside the scores."""

    keep: Sequence[str] = ()
    on_invalid: str = "reject"
    delimiter: str | None = None
    decimal: str | None = None
    name: str | None = None
    callback_url: str | None = None
    missing: Sequence[str] = ()
    explain: int | None = None

    def query(self) -> Query:
        """Return the parameters that differ from the defaults of the service."""
        given = {
            "on_invalid": None if self.on_invalid == "reject" else self.on_invalid,
            "delimiter": self.delimiter,
            "decimal": self.decimal,
            "name": self.name,
            "callback_url": self.callback_url,
            "explain": self.explain,
        }
        return (*_listed("keep", self.keep), *_listed("missing", self.missing), *_given(given))


def _listed(name: str, values: Sequence[str]) -> Query:
    """Repeat a parameter for each value; one string is split at its commas by the service."""
    if isinstance(values, str):
        return ((name, values),)
    # Of a lone value the service takes the parts between commas; beside an empty one, it is one value.
    literal = [*values, ""] if len(values) == 1 and "," in values[0] else values
    return tuple((name, value) for value in literal)


def score(row: Row, explain: Explain | None = None, reasons: Reasons = "all", language: str | None = None) -> Request:
    """Score one row."""
    headers, query = _in_language(language), _explained(explain, reasons)
    return _post_json("/individual_score", row_of(row), headers, query=query, idempotent=True)


def what_if(row: Row, features: Sequence[str] | None = None, language: str | None = None) -> Request:
    """Score one row over the ranges of some features."""
    body = {"row": row_of(row)} | ({} if features is None else {"features": list(features)})
    return _post_json("/what_if", body, _in_language(language), idempotent=True)


def score_many(rows: Iterable[Row] | Table, wait: float, timeout: float) -> Request:
    """Score rows. The service may take `wait` seconds for them, and `timeout` more to respond."""
    prefer = {"Prefer": f"wait={math.ceil(wait)}"}
    return _post_json("/multiple_score", rows_of(rows), prefer, read_timeout=wait + timeout)


def submit(
    body: Upload, format: str, encoding: str | None, options: Options, key: str, charset: str | None = None
) -> Request:
    """Submit a file. Requests with the same `key` make one job, however many arrive."""
    if format not in READABLE:
        raise ValueError(f"The format of the rows must be one of {', '.join(READABLE)}, not {format!r}.")
    parameter = f"; charset={charset}" if charset else ""
    headers = {"Content-Type": f"{media_type(format)}{parameter}", "Idempotency-Key": key}
    if encoding:
        headers["Content-Encoding"] = encoding
    return Request("POST", "/jobs", options.query(), headers, body, read_timeout=FILE_SECONDS)


def submit_uri(input_uri: str, output_uri: str, options: Options, key: str) -> Request:
    """Submit a file in an object store; the results are written there too."""
    headers, rows = {"Idempotency-Key": key}, {"input_uri": input_uri, "output_uri": output_uri}
    return _post_json("/jobs", rows, headers, query=options.query(), idempotent=True)


def job(job_id: str) -> Request:
    """Get a job."""
    return Request("GET", _job_path(job_id))


def jobs(state: str | None = None, limit: int = 50, offset: int = 0) -> Request:
    """List some of the jobs."""
    return Request("GET", "/jobs", _given({"state": state, "limit": limit, "offset": offset}))


def job_row(
    job_id: str, row: int, explain: Explain | None = None, reasons: Reasons = "all", language: str | None = None
) -> Request:
    """Get one row of a job."""
    return Request("GET", f"{_job_path(job_id)}/rows/{row}", _explained(explain, reasons), _in_language(language))


def cancel(job_id: str) -> Request:
    """Cancel a job. A second request would be rejected, but the job stays cancelled."""
    return Request("DELETE", _job_path(job_id))


def remove(job_id: str) -> Request:
    """Remove a job. A second request would not find it."""
    return Request("DELETE", _job_path(job_id), _given({"purge": "true"}))


def retry(job_id: str) -> Request:
    """Run a failed job again."""
    return Request("POST", f"{_job_path(job_id)}/retry", idempotent=False)


def events(job_id: str, timeout: float) -> Request:
    """Follow a job. A connection that is silent for `timeout` seconds counts as lost."""
    return Request("GET", f"{_job_path(job_id)}/events", headers={"Accept": "text/event-stream"}, read_timeout=timeout)


def results_page(
    job_id: str, offset: int, limit: int, partial: bool = False, id: str | None = None, column: str | None = None
) -> Request:
    """Get some of the results."""
    page = {"offset": str(offset), "limit": str(limit), "partial": "true" if partial else None}
    query = _given({"format": "json", **page, "id": id, "column": column})
    return Request("GET", f"{_job_path(job_id)}/results", query)


def results_file(job_id: str, format: str, partial: bool = False) -> Request:
    """Get all results as one file, without content encoding: only bytes as they are can be resumed."""
    if format not in WRITABLE:
        raise ValueError(f"The format of the results must be one of {', '.join(WRITABLE)}, not {format!r}.")
    query = _given({"format": format, "partial": "true" if partial else None})
    headers = {"Accept-Encoding": "identity"}
    return Request("GET", f"{_job_path(job_id)}/results", query, headers, read_timeout=FILE_SECONDS)


def model_status() -> Request:
    """Get the model file and who serves it."""
    return Request("GET", "/model_status")


def model_signature(language: str | None = None) -> Request:
    """Get the features of the model."""
    return Request("GET", "/model_signature", headers=_in_language(language))


def importance(language: str | None = None) -> Request:
    """Get what weighs in the model as a whole."""
    return Request("GET", "/model_importance", headers=_in_language(language))


def model_info() -> Request:
    """Get where the model comes from."""
    return Request("GET", "/model_info")


def model_versions() -> Request:
    """Get the history of versions."""
    return Request("GET", "/model_versions")


def model_card() -> Request:
    """Get the model card."""
    return Request("GET", "/model_card")


def reload(revision: str | None) -> Request:
    """Activate another version."""
    body = None if revision is None else {"revision": revision}
    return _post_json("/reload_model", body, read_timeout=RELOAD_SECONDS, retry_if_busy=False)


def rollback() -> Request:
    """Return to the previous version."""
    return _post_json("/rollback_model", None, read_timeout=RELOAD_SECONDS, retry_if_busy=False)


def health() -> Request:
    """Get the state of the service. Not ready (503) is an answer too."""
    return Request("GET", "/router_health", retry_if_busy=False, expected=frozenset({503}))


def caller() -> Request:
    """Get whose key this client sends, and what it may do."""
    return Request("GET", "/caller")


def audit(kind: str | None = None, limit: int = 100, offset: int = 0) -> Request:
    """List who changed what, and who was not let in."""
    return Request("GET", "/audit", _given({"kind": kind, "limit": limit, "offset": offset}))


def version() -> Request:
    """Get the version of the service."""
    return Request("GET", "/version")


def capabilities() -> Request:
    """Get what the service can do: formats, limits, result columns."""
    return Request("GET", "/capabilities")


def _post_json(
    path: str,
    value: Any,
    headers: Mapping[str, str] | None = None,
    *,
    query: Query = (),
    idempotent: bool = False,
    retry_if_busy: bool = True,
    read_timeout: float | None = None,
) -> Request:
    body = None if value is None else upload_of(dump(value))
    headers = {"Content-Type": JSON, **(headers or {})}
    return Request("POST", path, query, headers, body, idempotent, retry_if_busy, read_timeout)


def _job_path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _given(values: Mapping[str, str | int | None]) -> Query:
    return tuple((name, str(value)) for name, value in values.items() if value is not None)


def _explained(explain: Explain | None, reasons: Reasons) -> Query:
    return _given({"explain": explain, "reasons": None if reasons == "all" else reasons})


def _in_language(language: str | None) -> Mapping[str, str]:
    return {} if language is None else {"Accept-Language": language}
