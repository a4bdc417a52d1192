"""The step that writes the results of a job to its output URI."""

from shared.errors import MalformedInput
from shared.formats.format import FILE_ENDINGS, FORMATS, Format, format_of_name
from shared.formats.writers import encode
from shared.jobs.results import Results
from shared.jobs.unit import Attempt, remove_rows_if_done
from shared.storage import write_uri


def output_format(uri: str) -> Format:
    """Return the output format, from the file extension; raises MalformedInput if it is unknown."""
    format, encoding = format_of_name(uri)
    if format is None or not FORMATS[format].is_file or encoding:
        raise MalformedInput("output-uri-unsupported", accepted=FILE_ENDINGS)
    return format


def write_output(attempt: Attempt) -> list[str] | None:
    """Write the results and end the job."""
    job, at = attempt.job, attempt.at
    assert job.output_uri is not None and job.rows is not None  # noqa: S101 - for the type checker
    format = output_format(job.output_uri)
    results = Results(job, job.rows, at.storage).laid_out(format)
    with write_uri(job.output_uri) as file:
        for piece in encode(format, results.schema, results.batches()):
            file.write(piece)
            attempt.renew()
    if not at.store.commit_writing(job.id):
        return None
    remove_rows_if_done(job, at)
    return []
