"""Score a file of applicants with the running service, follow its jobs, and change its model."""

import argparse
from collections.abc import Callable, Sequence

from pret.cli import jobs, models
from pret.cli.ending import EXIT_CODES, run
from pret.cli.score import score
from pret.client import Client
from pret.requests import CONTENT_TYPES

Command = Callable[[Client, argparse.Namespace], None]

EPILOG = f"""examples:
  pret score portfolio.csv -o scores.parquet
  pret job list --state running
  pret model status

environment:
  PRET_URL    address of the service (http://127.0.0.1:8000)
  PRET_KEY    key, where the service asks for one

{EXIT_CODES}"""
STATES = ("queued", "running", "succeeded", "failed", "cancelled")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit code."""
    options = parser().parse_args(arguments)

    def command() -> None:
        with Client(options.url, options.key) as client:
            options.command(client, options)

    return run(command)


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands; each puts its function into `command`."""
    formatter = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(prog="pret", description=__doc__, epilog=EPILOG, formatter_class=formatter)
    groups = whole.add_subparsers(required=True, metavar="COMMAND")
    _add_score(groups)
    _add_jobs(groups.add_parser("job", help="list, follow, cancel or retry jobs, and fetch their results"))
    _add_models(groups.add_parser("model", help="what is served, and the change of it"))
    _add(groups, "health", models.health, "what is up", json=True)
    return whole


def _add(groups: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command, text: str,
         *, json: bool = False) -> argparse.ArgumentParser:  # fmt: skip
    added = groups.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=EXIT_CODES)
    added.add_argument("--url", help="address of the service (PRET_URL, or http://127.0.0.1:8000)")
    added.add_argument("--key", help="key of the service; in PRET_KEY others cannot see it")
    if json:
        added.add_argument("--json", action="store_true", help="print the answer of the service as it is")
    added.set_defaults(command=command)
    return added


def _add_score(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    added = _add(groups, "score", score, "score a file of applicants and fetch the results")
    # COL takes all that follow, so FILE comes first.
    added.usage = "pret score FILE [-o OUT] [--keep COL ...] [other options]"
    added.add_argument("file", metavar="FILE", help="the rows: CSV, Parquet, Arrow, NDJSON or JSON; - is stdin")
    added.add_argument(
        "-o", "--output", metavar="OUT",
        help="where the scores go: .csv, .ndjson, .parquet or .arrow; - writes CSV to stdout (FILE-scores)",
    )  # fmt: skip
    added.add_argument(
        "--keep", nargs="+", action="extend", default=[], metavar="COL", help="columns to keep beside the scores"
    )
    added.add_argument(
        "--on-invalid", choices=("reject", "flag"), default="reject",
        help="what a row that the model does not accept does: fail the job, or get an error in place of a score (reject)",
    )  # fmt: skip
    added.add_argument("--delimiter", metavar="C", help="what separates the fields of a CSV file")
    added.add_argument("--decimal", metavar="C", help="decimal sign of a CSV file")
    added.add_argument("--format", choices=tuple(CONTENT_TYPES), help="format of FILE (told from its name)")
    added.add_argument("--compress", action="store_true", help="send with gzip, for a slow line")


def _add_jobs(group: argparse.ArgumentParser) -> None:
    groups = group.add_subparsers(required=True, metavar="COMMAND")
    listed = _add(groups, "list", jobs.list_jobs, "list the newest jobs", json=True)
    listed.add_argument("--state", choices=STATES, help="only jobs in this state")
    listed.add_argument("--limit", type=models.limit, default=20, metavar="N", help="jobs at most (20)")
    for name, command, text in (
        ("show", jobs.show_job, "show a job, and why it failed"),
        ("watch", jobs.watch_job, "follow a job to its end"),
        ("cancel", jobs.cancel_job, "cancel a job"),
        ("retry", jobs.retry_job, "give a failed job another try"),
        ("results", jobs.job_results, "fetch the results of a job"),
    ):
        added = _add(groups, name, command, text, json=name == "show")
        added.add_argument("id", metavar="ID", help="id of the job")
        if name == "results":
            text = "a file that ends in .csv, .ndjson, .parquet or .arrow; - is CSV on stdout"
            added.add_argument("-o", "--output", required=True, metavar="OUT", help=text)


def _add_models(group: argparse.ArgumentParser) -> None:
    groups = group.add_subparsers(required=True, metavar="COMMAND")
    _add(groups, "status", models.model_status, "which model is served, and by which processes", json=True)
    _add(groups, "signature", models.model_signature, "the features that the model takes", json=True)
    _add(groups, "history", models.model_history, "the changes of the model, and the refused attempts", json=True)
    reloading = _add(groups, "reload", models.reload, "give all processes a new model, or none")
    reloading.add_argument("revision", nargs="?", metavar="REVISION", help="branch, tag or commit (the configured one)")
    _add(groups, "rollback", models.rollback, "return to the model before")
