"""Why something is not as it should be: a stable type, some parameters, and the English sentence that they make.

Every message of the service stands in one of the two tables here, and nowhere else. Programs and other languages go by type and
parameters. These hold what JSON has: numbers, texts, lists of names, and a `reason` within a reason; never a value that a
caller sent. `line` and `row` say where, `limit` and `count` how much, `accepted` what would do instead, `fault` is a word of
the machine's own, such as the name of an exception or what a parser says.

In a sentence `{names}` lists the first names in quotes, `{accepted:or}` all of them, `{limit:size}` writes bytes,
`{limit:,}` a large number, and `{count:row is|rows are}` follows the number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from string import Formatter
from typing import Any, Self

MAX_REPORTED = 100
"""Invalid values that a report names; it counts all of them."""

MAX_NAME_LENGTH = 100
"""A name that the caller made up is cut to this many characters."""

MAX_NAMES = 100
"""Names in one list; where there are more, the last one is MORE."""

MAX_NAMES_IN_SENTENCE = 5

MORE = "…"

REASONS: dict[str, str] = {
    # The service itself, and requests that do not get as far as a subject.
    "unexpected": "Something went wrong in the service, not in the request. Its log has the details.",
    "not-found": "There is nothing at this path.",
    "method-not-allowed": "This path does not support the method; the header Allow lists those that it does.",
    "request-rejected": "The request was rejected with status {status}.",
    "invalid-parameters": "A parameter of the request is invalid.",
    "not-authenticated": "This needs an admin key. Send it as 'Authorization: Bearer KEY'.",
    "not-acceptable": "The results are available as {accepted:or}.",
    "range-not-satisfiable": "The requested range begins after the end of the file, which has {size:size}.",
    # Bodies.
    "content-type-unsupported": "The body must be {accepted:or}. Say which in the header Content-Type.",
    "charset-unsupported": "The text may be in {accepted:or}. Say which as charset in the header Content-Type.",
    "json-required": "The body must be JSON. Send it with the header 'Content-Type: application/json'.",
    "compression-not-allowed": "The body must not be compressed.",
    "compression-unsupported": "The body may be compressed with {accepted:or} only.",
    "compressed-data-cut-off": "The {encoding} data ends too early.",
    "compressed-data-damaged": "The body is not {encoding} data, or it is damaged.",
    "compressed-memory": "Decompressing the {encoding} data takes more memory than {limit:size}. "
    "Compress it with a lower preset.",
    "zip-not-one-file": "The zip archive has {count} files. It must have exactly one.",
    "zip-encrypted": "The file in the zip archive is encrypted.",
    "zip-method": "The file in the zip archive is compressed in a way that is not supported. Compress it with Deflate.",
    "content-length-invalid": "The header Content-Length is not a number.",
    "body-too-large": "The body is larger than the {limit:size} that this service accepts.",
    "decompressed-too-large": "The body is larger than {limit:size} once it is decompressed.",
    # Forms.
    "form-boundary-invalid": "The header Content-Type has no valid boundary.",
    "form-damaged": "The body is not a valid form, or it ends too early.",
    "form-without-file": "The form has no file. Send the file in a part that has a file name.",
    "form-file-not-last": "The form has something after its file. Send the fields first, then one file.",
    "form-fields-too-large": "The form has more than {count} fields, or a field of more than {limit:size}.",
    "file-name-unsupported": "The file name must end in {accepted:or}; {compressed:or} may follow.",
    "zip-name-unsupported": "The name of the first file in the zip archive must end in {accepted:or}.",
    # Addresses of input and output.
    "input-uri-unsupported": "The input_uri must end in {accepted:or}; {compressed:or} may follow.",
    "input-uri-not-allowed": "The input_uri is not below any of the INPUT_URI_PREFIXES of this service.",
    "output-uri-unsupported": "The output_uri must end in {accepted:or}.",
    "output-uri-not-allowed": "The output_uri is not below any of the OUTPUT_URI_PREFIXES of this service.",
    # Addresses of webhooks.
    "webhooks-disabled": "Webhooks are disabled: WEBHOOK_HOSTS is empty.",
    "webhook-host-not-allowed": "The host of callback_url, with its port, is not one of WEBHOOK_HOSTS.",
    "webhook-host-not-public": "The host of callback_url is not a public address.",
    "webhook-host-invalid": "The host or the port of callback_url is invalid.",
    "webhook-url-invalid": "The callback_url is not a URL.",
    "webhook-url-too-long": "The callback_url is longer than {limit:,} characters.",
    "webhook-url-characters": "The callback_url contains spaces, control characters or backslashes.",
    "webhook-url-scheme": "The callback_url must begin with https:// or http://.",
    "webhook-url-userinfo": "The callback_url must not contain a user name or password.",
    "webhook-url-fragment": "The callback_url must not have a fragment (the part after #).",
    # Delivery of webhooks.
    "receiver-unresolved": "The name of the receiver could not be resolved.",
    "receiver-not-public": "The receiver does not have a public address.",
    "receiver-timed-out": "The receiver did not answer in time.",
    "receiver-unreachable": "The receiver could not be reached.",
    "receiver-not-secure": "The TLS connection to the receiver failed, or its certificate is invalid.",
    "receiver-not-http": "The receiver did not answer in HTTP.",
    "receiver-redirected": "The receiver answered {status}; redirects are not followed.",
    "receiver-answered": "The receiver answered {status}.",
    # Rows and columns, in any format.
    "invalid-rows": "{count} {count:value breaks|values break} the feature contract; the report lists up to {limit}.",
    "no-rows": "There are no rows. Send at least one.",
    "too-many-rows": "The file has more than the {limit:,} rows that this service accepts.",
    "columns-missing": "Missing columns: {columns}.",
    "columns-missing-and-unknown": "Missing columns: {columns}. Unknown columns: {unknown}.",
    "columns-misspelt": "Column names must match exactly, in case and spaces: found {columns}, expected {expected}.",
    "columns-look-like-values": "The names of the columns look like values. Were they read from a file without a header? "
    "Missing columns: {columns}.",
    "columns-repeated": "Columns that occur more than once: {columns}.",
    "column-type": "Column {column!r} is of type {kind}, which cannot be read as {expected}.",
    "kept-columns-missing": "Columns to keep that are not in the file: {columns}.",
    "kept-column-type": "Column {column!r} cannot be kept: it is of type {kind}.",
    # JSON bodies.
    "json-invalid": "The body is not valid JSON: {fault} at line {line}, character {character}.",
    "json-not-an-array": "The body is not a JSON array of objects.",
    "json-not-an-object": "The body has another value where an object is expected.",
    "json-not-rows": "The array contains something that is not a row.",
    "json-shape-unknown": "The body must be an array, or an object with exactly one of the keys {accepted:or}.",
    "split-keys": "dataframe_split must have the keys columns and data, may have index, and nothing else.",
    "split-columns": "The columns of dataframe_split are not a list of names.",
    "split-row": "Row {row} of dataframe_split is not a list of {expected} {expected:value|values}.",
    "column-not-a-list": "Column {column!r} is not a list.",
    "column-lengths": "The columns do not all have the same length.",
    # Files, whatever is in them.
    "file-empty": "The file is empty.",
    "file-format": "The file is not in {kind} format.",
    "file-cut-off": "The {kind} data is cut off, or its end is damaged.",
    "file-damaged": "The {kind} data is damaged, or uses a feature that is not supported.",
    "text-too-large": "There are more than {limit:size} of text in {count:,} rows.",
    "memory-rows": "Reading this file takes more memory than the service allows. Write it with smaller rows.",
    "memory-record-batches": "Reading this file takes more memory than the service allows. "
    "Write it with smaller record batches, of at most a million rows.",
    "memory-pages": "Reading this file takes more memory than the service allows. "
    "Write it with smaller pages, of about 1 MB.",
    # Text.
    "text-not-in-charset": "Line {line} is not {charset}, as which the text was sent.",
    "utf16-without-mark": "The text was sent as UTF-16, but does not begin with a byte order mark.",
    # CSV.
    "csv-utf16": "The file is UTF-16. Save it as UTF-8, or send it with charset=utf-16 in the header Content-Type.",
    "csv-not-utf8": "Line {line} is not UTF-8.",
    "csv-nul": "Line {line} contains a NUL byte.",
    "csv-stray-quote": "Line {line} has a quote within a field. Put the field in quotes and double the quote.",
    "csv-open-quote": "Line {line} opens a quote that is not closed, or not within {limit:size}.",
    "csv-record-too-long": "The record that begins in line {line} is longer than {limit:size}.",
    "csv-carriage-return": "Line {line} contains a carriage return that no newline follows.",
    "csv-field-count": "Line {line} has {count} {count:field|fields}, but the header has {expected}.",
    "csv-unreadable": "The lines from {line} on cannot be read as CSV.",
    "csv-header-unreadable": "The header in line {line} is not CSV, or a name in it is too long.",
    "csv-header-missing": "The first line does not look like a header: it must name the columns. "
    "Missing columns: {columns}.",
    "csv-too-many-columns": "The header in line {line} has more than {limit:,} columns.",
    "csv-delimiter-wrong": "The header has only one column. Should the file be read with delimiter={delimiter}?",
    "csv-delimiter-invalid": "The delimiter must be one ASCII character, and neither a quote nor the end of a line.",
    "csv-decimal-invalid": "The decimal sign must be a point or a comma.",
    "csv-signs-equal": "The delimiter and the decimal sign must differ.",
    # NDJSON.
    "ndjson-invalid": "Line {line} is not valid JSON: {fault} at character {character}.",
    "ndjson-line-too-long": "Line {line} is longer than {limit:size}.",
    # Parquet and Arrow.
    "parquet-encrypted": "The Parquet file is encrypted.",
    "parquet-metadata-damaged": "The metadata of the Parquet file is damaged, or contradicts itself.",
    "parquet-metadata-too-large": "The metadata of the Parquet file is too large. Write larger row groups.",
    "parquet-page-damaged": "A page of the Parquet file is damaged, or lies beyond the end of its column.",
    "parquet-page-too-large": "The Parquet file has pages of more than {limit:size}. "
    "Write smaller pages, of about 1 MB.",
    "parquet-row-count": "The Parquet file does not have as many rows as its metadata says.",
    "arrow-stream-unknown": "The file is not an Arrow stream, or was written by Arrow before 0.15.",
    "arrow-stream-goes-on": "There is something after the end of the Arrow stream.",
    "feather-1": "The file is Feather version 1, which is not supported. Write version 2.",
    # Jobs.
    "unknown-job": "There is no such job, or it has expired.",
    "job-ended": "The job has already ended: it is {state}.",
    "job-not-failed": "Only a failed job can be retried; this one is {state}.",
    "job-input-invalid": "The job failed because its input is invalid. Correct it and submit a new job.",
    "no-results": "Only a job that succeeded has results; this one is {state}.",
    "no-results-failed": "The job failed, so it has no results. {reason}",
    "idempotency-conflict": "This Idempotency-Key was used for another submission in the last 24 hours. "
    "Choose a new key.",
    "chunk-given-up": "Chunk {unit} was given up after {attempts} {attempts:attempt|attempts}. {reason}",
    "file-given-up": "The {unit} of the file was given up after {attempts} {attempts:attempt|attempts}. {reason}",
    "worker-died": "The worker process died or took too long.",
    "worker-failed": "The worker failed with {fault}.",
    "model-cannot-score": "Model version {version} cannot score. {reason}",
    # Room for jobs, and what they rest on.
    "queue-full": "Too many rows are already waiting to be scored. Try again later.",
    "bodies-full": "Too many large JSON bodies are being read at the moment. Try again, or send a file.",
    "redis-unavailable": "Redis does not answer, so jobs are not available. Single scoring still works.",
    "redis-access-denied": "Redis does not accept the login in REDIS_URL. Check its user, its password and its rights.",
    "storage-unavailable": "The storage does not answer.",
    "storage-full": "The storage is full. Try again when there is room, for example when earlier jobs have expired.",
    "storage-damaged": "The stored rows or scores of the job are damaged.",
    "storage-file-missing": "The storage has no such file.",
    "storage-bucket-missing": "The storage has no such bucket.",
    "storage-other-region": "The bucket is in another region than the configured one.",
    "storage-credentials": "The storage does not know the credentials, or they have expired.",
    "storage-forbidden": "The storage does not allow this with the configured credentials.",
    # The served model.
    "no-model": "No model is loaded yet.",
    "model-not-loaded": "No model is loaded. {reason}",
    "no-model-card": "The model has no card (README.md).",
    # Model folders: their files.
    "model-file-missing": "The model folder has no file {file!r}.",
    "model-file-unlisted": "SHA256SUMS does not list {file!r}.",
    "model-file-damaged": "{file!r} is missing or damaged: it does not match SHA256SUMS.",
    "model-file-not-json": "{file!r} is not JSON.",
    "model-file-not-yaml": "{file!r} is not YAML.",
    "model-file-unreadable": "CatBoost cannot read {file!r}.",
    "model-file-pointer": "{file!r} is a Git LFS pointer, not the model itself. Fetch it with 'git lfs pull'.",
    "model-files-several": "The model folder has several model files: {files}. Keep one, or name it in HF_FILENAME.",
    "model-in-subfolder": "The model is in the folder {folder!r} below this one. Name that folder instead.",
    "model-format": "The model was saved in the format {kind}; this service reads {accepted:or}.",
    "model-not-a-classifier": "The model is not a classifier of two classes (its loss is {kind}). The loss must be {accepted:or}.",
    "model-classes": "The model has {count} classes; this service takes classifiers of two.",
    "positive-class-unknown": "The classes of the model are {labels:or}, and nothing says which of them the score is the "
    "probability of. State it as metadata.positive_class in MLmodel, or set POSITIVE_CLASS.",
    "positive-class-not-a-label": "{place} is not one of the classes of the model, which are {labels:or}.",
    "positive-class-differs": "The job is for the probability of {label!r}, but this worker is set to give that of {other!r}. Set "
    "POSITIVE_CLASS alike on all processes.",
    "threshold-invalid": "{place} is not a number from 0 to 1.",
    "model-folder-changed": "The model folder changed while it was read. Try again.",
    "example-invalid": "{file!r} breaks the model's own feature contract, so no example is shown.",
    "golden-invalid": "{file!r} does not contain rows of the model's contract and their scores.",
    "golden-scores-differ": "The model does not reproduce the scores in its {file!r}.",
    "golden-class-differs": "The scores in {file!r} are of class {label}; the model is served with those of another class.",
    "trial-timed-out": "The model did not load in time.",
    "trial-crashed": "The process that tried the model died with exit code {code}: the model file is damaged.",
    # Model folders: signature and metadata.
    "mlmodel-invalid": "{file!r} cannot be served: {place}: {fault}.",
    "features-repeated": "The signature names a feature more than once.",
    "features-unknown": "The metadata names features that are not in the signature: {columns}.",
    "features-differ": "Signature and model do not have the same features: they differ in {columns}.",
    "features-count": "The signature has {count} columns, but the model has {expected} features.",
    "features-unsupported": "The model has text or embedding features, which this service does not take: {columns}.",
    "feature-type-unsupported": "Feature {column!r} is of the type {kind} in the signature, which this service does not take.",
    "feature-not-a-category": "Feature {column!r} is a string in the signature, but not a category of the model.",
    "feature-not-a-fraction": "Feature {column!r} is a category of the model, but a fraction in the signature.",
    "feature-not-ordered": "Feature {column!r} is ordered in the metadata, but is not a number.",
    "feature-not-bounded": "Feature {column!r} has a bound, but is not a number.",
    "feature-values-type": "Feature {column!r} has allowed values that do not fit its type {kind}.",
    "feature-values-range": "Feature {column!r} has allowed values beyond its type {kind}.",
    # What was assumed of a model, and what it lacks: told where it is shown, and no reason not to serve it.
    "signature-missing": "The model has no signature: the names and kinds of its features are taken from the model itself.",
    "signature-of-tensors": "The signature is of tensors: the names and kinds of the features are taken from the model itself.",
    "signature-of-anything": "The signature tells nothing of the columns: "
    "the names and kinds of the features are taken from the model itself.",
    "signature-types-unknown": "The signature does not tell the types of {columns}: they are taken from the model itself.",
    "signature-without-names": "The columns of the signature have no names: they are taken in the order of the model's features.",
    "model-without-names": "The model was trained without feature names: the names of the signature are taken in their order.",
    "signature-columns-unused": "Columns of the signature that the model does not use: {columns}.",
    "threshold-default": "The model states no threshold, so DEFAULT_THRESHOLD ({value}) decides.",
    "checksums-missing": "The model has no SHA256SUMS: a file that was damaged before it came here goes unnoticed.",
    "golden-missing": "The model has no golden rows: nothing shows that it scores as it did when it was trained.",
    "example-unreadable": "{file!r} has no row in a form that MLflow writes, so no example is shown.",
    # Where models come from.
    "version-gone": "The model source no longer has version {version}.",
    "version-not-from-hub": "Model version {version} does not come from the Hub.",
    "version-not-from-folder": "Model version {version} does not come from a folder.",
    "revision-unknown": "{repo} on the Hub has no such revision.",
    "revision-invalid": "The Hub does not accept such a revision of {repo}.",
    "revision-not-mlflow": "A revision must be an MLflow URI here: models:/NAME@ALIAS or runs:/RUN/PATH.",
    "revision-in-folder": "Models come from a folder here, which has no revisions. Reload without one.",
    "hub-repository-name": "HF_REPO_ID must name a repository: OWNER/NAME.",
    "hub-repository-unknown": "The Hub has no repository {repo}, or the token may not read it.",
    "hub-repository-private": "The Hub has no repository {repo}, or it is private and no token is set (HF_TOKEN).",
    "hub-access-gated": "Access to {repo} must be requested on the Hub first.",
    "hub-access-denied": "The Hub denies access to {repo} ({status}). Check the token and its rights.",
    "hub-unavailable": "The Hub does not answer ({fault}).",
    "hub-answered": "The Hub answers {status}. Try again later.",
    "hub-unreadable": "The answer of the Hub cannot be read.",
    "hub-commit-unknown": "The Hub does not say which commit of {repo} the revision is.",
    "hub-file-unavailable": "A file of {repo} could not be fetched from the Hub.",
    "hub-upload-failed": "The Hub did not accept the files.",
    "hub-file-damaged": "{file!r} arrived damaged: it does not match the Hub's checksum. Try again.",
    "mlflow-timed-out": "MLflow does not answer.",
    "mlflow-not-installed": "MODEL_URI needs MLflow. Install the extra 'train', or publish the model to the Hub.",
    "mlflow-model-unknown": "MLflow has no such model. Is it registered, and MLFLOW_TRACKING_URI right?",
    "mlflow-failed": "MLflow does not provide the model. Does its server answer?",
    "model-not-fetched": "The model could not be fetched: {fault}.",
    "model-cache-not-writable": "The model cache cannot be written: {fault}.",
    # A version on its way into a process, and reloads.
    "preparation-timed-out": "The model could not be fetched and verified in time.",
    "preparation-died": "The process that prepared the model died with exit code {code}.",
    "preparation-failed": "The process could not prepare the model ({fault}).",
    "reload-in-progress": "Another reload is in progress. Try again when it has ended.",
    "reload-failed": "{process} cannot take the model: {reason} Nothing was changed.",
    "reload-source-failed": "{process} could not get the model: {reason} Nothing was changed.",
    "reload-timed-out": "No answer in time from {names}. Nothing was changed.",
    "reload-unanswered": "No process answered in time. Nothing was changed.",
    "reload-superseded": "The reload lost its turn before all processes were ready. Nothing was changed.",
    "reload-interrupted": "The reload was interrupted.",
    "no-previous-version": "There is no earlier version to return to.",
    # Health: parts that are up or down. What else is down has the type of its error.
    "model-served": "Model version {version} is served.",
    "tasks-waiting": "{count} {count:task is|tasks are} waiting.",
    "workers-running": "{count} {count:worker is|workers are} running.",
    "readers-running": "{count} {count:reader is|readers are} running.",
    "storage-writable": "The storage can be written to.",
    "not-known-without-redis": "Not known without Redis.",
}
"""Type to sentence."""

INVALID_VALUES: dict[str, str] = {
    # What pydantic finds in JSON, in its own words.
    "missing": "Field required",
    "float_type": "Input should be a valid number",
    "int_type": "Input should be a valid integer",
    "int_from_float": "Input should be a valid integer, got a number with a fractional part",
    "finite_number": "Input should be a finite number",
    "bool_type": "Input should be a valid boolean",
    "string_type": "Input should be a valid string",
    "greater_than_equal": "Input should be greater than or equal to {limit}",
    "less_than_equal": "Input should be less than or equal to {limit}",
    "null_not_allowed": "Value should not be missing",
    "literal_error": "Input should be {values:or}",
    "extra_forbidden": "Extra inputs are not permitted",
    "dict_type": "Input should be an object",
    "json_invalid": "Invalid JSON: {fault} at line {line} column {character}",
    # What pydantic does not know.
    "int_size": "Input should be an integer of at most 64 bits",
    "not_ordered": "Input should not be less than {other}",
    "too_long": "Row should be at most {limit:size} long",
    "kept_type": "Kept value should be a number, a boolean or text",
}
"""Type of an invalid value to words, which stand behind the name of the column."""

INVALID_PARAMETERS: dict[str, str] = {
    "kept_names": "Value should name up to {limit} different columns",
    "kept_reserved": "Value should not name {columns}: the results have such columns of their own",
    "delimiter": "Value should be one sign that occurs in no number, such as ; or |, or the word tab",
    "signs_equal": "The delimiter and the decimal sign should differ",
    "misspelt_parameter": "Parameter is not known here. Did you mean {nearest!r}?",
    "unknown_parameter": "Parameter is not known here. Known are {accepted:or}",
    "no_parameters": "There are no parameters here",
}
"""Type of an invalid option of a job to words; what else is wrong with parameters has pydantic's types and words."""

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Reason:
    """Why something is not as it should be; `type` is one of REASONS."""

    type: str
    params: Params = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The sentence; of a type that only another version of the service knows, its name."""
        return fill(REASONS.get(self.type, self.type), self.params)

    def as_dict(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {"type": self.type, "message": self.message, "params": dict(self.params)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read it again; the sentence is made anew."""
        return cls(content["type"], content.get("params", {}))


