"""Writing the results of a job to where its submission asked for them. A plain function, whoever calls it."""

import time

from shared.errors import MalformedInput
from shared.formats.source import Format, format_of_name
from shared.formats.writers import encode
from shared.jobs.job import WRITING, Job
from shared.jobs.results import Results
from shared.jobs.run import RENEW_INTERVAL, JobEnded, Workplace, reason_of
from shared.jobs.store import Claim
from shared.storage import write_uri


def output_format(uri: str) -> Format:
    """Tell from the name of the output what it is to be written in; raises MalformedInput if it does not say."""
    found, encoding = format_of_name(uri)
    if found in (None, Format.JSON) or encoding:
        raise MalformedInput("The output_uri must end in .csv, .ndjson, .parquet, .arrow or .arrows.")
    assert found is not None  # noqa: S101 - for the type checker
    return found


def write_output(job_id: str, at: Workplace) -> None:
    """Write the results, if that still waits, and end the job. What goes wrong is raised, with the unit given back."""
    if at.store.claim(job_id, WRITING) is not Claim.TAKEN:
        return
    job = at.store.get(job_id)
    try:
        _write(job, at)
    except JobEnded:
        return
    except Exception as error:
        at.store.release(job_id, WRITING, reason_of(error))
        raise
    at.store.commit_writing(job_id)


def _write(job: Job, at: Workplace) -> None:
    assert job.output_uri is not None and job.rows is not None  # noqa: S101 - for the type checker
    results = Results(job, job.rows, at.storage)
    renewed = 0.0
    with write_uri(job.output_uri) as file:
        for piece in encode(output_format(job.output_uri), results.schema, results.batches()):
            file.write(piece)
            if time.monotonic() - renewed > RENEW_INTERVAL:
                if not at.store.renew(job.id, WRITING, job.rows):
                    raise JobEnded
                renewed = time.monotonic()
