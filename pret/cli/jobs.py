"""`pret job …`: list, show, watch, cancel, retry, results, rm."""

import argparse
import json
from typing import Any

from pret import requests
from pret.cli import show
from pret.cli.ending import Interrupted
from pret.cli.score import STREAM, check_output, fetch
from pret.client import Client
from pret.jobs import Job

COLUMNS = ("id", "state", "name", "rows", "done", "granted", "refused", "invalid", "created", "seconds", "model")


def list_jobs(client: Client, options: argparse.Namespace) -> None:
    """Print the newest jobs."""
    if options.json:
        print_raw(client, requests.jobs(options.state, options.limit))
        return
    page = client.jobs(options.state, options.limit)
    show.table(COLUMNS, map(_row, page.jobs))
    if page.total > len(page.jobs):
        print(f"{len(page.jobs):,} of {page.total:,} jobs; --limit shows more")


def show_job(client: Client, options: argparse.Namespace) -> None:
    """Print everything about a job."""
    if options.json:
        print_raw(client, requests.job(options.id))
    else:
        _print(client.job(options.id))


def watch_job(client: Client, options: argparse.Namespace) -> None:
    """Follow a job to its end."""
    try:
        with show.Follower() as follower:
            job = client.wait(options.id, on_progress=follower.show)
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped watching; job {options.id} continues.") from None
    _print(job)


def cancel_job(client: Client, options: argparse.Namespace) -> None:
    """Cancel a job."""
    job = client.cancel(options.id)
    print(f"Job {job.id} is {job.state}.")


def remove_jobs(client: Client, options: argparse.Namespace) -> None:
    """Remove jobs, one after the other."""
    for job_id in options.ids:
        client.remove(job_id)
        print(f"Job {job_id} is removed.")


def retry_job(client: Client, options: argparse.Namespace) -> None:
    """Run a failed job again."""
    job = client.retry(options.id)
    print(f"Job {job.id} is {job.state}; `pret job watch {job.id}` follows it.")


def job_results(client: Client, options: argparse.Namespace) -> None:
    """Download the results of a job."""
    check_output(options.output)
    fetch(client, options.id, options.output)
    if options.output != STREAM:
        print(f"The scores are in {options.output}")


def print_raw(client: Client, request: requests.Request) -> Any:
    """Print the JSON of a response as it is, and return it."""
    body = client.raw(request)
    print(json.dumps(body, ensure_ascii=False, indent=2))
    return body


def _print(job: Job) -> None:
    show.record(job, leave_out=("report",))
    if job.report:
        show.invalid_values(job.report.errors, job.report.invalid_values)


def _row(job: Job) -> tuple[Any, ...]:
    counts = (job.rows, job.rows_done, job.granted, job.refused, job.invalid)
    return (job.id, job.state, job.name, *counts, job.created_at, job.seconds, job.model_version)