@dataclass(frozen=True)
class InvalidValue:
    """A value that breaks the contract; `type` is one of INVALID_VALUES.

    `row` counts from 0 and is None for a lone row, `column` is None where no one column is meant.
    """

    row: int | None
    column: str | None
    type: str
    params: Params = field(default_factory=dict)

    @property
    def message(self) -> str:
        """What is wrong with it, in words."""
        return fill(INVALID_VALUES.get(self.type, self.type), self.params)

    @property
    def text(self) -> str:
        """The words for people who see only the row."""
        return self.message if self.column is None else f"{self.column}: {self.message}"

    def in_row(self) -> dict[str, Any]:
        """Give what JSON can hold, for where the row is known."""
        return {"column": self.column, "type": self.type, "message": self.message, "params": dict(self.params)}

    def as_dict(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {"row": self.row, **self.in_row()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read it again; the words are made anew."""
        return cls(content["row"], content["column"], content["type"], content.get("params", {}))


def cut(name: str) -> str:
    """Shorten a name that the caller made up."""
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[:MAX_NAME_LENGTH]}{MORE}"


def cut_names(names: Sequence[str]) -> list[str]:
    """Shorten a list of names that the caller made up."""
    return [*map(cut, names[:MAX_NAMES]), *([MORE] if len(names) > MAX_NAMES else [])]


def fill(sentence: str, params: Params) -> str:
    """Write the parameters into a sentence of the tables."""
    return "".join(
        text if name is None else f"{text}{_written(params.get(name), spec, conversion)}"
        for text, name, spec, conversion in _parts(sentence)
    )


@lru_cache(maxsize=1024)
def _parts(sentence: str) -> tuple[tuple[str, str | None, str, str | None], ...]:
    return tuple((text, name, spec or "", conversion) for text, name, spec, conversion in Formatter().parse(sentence))


def _written(value: Any, spec: str, conversion: str | None) -> str:
    if value is None:
        return MORE  # another version of the service has other parameters
    if isinstance(value, Mapping):
        return Reason.from_dict(value).message
    if isinstance(value, list | tuple):
        return _alternatives(value) if spec == "or" else _enumeration(value)
    if conversion == "r":
        return repr(value)
    if "|" in spec:
        one, many = spec.split("|")
        return one if value == 1 else many
    return _bytes(value) if spec == "size" and isinstance(value, int) else format(value, spec)


def _alternatives(values: Sequence[Any]) -> str:
    *front, last = map(repr, values)
    return f"{', '.join(front)} or {last}" if front else last


def _enumeration(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:MAX_NAMES_IN_SENTENCE]))
    if names[-1:] == [MORE]:
        return f"{listed} and more"
    more = len(names) - MAX_NAMES_IN_SENTENCE
    return f"{listed} and {more} more" if more > 0 else listed


def _bytes(count: int) -> str:
    for unit, size in (("GB", 2**30), ("MB", 2**20)):
        if count and count % size == 0:
            return f"{count // size:,} {unit}"
    return f"{count:,} {'byte' if count == 1 else 'bytes'}"
