"""Score a file of applicants with a running service, follow its jobs, and change its model."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial

from pret.cli import jobs, keys, models
from pret.cli.check import check_model
from pret.cli.ending import EXIT_CODES, run
from pret.cli.score import OUTPUT_ENDINGS, score
from pret.client import Client
from pret.formats import READABLE

Command = Callable[[Client, argparse.Namespace], None]

EPILOG = f"""examples:
  pret score portfolio.csv -o scores.parquet
  pret job list --state running
  pret model status
  pret model check models:/credit@champion

environment:
  PRET_URL    address of the service (default: http://127.0.0.1:8000)
  PRET_KEY    key of the service, if it needs one

{EXIT_CODES}"""
STATES = ("queued", "running", "succeeded", "failed", "cancelled")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = parser().parse_args(arguments)
    if "check" in options:
        return check_model(options.check)
    if "scope" in options:
        return run(partial(keys.new_key, options))

    def command() -> None:
        with Client(options.url, options.key) as client:
            options.command(client, options)

    return run(command)


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands; each sets `command` to its function."""
    formatter = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(prog="pret", description=__doc__, epilog=EPILOG, formatter_class=formatter)
    groups = whole.add_subparsers(required=True, metavar="COMMAND")
    _add_score(groups)
    _add_jobs(groups.add_parser("job", help="list, follow, cancel and retry jobs, and download their results"))
    _add_models(groups.add_parser("model", help="show which model is served, and change it"))
    _add_keys(groups.add_parser("key", help="make keys for callers of the service"))
    _add(groups, "health", models.health, "show the state of the service", json=True)
    return whole


def _add(groups: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command, text: str,
         *, json: bool = False) -> argparse.ArgumentParser:  # fmt: skip
    added = groups.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=EXIT_CODES)
    added.add_argument("--url", help="address of the service (default: PRET_URL, or http://127.0.0.1:8000)")
    added.add_argument("--key", help="key of the service; PRET_KEY hides it from other users of this machine")
    if json:
        added.add_argument("--json", action="store_true", help="print the JSON of the service as it is")
    added.set_defaults(command=command)
    return added


def _add_score(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    added = _add(groups, "score", score, "score a file of applicants and download the results")
    # --keep takes all words that follow, so FILE comes first.
    added.usage = "pret score FILE [-o OUT] [--keep COL ...] [other options]"
    added.add_argument("file", metavar="FILE", help="rows as CSV, Parquet, Arrow, NDJSON or JSON; - for stdin")
    added.add_argument(
        "-o", "--output", metavar="OUT",
        help=f"file for the scores, ending in {OUTPUT_ENDINGS}; - for CSV on stdout (default: FILE-scores)",
    )  # fmt: skip
    added.add_argument(
        "--keep", nargs="+", action="extend", default=[], metavar="COL", help="columns to repeat beside the scores"
    )
    added.add_argument(
        "--on-invalid", choices=("reject", "flag"), default="reject",
        help="how to treat invalid rows: fail the job (reject, the default) or report them (flag)",
    )  # fmt: skip
    added.add_argument(
        "--explain", type=models.limit, metavar="K", help="add the K largest reasons to each score, 20 at most"
    )
    added.add_argument(
        "--delimiter", metavar="C", help="field delimiter of a CSV file (default: a comma, or a tab for .tsv)"
    )
    added.add_argument(
        "--missing", nargs="+", action="extend", default=[], metavar="TEXT",
        help="further spellings of a missing value in a CSV file, such as -999",
    )  # fmt: skip
    added.add_argument("--decimal", metavar="C", help="decimal separator of a CSV file (default: a point)")
    added.add_argument(
        "--charset", metavar="NAME", help="charset of a text file that is not UTF-8, such as windows-1252 or utf-16"
    )
    added.add_argument("--format", choices=READABLE, help="format of FILE (default: by its name)")
    added.add_argument("--compress", action="store_true", help="compress what is sent with gzip, for a slow connection")


def _add_jobs(group: argparse.ArgumentParser) -> None:
    groups = group.add_subparsers(required=True, metavar="COMMAND")
    listed = _add(groups, "list", jobs.list_jobs, "list the newest jobs", json=True)
    listed.add_argument("--state", choices=STATES, help="only jobs in this state")
    listed.add_argument("--limit", type=models.limit, default=20, metavar="N", help="at most N jobs (default: 20)")
    for name, command, text in (
        ("show", jobs.show_job, "show a job, and why it failed"),
        ("watch", jobs.watch_job, "follow a job to its end"),
        ("cancel", jobs.cancel_job, "cancel a job"),
        ("retry", jobs.retry_job, "run a failed job again"),
        ("results", jobs.job_results, "download the results of a job"),
    ):
        added = _add(groups, name, command, text, json=name == "show")
        added.add_argument("id", metavar="ID", help="id of the job")
        if name == "results":
            text = f"file for the scores, ending in {OUTPUT_ENDINGS}; - for CSV on stdout"
            added.add_argument("-o", "--output", required=True, metavar="OUT", help=text)
    text = "remove jobs with their rows and results; an open one is cancelled first"
    removing = _add(groups, "rm", jobs.remove_jobs, text)
    removing.add_argument("ids", nargs="+", metavar="ID", help="id of a job")


def _add_models(group: argparse.ArgumentParser) -> None:
    groups = group.add_subparsers(required=True, metavar="COMMAND")
    _add(groups, "status", models.model_status, "show which model is served, and by which processes", json=True)
    _add(groups, "show", models.model_show, "show what the model scores, and what was assumed of it", json=True)
    _add(groups, "signature", models.model_signature, "show the features of the model", json=True)
    _add(groups, "history", models.model_history, "show the changes of the model, and the rejected attempts", json=True)
    reloading = _add(groups, "reload", models.reload, "activate another model on all processes, or on none")
    reloading.add_argument(
        "revision", nargs="?", metavar="REVISION", help="branch, tag or commit (default: the configured one)"
    )
    _add(groups, "rollback", models.rollback, "return to the previous model")
    _add_check(groups)


def _add_keys(group: argparse.ArgumentParser) -> None:
    """Add the command that needs no service either."""
    text = "make a key, and the line by which the service knows it"
    groups = group.add_subparsers(required=True, metavar="COMMAND")
    added = groups.add_parser("new", help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=EXIT_CODES)
    added.usage = "pret key new NAME --scope SCOPE [SCOPE ...]"
    added.add_argument("--requests", type=models.limit, metavar="N", help="at most N requests per second")
    added.add_argument("--rows", type=models.limit, metavar="N", help="at most N rows scored per day")
    added.add_argument("name", metavar="NAME", help="name of the caller: its jobs and its changes carry it")
    added.add_argument(
        "--scope", required=True, nargs="+", action="extend", choices=keys.SCOPES,
        help="score: score in the call; jobs: submit and manage jobs; read: see the model; admin: everything",
    )  # fmt: skip


def _add_check(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command that needs no service; all its options, and --help too, are left to the project's script."""
    text = "show what would be served of a model, without a service"
    # Nothing begins with this sign, so that nothing is taken for an option here.
    groups.add_parser("check", help=text, add_help=False, prefix_chars="\0").add_argument("check", nargs="*")
