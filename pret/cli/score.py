"""`pret score`: a file of rows in, a file of scores out."""

import argparse
import sys
from pathlib import Path
from typing import Any, BinaryIO

from pret.cli import show
from pret.cli.ending import Interrupted, WrongUsage
from pret.client import Client
from pret.errors import Busy, NotReachable, ServerFault
from pret.formats import WRITABLE, guess_format, result_format, usual_ending
from pret.jobs import Job
from pret.uploads import name_in_zip

STREAM = "-"
*_FIRST, _LAST = map(usual_ending, WRITABLE)
OUTPUT_ENDINGS = f"{', '.join(_FIRST)} or {_LAST}"


def score(client: Client, options: argparse.Namespace) -> None:
    """Submit FILE, follow its job and download the results."""
    output = options.output or _default_output(options.file, options.format)
    check_output(output)
    if output != STREAM and options.file != STREAM and Path(output).resolve() == Path(options.file).resolve():
        raise WrongUsage("The results would overwrite the input: choose another OUT.")
    job = _submit(client, options)
    try:
        with show.Follower() as follower:
            follower.show(job)
            done = client.wait(job.id, on_progress=follower.show)
        fetch(client, done.id, output)
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted, but {_still_running(job, output)}") from None
    except (NotReachable, Busy, ServerFault, OSError):
        print(f"The scores were not downloaded, but {_still_running(job, output)}", file=sys.stderr)
        raise
    show.summary(done, sys.stderr if output == STREAM else sys.stdout)
    if output != STREAM:
        print(f"The scores are in {output}")


def check_output(output: str) -> None:
    """Raise WrongUsage if results cannot be written there."""
    if output == STREAM:
        return
    if guess_format(output)[0] not in WRITABLE or guess_format(output)[1]:
        raise WrongUsage(f"OUT must end in {OUTPUT_ENDINGS}, or be - for CSV on stdout.")
    if not Path(output).absolute().parent.is_dir():
        raise WrongUsage("The folder of OUT does not exist.")


def fetch(client: Client, job_id: str, output: str) -> None:
    """Download the results of a job to a file or to stdout."""
    if output == STREAM:
        sys.stdout.flush()
        client.download(job_id, _binary(sys.stdout), "csv")
    else:
        client.download(job_id, output, guess_format(output)[0])


def _submit(client: Client, options: argparse.Namespace) -> Job:
    if options.file == STREAM and options.format is None:
        raise WrongUsage("Rows from stdin need --format.")
    if options.format is None and guess_format(options.file)[0] is None and not name_in_zip(options.file):
        raise WrongUsage("Cannot tell the format from the name of FILE: use --format.")
    try:
        return client.submit(
            _binary(sys.stdin) if options.file == STREAM else options.file,
            format=options.format,
            charset=options.charset,
            keep=options.keep,
            on_invalid=options.on_invalid,
            delimiter=options.delimiter,
            decimal=options.decimal,
            missing=options.missing,
            explain=options.explain,
            name="stdin" if options.file == STREAM else None,
            compress=options.compress,
        )
    except KeyboardInterrupt:
        raise Interrupted("Interrupted while sending the rows; `pret job list` shows whether there is a job.") from None


def _still_running(job: Job, output: str) -> str:
    return (
        f"job {job.id} continues.\n"
        f"  pret job results {job.id} -o {output}    downloads its results once it is done\n"
        f"  pret job cancel {job.id}    cancels it"
    )


def _default_output(file: str, format: str | None) -> str:
    if file == STREAM:
        return STREAM
    path = Path(file)
    stem = path.name.partition(".")[0] or path.name
    ending = usual_ending(result_format(format or guess_format(file)[0]))
    return str(path.with_name(f"{stem}-scores{ending}"))


def _binary(stream: Any) -> BinaryIO:
    binary: BinaryIO = getattr(stream, "buffer", stream)
    return binary
