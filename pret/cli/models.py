"""`pret model …` and `pret health`: which model is served, how to change it, and the state of the service."""

import argparse

from pret import requests
from pret.cli import show
from pret.cli.jobs import print_raw
from pret.client import Client
from pret.errors import Busy
from pret.models import Column, Reload


def model_status(client: Client, options: argparse.Namespace) -> None:
    """Print the model and who serves it."""
    if options.json:
        print_raw(client, requests.model_status())
        return
    status = client.model_status()
    show.record(status, leave_out=("processes", "candidate"))
    if status.candidate:
        print(f"A reload of {show.cell(status.candidate.version)} is under way, requested by {status.candidate.by}.")
    print()
    rows = [(each.kind, each.host, each.pid, each.version, each.since, each.error) for each in status.processes]
    show.table(("kind", "host", "pid", "version", "since", "error"), rows)


def model_show(client: Client, options: argparse.Namespace) -> None:
    """Print what the model scores, what decides, and what was assumed of it."""
    if options.json:
        print_raw(client, requests.model_info())
        return
    info = client.model_info()
    if info.positive_class is not None:
        print(f"score = probability of {info.positive_class}")
    if info.recommended_threshold is not None:
        print(f"threshold = {info.recommended_threshold!r}{_in_brackets(info.threshold_origin)}")
    show.record(
        info, leave_out=(*("positive_class", "recommended_threshold", "threshold_origin"), "evaluator", "notes")
    )
    if info.evaluator is not None:
        print(f"Scored by {info.evaluator.name}. {info.evaluator.reason or ''}".rstrip())
    for note in info.notes:
        print(f"Note: {note}")


def model_signature(client: Client, options: argparse.Namespace) -> None:
    """Print the features of the model."""
    if options.json:
        print_raw(client, requests.model_signature())
        return
    signature = client.model_signature()
    rows = [
        (each.name, each.type, each.required, _nullable(each), _allowed(each), each.description)
        for each in signature.columns
    ]
    show.table(("feature", "type", "required", "nullable", "allowed", "description"), rows)
    for names in signature.ordered:
        print(f"Must not decrease in this order: {', '.join(names)}")


def model_history(client: Client, options: argparse.Namespace) -> None:
    """Print the changes of the active version and the rejected attempts."""
    if options.json:
        print_raw(client, requests.model_versions())
        return
    rows = [(each.at, each.version, each.outcome, each.by, each.reason) for each in client.model_versions()]
    show.table(("time", "version", "outcome", "by", "reason"), rows)


def reload(client: Client, options: argparse.Namespace) -> None:
    """Activate another version."""
    _print_reload(client.reload(options.revision))


def rollback(client: Client, options: argparse.Namespace) -> None:
    """Return to the previous version."""
    _print_reload(client.rollback())


def health(client: Client, options: argparse.Namespace) -> None:
    """Print the state of the service; raises Busy if it is not ready."""
    if options.json:
        status = print_raw(client, requests.health()).get("status")
    else:
        found = client.health()
        status = found.status
        print(f"The service is {status}.")
        rows = [(name, part.status, part.detail) for name, part in found.parts.items()]
        show.table(("part", "status", "detail"), rows)
    if status == "not ready":
        raise Busy("The service cannot score at the moment.")


def limit(text: str) -> int:
    """Parse a number of jobs."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("must be a positive whole number")
    return int(text)


def _print_reload(outcome: Reload) -> None:
    show.table(show.PROCESSES, show.process_rows(outcome.processes))
    if outcome.status == "unchanged":
        print(f"Unchanged: {outcome.version} is already the active version.")
    else:
        print(f"Reloaded: {outcome.version_before or 'no version'} -> {outcome.version}")


def _nullable(column: Column) -> str | None:
    return None if column.nullable is None else f"{column.nullable}{_in_brackets(column.nullable_because)}"


def _in_brackets(text: str | None) -> str:
    return f" ({text})" if text else ""


def _allowed(column: Column) -> str | None:
    if column.values:
        return ", ".join(map(str, column.values))
    bounds = [f"{sign} {value:g}" for sign, value in ((">=", column.ge), ("<=", column.le)) if value is not None]
    return " and ".join(bounds) or None
