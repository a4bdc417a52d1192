"""`pret score`: from a file of rows to a file of scores."""

import argparse
import sys
from pathlib import Path
from typing import Any, BinaryIO

from pret.cli import show
from pret.cli.ending import Interrupted, WrongUsage
from pret.client import Client
from pret.errors import Busy, NotReachable, ServerFault
from pret.models import Job
from pret.requests import RESULT_FORMATS
from pret.uploads import guess_format

STREAM = "-"
ENDINGS = {"csv": ".csv", "ndjson": ".ndjson", "json": ".ndjson", "parquet": ".parquet"}
"""Ending of the result file by the format of the input; Arrow is what is left."""


def score(client: Client, options: argparse.Namespace) -> None:
    """Submit FILE, follow its job and fetch the results."""
    output = options.output or _default_output(options.file, options.format)
    check_output(output)
    if output != STREAM and options.file != STREAM and Path(output).resolve() == Path(options.file).resolve():
        raise WrongUsage("The results would replace the input: give another OUT.")
    job = _submit(client, options)
    try:
        with show.Follower() as follower:
            follower.show(job)
            done = client.wait(job.id, on_progress=follower.show)
        fetch(client, done.id, output)
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted, but {_what_goes_on(job, output)}") from None
    except (NotReachable, Busy, ServerFault, OSError):
        print(f"The scores are not fetched, but {_what_goes_on(job, output)}", file=sys.stderr)
        raise
    show.summary(done, sys.stderr if output == STREAM else sys.stdout)
    if output != STREAM:
        print(f"The scores are in {output}")


def check_output(output: str) -> None:
    """Raise WrongUsage where results cannot go."""
    if output == STREAM:
        return
    if _result_format(output) not in RESULT_FORMATS or guess_format(output)[1]:
        raise WrongUsage("OUT must end in .csv, .ndjson, .parquet or .arrow, or be - for CSV on stdout.")
    if not Path(output).absolute().parent.is_dir():
        raise WrongUsage("The folder of OUT does not exist.")


def fetch(client: Client, job_id: str, output: str) -> None:
    """Bring the results of a job to a file or to stdout."""
    if output == STREAM:
        sys.stdout.flush()
        client.download(job_id, _binary(sys.stdout), "csv")
    else:
        client.download(job_id, output, _result_format(output))


def _submit(client: Client, options: argparse.Namespace) -> Job:
    if options.file == STREAM and options.format is None:
        raise WrongUsage("Rows from stdin need --format.")
    if options.format is None and guess_format(options.file)[0] is None:
        raise WrongUsage("The format cannot be told from the name of FILE: give --format.")
    try:
        return client.submit(
            _binary(sys.stdin) if options.file == STREAM else options.file,
            format=options.format,
            keep=options.keep,
            on_invalid=options.on_invalid,
            delimiter=options.delimiter,
            decimal=options.decimal,
            name="stdin" if options.file == STREAM else None,
            compress=options.compress,
        )
    except KeyboardInterrupt:
        raise Interrupted(
            "Interrupted while the rows were being sent; `pret job list` shows if there is a job."
        ) from None


def _what_goes_on(job: Job, output: str) -> str:
    return (
        f"job {job.id} goes on.\n"
        f"  pret job results {job.id} -o {output}    fetches its results when it is done\n"
        f"  pret job cancel {job.id}    cancels it"
    )


def _default_output(file: str, format: str | None) -> str:
    if file == STREAM:
        return STREAM
    path = Path(file)
    stem = path.name.partition(".")[0] or path.name
    return str(path.with_name(f"{stem}-scores{ENDINGS.get(format or guess_format(file)[0] or '', '.arrow')}"))


def _result_format(output: str) -> str | None:
    return guess_format(output)[0]


def _binary(stream: Any) -> BinaryIO:
    binary: BinaryIO = getattr(stream, "buffer", stream)
    return binary
